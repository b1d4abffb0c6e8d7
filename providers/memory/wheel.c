/* SPDX-License-Identifier: MIT */
#include "memory/wheel.h"

enum { DUE = WHEEL_SLOTS };

/* In prev_due of the first entry of a list: this bit, and which list it is. */
#define HEAD (UINT32_C(1) << 31)

static int64_t tick_of(int64_t time_ms)
{
    return time_ms >> WHEEL_TICK_BITS;
}

static uint32_t slot_of(int64_t tick)
{
    return (uint32_t)((uint64_t)tick % WHEEL_SLOTS);
}

void wheel_init(struct wheel *wheel)
{
    *wheel = (struct wheel){ .tick = tick_of(INT64_MIN) };
}

void wheel_link(struct wheel *wheel, struct pool *pool, uint32_t index)
{
    struct entry *entry = entry_pool_at(pool, index);
    const uint32_t slot = slot_of(tick_of(entry_expires_ms(entry)));
    const uint32_t next = wheel->slots[slot];

    entry->next_due = next;
    entry->prev_due = HEAD | slot;
    if (next != NO_ENTRY)
        entry_pool_at(pool, next)->prev_due = index;
    wheel->slots[slot] = index;
}

void wheel_unlink(struct wheel *wheel, struct pool *pool, uint32_t index)
{
    const struct entry *entry = entry_pool_at(pool, index);
    if (entry->prev_due & HEAD)
        wheel->slots[entry->prev_due & ~HEAD] = entry->next_due;
    else
        entry_pool_at(pool, entry->prev_due)->next_due = entry->next_due;
    if (entry->next_due != NO_ENTRY)
        entry_pool_at(pool, entry->next_due)->prev_due = entry->prev_due;
}

void wheel_start(struct wheel *wheel, int64_t now_ms)
{
    const int64_t now = tick_of(now_ms);
    if (wheel->tick > now)
        wheel->tick = now; /* this tick again; or the clock went back */
    else if (now - wheel->tick >= WHEEL_SLOTS - 1)
        wheel->tick = now - (WHEEL_SLOTS - 1); /* each slot once */
    else
        wheel->tick--; /* what was reached last may not have been over then */
}

/* Makes the next slot's list the one to work off. */
static void reach(struct wheel *wheel, struct pool *pool)
{
    const uint32_t slot = slot_of(wheel->tick++);
    const uint32_t first = wheel->slots[slot];

    wheel->slots[slot] = NO_ENTRY;
    wheel->slots[DUE] = first;
    if (first != NO_ENTRY)
        entry_pool_at(pool, first)->prev_due = HEAD | DUE;
}

uint32_t wheel_due(struct wheel *wheel, struct pool *pool, int64_t now_ms)
{
    while (wheel->slots[DUE] == NO_ENTRY && wheel->tick <= tick_of(now_ms))
        reach(wheel, pool);
    return wheel->slots[DUE];
}
