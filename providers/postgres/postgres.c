/* SPDX-License-Identifier: MIT */
/*
 * Provider "postgres": records in a database of PostgreSQL, which the processes of many machines
 * share.
 *
 *  - ProviderConfig: a URL, or the words of libpq; several hosts (config.c).
 *  - Settings: createTable, tablePrefix, poolSize, budgetMs.
 *  - Layout: <prefix>sessions, a row for each record, and <prefix>schema, their version
 *    (dialect.c).
 *  - Atomic save: one UPDATE that asks for the version (sql/records.c).
 *  - Expiry: a column, with an index that gc() walks in batches, one process at a time; rows that
 *    somebody writes to are left for the next time.
 *  - Loses: at a crash what "synchronous_commit" says; at a failover what the replica did not have.
 *  - Owners: counted in the transaction that adds one, under a lock of that user.
 *  - Fork: a child closes its copies of the connections and tells the server nothing.
 *  - Waits: for half of the budget in each call, whatever it does; then SES_ERR_UNAVAILABLE. The
 *    server is told to give up after the same time.
 */

#include "postgres/state.h"

static int postgres_open(void *self, ses_provider_host *host, const char *config)
{
    struct postgres *store = self;
    store->sql.host = host;
    store->sql.dialect = &postgres_provider_dialect;
    const char *problem = postgres_config_read(&store->config, config);
    if (problem)
        return ses_provider_fail(host, SES_ERR_INVALID, "%s", problem);
    return sql_open(&store->sql);
}

static void postgres_close(void *self)
{
    struct postgres *store = self;
    sql_close(&store->sql);
    postgres_config_free(&store->config);
}

/* ---- the vtable ---- */

static const struct ses_setting postgres_settings[] = { SQL_SETTINGS, { 0 } };

extern SES_API const struct ses_provider_ops ses_provider_postgres;

const struct ses_provider_ops ses_provider_postgres = {
    .size = sizeof ses_provider_postgres,
    .abi = SES_PROVIDER_ABI,
    .name = "postgres",
    .instance_size = sizeof(struct postgres),
    .settings = postgres_settings,
    .open = postgres_open,
    .close = postgres_close,
    SQL_OPERATIONS,
};
