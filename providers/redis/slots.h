/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_SLOTS_H
#define SES_REDIS_SLOTS_H

#include <stdatomic.h>
#include <stddef.h>

#include <sesame/common.h>

/*
 * Which node has which slot of a cluster. Each entry is atomic, so reading takes no lock and no
 * entry is ever half written; entries change one by one, as slots do in the cluster itself.
 */
enum { SLOTS = 16384 };

struct node;

struct slots {
    _Atomic(struct node *) owner[SLOTS]; /* NULL: nobody that we know of */
};

/* The key's slot: CRC-16 (XMODEM) of it, or of what stands in its first braces if that is
 * something. */
unsigned slot_of(struct ses_slice key);

static inline struct node *slots_owner(const struct slots *slots, unsigned slot)
{
    return atomic_load_explicit(&slots->owner[slot], memory_order_acquire);
}

static inline void slots_give(struct slots *slots, unsigned slot, struct node *node)
{
    atomic_store_explicit(&slots->owner[slot], node, memory_order_release);
}

/* The i-th owner, in the order of each one's first slot; NULL: there are no more. A replica that
 * takes over from its master takes its place. */
struct node *slots_each(const struct slots *slots, size_t i);

#endif
