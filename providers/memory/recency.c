/* SPDX-License-Identifier: MIT */
#include "memory/recency.h"

static void publish(struct recency *recency, const struct pool *pool)
{
    const uint64_t stamp =
        recency->oldest == NO_ENTRY ? NEVER_USED : entry_pool_use(pool, recency->oldest)->stamp;
    atomic_store_explicit(&recency->oldest_stamp, stamp, memory_order_relaxed);
}

void recency_init(struct recency *recency)
{
    recency->newest = recency->oldest = NO_ENTRY;
    atomic_init(&recency->oldest_stamp, NEVER_USED);
}

void recency_add(struct recency *recency, struct pool *pool, uint32_t index, uint64_t stamp)
{
    *entry_pool_use(pool, index) = (struct use){ .stamp = stamp, .older = recency->newest };
    if (recency->newest != NO_ENTRY)
        entry_pool_use(pool, recency->newest)->newer = index;
    else
        recency->oldest = index;
    recency->newest = index;
    publish(recency, pool);
}

void recency_drop(struct recency *recency, struct pool *pool, uint32_t index)
{
    const struct use *use = entry_pool_use(pool, index);
    if (use->newer != NO_ENTRY)
        entry_pool_use(pool, use->newer)->older = use->older;
    else
        recency->newest = use->older;
    if (use->older != NO_ENTRY)
        entry_pool_use(pool, use->older)->newer = use->newer;
    else
        recency->oldest = use->newer;
    publish(recency, pool);
}
