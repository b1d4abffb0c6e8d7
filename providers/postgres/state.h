/* SPDX-License-Identifier: MIT */
#ifndef SES_POSTGRES_STATE_H
#define SES_POSTGRES_STATE_H

#include "postgres/config.h"
#include "sql/store.h"

struct postgres {
    struct sql sql; /* first */
    struct postgres_config config;
    _Atomic size_t first; /* of the hosts: the one that took us last */
};

extern const struct sql_dialect postgres_provider_dialect;

#endif
