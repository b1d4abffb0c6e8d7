/* SPDX-License-Identifier: MIT */
#include "redis/entries.h"

#include "shared/bytes.h"

#include <stdlib.h>

void entry_write(const struct ses_key *key, uint64_t birth, unsigned char bytes[ENTRY_LEN])
{
    memcpy(bytes, key->bytes, sizeof key->bytes);
    put64(bytes + sizeof key->bytes, birth);
}

static bool entry_read(const redisReply *reply, size_t at, struct entry *ret)
{
    struct ses_slice member;
    *ret = (struct entry){ 0 };
    if (!reply_member(reply, at, &member) || member.len != ENTRY_LEN ||
        !reply_number(reply, at + 1, &ret->looked_at_ms))
        return false;
    const unsigned char *bytes = member.data;
    memcpy(ret->key.bytes, bytes, sizeof ret->key.bytes);
    ret->birth = get64(bytes + sizeof ret->key.bytes);
    return true;
}

int entries_read(struct entries *entries, const redisReply *reply, size_t first)
{
    const bool sound = reply->type == REDIS_REPLY_ARRAY && reply->elements >= first;
    const size_t most = sound ? (reply->elements - first) / 2 : 0;
    *entries = (struct entries){ .list = calloc(most + 1, sizeof *entries->list),
                                 .keys = calloc(most + 1, sizeof *entries->keys),
                                 .replies = calloc(most + 1, sizeof *entries->replies) };
    if (!entries->list || !entries->keys || !entries->replies) {
        entries_free(entries);
        return SES_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < most; i++) {
        struct entry *entry = &entries->list[entries->count];
        if (!entry_read(reply, first + 2 * i, entry))
            continue; /* not one of ours */
        entries->keys[entries->count++] = entry->key;
    }
    return SES_OK;
}

void entries_free(struct entries *entries)
{
    for (size_t i = 0; entries->replies && i < entries->count; i++)
        reply_free(entries->replies[i]);
    free(entries->list);
    free(entries->keys);
    free(entries->replies);
    *entries = (struct entries){ 0 };
}

/* ---- what their sessions are ---- */

static bool read_value(const struct redis *redis, const struct ses_key *key,
                       const redisReply *reply, bool whole, struct envelope *ret)
{
    if (reply->type != REDIS_REPLY_STRING)
        return false;
    const struct ses_slice value = { reply->str, reply->len };
    return whole ? envelope_read(&redis->crc, key, value, ret)
                 : envelope_read_head(&redis->crc, key, value, ret);
}

static void classify(struct entry *entry, const struct looking *looking, bool found)
{
    const struct envelope *envelope = &entry->envelope;
    const bool its_own = found && envelope->owned && envelope->birth == entry->birth &&
                         ses_key_equal(&envelope->user, looking->user);
    const bool young = looking->server_now_ms - entry->looked_at_ms < GRACE_MS;
    if (its_own)
        entry->state = envelope->expires_ms > looking->now_ms ? ENTRY_ALIVE : ENTRY_ENDED;
    else
        entry->state = young ? ENTRY_EXPECTED : ENTRY_ENDED;
}

int entries_look(struct entries *entries, const struct looking *looking, bool whole)
{
    const int r = redis_look(looking->redis, entries->keys, entries->count,
                             whole ? -1 : ENVELOPE_HEAD - 1, looking->deadline, entries->replies);
    for (size_t i = 0; r == SES_OK && i < entries->count; i++) {
        struct entry *entry = &entries->list[i];
        const bool found =
            read_value(looking->redis, &entry->key, entries->replies[i], whole, &entry->envelope);
        classify(entry, looking, found);
    }
    return r;
}

/* ---- what is done about it ---- */

static int tell(const struct looking *looking, const struct entry *entry)
{
    const struct ses_slice index = name_slice(&looking->index);
    struct batch batch = { .repeats = true };
    struct digits digits;
    redisReply *reply = NULL;
    unsigned char bytes[ENTRY_LEN];
    entry_write(&entry->key, entry->birth, bytes);
    const struct ses_slice member = { bytes, sizeof bytes };
    if (entry->state == ENTRY_ENDED)
        BATCH_ADD(&batch, word("ZREM"), index, member);
    else
        BATCH_ADD(&batch, word("ZADD"), index, word("XX"),
                  number_word(&digits, looking->server_now_ms), member);
    const int r = redis_ask(looking->redis, index, &batch, looking->deadline, &reply);
    batch_free(&batch);
    reply_free(reply);
    return r;
}

int entries_tidy(const struct entries *entries, const struct looking *looking, bool refresh)
{
    int r = SES_OK;
    for (size_t i = 0; r == SES_OK && i < entries->count; i++) {
        const struct entry *entry = &entries->list[i];
        if (entry->state == ENTRY_ENDED || (refresh && entry->state == ENTRY_ALIVE))
            r = tell(looking, entry);
    }
    return r;
}
