/* SPDX-License-Identifier: MIT */
/*
 * Provider "mysql": records in a table of MariaDB or MySQL, by libmariadb.
 *
 *  - ProviderConfig: user:password@tcp(host:port)/database?name=value (config.h).
 *  - Settings: createTable, tablePrefix, poolSize, budgetMs.
 *  - Layout: <prefix>sessions, a row for each record, and <prefix>schema, their version
 * (dialect.c).
 *  - Atomic save: one UPDATE that asks for the version.
 *  - Every statement of the set is prepared once for each connection, and has bound parameters.
 *  - Expiry: a column, with an index that gc() walks in batches, one process at a time.
 *  - Loses: nothing at a crash of a client; at one of the server what
 * innodb_flush_log_at_trx_commit says, at a failover what the replica had not got.
 *  - Owners: counted in the transaction that adds one, under a lock of the user's name.
 *  - Threads: mysql_thread_init() and mysql_thread_end() are empty in libmariadb 3, so threads that
 * pass through owe nothing, and no call is made that an application's thread would have to end.
 *  - Fork: a child lets go of its copies of the connections, and the server learns nothing of it.
 *  - Waits: for half of the budget in each call, by the library's calls that do not block
 * (statement.c); then SES_ERR_UNAVAILABLE.
 */

#include "mysql/connection.h"

/* ---- life time ---- */

int mysql_provider_open(struct mysql_store *store, ses_provider_host *host, const char *config,
                        const struct sql_dialect *dialect)
{
    store->sql.host = host;
    store->sql.dialect = dialect;
    const char *problem = mysql_config_read(&store->config, config);
    if (problem)
        return ses_provider_fail(host, SES_ERR_INVALID, "%s", problem);
    if (!mysql_provider_begin())
        return ses_provider_fail(host, SES_ERR_NO_MEMORY, "the client library does not begin");
    (void)pthread_mutex_init(&store->connecting, NULL);
    store->watch = (struct fork_watch){ .mutex = &store->connecting };
    fork_watch_begin(&store->watch);
    store->begun = true;
    return sql_open(&store->sql);
}

static int mysql_open(void *self, ses_provider_host *host, const char *config)
{
    return mysql_provider_open(self, host, config, &mysql_provider_dialect);
}

static void mysql_close_store(void *self)
{
    struct mysql_store *store = self;
    sql_close(&store->sql);
    if (store->begun) {
        fork_watch_end(&store->watch);
        (void)pthread_mutex_destroy(&store->connecting);
    }
    mysql_config_free(&store->config);
}

/* ---- the vtable ---- */

static const struct ses_setting mysql_settings[] = {
    SQL_SETTINGS,
    { 0 },
};

extern SES_API const struct ses_provider_ops ses_provider_mysql;

const struct ses_provider_ops ses_provider_mysql = {
    .size = sizeof ses_provider_mysql,
    .abi = SES_PROVIDER_ABI,
    .name = "mysql",
    .instance_size = sizeof(struct mysql_store),
    .settings = mysql_settings,
    .open = mysql_open,
    .close = mysql_close_store,
    SQL_OPERATIONS,
    SQL_OPERATIONS_WITHIN,
};
