/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_STATE_H
#define SES_REDIS_STATE_H

#include "redis/config.h"
#include "redis/listen.h"
#include "redis/route.h"
#include "redis/script.h"
#include "shared/crc.h"

#include <sesame/ext/provider.h>

struct redis {
    ses_provider_host *host;

    /* Settings; what "ProviderConfig" names wins. */
    const char *key_prefix;
    int64_t pool_size;
    int64_t connect_ms;
    int64_t budget_ms;
    int64_t wait_replicas;
    int64_t near_records;

    struct redis_config config;
    struct crc crc;
    struct script scripts[SCRIPTS];
    struct tls *tls;
    struct route route;
    bool opened;       /* the route has to be closed */
    struct near *near; /* NULL: off, and so is what follows */
    struct listen *listen;
};

/* Half of the budget is for one call of a provider: whoever meets an outage meets it once in a
 * request, either at the load that begins it or at the save that ends it. */
static inline struct deadline redis_deadline(const struct redis *redis)
{
    return deadline_in(redis->config.budget_ms / 2);
}

static inline int redis_patience_ms(const struct redis *redis)
{
    return (int)(redis->config.budget_ms / 4);
}

#endif
