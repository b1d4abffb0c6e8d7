/* SPDX-License-Identifier: MIT */
#include "redis/entries.h"

#include <stdlib.h>

enum {
    REVIEW_AGE_MS = 600000, /* an entry is looked at again after that long, at a log-in */
    REVIEW_MOST = 8,        /* of them at a time: more than come in, so that they never pile up */
    ENTER_TRIES = 8,
    LIST_TRIES = 16,
};

static int64_t index_life_ms(int64_t now_ms, int64_t expires_ms)
{
    const int64_t most = (int64_t)1 << 42, end = expires_ms / USERS_DAY_MS * USERS_DAY_MS;
    const int64_t life = end - now_ms + 2 * (int64_t)USERS_DAY_MS;
    return life < most ? life : most;
}

static struct looking look_for(struct redis *redis, const struct ses_key *user, int64_t now_ms,
                               struct deadline deadline)
{
    struct looking looking = {
        .redis = redis, .user = user, .now_ms = now_ms, .deadline = deadline
    };
    name_of(redis, NAME_USER, user, &looking.index);
    return looking;
}

/* ---- entering ---- */

static int enter(const struct looking *looking, struct ses_slice entry, uint32_t limit,
                 int64_t life_ms, redisReply **ret_reply)
{
    struct digits most, life, age, count;
    return REDIS_RUN(looking->redis, SCRIPT_ENTER, name_slice(&looking->index), looking->deadline,
                     ret_reply, entry, number_word(&most, limit), number_word(&life, life_ms),
                     number_word(&age, REVIEW_AGE_MS), number_word(&count, REVIEW_MOST));
}

/* Looks at what the script named. *ret_counting: how many of those count for the limit. */
static int review(struct looking *looking, const redisReply *reply, bool refresh,
                  uint32_t *ret_counting)
{
    struct entries entries;
    (void)reply_number(reply, 1, &looking->server_now_ms);
    int r = entries_read(&entries, reply, 2);
    if (r < 0)
        return r;
    r = entries_look(&entries, looking, false);
    *ret_counting = 0;
    for (size_t i = 0; r == SES_OK && i < entries.count; i++)
        *ret_counting += entries.list[i].state != ENTRY_ENDED;
    if (r == SES_OK)
        r = entries_tidy(&entries, looking, refresh);
    entries_free(&entries);
    return r;
}

/* Once: SES_ERR_CONFLICT when there was no room, but might be now. */
static int try_to_enter(struct looking *looking, struct ses_slice entry, uint32_t limit,
                        int64_t life_ms)
{
    redisReply *reply = NULL;
    int64_t added = 0;
    uint32_t counting = 0;
    int r = enter(looking, entry, limit, life_ms, &reply);
    if (r < 0)
        return r;
    (void)reply_number(reply, 0, &added);
    const bool any = reply->type == REDIS_REPLY_ARRAY && reply->elements > 2;
    if (added && any) /* if it fails, another log-in does it */
        (void)review(looking, reply, true, &counting);
    else if (!added)
        r = review(looking, reply, false, &counting);
    reply_free(reply);
    if (added || r < 0)
        return r;
    return counting < limit ? SES_ERR_CONFLICT : SES_ERR_DENIED;
}

int users_enter(struct redis *redis, const struct ses_owner *owner, const struct ses_key *key,
                const struct envelope *envelope, int64_t now_ms, struct deadline deadline)
{
    struct looking looking = look_for(redis, &owner->user, now_ms, deadline);
    const int64_t life_ms = index_life_ms(now_ms, envelope->expires_ms);
    unsigned char entry[ENTRY_LEN];
    entry_write(key, envelope->birth, entry);
    int r = SES_ERR_CONFLICT;
    for (int tries = 0; tries < ENTER_TRIES && r == SES_ERR_CONFLICT; tries++)
        r = try_to_enter(&looking, (struct ses_slice){ entry, sizeof entry }, owner->limit,
                         life_ms);
    return r == SES_ERR_CONFLICT ? SES_ERR_DENIED : r;
}

/* ---- leaving, and living longer ---- */

void users_leave(struct redis *redis, const struct ses_key *user, const struct ses_key *key,
                 uint64_t birth, struct deadline deadline)
{
    struct batch batch = { .repeats = true };
    redisReply *reply = NULL;
    unsigned char entry[ENTRY_LEN];
    struct name index;
    name_of(redis, NAME_USER, user, &index);
    entry_write(key, birth, entry);
    BATCH_ADD(&batch, word("ZREM"), name_slice(&index), (struct ses_slice){ entry, sizeof entry });
    (void)redis_ask(redis, name_slice(&index), &batch, deadline, &reply);
    batch_free(&batch);
    reply_free(reply);
}

