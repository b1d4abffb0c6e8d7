/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_ARENA_H
#define SES_BASE_ARENA_H

#include <sesame/common.h>

/*
 * Memory that is freed all at once: what a session hands out stays valid until its release, so
 * nothing in it is freed before. The first bytes come from storage that the owner brings along.
 */
struct arena_chunk;

struct arena {
    unsigned char *at;
    unsigned char *end;
    struct arena_chunk *chunks;
};

void arena_init(struct arena *arena, void *storage, size_t size);
void arena_free(struct arena *arena);

static inline void arena_free_p(struct arena *arena)
{
    arena_free(arena);
}

/* Aligned to 8 bytes; NULL when out of memory. Not zeroed. */
void *arena_alloc(struct arena *arena, size_t size);

/* A NUL-terminated copy, or NULL when out of memory. */
char *arena_text(struct arena *arena, struct ses_slice text);

#endif
