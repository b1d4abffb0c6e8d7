/* SPDX-License-Identifier: MIT */
#include "memory/state.h"

#include <sched.h>

enum { RECLAIM_BUDGET = 256, LOOKS_IN_VAIN = 64 };

/* What has expired goes first. Twice, because a turn that had begun may have passed it already. */
static bool reclaim(struct memory *memory, int64_t now_ms, uint64_t records, uint64_t bytes)
{
    for (int turn = 0; turn < 2; turn++) {
        struct ses_gc_step step;
        if (room_fits(&memory->room, records, bytes))
            return true;
        memory_collect(memory, now_ms, RECLAIM_BUDGET, &step);
    }
    return room_fits(&memory->room, records, bytes);
}

/* NULL: none was seen. Each stamp is read once, because others evict meanwhile. */
static struct shard *shard_of_oldest(struct memory *memory)
{
    struct shard *found = NULL;
    uint64_t oldest = NEVER_USED;
    for (uint32_t s = 0; s < SHARDS; s++) {
        const uint64_t stamp = recency_oldest(&memory->shards[s].recency);
        if (stamp < oldest) {
            oldest = stamp;
            found = &memory->shards[s];
        }
    }
    return found;
}

/* Removes the shard's record used longest ago, but the one being saved, unless others were faster.
 * @return false when there is no other. */
static bool evict_from(struct memory *memory, struct shard *shard, const struct ses_key *saved)
{
    struct remains remains = { 0 };
    {
        HOLD(&shard->mutex);
        const uint32_t oldest = shard->recency.oldest;
        const bool is_saved =
            oldest != NO_ENTRY && ses_key_equal(&entry_pool_at(&shard->pool, oldest)->key, saved);
        if (is_saved && atomic_load(&memory->room.records) <= 1)
            return false;
        if (is_saved)
            shard_use(shard, oldest);
        else if (oldest != NO_ENTRY)
            remains = shard_remove(shard, oldest);
    }
    memory_bury(memory, &remains);
    return true;
}

/* Where none is seen, others have taken the room and not filled it yet. */
static bool evict(struct memory *memory, const struct ses_key *saved, uint64_t records,
                  uint64_t bytes)
{
    int in_vain = 0;
    while (!room_fits(&memory->room, records, bytes)) {
        struct shard *shard = shard_of_oldest(memory);
        if (shard ? !evict_from(memory, shard, saved) : in_vain++ == LOOKS_IN_VAIN)
            return false;
        if (!shard)
            (void)sched_yield();
    }
    return true;
}

bool memory_make_room(struct memory *memory, const struct ses_key *saved, int64_t now_ms,
                      uint64_t records, uint64_t bytes)
{
    return reclaim(memory, now_ms, records, bytes) ||
           (memory->when_full == EVICT && evict(memory, saved, records, bytes));
}
