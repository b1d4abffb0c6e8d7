/* SPDX-License-Identifier: MIT */
/*
 * Provider "memory": records in this process's memory.
 *
 *  - ProviderConfig: none.
 *  - Settings: maxSessions, maxBytes (0: no limit), whenFull: "refuse" or "evict".
 *  - Layout: 64 shards of one lock each, chosen by the key (shard.h). The bytes of a record are a
 *    counted blob that readers share: nothing is copied.
 *  - Atomic save: the shard's lock is held from the look at the version to the change.
 *  - Expiry: gc(), which looks at what is due only (wheel.h).
 *  - Loses: everything when the process ends.
 *  - Owners: user groups of one lock each (users.h). hold.h has the order of locks.
 *  - Fork: the child goes on with a store of its own (fork.h).
 */

#include "memory/fork.h"
#include "memory/state.h"

#include <stdlib.h>

/* How often a write makes room before it gives up because others take it. */
enum { ROOM_TRIES = 64 };

/* ---- life time ---- */

static int memory_open(void *self, ses_provider_host *host, const char *config)
{
    struct memory *memory = self;
    (void)pthread_mutex_init(&memory->turn.mutex, NULL);
    if (*config)
        return ses_provider_fail(host, SES_ERR_INVALID, "ProviderConfig must be empty or left out");

    if (memory->when_full == EVICT && memory->max_records == 0 && memory->max_bytes == 0)
        return ses_provider_fail(host, SES_ERR_INVALID,
                                 "\"whenFull\" needs \"maxSessions\" or \"maxBytes\" to evict at");

    room_init(&memory->room, (uint64_t)memory->max_records, (uint64_t)memory->max_bytes);
    atomic_init(&memory->stamps, 0);
    const bool evicts = memory->when_full == EVICT;

    memory->users = users_new();
    memory->shards = aligned_alloc(_Alignof(struct shard), SHARDS * sizeof(struct shard));
    if (!memory->users || !memory->shards) {
        free(memory->shards);
        memory->shards = NULL;
        return ses_provider_fail(host, SES_ERR_NO_MEMORY, "out of memory");
    }
    for (uint32_t s = 0; s < SHARDS; s++)
        shard_init(&memory->shards[s], &memory->room, evicts ? &memory->stamps : NULL);
    fork_watch(memory);
    return SES_OK;
}

static void memory_close(void *self)
{
    struct memory *memory = self;
    fork_forget(memory);
    for (uint32_t s = 0; memory->shards && s < SHARDS; s++)
        shard_free(&memory->shards[s]);
    free(memory->shards);
    users_free(memory->users);
    (void)pthread_mutex_destroy(&memory->turn.mutex);
}

/* ---- reading ---- */

static int memory_load(void *self, const struct ses_key *key, int64_t now_ms,
                       struct ses_record *ret_record)
{
    (void)now_ms; /* what has expired is handed over, too: the core tells it from what never was */
    struct shard *shard = memory_shard(self, key);
    HOLD(&shard->mutex);

    const uint32_t index = table_find(&shard->table, &shard->pool, key);
    if (index == NO_ENTRY)
        return SES_ERR_NOT_FOUND;
    shard_use(shard, index);
    *ret_record = entry_record(entry_pool_at(&shard->pool, index));
    return SES_OK;
}

/* ---- writing ---- */

/* A create clears away so many expired sessions of its user at most. */
enum { CLEARED = 16 };

/* One attempt to write. What it leaves over is dropped when no lock is held any more. */
struct attempt {
    struct memory *memory;
    const struct ses_key *key;
    const struct ses_record *record;
    int64_t now_ms;
    uint64_t lacks;     /* bytes that the answer SES_ERR_FULL was about */
    struct remains old; /* of the record in whose place ours went */
    uint32_t cleared;   /* expired sessions of the user: */
    ses_blob *blobs[CLEARED];
};

