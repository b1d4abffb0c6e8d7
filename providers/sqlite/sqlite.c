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

/* ---- operations ---- */

static int sqlite_load(void *self, const struct ses_key *key, int64_t now_ms,
                       struct ses_record *ret_record)
{
    (void)now_ms; /* what has expired is handed over, too */
    return sql_load(self, key, ret_record);
}

static int sqlite_create(void *self, const struct ses_key *key, int64_t now_ms,
                         const struct ses_owner *owner, const struct ses_record *record)
{
    return sql_create(self, key, now_ms, owner, record);
}

static int sqlite_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       const struct ses_record *record, struct ses_record *ret_winner)
{
    const struct sql_saving saving = { key, now_ms, expected, record, ret_winner };
    return sql_save(self, &saving);
}

static int sqlite_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                        int64_t expires_ms)
{
    return sql_touch(self, key, now_ms, expected, expires_ms);
}

static int sqlite_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    (void)now_ms; /* what has expired may go as well */
    return sql_destroy(self, key);
}

static int sqlite_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    return sql_gc(self, now_ms, budget, ret_step);
}

static int sqlite_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    return sql_count(self, now_ms, ret_count);
}

static int sqlite_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    return sql_iterate(self, now_ms, fn, arg);
}

static int sqlite_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                       void *arg)
{
    return sql_list(self, user, now_ms, fn, arg);
}

static int sqlite_ping(void *self)
{
    return sql_ping(self);
}

/* ---- the vtable ---- */

static const char *const durability_choices[] = { "none", "normal", "full", NULL };

static const struct ses_setting sqlite_settings[] = {
    {
        .name = "createTable",
        .type = SES_SETTING_BOOL,
        .offset = offsetof(struct sqlite_store, sql.create_table),
    },
    {
        .name = "tablePrefix",
        .type = SES_SETTING_TEXT,
        .offset = offsetof(struct sqlite_store, sql.table_prefix),
        .max = 32,
    },
    {
        .name = "poolSize",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct sqlite_store, sql.pool_size),
        .min = 1,
        .max = 1000,
        .preset = 16,
    },
    {
        .name = "budgetMs",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct sqlite_store, sql.budget_ms),
        .min = 20,
        .max = 60000,
        .preset = 2000,
    },
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
    .load = sqlite_load,
    .create = sqlite_create,
    .save = sqlite_save,
    .touch = sqlite_touch,
    .destroy = sqlite_destroy,
    .gc = sqlite_gc,
    .count = sqlite_count,
    .iterate = sqlite_iterate,
    .list = sqlite_list,
    .ping = sqlite_ping,
};
