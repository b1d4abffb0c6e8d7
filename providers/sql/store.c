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
    struct sql_connection *connection = (struct sql_connection *)pooled;
    const struct sql_dialect *dialect = connection->sql->dialect;
    return !dialect->is_usable || dialect->is_usable(connection);
}

static void close_pooled(struct pooled *pooled)
{
    struct sql_connection *connection = (struct sql_connection *)pooled;
    connection->sql->dialect->close(connection);
}

static void close_pooled_copy(struct pooled *pooled)
{
    struct sql_connection *connection = (struct sql_connection *)pooled;
    connection->sql->dialect->close_copy(connection);
}

static void close_pooled_before_fork(struct pooled *pooled)
{
    struct sql_connection *connection = (struct sql_connection *)pooled;
    connection->sql->dialect->close_before_fork(connection);
}

static const struct pool_ops for_a_fork_with_copies = {
    .open = open_pooled,
    .is_usable = pooled_is_usable,
    .close = close_pooled,
    .close_copy = close_pooled_copy,
};

static const struct pool_ops for_a_fork_with_none = {
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
        if (!sql->dialect->texts[i])
            continue;
        sql->texts[i] = sql_text(sql, sql->dialect->texts[i]);
        if (!sql->texts[i])
            return false;
    }
    return true;
}

static void make_pools(struct sql *sql)
{
    const struct pool_ops *ops =
        sql->dialect->close_before_fork ? &for_a_fork_with_none : &for_a_fork_with_copies;
    sql->readers = sql->writers = &sql->pools[0];
    pool_init(sql->readers, ops, sql, on_change, (uint32_t)sql->pool_size);
    if (!sql->dialect->one_writer)
        return;
    sql->writers = &sql->pools[1];
    pool_init(sql->writers, ops, sql, on_change, 1);
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
    make_pools(sql);
    return sql_schema_prepare(sql);
}

void sql_close(struct sql *sql)
{
    pool_end(&sql->pools[0]);
    pool_end(&sql->pools[1]);
    for (int i = 0; i < SQL_STATEMENTS; i++)
        free(sql->texts[i]);
}
