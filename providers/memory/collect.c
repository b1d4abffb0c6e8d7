/* SPDX-License-Identifier: MIT */
#include "memory/state.h"

/* The turn's lock is held, the shard's is not. */
static void begin_shard(struct memory *memory, int64_t now_ms)
{
    struct shard *shard = &memory->shards[memory->turn.shard];
    HOLD(&shard->mutex);
    wheel_start(&shard->wheel, now_ms);
}

static void end_shard(struct memory *memory, int64_t now_ms)
{
    memory->turn.shard = (memory->turn.shard + 1) % SHARDS;
    if (--memory->turn.left > 0)
        begin_shard(memory, now_ms);
}

static void sweep(struct memory *memory, int64_t now_ms, uint32_t limit, struct sweep *ret_sweep)
{
    struct shard *shard = &memory->shards[memory->turn.shard];
    {
        HOLD(&shard->mutex);
        shard_sweep(shard, now_ms, limit, ret_sweep);
    }
    for (uint32_t i = 0; i < ret_sweep->removed; i++)
        memory_bury(memory, &ret_sweep->remains[i]);
}

void memory_collect(struct memory *memory, int64_t now_ms, uint32_t budget,
                    struct ses_gc_step *ret_step)
{
    *ret_step = (struct ses_gc_step){ 0 };
    HOLD(&memory->turn.mutex);
    if (memory->turn.left == 0) {
        memory->turn.left = SHARDS;
        begin_shard(memory, now_ms);
    }

    /* Past the budget it still asks, with a limit of 0, whether the other shards have work at all.
     */
    struct sweep some = { 0 };
    while (memory->turn.left > 0 && !(some.more && budget == 0)) {
        sweep(memory, now_ms, budget < SWEEP_ENTRIES ? budget : SWEEP_ENTRIES, &some);
        budget -= some.looked;
        ret_step->removed += some.removed;
        if (!some.more)
            end_shard(memory, now_ms);
    }
    ret_step->more = memory->turn.left > 0;
}
