/* SPDX-License-Identifier: MIT */
#include "base/tag.h"

#include "base/random.h"

#include <sesame/error.h>

#include <stdatomic.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 4096 };

/* A page of its own, all zero at first and in each child. */
struct tags {
    _Atomic uint64_t seed; /* 0: none yet */
    _Atomic uint64_t count;
};

struct tags *tags_new(void)
{
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK) != 0) { /* Linux 4.14 has it */
        (void)munmap(page, PAGE_BYTES);
        return NULL;
    }
    return page;
}

void tags_free(struct tags *tags)
{
    if (tags)
        (void)munmap(tags, PAGE_BYTES);
}

/* Of several threads that draw at once, one seed counts. */
static int draw_seed(struct tags *tags, uint64_t *ret_seed)
{
    uint64_t drawn, none = 0;
    int r = random_bytes(&drawn, sizeof drawn);
    if (r < 0)
        return r;
    drawn |= 1;
    *ret_seed = atomic_compare_exchange_strong(&tags->seed, &none, drawn) ? drawn : none;
    return SES_OK;
}

/* The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): one to one, so distinct counts stay
 * distinct. */
static uint64_t scatter(uint64_t n)
{
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
    n = (n ^ n >> 27) * 0x94d049bb133111ebu;
    return n ^ n >> 31;
}

int tags_next(struct tags *tags, uint64_t *ret_tag)
{
    uint64_t seed = atomic_load_explicit(&tags->seed, memory_order_relaxed);
    int r = seed != 0 ? SES_OK : draw_seed(tags, &seed);
    if (r < 0)
        return r;

    uint64_t tag = 0;
    while (tag == 0) {
        const uint64_t n = atomic_fetch_add_explicit(&tags->count, 1, memory_order_relaxed);
        tag = scatter(seed + n * 0x9e3779b97f4a7c15u);
    }
    *ret_tag = tag;
    return SES_OK;
}
