/* SPDX-License-Identifier: MIT */
#ifndef BENCH_POPULATION_H
#define BENCH_POPULATION_H

/*
 * The visitors, and where their sessions are: the same ids in a table of the floor and in a
 * manager, so that both walk over the same memory in the same order.
 */

#include <sesame/sesame.h>

enum {
    VALUES = 5,
    COOKIE_BYTES = 47, /* "id=" and 33 bytes in base64url */
    ID_TEXT_BYTES = COOKIE_BYTES - 3,
};

/* A line of its own, so that finding the request costs one miss in either loop. */
struct visitor {
    char cookie[COOKIE_BYTES + 1];
    uint64_t version; /* that the floor's next swap expects: what a snapshot would have told */
    uint64_t unused;
};

struct floor_table;

struct population {
    struct visitor *visitors;
    size_t count;
    struct floor_table *floor; /* may be NULL */
    ses_manager *manager;
};

/*
 * A dependent order. @p result is what the operation before came to, and always 0; but only the
 * memory that was read knows, so the processor cannot begin the next one early: it is another
 * visitor's request, which a server would not have in hand either.
 */
struct walk {
    uint64_t state;
    uint64_t count;
};

static inline struct walk walk_start(const struct population *population, unsigned thread,
                                     unsigned round)
{
    const uint64_t seed = (uint64_t)round * 64 + thread + 1;
    return (struct walk){ seed * 0x9e3779b97f4a7c15u, population->count };
}

static inline size_t walk_next(struct walk *walk, uint64_t result)
{
    uint64_t x = walk->state + result;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    walk->state = x;
    return (size_t)(((x >> 32) * walk->count) >> 32);
}

/* Makes them. The floor's table is left out where nothing is compared with it. */
struct population population_new(size_t count, bool with_floor);
void population_free(struct population *population);

#endif
