/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_ROOM_H
#define SES_MEMORY_ROOM_H

/* How much may be stored, and how much is. A store without limits counts nothing. Any thread. */

#include <sesame/ext/provider.h>

#include <stdatomic.h>

/* Counted for each record besides its bytes: entry, slot, header of the blob, the allocator's own.
 */
enum { RECORD_OVERHEAD = 96 };

struct room {
    uint64_t max_records; /* 0: no limit */
    uint64_t max_bytes;   /* 0: no limit */
    atomic_uint_fast64_t records;
    atomic_uint_fast64_t bytes;
};

void room_init(struct room *room, uint64_t max_records, uint64_t max_bytes);

static inline bool room_is_limited(const struct room *room)
{
    return room->max_records != 0 || room->max_bytes != 0;
}

/* Takes room, or none if there is not enough. */
bool room_take(struct room *room, uint64_t records, uint64_t bytes);
/* Takes room even past the limit: for what makes others smaller in the end. */
void room_force(struct room *room, uint64_t bytes);
void room_give(struct room *room, uint64_t records, uint64_t bytes);
/* Would room_take() succeed now? */
bool room_fits(struct room *room, uint64_t records, uint64_t bytes);
/* Would it in an empty store? */
bool room_ever_fits(const struct room *room, uint64_t bytes);

#endif
