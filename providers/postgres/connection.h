/* SPDX-License-Identifier: MIT */
#ifndef SES_POSTGRES_CONNECTION_H
#define SES_POSTGRES_CONNECTION_H

#include "postgres/state.h"

#include <stdatomic.h>
#include <sys/types.h>

/* One connection to a server, as struct sql_dialect asks for it. libpq is used in its non-blocking
 * way only, so every wait is one of ours and ends at a deadline. */

struct connection {
    struct sql_connection base; /* first */
    PGconn *pg;
    size_t host;              /* the one it leads to */
    struct deadline deadline; /* of the call that has it */
    bool prepared[SQL_STATEMENTS];
    bool borrowed; /* the application's: nothing stays prepared on it */
    bool was_blocking;
    atomic_bool at_work; /* a thread is inside libpq */
    ino_t inode;         /* of its socket */
    bool patient;        /* its time-outs are those of somebody who makes tables */
};

/* ---- connection.c ---- */

struct sql_connection *postgres_provider_connect(struct sql *sql, struct deadline deadline,
                                                 char *why, size_t why_size);
bool postgres_provider_is_usable(struct sql_connection *connection);
void postgres_provider_close(struct sql_connection *connection);
void postgres_provider_close_copy(struct sql_connection *connection);

/* Until the socket is ready for @p events, or there may be something that TLS has read already.
 * @return false: the deadline has passed. */
bool postgres_provider_wait(PGconn *pg, short events, struct deadline deadline);

/* The first line of what libpq says, without its end. */
void postgres_provider_note(char *why, size_t why_size, const char *text);

/* ---- borrow.c ---- */

int postgres_provider_borrow(struct sql *sql, void *connection,
                             struct sql_connection **ret_connection);
void postgres_provider_give_back(struct sql_connection *connection);

/* ---- statement.c ---- */

int postgres_provider_run(struct sql_connection *connection, struct sql_call *call);
int postgres_provider_prepare(struct sql_connection *connection, enum sql_statement statement);
int postgres_provider_ask(struct sql_connection *connection, const char *text,
                          struct deadline deadline, int64_t *ret_number);

/* What each connection begins with. @return false, with a line in its why. */
bool postgres_provider_settle(struct connection *c, int64_t patience_ms);

#endif