/* Member by member: blobs[] is the most of it, and stays as it is. */
static void attempt_begin(struct attempt *attempt, struct memory *memory, const struct ses_key *key,
                          const struct ses_record *record, int64_t now_ms)
{
    attempt->memory = memory;
    attempt->key = key;
    attempt->record = record;
    attempt->now_ms = now_ms;
    attempt->lacks = 0;
    attempt->old = (struct remains){ 0 };
    attempt->cleared = 0;
}

static void attempt_end(struct attempt *attempt)
{
    memory_bury(attempt->memory, &attempt->old);
    for (uint32_t i = 0; i < attempt->cleared; i++)
        (void)ses_blob_unref(attempt->blobs[i]);
}

static int insert(struct attempt *attempt, struct member *member)
{
    struct shard *shard = memory_shard(attempt->memory, attempt->key);
    HOLD(&shard->mutex);

    const uint32_t index = table_find(&shard->table, &shard->pool, attempt->key);
    if (index != NO_ENTRY && entry_is_alive(entry_pool_at(&shard->pool, index), attempt->now_ms))
        return SES_ERR_EXISTS;
    if (index != NO_ENTRY)
        attempt->old = shard_remove(shard, index);
    return shard_add(shard, attempt->key, attempt->record, member);
}

/* With the group's lock held. An expired session is cleared away together with its member. */
static bool member_is_alive(struct attempt *attempt, struct user_group *group,
                            struct member *member)
{
    struct shard *shard = memory_shard(attempt->memory, &member->key);
    HOLD(&shard->mutex);

    const uint32_t index = table_find(&shard->table, &shard->pool, &member->key);
    if (index == NO_ENTRY || entry_pool_member(&shard->pool, index) != member)
        return false; /* on its way out: whoever removed the record comes for the member */
    if (entry_is_alive(entry_pool_at(&shard->pool, index), attempt->now_ms))
        return true;
    if (attempt->cleared < CLEARED) {
        attempt->blobs[attempt->cleared++] = shard_remove(shard, index).data;
        users_remove(group, member);
    }
    return false;
}

/* With the group's lock held: may the user have one more session? The members are counted first;
 * only when they are too many their records are asked, because some may have expired. */
static bool user_may_have_more(struct attempt *attempt, struct user_group *group,
                               const struct ses_owner *owner)
{
    const struct user *user = users_find(group, &owner->user);
    if (!user || owner->limit == 0 || user->count < owner->limit)
        return true;

    uint32_t alive = 0;
    struct member *next;
    for (struct member *member = user->members; member && alive < owner->limit; member = next) {
        next = member->next;
        alive += member_is_alive(attempt, group, member);
    }
    return alive < owner->limit;
}

/* The group's lock is held throughout: parallel creates of one user are decided one after the
 * other. */
static int insert_owned(struct attempt *attempt, const struct ses_owner *owner)
{
    struct user_group *group = users_group(attempt->memory->users, &owner->user);
    HOLD(&group->mutex);

    if (!user_may_have_more(attempt, group, owner))
        return SES_ERR_DENIED;
    struct member *member = users_add(group, &owner->user, attempt->key);
    if (!member)
        return SES_ERR_NO_MEMORY;
    int r = insert(attempt, member);
    if (r < 0)
        users_remove(group, member);
    return r;
}

static int memory_create(void *self, const struct ses_key *key, int64_t now_ms,
                         const struct ses_owner *owner, const struct ses_record *record)
{
    struct memory *memory = self;
    const uint64_t bytes = blob_room(record->data);
    int r = SES_ERR_FULL;

    for (int tries = 0; tries < ROOM_TRIES && room_ever_fits(&memory->room, bytes); tries++) {
        struct attempt attempt;
        attempt_begin(&attempt, memory, key, record, now_ms);
        r = owner ? insert_owned(&attempt, owner) : insert(&attempt, NULL);
        attempt_end(&attempt);
        if (r != SES_ERR_FULL || !memory_make_room(memory, key, now_ms, 1, bytes))
            break;
    }
    return r;
}

