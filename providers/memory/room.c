/* SPDX-License-Identifier: MIT */
#include "memory/room.h"

void room_init(struct room *room, uint64_t max_records, uint64_t max_bytes)
{
    room->max_records = max_records;
    room->max_bytes = max_bytes;
    atomic_init(&room->records, 0);
    atomic_init(&room->bytes, 0);
}

static bool fits(uint64_t used, uint64_t more, uint64_t max)
{
    return max == 0 || more == 0 || (more <= max && used <= max - more);
}

static bool take(atomic_uint_fast64_t *used, uint64_t more, uint64_t max)
{
    uint_fast64_t now = atomic_load(used);
    do {
        if (!fits(now, more, max))
            return false;
    } while (!atomic_compare_exchange_weak(used, &now, now + more));
    return true;
}

bool room_take(struct room *room, uint64_t records, uint64_t bytes)
{
    if (!room_is_limited(room))
        return true;
    if (!take(&room->records, records, room->max_records))
        return false;
    if (take(&room->bytes, bytes, room->max_bytes))
        return true;
    atomic_fetch_sub(&room->records, records);
    return false;
}

void room_force(struct room *room, uint64_t bytes)
{
    if (room_is_limited(room))
        atomic_fetch_add(&room->bytes, bytes);
}

void room_give(struct room *room, uint64_t records, uint64_t bytes)
{
    if (!room_is_limited(room))
        return;
    atomic_fetch_sub(&room->records, records);
    atomic_fetch_sub(&room->bytes, bytes);
}

bool room_fits(struct room *room, uint64_t records, uint64_t bytes)
{
    return fits(atomic_load(&room->records), records, room->max_records) &&
           fits(atomic_load(&room->bytes), bytes, room->max_bytes);
}

bool room_ever_fits(const struct room *room, uint64_t bytes)
{
    return fits(0, bytes, room->max_bytes);
}
