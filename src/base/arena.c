/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_ALIGN = 8 };

struct arena_chunk {
    struct arena_chunk *next;
    _Alignas(ARENA_ALIGN) unsigned char bytes[];
};

/* With it a chunk is 1,024 bytes, the most that malloc() hands out by its fast path. */
enum { ARENA_CHUNK = 1024 - sizeof(struct arena_chunk) };

void arena_init(struct arena *arena, void *storage, size_t size)
{
    unsigned char *at = storage;
    *arena = (struct arena){ .at = at, .end = size > 0 ? at + size : at };
}

void arena_free(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
}

static bool grow(struct arena *arena, size_t size)
{
    size_t capacity = size > ARENA_CHUNK ? size : ARENA_CHUNK;
    struct arena_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (!chunk)
        return false;

    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->at = chunk->bytes;
    arena->end = chunk->bytes + capacity;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (size > (size_t)(arena->end - arena->at) && !grow(arena, size))
        return NULL;

    void *taken = arena->at;
    arena->at += size;
    return taken;
}

char *arena_text(struct arena *arena, struct ses_slice text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy)
        return NULL;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}