static int replace(struct attempt *attempt, uint64_t expected, struct ses_record *ret_winner)
{
    struct shard *shard = memory_shard(attempt->memory, attempt->key);
    HOLD(&shard->mutex);

    const uint32_t index = shard_find(shard, attempt->key, attempt->now_ms);
    if (index == NO_ENTRY)
        return SES_ERR_NOT_FOUND;
    const struct entry *entry = entry_pool_at(&shard->pool, index);
    if (entry->version != expected) {
        *ret_winner = entry_record(entry);
        return SES_ERR_CONFLICT;
    }
    int r = shard_replace(shard, index, attempt->record, &attempt->old);
    if (r == SES_ERR_FULL)
        attempt->lacks = blob_room(attempt->record->data) - blob_room(entry->data);
    return r;
}

static int memory_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       const struct ses_record *record, struct ses_record *ret_winner)
{
    struct memory *memory = self;
    int r = SES_ERR_FULL;

    for (int tries = 0; tries < ROOM_TRIES; tries++) {
        struct attempt attempt;
        attempt_begin(&attempt, memory, key, record, now_ms);
        r = replace(&attempt, expected, ret_winner);
        attempt_end(&attempt);
        if (r != SES_ERR_FULL || !room_ever_fits(&memory->room, blob_room(record->data)) ||
            !memory_make_room(memory, key, now_ms, 0, attempt.lacks))
            break;
    }
    return r;
}

static int memory_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                        int64_t expires_ms)
{
    struct shard *shard = memory_shard(self, key);
    HOLD(&shard->mutex);

    const uint32_t index = shard_find(shard, key, now_ms);
    if (index == NO_ENTRY)
        return SES_ERR_NOT_FOUND;
    struct entry *entry = entry_pool_at(&shard->pool, index);
    if (entry->version != expected)
        return SES_ERR_CONFLICT;

    const int64_t lease = entry_lease(expires_ms, entry_kind(entry));
    if (lease > entry->lease)
        entry->lease = lease;
    shard_use(shard, index);
    return SES_OK;
}

static int memory_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    struct memory *memory = self;
    struct shard *shard = memory_shard(memory, key);
    struct remains remains = { 0 };
    (void)now_ms; /* what has expired may go as well */
    {
        HOLD(&shard->mutex);
        const uint32_t index = table_find(&shard->table, &shard->pool, key);
        if (index != NO_ENTRY)
            remains = shard_remove(shard, index);
    }
    memory_bury(memory, &remains);
    return SES_OK;
}

static int memory_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    memory_collect(self, now_ms, budget, ret_step);
    return SES_OK;
}

/* ---- the vtable ---- */

static const char *const when_full_choices[] = { [REFUSE] = "refuse", [EVICT] = "evict", NULL };

static const struct ses_setting memory_settings[] = {
    {
        .name = "maxSessions",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct memory, max_records),
        .max = INT64_MAX,
    },
    {
        .name = "maxBytes",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct memory, max_bytes),
        .max = INT64_MAX,
    },
    {
        .name = "whenFull",
        .type = SES_SETTING_CHOICE,
        .offset = offsetof(struct memory, when_full),
        .preset = REFUSE,
        .choices = when_full_choices,
    },
    { 0 },
};

extern const struct ses_provider_ops ses_provider_memory;

const struct ses_provider_ops ses_provider_memory = {
    .size = sizeof ses_provider_memory,
    .abi = SES_PROVIDER_ABI,
    .name = "memory",
    .instance_size = sizeof(struct memory),
    .settings = memory_settings,
    .open = memory_open,
    .close = memory_close,
    .load = memory_load,
    .create = memory_create,
    .save = memory_save,
    .touch = memory_touch,
    .destroy = memory_destroy,
    .gc = memory_gc,
    .count = memory_count,
    .iterate = memory_iterate,
    .list = memory_list,
};
