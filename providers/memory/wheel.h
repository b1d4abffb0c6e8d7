/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_WHEEL_H
#define SES_MEMORY_WHEEL_H

/*
 * Which entries may have expired, without looking at the others: a hashed timing wheel (Varghese
 * and Lauck, scheme 6). Time is cut into ticks of 8.192 s; an entry is in the list of the slot
 * `tick mod 256` of its expiry. A list is reached when the clock reaches its tick: what has expired
 * goes, what has not (it was touched meanwhile, or belongs to a later turn of the wheel) is put
 * where it belongs now.
 *
 * An entry's tick here is never later than that of its expiry: touch and save move an expiry
 * forward without coming here, and whatever moves it back links the entry anew. Where an entry is
 * depends on its expiry alone, so a clock that jumps does no harm. No locking: the shard's lock
 * guards it.
 */

#include "memory/pool.h"

enum { WHEEL_SLOTS = 256, WHEEL_TICK_BITS = 13 };

struct wheel {
    int64_t tick;                    /* the first one not yet reached */
    uint32_t slots[WHEEL_SLOTS + 1]; /* heads; the last one is the list that is being worked off */
};

void wheel_init(struct wheel *wheel);
void wheel_link(struct wheel *wheel, struct pool *pool, uint32_t index);
void wheel_unlink(struct wheel *wheel, struct pool *pool, uint32_t index);

/* Starts a turn: from the tick last reached, once more, because it may not have been over then. */
void wheel_start(struct wheel *wheel, int64_t now_ms);
/* The next entry that may have expired, still in its list; NO_ENTRY: none before @p now_ms. Whoever
 * asks again has taken it out. */
uint32_t wheel_due(struct wheel *wheel, struct pool *pool, int64_t now_ms);

#endif
