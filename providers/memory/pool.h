/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_POOL_H
#define SES_MEMORY_POOL_H

/*
 * Where the entries of one shard live: chunks of 64, so that an entry is named by 24 bits instead
 * of a pointer, never moves, and costs no allocation of its own. What only some stores or sessions
 * need (whose session it is, when it was used last) stands beside a chunk and is not there
 * otherwise. No locking: the shard's lock guards all of it.
 */

#include <sesame/ext/provider.h>

enum { CHUNK_ENTRIES = 64, NO_ENTRY = 0, LAST_ENTRY = (1 << 24) - 1 };

struct member;

/* Exactly one cache line: a lookup that finds its record reads this line and no other of it. */
struct entry {
    struct ses_key key;
    uint64_t version;
    int64_t lease;     /* see entry_lease() */
    ses_blob *data;    /* one reference */
    uint32_t next_due; /* the wheel's list */
    uint32_t prev_due;
};

_Static_assert(sizeof(struct entry) == 64, "an entry is one cache line");

/* When an entry was used, for stores that evict. */
struct use {
    uint64_t stamp;
    uint32_t newer;
    uint32_t older;
};

struct chunk {
    uint64_t used;           /* a bit per entry */
    void *memory;            /* what the entries are in; NULL: given back */
    struct member **members; /* per entry, or NULL while no session here has an owner */
    uint32_t next_room;      /* the list of chunks with room, or of those without memory */
    uint32_t prev_room;
};

struct pool {
    struct entry **entries; /* per chunk; NULL: given back */
    struct chunk *chunks;
    uint32_t count;
    uint32_t capacity;
    uint32_t room;   /* first chunk with a free entry, or NO_CHUNK */
    uint32_t vacant; /* first chunk without memory, or NO_CHUNK */
    bool tells_use;
};

#define NO_CHUNK UINT32_MAX

void entry_pool_init(struct pool *pool, bool tells_use);
void entry_pool_free(struct pool *pool); /* the memory; what the entries hold is the caller's */

/* A free entry, its content undefined, or NO_ENTRY when out of memory. */
uint32_t entry_pool_take(struct pool *pool);
void entry_pool_give(struct pool *pool, uint32_t index);

/* The next used entry after @p index in the order of memory, or NO_ENTRY. */
uint32_t entry_pool_next(const struct pool *pool, uint32_t index);

/* Makes sure that the entry can note its owner. @return false when out of memory. */
bool entry_pool_prepare_member(struct pool *pool, uint32_t index);

static inline struct entry *entry_pool_at(const struct pool *pool, uint32_t index)
{
    return &pool->entries[(index - 1) / CHUNK_ENTRIES][(index - 1) % CHUNK_ENTRIES];
}

static inline struct chunk *entry_pool_chunk(const struct pool *pool, uint32_t index)
{
    return &pool->chunks[(index - 1) / CHUNK_ENTRIES];
}

/* In a store that evicts, the uses of a chunk's entries stand behind them. */
static inline struct use *entry_pool_use(const struct pool *pool, uint32_t index)
{
    void *uses = pool->entries[(index - 1) / CHUNK_ENTRIES] + CHUNK_ENTRIES;
    return (struct use *)uses + (index - 1) % CHUNK_ENTRIES;
}

static inline struct member *entry_pool_member(const struct pool *pool, uint32_t index)
{
    struct member **members = entry_pool_chunk(pool, index)->members;
    return members ? members[(index - 1) % CHUNK_ENTRIES] : NULL;
}

static inline void entry_pool_set_member(struct pool *pool, uint32_t index, struct member *member)
{
    struct member **members = entry_pool_chunk(pool, index)->members;
    if (members)
        members[(index - 1) % CHUNK_ENTRIES] = member;
}

/* ---- an entry's expiry and kind share a word: 56 bits of milliseconds reach a million years ----
 */

static inline int64_t entry_lease(int64_t expires_ms, enum ses_kind kind)
{
    const int64_t far = INT64_C(1) << 54;
    const int64_t kept = expires_ms > far ? far : expires_ms < -far ? -far : expires_ms;
    return kept * 256 + (int64_t)kind;
}

static inline int64_t entry_expires_ms(const struct entry *entry)
{
    return entry->lease >> 8;
}

static inline enum ses_kind entry_kind(const struct entry *entry)
{
    return (enum ses_kind)(entry->lease & 0xff);
}

static inline bool entry_is_alive(const struct entry *entry, int64_t now_ms)
{
    return now_ms < entry_expires_ms(entry);
}

/* The entry as a record, with a reference of its own. */
static inline struct ses_record entry_record(const struct entry *entry)
{
    return (struct ses_record){
        .data = ses_blob_ref(entry->data),
        .version = entry->version,
        .expires_ms = entry_expires_ms(entry),
        .kind = entry_kind(entry),
    };
}

#endif
