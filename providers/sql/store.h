/* SPDX-License-Identifier: MIT */
#ifndef SES_SQL_STORE_H
#define SES_SQL_STORE_H

#include "shared/crc.h"
#include "sql/dialect.h"

#include <stdatomic.h>
#include <stddef.h>

/*
 * What the providers over SQL share: the operations of a store over the statements of a dialect.
 *
 *  - A record is one row. A save is one UPDATE that asks for the version, so it is atomic by
 * itself; versions never return, so the winner of a conflict may be read afterwards.
 *  - A user's sessions are counted in the transaction that adds one.
 *  - Where a database has one writer at a time, reading takes a connection of one pool, writing
 * that of the other; elsewhere both are one pool.
 *  - A call has one connection at a time, and none while it calls back or tells what went wrong.
 */

struct sql {
    ses_provider_host *host;
    const struct sql_dialect *dialect;

    /* Settings. */
    const char *table_prefix;
    bool create_table;
    int64_t pool_size; /* connections; those that write come beside it with one writer */
    int64_t budget_ms;

    char *texts[SQL_STATEMENTS]; /* the dialect's, with the prefix */
    struct crc crc;
    struct pool *readers, *writers;
    struct pool pools[2]; /* the second, of one connection, only for a dialect with one writer */
    _Atomic int lost;     /* pools whose circuit is open */
};

/* With host, dialect and settings set: makes the pools, and looks at the tables (schema.h). */
int sql_open(struct sql *sql);
void sql_close(struct sql *sql); /* accepts one that was never opened */

static inline struct deadline sql_deadline(const struct sql *sql)
{
    return deadline_in(sql->budget_ms / 2);
}

/* ---- for a vtable whose instances begin with a struct sql ---- */

int sql_load(void *self, const struct ses_key *key, int64_t now_ms, struct ses_record *ret_record);
int sql_create(void *self, const struct ses_key *key, int64_t now_ms, const struct ses_owner *owner,
               const struct ses_record *record);
int sql_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
             const struct ses_record *record, struct ses_record *ret_winner);
int sql_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
              int64_t expires_ms);
int sql_destroy(void *self, const struct ses_key *key, int64_t now_ms);
int sql_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step);
int sql_count(void *self, int64_t now_ms, uint64_t *ret_count);
int sql_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg);
int sql_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn, void *arg);
int sql_ping(void *self);

/* For a dialect that borrows connections. */
int sql_load_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                    struct ses_record *ret_record);
int sql_create_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                      const struct ses_record *record);
int sql_save_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                    uint64_t expected, const struct ses_record *record);

/* clang-format off */
#define SQL_OPERATIONS                                                                             \
    .load = sql_load, .create = sql_create, .save = sql_save, .touch = sql_touch,                  \
    .destroy = sql_destroy, .gc = sql_gc, .count = sql_count, .iterate = sql_iterate,              \
    .list = sql_list, .ping = sql_ping

#define SQL_SETTINGS                                                                               \
    { .name = "createTable", .type = SES_SETTING_BOOL, .offset = offsetof(struct sql, create_table) }, \
    { .name = "tablePrefix", .type = SES_SETTING_TEXT, .offset = offsetof(struct sql, table_prefix),   \
      .max = 32 },                                                                                 \
    { .name = "poolSize", .type = SES_SETTING_INT, .offset = offsetof(struct sql, pool_size),      \
      .min = 1, .max = 1000, .preset = 16 },                                                       \
    { .name = "budgetMs", .type = SES_SETTING_INT, .offset = offsetof(struct sql, budget_ms),      \
      .min = 20, .max = 60000, .preset = 2000 }

#define SQL_OPERATIONS_WITHIN                                                                      \
    .load_within = sql_load_within, .create_within = sql_create_within,                            \
    .save_within = sql_save_within
/* clang-format on */

#endif
