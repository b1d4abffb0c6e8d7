/* SPDX-License-Identifier: MIT */
/*
 * Provider "sqlite": records in a database file, which the processes of one machine share.
 *
 *  - ProviderConfig: the path of the file.
 *  - Settings: createTable, tablePrefix, poolSize, budgetMs, maxBytes, durability:
 * "none", "normal" or "full".
 *  - Layout: <prefix>sessions, a row for each record, and <prefix>schema, their version
 * (dialect.c).
 *  - Atomic save: one UPDATE that asks for the version, in a transaction (sql/records.c).
 *  - Who writes waits in a queue for the one connection that does, in turn; other processes by
 *    SQLite's lock. Reading waits for nobody (write-ahead log).
 *  - Expiry: a column, with an index that gc() walks in batches.
 *  - Loses: at a crash of the process nothing; at one of the machine what "durability" says.
 *  - Owners: counted in the transaction that adds one.
 *  - Fork: SQLite keeps locks of the whole process, which a child would take for its own. So no
 *    connection is open at a fork: it waits until all are given back, and closes them.
 *  - Waits: for half of the budget in each call, whatever it does; then SES_ERR_UNAVAILABLE.
 */

#include "sqlite/state.h"

#include <stdlib.h>

/* ---- life time ---- */

static int sqlite_open(void *self, ses_provider_host *host, const char *config)
{
    struct sqlite_store *store = self;
    store->sql.host = host;
    store->sql.dialect = &sqlite_provider_dialect;
    const int r = sqlite_provider_find_file(store, config);
    return r < 0 ? r : sql_open(&store->sql);
}

static void sqlite_close(void *self)
{
    struct sqlite_store *store = self;
    sql_close(&store->sql);
    free(store->path);
}

/* ---- the vtable ---- */

static const char *const durability_choices[] = { "none", "normal", "full", NULL };

static const struct ses_setting sqlite_settings[] = {
    SQL_SETTINGS,
    {
        .name = "maxBytes",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct sqlite_store, max_bytes),
        .max = INT64_MAX,
    },
    {
        .name = "durability",
        .type = SES_SETTING_CHOICE,
        .offset = offsetof(struct sqlite_store, durability),
        .preset = SQLITE_DURABLE_NORMAL,
        .choices = durability_choices,
    },
    { 0 },
};

extern SES_API const struct ses_provider_ops ses_provider_sqlite;

const struct ses_provider_ops ses_provider_sqlite = {
    .size = sizeof ses_provider_sqlite,
    .abi = SES_PROVIDER_ABI,
    .name = "sqlite",
    .instance_size = sizeof(struct sqlite_store),
    .settings = sqlite_settings,
    .open = sqlite_open,
    .close = sqlite_close,
    SQL_OPERATIONS,
};
