/* SPDX-License-Identifier: MIT */
#include "memory/state.h"

#include <stdlib.h>

/* What is copied, and what is looked at, during one hold of a lock. */
enum { BATCH_RECORDS = 64, BATCH_LOOKS = 256 };

/* So often a user's records are looked at, while they keep changing. */
enum { ROLL_TRIES = 16 };

struct batch {
    uint32_t after; /* the entry looked at last */
    bool more;
    uint32_t count;
    struct ses_key keys[BATCH_RECORDS];
    struct ses_record records[BATCH_RECORDS];
};

static bool is_shown(const struct entry *entry, int64_t now_ms)
{
    return ses_kind_is_live(entry_kind(entry)) && entry_is_alive(entry, now_ms);
}

static bool is_session(const struct entry *entry, int64_t now_ms)
{
    return entry_kind(entry) == SES_KIND_SESSION && entry_is_alive(entry, now_ms);
}

/* An entry keeps its place as long as its record lives, so going on after the last index shows each
 * once. */
static void read_batch(struct shard *shard, int64_t now_ms, struct batch *batch)
{
    HOLD(&shard->mutex);
    const struct pool *pool = &shard->pool;
    uint32_t index = NO_ENTRY, looks = 0;

    batch->count = 0;
    while (batch->count < BATCH_RECORDS && looks++ < BATCH_LOOKS) {
        index = entry_pool_next(pool, batch->after);
        if (index == NO_ENTRY)
            break;
        batch->after = index;
        const struct entry *entry = entry_pool_at(pool, index);
        if (is_shown(entry, now_ms)) {
            batch->keys[batch->count] = entry->key;
            batch->records[batch->count++] = entry_record(entry);
        }
    }
    batch->more = index != NO_ENTRY;
}

/* Shows a batch until @p fn has had enough; drops all of it. */
static int show_batch(struct batch *batch, ses_record_fn *fn, void *arg)
{
    int r = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (r == 0)
            r = fn(arg, &batch->keys[i], &batch->records[i]);
        (void)ses_blob_unref(batch->records[i].data);
    }
    return r;
}

static int show_shard(struct shard *shard, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct batch batch = { .after = NO_ENTRY };
    int r;
    do {
        read_batch(shard, now_ms, &batch);
        r = show_batch(&batch, fn, arg);
    } while (r == 0 && batch.more);
    return r;
}

int memory_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct memory *memory = self;
    int r = SES_OK;
    for (uint32_t s = 0; s < SHARDS && r == SES_OK; s++)
        r = show_shard(&memory->shards[s], now_ms, fn, arg);
    return r;
}

/* Counts a part of the shard. @return where to go on, or NO_ENTRY. */
static uint32_t count_some(struct shard *shard, int64_t now_ms, uint32_t after, uint64_t *count)
{
    HOLD(&shard->mutex);
    for (uint32_t looks = 0; looks < BATCH_LOOKS; looks++) {
        after = entry_pool_next(&shard->pool, after);
        if (after == NO_ENTRY)
            break;
        *count += is_session(entry_pool_at(&shard->pool, after), now_ms);
    }
    return after;
}

int memory_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    struct memory *memory = self;
    uint64_t count = 0;
    for (uint32_t s = 0; s < SHARDS; s++) {
        uint32_t after = NO_ENTRY;
        do {
            after = count_some(&memory->shards[s], now_ms, after, &count);
        } while (after != NO_ENTRY);
    }
    *ret_count = count;
    return SES_OK;
}

/* The session of that key, if it is alive and of that user. */
static bool read_session(struct memory *memory, const struct ses_key *key,
                         const struct ses_key *user, int64_t now_ms, struct ses_record *ret_record)
{
    struct shard *shard = memory_shard(memory, key);
    HOLD(&shard->mutex);
    const uint32_t index = shard_find(shard, key, now_ms);
    if (index == NO_ENTRY)
        return false;
    /* While the entry points at a member, nobody else may free that. */
    const struct member *member = entry_pool_member(&shard->pool, index);
    if (!member || !ses_key_equal(&member->user->key, user))
        return false;
    *ret_record = entry_record(entry_pool_at(&shard->pool, index));
    return true;
}

/* A user's records, with the keys under which they were found. */
struct roll {
    uint32_t count;
    struct called {
        struct ses_key key;
        struct ses_record record;
    } called[];
};

static void roll_free(struct roll *roll)
{
    for (uint32_t i = 0; roll && i < roll->count; i++)
        (void)ses_blob_unref(roll->called[i].record.data);
    free(roll);
}

static struct roll *call_keys(struct memory *memory, const struct ses_key *user, int64_t now_ms,
                              const struct ses_key *keys, uint32_t count)
{
    struct roll *roll = malloc(sizeof *roll + count * sizeof *roll->called);
    if (!roll)
        return NULL;
    roll->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct called *called = &roll->called[roll->count];
        if (!read_session(memory, &keys[i], user, now_ms, &called->record))
            continue;
        called->key = keys[i];
        roll->count++;
    }
    return roll;
}

/* NULL: out of memory. */
static struct roll *call_roll(struct memory *memory, const struct ses_key *user, int64_t now_ms)
{
    struct ses_key *keys;
    uint32_t count;
    if (users_keys(memory->users, user, &keys, &count) < 0)
        return NULL;
    struct roll *roll = call_keys(memory, user, now_ms, keys, count);
    free(keys);
    return roll;
}

static bool same_keys(const struct roll *a, const struct roll *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = ses_key_equal(&a->called[i].key, &b->called[i].key);
    return same;
}

/* A session may get a new key between the look at the keys and the look at the records: then it is
 * seen under neither. Two looks in a row that find the same have missed nobody. */
static struct roll *call_roll_surely(struct memory *memory, const struct ses_key *user,
                                     int64_t now_ms)
{
    struct roll *roll = call_roll(memory, user, now_ms);
    bool same = false;
    for (int tries = 0; roll && !same && tries < ROLL_TRIES; tries++) {
        struct roll *again = call_roll(memory, user, now_ms);
        same = again && same_keys(roll, again);
        roll_free(roll);
        roll = again;
    }
    return roll;
}

int memory_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                void *arg)
{
    int r = SES_OK;
    struct roll *roll = call_roll_surely(self, user, now_ms);
    if (!roll)
        return SES_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < roll->count && r == 0; i++)
        r = fn(arg, &roll->called[i].key, &roll->called[i].record);
    roll_free(roll);
    return r;
}
