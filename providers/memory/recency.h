/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_RECENCY_H
#define SES_MEMORY_RECENCY_H

/*
 * Which entry of a shard was used longest ago. Kept by stores that evict only. Stamps come from one
 * counter of the whole store, so the oldest entry of all is found by comparing the shards' oldest.
 * The shard's lock guards it; only `oldest_stamp` is read without.
 */

#include "memory/pool.h"

#include <stdatomic.h>

#define NEVER_USED UINT64_MAX

struct recency {
    uint32_t newest;
    uint32_t oldest;
    atomic_uint_fast64_t oldest_stamp; /* NEVER_USED: the shard is empty */
};

void recency_init(struct recency *recency);
void recency_add(struct recency *recency, struct pool *pool, uint32_t index, uint64_t stamp);
void recency_drop(struct recency *recency, struct pool *pool, uint32_t index);

static inline uint64_t recency_oldest(struct recency *recency)
{
    return atomic_load_explicit(&recency->oldest_stamp, memory_order_relaxed);
}

#endif
