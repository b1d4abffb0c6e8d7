/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SQL_H
#define BENCH_SQL_H

/*
 * A database in which a provider over SQL is measured beside its client library as anybody uses
 * it: the provider's own statements, prepared and bound once. The bare side checks no more than
 * whether a row was there, and nothing else may fail. One program for each database, linked with
 * the one file that defines sql_engine.
 */

#include "harness.h"

#include "core/store.h"

enum {
    SQL_RECORD = 419, /* bytes: what cycles.c makes */
    SQL_PATH = 200,
    SQL_CONFIG = 240,
};

struct sql_row {
    int64_t version, expires_ms, kind, checksum;
    size_t len;
    unsigned char record[1024];
};

/* Where the database is. */
struct sql_place {
    char folder[SQL_PATH];
    char config[SQL_CONFIG]; /* "providerConfig" */
};

struct sql_bare; /* a connection */

struct sql_engine {
    const char *name; /* of the provider */
    const char *set;  /* what the figures depend on */
    const struct ses_provider_ops *ops;
    bool one_writer;   /* the provider's writers share one connection */
    int64_t collected; /* rows by one statement of the provider's gc */

    /* Starts a server in the folder, which ends with this process; fills in the place. */
    void (*start)(struct sql_place *place);
    void (*stop)(void);

    /* @p texts: the statements, by enum sql_statement. */
    struct sql_bare *(*connect)(const struct sql_place *place, char *const *texts);
    void (*close)(struct sql_bare *bare);

    /* Inserts rows: from begin(), with as many as it likes at once, to end(). */
    void (*fill_begin)(struct sql_bare *bare);
    void (*fill_add)(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row);
    void (*fill_end)(struct sql_bare *bare);

    /* @return was the row there? */
    bool (*load)(struct sql_bare *bare, const struct ses_key *key, struct sql_row *ret_row);
    bool (*save)(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row,
                 int64_t expected, int64_t now_ms);
    /* @return how many it has removed. */
    uint64_t (*collect)(struct sql_bare *bare, int64_t now_ms, int64_t most);
};

extern const struct sql_engine sql_engine;

#endif
