/* SPDX-License-Identifier: MIT */
#ifndef SES_MYSQL_STATE_H
#define SES_MYSQL_STATE_H

#include "mysql/config.h"
#include "sql/store.h"

struct mysql_store {
    struct sql sql; /* first */
    struct mysql_config config;
    bool begun;
    _Atomic uint64_t packet_most; /* bytes that the server takes at once; 0: not asked yet */
    pthread_mutex_t connecting;   /* held while the client library may hold locks of its own, */
    struct fork_watch watch;      /* which a child would never see released */
};

int mysql_provider_open(struct mysql_store *store, ses_provider_host *host, const char *config,
                        const struct sql_dialect *dialect);

extern const struct sql_dialect mysql_provider_dialect;

#endif
