/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_TABLE_H
#define SES_MEMORY_TABLE_H

/*
 * From a key to its entry. Open addressing over buckets of one cache line: fifteen slots, each the
 * 24 bits of an entry's index and 8 bits of its key, so that a lookup reads one line here and,
 * nearly always, one entry. The sixteenth word counts the keys that wanted this bucket and had to
 * pass on: where nobody passed, the search ends. So a deletion leaves no tombstone and moves
 * nobody.
 *
 * A key is a SHA-256 value: its bytes are the hash.
 */

#include "memory/pool.h"

enum { BUCKET_SLOTS = 15, BUCKET_FILL = 12 /* slots per bucket, on average, before it grows */ };

struct bucket {
    _Alignas(64) uint32_t slots[BUCKET_SLOTS]; /* the first `used` ones are taken */
    uint32_t load;                             /* passed << 4 | used */
};

_Static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");

struct table {
    struct bucket *buckets; /* NULL while it has never held anything */
    uint32_t mask;          /* buckets - 1; a power of two of them */
    uint32_t count;
};

void table_free(struct table *table);

/* Room for one more. @return false when it is full and memory is out. */
bool table_reserve(struct table *table, const struct pool *pool);
/* The key is not in it, and there is room. */
void table_insert(struct table *table, const struct ses_key *key, uint32_t index);
void table_remove(struct table *table, const struct ses_key *key, uint32_t index);
/* Gives memory back when most has gone. Not between pool_take() and table_insert(). */
void table_shrink(struct table *table, const struct pool *pool);

static inline uint32_t table_hash(const struct ses_key *key)
{
    uint32_t hash;
    memcpy(&hash, key->bytes + 8, sizeof hash);
    return hash;
}

static inline uint32_t table_tag(const struct ses_key *key)
{
    return key->bytes[4];
}

/* Its count goes up next, and then it is read: all its lines are asked for at once, not one after
 * the other. What lies beyond a shorter one does no harm. */
static inline void prefetch_record(const ses_blob *data)
{
    enum { LINE = 64, LINES = 7 };
    __builtin_prefetch(data, 1);
    for (size_t i = 1; i < LINES; i++)
        __builtin_prefetch((const char *)data + i * LINE);
}

/* Where the search for a key begins. */
static inline const struct bucket *table_bucket(const struct table *table,
                                                const struct ses_key *key)
{
    return &table->buckets[table_hash(key) & table->mask];
}

/* NO_ENTRY if the key is not in it. */
static inline uint32_t table_find(const struct table *table, const struct pool *pool,
                                  const struct ses_key *key)
{
    const uint32_t tag = table_tag(key);
    uint32_t b = table_hash(key);

    for (uint32_t seen = 0; table->buckets && seen <= table->mask; seen++, b++) {
        const struct bucket *bucket = &table->buckets[b & table->mask];
        const uint32_t used = bucket->load & 15;
        for (uint32_t i = 0; i < used; i++) {
            if ((bucket->slots[i] & 0xff) != tag)
                continue;
            const struct entry *entry = pool_at(pool, bucket->slots[i] >> 8);
            prefetch_record(entry->data);
            if (ses_key_equal(&entry->key, key))
                return bucket->slots[i] >> 8;
        }
        if (bucket->load >> 4 == 0)
            break;
    }
    return NO_ENTRY;
}

#endif
