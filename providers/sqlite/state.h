/* SPDX-License-Identifier: MIT */
#ifndef SES_SQLITE_STATE_H
#define SES_SQLITE_STATE_H

#include "sql/store.h"

/* What a commit waits for: PRAGMA synchronous, by its number. */
enum sqlite_durability { SQLITE_DURABLE_NONE, SQLITE_DURABLE_NORMAL, SQLITE_DURABLE_FULL };

struct sqlite_store {
    struct sql sql; /* first */
    int durability;
    int64_t max_bytes; /* 0: no limit */
    char *path;        /* absolute, and its folder through no link */
};

/* The file that "ProviderConfig" names; made by "createTable" if it is not there. */
int sqlite_provider_find_file(struct sqlite_store *store, const char *config);

extern const struct sql_dialect sqlite_provider_dialect;

#endif