static int read_owner(const struct redis *redis, const struct ses_key *key, struct ses_slice owner,
                      struct ses_key *ret_user, uint64_t *ret_birth)
{
    if (owner.len != ENVELOPE_OWNER_LEN)
        return SES_ERR_CORRUPT;
    return envelope_read_owner(&redis->crc, key, owner.data, ret_user, ret_birth);
}

void users_leave_owner(struct redis *redis, const struct ses_key *key, struct ses_slice owner,
                       struct deadline deadline)
{
    struct ses_key user;
    uint64_t birth;
    if (read_owner(redis, key, owner, &user, &birth) == SES_OK)
        users_leave(redis, &user, key, birth, deadline);
}

int users_extend(struct redis *redis, const struct ses_key *key, struct ses_slice owner,
                 int64_t now_ms, int64_t expires_ms, struct deadline deadline)
{
    unsigned char entry[ENTRY_LEN];
    struct digits life;
    struct ses_key user;
    struct name index;
    uint64_t birth;
    redisReply *reply = NULL;
    int r = read_owner(redis, key, owner, &user, &birth);
    if (r < 0)
        return ses_provider_fail(redis->host, SES_ERR_CORRUPT, "a session's owner does not check");
    name_of(redis, NAME_USER, &user, &index);
    entry_write(key, birth, entry);
    r = REDIS_RUN(redis, SCRIPT_EXTEND, name_slice(&index), deadline, &reply,
                  (struct ses_slice){ entry, sizeof entry },
                  number_word(&life, index_life_ms(now_ms, expires_ms)));
    reply_free(reply);
    return r;
}

/* ---- list ---- */

static int read_index(const struct looking *looking, struct entries *ret_entries)
{
    const struct ses_slice index = name_slice(&looking->index);
    struct batch batch = { .repeats = true };
    redisReply *reply = NULL;
    BATCH_ADD(&batch, word("ZRANGE"), index, word("0"), word("-1"), word("WITHSCORES"));
    int r = redis_ask(looking->redis, index, &batch, looking->deadline, &reply);
    batch_free(&batch);
    if (r == SES_OK)
        r = entries_read(ret_entries, reply, 0);
    reply_free(reply);
    return r;
}

/* One look at all. What is not there is left to others. */
static int look_once(const struct looking *looking, struct entries *ret_entries)
{
    const int r = read_index(looking, ret_entries);
    return r == SES_OK ? entries_look(ret_entries, looking, true) : r;
}

static bool shows_the_same(const struct entries *a, const struct entries *b)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < a->count && a->list[i].state != ENTRY_ALIVE)
            i++;
        while (j < b->count && b->list[j].state != ENTRY_ALIVE)
            j++;
        if (i == a->count || j == b->count)
            return i == a->count && j == b->count;
        if (a->list[i].birth != b->list[j].birth)
            return false;
        i++, j++;
    }
}

/*
 * A session that gets a new key is made under the new one before it ends under the old one. Servers
 * are asked one after the other, so a look may come too early to the one and too late to the other:
 * two looks that show the same have missed nothing.
 */
static int look_until_calm(const struct looking *looking, struct entries *ret_entries)
{
    struct entries before = { 0 };
    int r = look_once(looking, &before);
    for (int tries = 0; r == SES_OK && tries < LIST_TRIES; tries++) {
        struct entries now = { 0 };
        r = look_once(looking, &now);
        const bool calm = r == SES_OK && shows_the_same(&before, &now);
        entries_free(&before);
        before = now;
        if (calm)
            break;
    }
    *ret_entries = before;
    return r;
}

static int show(struct entries *entries, ses_record_fn *fn, void *arg)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < entries->count; i++) {
        const struct entry *entry = &entries->list[i];
        const struct envelope *envelope = &entry->envelope;
        if (entry->state != ENTRY_ALIVE || !ses_kind_is_live(envelope->kind))
            continue;
        const struct ses_record record = {
            .data = ses_blob_new(envelope->data),
            .version = envelope->version,
            .expires_ms = envelope->expires_ms,
            .kind = envelope->kind,
        };
        r = record.data ? fn(arg, &entry->key, &record) : SES_ERR_NO_MEMORY;
        (void)ses_blob_unref(record.data);
    }
    return r;
}

int redis_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct redis *redis = self;
    struct entries entries = { 0 };
    const struct looking looking = look_for(redis, user, now_ms, redis_deadline(redis));
    int r = look_until_calm(&looking, &entries);
    if (r == SES_OK)
        r = show(&entries, fn, arg);
    entries_free(&entries);
    return r;
}
