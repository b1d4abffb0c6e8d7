/* SPDX-License-Identifier: MIT */
#include "memory/table.h"

#include <stdlib.h>

enum { PASSED_ONE = 16, SHRINK_AT = 8 /* of what would make it grow, an eighth */ };

void table_free(struct table *table)
{
    free(table->buckets);
    *table = (struct table){ 0 };
}

/* Puts all of @p pool 's entries into @p buckets new ones. */
static bool rebuild(struct table *table, const struct pool *pool, uint32_t buckets)
{
    struct table fresh = { .mask = buckets - 1 };
    fresh.buckets = aligned_alloc(sizeof(struct bucket), buckets * sizeof(struct bucket));
    if (!fresh.buckets)
        return false;
    memset(fresh.buckets, 0, buckets * sizeof(struct bucket));

    /* In the order of memory, which is far quicker than in the order of the buckets. */
    for (uint32_t i = pool_next(pool, NO_ENTRY); i != NO_ENTRY; i = pool_next(pool, i))
        table_insert(&fresh, &pool_at(pool, i)->key, i);
    free(table->buckets);
    *table = fresh;
    return true;
}

bool table_reserve(struct table *table, const struct pool *pool)
{
    if (!table->buckets)
        return rebuild(table, pool, 1);

    const uint32_t buckets = table->mask + 1;
    if (table->count < buckets * BUCKET_FILL)
        return true;
    return rebuild(table, pool, buckets * 2) || table->count < buckets * BUCKET_SLOTS;
}

void table_shrink(struct table *table, const struct pool *pool)
{
    const uint32_t buckets = table->mask + 1;
    if (buckets > 1 && table->count < buckets * BUCKET_FILL / SHRINK_AT)
        (void)rebuild(table, pool, buckets / 2);
}

void table_insert(struct table *table, const struct ses_key *key, uint32_t index)
{
    uint32_t b = table_hash(key);
    while ((table->buckets[b & table->mask].load & 15) == BUCKET_SLOTS)
        table->buckets[b++ & table->mask].load += PASSED_ONE;

    struct bucket *bucket = &table->buckets[b & table->mask];
    bucket->slots[bucket->load++ & 15] = index << 8 | table_tag(key);
    table->count++;
}

/* Takes the slot out of the bucket, if it is in this one. */
static bool remove_from(struct bucket *bucket, uint32_t slot)
{
    const uint32_t used = bucket->load & 15;
    for (uint32_t i = 0; i < used; i++) {
        if (bucket->slots[i] != slot)
            continue;
        bucket->slots[i] = bucket->slots[used - 1];
        bucket->load--;
        return true;
    }
    return false;
}

void table_remove(struct table *table, const struct ses_key *key, uint32_t index)
{
    const uint32_t slot = index << 8 | table_tag(key);
    uint32_t b = table_hash(key);
    while (!remove_from(&table->buckets[b & table->mask], slot))
        table->buckets[b++ & table->mask].load -= PASSED_ONE;
    table->count--;
}
