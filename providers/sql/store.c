/* SPDX-License-Identifier: MIT */
#include "sql/store.h"

#include "sql/schema.h"

#include <stdlib.h>

/* ---- as the pools see it ---- */

static struct pooled *open_pooled(void *arg, struct deadline deadline, char *why, size_t why_size)
{
    struct sql *sql = arg;
    struct sql_connection *connection = sql->dialect->open(sql, deadline, why, why_size);
    if (!connection)
        return NULL;
    connection->sql = sql;
    return &connection->pooled;
}

static bool pooled_is_usable(struct pooled *pooled)
{
    (void)pooled;
    return true;
}

static void close_pooled(struct pooled *pooled)
{
    struct sql_connection *connection = (struct sql_connection *)pooled;
    connection->sql->dialect->close(connection);
}

static void close_pooled_before_fork(struct pooled *pooled)
{
    struct sql_connection *connection = (struct sql_connection *)pooled;
    connection->sql->dialect->close_before_fork(connection);
}

static const struct pool_ops pool_ops = {
    .open = open_pooled,
    .is_usable = pooled_is_usable,
    .close = close_pooled,
    .close_before_fork = close_pooled_before_fork,
};

/* Two pools find it out one after the other; it is one store, and told once. */
static void on_change(void *arg, bool reachable)
{
    struct sql *sql = arg;
    const int before = atomic_fetch_add(&sql->lost, reachable ? -1 : 1);
    if (before == (reachable ? 1 : 0))
        ses_provider_reachable(sql->host, reachable);
}

/* ---- life time ---- */

static bool make_texts(struct sql *sql)
{
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        sql->texts[i] = sql_text(sql, sql->dialect->texts[i]);
        if (!sql->texts[i])
            return false;
    }
    return true;
}

int sql_open(struct sql *sql)
{
    if (!sql->table_prefix)
        sql->table_prefix = "sesame_";
    const char *problem = sql_prefix_problem(sql->table_prefix);
    if (problem)
        return ses_provider_fail(sql->host, SES_ERR_INVALID, "%s", problem);
    if (!make_texts(sql))
        return SES_ERR_NO_MEMORY;
    crc_init(&sql->crc);
    pool_init(&sql->readers, &pool_ops, sql, on_change, (uint32_t)sql->pool_size);
    pool_init(&sql->writers, &pool_ops, sql, on_change, 1);
    return sql_schema_prepare(sql);
}

void sql_close(struct sql *sql)
{
    pool_end(&sql->readers);
    pool_end(&sql->writers);
    for (int i = 0; i < SQL_STATEMENTS; i++)
        free(sql->texts[i]);
}
