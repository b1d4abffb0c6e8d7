/* SPDX-License-Identifier: MIT */
#include "memory/pool.h"

#include <stdlib.h>

void entry_pool_init(struct pool *pool, bool tells_use)
{
    *pool = (struct pool){ .room = NO_CHUNK, .vacant = NO_CHUNK, .tells_use = tells_use };
}

static void free_chunk(struct pool *pool, uint32_t c)
{
    free(pool->chunks[c].memory);
    free(pool->chunks[c].members);
    pool->entries[c] = NULL;
    pool->chunks[c] = (struct chunk){ .next_room = NO_CHUNK, .prev_room = NO_CHUNK };
}

void entry_pool_free(struct pool *pool)
{
    for (uint32_t c = 0; c < pool->count; c++)
        free_chunk(pool, c);
    free(pool->entries);
    free(pool->chunks);
    entry_pool_init(pool, pool->tells_use);
}

/* ---- the list of chunks with room ---- */

static void add_room(struct pool *pool, uint32_t c)
{
    pool->chunks[c].next_room = pool->room;
    pool->chunks[c].prev_room = NO_CHUNK;
    if (pool->room != NO_CHUNK)
        pool->chunks[pool->room].prev_room = c;
    pool->room = c;
}

static void drop_room(struct pool *pool, uint32_t c)
{
    const struct chunk *chunk = &pool->chunks[c];
    if (chunk->prev_room != NO_CHUNK)
        pool->chunks[chunk->prev_room].next_room = chunk->next_room;
    else
        pool->room = chunk->next_room;
    if (chunk->next_room != NO_CHUNK)
        pool->chunks[chunk->next_room].prev_room = chunk->prev_room;
}

static bool is_only_room(const struct pool *pool, uint32_t c)
{
    return pool->room == c && pool->chunks[c].next_room == NO_CHUNK;
}

/* ---- growing ---- */

static bool grow_directory(struct pool *pool)
{
    const uint32_t capacity = pool->capacity ? pool->capacity * 2 : 4;

    struct entry **entries = realloc(pool->entries, capacity * sizeof(struct entry *));
    if (!entries)
        return false;
    pool->entries = entries;
    struct chunk *chunks = realloc(pool->chunks, capacity * sizeof *chunks);
    if (!chunks)
        return false;
    pool->chunks = chunks;
    pool->capacity = capacity;
    return true;
}

/* The number of a chunk without memory, or NO_CHUNK. */
static uint32_t vacant_chunk(struct pool *pool)
{
    if (pool->vacant != NO_CHUNK)
        return pool->vacant;
    if (pool->count >= LAST_ENTRY / CHUNK_ENTRIES)
        return NO_CHUNK;
    if (pool->count == pool->capacity && !grow_directory(pool))
        return NO_CHUNK;

    const uint32_t c = pool->count++;
    pool->entries[c] = NULL;
    pool->chunks[c] = (struct chunk){ .next_room = NO_CHUNK, .prev_room = NO_CHUNK };
    pool->vacant = c;
    return c;
}

/* Aligned to a line by hand: aligned_alloc() would leave a splinter at either end, together half a
 * byte more for each session. */
static struct entry *align(void *memory)
{
    const size_t past = (uintptr_t)memory % sizeof(struct entry);
    void *start = (char *)memory + (past > 0 ? sizeof(struct entry) - past : 0);
    return start;
}

static bool add_chunk(struct pool *pool)
{
    const size_t bytes = sizeof(struct entry) + (pool->tells_use ? sizeof(struct use) : 0);
    const uint32_t c = vacant_chunk(pool);
    if (c == NO_CHUNK)
        return false;
    struct chunk *chunk = &pool->chunks[c];
    const size_t any = _Alignof(max_align_t); /* malloc()'s own: leaves no splinter */
    chunk->memory = aligned_alloc(any, CHUNK_ENTRIES * bytes + sizeof(struct entry) - any);
    if (!chunk->memory)
        return false;
    pool->entries[c] = align(chunk->memory);
    pool->vacant = chunk->next_room;
    add_room(pool, c);
    return true;
}

uint32_t entry_pool_take(struct pool *pool)
{
    if (pool->room == NO_CHUNK && !add_chunk(pool))
        return NO_ENTRY;

    const uint32_t c = pool->room;
    struct chunk *chunk = &pool->chunks[c];
    const uint32_t bit = (uint32_t)__builtin_ctzll(~chunk->used);
    chunk->used |= UINT64_C(1) << bit;
    if (chunk->used == UINT64_MAX)
        drop_room(pool, c);
    return c * CHUNK_ENTRIES + bit + 1;
}

void entry_pool_give(struct pool *pool, uint32_t index)
{
    const uint32_t c = (index - 1) / CHUNK_ENTRIES;
    struct chunk *chunk = &pool->chunks[c];

    if (chunk->used == UINT64_MAX)
        add_room(pool, c);
    chunk->used &= ~(UINT64_C(1) << (index - 1) % CHUNK_ENTRIES);
    if (chunk->used != 0 || is_only_room(pool, c)) /* one empty chunk stays, for the next */
        return;

    drop_room(pool, c);
    free_chunk(pool, c);
    chunk->next_room = pool->vacant;
    pool->vacant = c;
}

uint32_t entry_pool_next(const struct pool *pool, uint32_t index)
{
    uint32_t skip = index % CHUNK_ENTRIES;
    for (uint32_t c = index / CHUNK_ENTRIES; c < pool->count; c++, skip = 0) {
        const uint64_t left = pool->chunks[c].used >> skip << skip;
        if (left)
            return c * CHUNK_ENTRIES + (uint32_t)__builtin_ctzll(left) + 1;
    }
    return NO_ENTRY;
}

bool entry_pool_prepare_member(struct pool *pool, uint32_t index)
{
    struct chunk *chunk = entry_pool_chunk(pool, index);
    if (!chunk->members)
        chunk->members = calloc(CHUNK_ENTRIES, sizeof(struct member *));
    return chunk->members != NULL;
}
