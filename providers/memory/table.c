/* SPDX-License-Identifier: MIT */
#include "memory/table.h"

#include <stdlib.h>

enum { PASSED_ONE = 16, SHRINK_AT = 8 /* of what would make it grow, an eighth */ };

void table_free(struct table *table)
{
    free(table->buckets);
    *table = (struct table){ 0 };
}

/* Puts all of @p pool 's entries into @p size new buckets. */
static bool rebuild(struct table *table, const struct pool *pool, uint32_t size)
{
    struct table fresh = { .size = size };
    fresh.buckets = aligned_alloc(sizeof(struct bucket), size * sizeof(struct bucket));
    if (!fresh.buckets)
        return false;
    memset(fresh.buckets, 0, size * sizeof(struct bucket));

    /* In the order of memory, which is far quicker than in the order of the buckets. */
    for (uint32_t i = entry_pool_next(pool, NO_ENTRY); i != NO_ENTRY; i = entry_pool_next(pool, i))
        table_insert(&fresh, &entry_pool_at(pool, i)->key, i);
    free(table->buckets);
    *table = fresh;
    return true;
}

/* By half: doubled, a table that has just grown would take ten bytes for each of its entries; so it
 * is eight at most. */
bool table_reserve(struct table *table, const struct pool *pool)
{
    const uint32_t size = table->size;
    if (table->count < size * BUCKET_FILL)
        return true;
    return rebuild(table, pool, size + size / 2 + 1) || table->count < size * BUCKET_SLOTS;
}

void table_shrink(struct table *table, const struct pool *pool)
{
    if (table->size > 1 && table->count < table->size * BUCKET_FILL / SHRINK_AT)
        (void)rebuild(table, pool, table->size / 2);
}

void table_insert(struct table *table, const struct ses_key *key, uint32_t index)
{
    uint32_t b = table_home(table, key);
    for (; (table->buckets[b].load & 15) == BUCKET_SLOTS; b = table_after(table, b))
        table->buckets[b].load += PASSED_ONE;

    struct bucket *bucket = &table->buckets[b];
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
    uint32_t b = table_home(table, key);
    for (; !remove_from(&table->buckets[b], slot); b = table_after(table, b))
        table->buckets[b].load -= PASSED_ONE;
    table->count--;
}
