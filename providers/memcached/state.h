/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMCACHED_STATE_H
#define SES_MEMCACHED_STATE_H

#include "memcached/node.h"
#include "memcached/ring.h"
#include "shared/crc.h"

#include <sesame/ext/provider.h>

struct memcached {
    ses_provider_host *host;

    /* Settings. */
    const char *key_prefix;
    int64_t pool_size; /* of each server */
    int64_t connect_ms;
    int64_t budget_ms;

    struct memcached_config config;
    struct crc crc;
    struct ring ring;
    struct node nodes[MEMCACHED_SERVERS_MOST]; /* of config.servers, and as many */
    atomic_int lost;                           /* nodes that do not answer */
};

/* Half of the budget is for one call of a provider: whoever meets an outage meets it once in a
 * request, either at the load that begins it or at the save that ends it. */
static inline struct deadline memcached_deadline(const struct memcached *memcached)
{
    return deadline_in(memcached->budget_ms / 2);
}

static inline int memcached_patience_ms(const struct memcached *memcached)
{
    return (int)(memcached->budget_ms / 4);
}

#endif
