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
    uint32_t size;          /* in buckets */
    uint32_t count;
};

void table_free(struct table *table);

/* Room for one more. @return false when it is full and memory is out. */
bool table_reserve(struct table *table, const struct pool *pool);
/* The key is not in it, and there is room. */
void table_insert(struct table *table, const struct ses_key *key, uint32_t index);
void table_remove(struct table *table, const struct ses_key *key, uint32_t index);
/* Gives memory back when most has gone. Not between entry_pool_take() and table_insert(). */
void table_shrink(struct table *table, const struct pool *pool);

/* Where the search for a key begins: its share of the range of hashes, so that there may be any
 * number of buckets, not only a power of two. */
static inline uint32_t table_home(const struct table *table, const struct ses_key *key)
{
    uint32_t hash;
    memcpy(&hash, key->bytes + 8, sizeof hash);
    return (uint32_t)((uint64_t)hash * table->size >> 32);
}

/* Where it goes on. */
static inline uint32_t table_after(const struct table *table, uint32_t bucket)
{
    return bucket + 1 < table->size ? bucket + 1 : 0;
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

/* NO_ENTRY if the key is not in it. */
static inline uint32_t table_find(const struct table *table, const struct pool *pool,
                                  const struct ses_key *key)
{
    const uint32_t tag = table_tag(key);
    uint32_t b = table_home(table, key);

    for (uint32_t seen = 0; seen < table->size; seen++, b = table_after(table, b)) {
        const struct bucket *bucket = &table->buckets[b];
        const uint32_t used = bucket->load & 15;
        for (uint32_t i = 0; i < used; i++) {
            if ((bucket->slots[i] & 0xff) != tag)
                continue;
            const struct entry *entry = entry_pool_at(pool, bucket->slots[i] >> 8);
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
