/* SPDX-License-Identifier: MIT */
#ifndef SES_MYSQL_STATE_H
#define SES_MYSQL_STATE_H

#include "mysql/config.h"
#include "sql/store.h"

struct mysql_store {
    struct sql sql; /* first */
    struct mysql_config config;
    bool begun;
    pthread_mutex_t connecting; /* held while the client library may hold locks of its own, */
    struct fork_watch watch;    /* which a child would never see released */
};

extern const struct sql_dialect mysql_provider_dialect;

#endif
