/* SPDX-License-Identifier: MIT */
#ifndef SES_SQL_STORE_H
#define SES_SQL_STORE_H

#include "shared/crc.h"
#include "sql/dialect.h"

#include <stdatomic.h>

/*
 * What the providers over SQL share: the operations of a store over the statements of a dialect.
 *
 *  - A record is one row. A save is one UPDATE that asks for the version, so it is atomic by
 * itself; the winner of a conflict is read in the same transaction.
 *  - A user's sessions are counted in the transaction that adds one.
 *  - Reading takes a connection of one pool, writing one of the other.
 *  - A call has one connection at a time, and none while it calls back or tells what went wrong.
 */

struct sql {
    ses_provider_host *host;
    const struct sql_dialect *dialect;

    /* Settings. */
    const char *table_prefix;
    bool create_table;
    int64_t pool_size; /* connections that read */
    int64_t budget_ms;

    char *texts[SQL_STATEMENTS]; /* the dialect's, with the prefix */
    struct crc crc;
    struct pool readers;
    struct pool writers; /* of one connection, so its queue is that of all who write */
    _Atomic int lost;    /* pools whose circuit is open */
};

/* With host, dialect and settings set: makes the pools, and looks at the tables (schema.h). */
int sql_open(struct sql *sql);
void sql_close(struct sql *sql); /* accepts one that was never opened */

static inline struct deadline sql_deadline(const struct sql *sql)
{
    return deadline_in(sql->budget_ms / 2);
}

/* Behind the vtable's operations of the same names. */
int sql_load(struct sql *sql, const struct ses_key *key, struct ses_record *ret_record);
int sql_create(struct sql *sql, const struct ses_key *key, int64_t now_ms,
               const struct ses_owner *owner, const struct ses_record *record);
struct sql_saving {
    const struct ses_key *key;
    int64_t now_ms;
    uint64_t expected;
    const struct ses_record *record;
    struct ses_record *ret_winner;
};
int sql_save(struct sql *sql, const struct sql_saving *saving);
int sql_touch(struct sql *sql, const struct ses_key *key, int64_t now_ms, uint64_t expected,
              int64_t expires_ms);
int sql_destroy(struct sql *sql, const struct ses_key *key);
int sql_gc(struct sql *sql, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step);
int sql_count(struct sql *sql, int64_t now_ms, uint64_t *ret_count);
int sql_iterate(struct sql *sql, int64_t now_ms, ses_record_fn *fn, void *arg);
int sql_list(struct sql *sql, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
             void *arg);
int sql_ping(struct sql *sql);

#endif
