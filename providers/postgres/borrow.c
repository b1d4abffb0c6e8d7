/* SPDX-License-Identifier: MIT */
/* The application's connection, for a call. */
#include "postgres/connection.h"

#include <stdlib.h>

/* @return NULL, or why nothing can be done on it. */
static const char *problem_of(const PGconn *pg)
{
    if (PQpipelineStatus(pg) != PQ_PIPELINE_OFF)
        return "the application's connection is in pipeline mode";
    switch (PQtransactionStatus(pg)) {
    case PQTRANS_INTRANS:
        return NULL;
    case PQTRANS_IDLE:
        return "the application's connection has no transaction open";
    case PQTRANS_INERROR:
        return "the application's transaction has failed, and can only be rolled back";
    case PQTRANS_ACTIVE:
        return "the application's connection has a result that was not read";
    default:
        return "the application's connection is lost";
    }
}

int postgres_provider_borrow(struct sql *sql, void *connection,
                             struct sql_connection **ret_connection)
{
    PGconn *pg = connection;
    const char *problem = problem_of(pg);
    if (problem)
        return ses_provider_fail(
            sql->host, PQstatus(pg) == CONNECTION_OK ? SES_ERR_INVALID : SES_ERR_UNAVAILABLE, "%s",
            problem);
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return SES_ERR_NO_MEMORY;
    c->base.sql = sql;
    c->pg = pg;
    c->borrowed = true;
    c->was_blocking = !PQisnonblocking(pg) && PQsetnonblocking(pg, 1) == 0;
    *ret_connection = (struct sql_connection *)c;
    return SES_OK;
}

void postgres_provider_give_back(struct sql_connection *connection)
{
    struct connection *c = (struct connection *)connection;
    if (c->was_blocking)
        (void)PQsetnonblocking(c->pg, 0);
    free(c);
}
