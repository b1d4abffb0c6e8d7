/* SPDX-License-Identifier: MIT */
#include "memory/state.h"

enum { RECLAIM_BUDGET = 256 };

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

static struct shard *shard_of_oldest(struct memory *memory)
{
    struct shard *found = &memory->shards[0];
    for (uint32_t s = 1; s < SHARDS; s++) {
        if (recency_oldest(&memory->shards[s].recency) < recency_oldest(&found->recency))
            found = &memory->shards[s];
    }
    return found;
}

/* Removes the record used longest ago, but the one being saved. @return false when there is no
 * other. It may also return true without having removed one, because others were faster. */
static bool evict_oldest(struct memory *memory, const struct ses_key *saved)
{
    struct shard *shard = shard_of_oldest(memory);
    if (recency_oldest(&shard->recency) == NEVER_USED)
        return false;

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

bool memory_make_room(struct memory *memory, const struct ses_key *saved, int64_t now_ms,
                      uint64_t records, uint64_t bytes)
{
    if (reclaim(memory, now_ms, records, bytes))
        return true;
    if (memory->when_full != EVICT)
        return false;
    while (!room_fits(&memory->room, records, bytes)) {
        if (!evict_oldest(memory, saved))
            return false;
    }
    return true;
}
