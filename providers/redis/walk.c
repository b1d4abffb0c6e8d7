/* SPDX-License-Identifier: MIT */
#include "redis/walk.h"

#include "redis/seen.h"
#include "shared/envelope.h"

#include <stdio.h>
#include <stdlib.h>

struct walk {
    struct redis *redis;
    int64_t now_ms;
    struct seen seen;
    ses_record_fn *fn; /* NULL: it only counts */
    void *arg;
    uint64_t count;
};

/* ---- one session ---- */

static int show(struct walk *walk, const struct ses_key *key, const struct envelope *envelope)
{
    const struct ses_record record = {
        .data = ses_blob_new(envelope->data),
        .version = envelope->version,
        .expires_ms = envelope->expires_ms,
        .kind = envelope->kind,
    };
    const int r = record.data ? walk->fn(walk->arg, key, &record) : SES_ERR_NO_MEMORY;
    (void)ses_blob_unref(record.data);
    return r;
}

/* SCAN may name a key twice, and one that has gone since. */
static int meet(struct walk *walk, const struct ses_key *key, const redisReply *reply)
{
    struct envelope envelope;
    const struct ses_slice value = { reply->str,
                                     reply->type == REDIS_REPLY_STRING ? reply->len : 0 };
    const struct crc *crc = &walk->redis->crc;
    const bool sound = walk->fn ? envelope_read(crc, key, value, &envelope)
                                : envelope_read_head(crc, key, value, &envelope);
    if (!sound || envelope.expires_ms <= walk->now_ms || !ses_kind_is_live(envelope.kind))
        return SES_OK;
    const int r = seen_add(&walk->seen, key);
    if (r != SES_OK)
        return r == SES_ERR_EXISTS ? SES_OK : r;
    walk->count += envelope.kind == SES_KIND_SESSION;
    return walk->fn ? show(walk, key, &envelope) : SES_OK;
}

/* ---- one step of one server ---- */

struct step {
    struct ses_key *keys;
    redisReply **replies;
    size_t count;
};

static int step_read(struct step *step, const struct redis *redis, const redisReply *names)
{
    const size_t most = names->elements;
    *step = (struct step){ .keys = calloc(most + 1, sizeof *step->keys),
                           .replies = calloc(most + 1, sizeof(redisReply *)) };
    if (!step->keys || !step->replies)
        return SES_ERR_NO_MEMORY;
    for (size_t i = 0; i < most; i++) {
        const redisReply *name = names->element[i];
        if (name->type == REDIS_REPLY_STRING &&
            name_read(redis, name->str, name->len, &step->keys[step->count]))
            step->count++;
    }
    return SES_OK;
}

static void step_free(struct step *step)
{
    for (size_t i = 0; step->replies && i < step->count; i++)
        reply_free(step->replies[i]);
    free(step->keys);
    free(step->replies);
}

static int visit(struct walk *walk, const redisReply *names, struct deadline deadline)
{
    struct step step;
    int r = step_read(&step, walk->redis, names);
    if (r == SES_OK)
        r = redis_look(walk->redis, step.keys, step.count, walk->fn ? -1 : ENVELOPE_HEAD - 1,
                       deadline, step.replies);
    for (size_t i = 0; r == SES_OK && i < step.count; i++)
        r = meet(walk, &step.keys[i], step.replies[i]);
    step_free(&step);
    return r;
}

static int scan(struct walk *walk, struct node *node, char *cursor, size_t room)
{
    const struct deadline deadline = redis_deadline(walk->redis);
    struct batch batch = { .repeats = true };
    char pattern[80];
    redisReply *reply = NULL;
    (void)snprintf(pattern, sizeof pattern, "%ss-*", walk->redis->config.prefix);
    BATCH_ADD(&batch, word("SCAN"), word(cursor), word("MATCH"), word(pattern), word("COUNT"),
              word("500"));
    int r = node_ask(walk->redis, node, &batch, deadline, &reply);
    batch_free(&batch);
    struct ses_slice next;
    if (r == SES_OK && (!reply_member(reply, 0, &next) || next.len >= room || reply->elements < 2 ||
                        reply->element[1]->type != REDIS_REPLY_ARRAY))
        r = redis_fail(walk->redis, node, "SCAN answered with something else");
    if (r == SES_OK) {
        (void)snprintf(cursor, room, "%s", (const char *)next.data);
        r = visit(walk, reply->element[1], deadline);
    }
    reply_free(reply);
    return r;
}

static int walk_all(struct walk *walk)
{
    const struct route_ops *route = walk->redis->route.ops;
    int r = SES_OK;
    struct node *node;
    for (size_t i = 0; r == SES_OK && (node = route->each(walk->redis, i)); i++) {
        char cursor[24] = "0";
        do {
            r = scan(walk, node, cursor, sizeof cursor);
        } while (r == SES_OK && !(cursor[0] == '0' && !cursor[1]));
    }
    seen_free(&walk->seen);
    return r;
}

int redis_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    struct walk walk = { .redis = self, .now_ms = now_ms };
    const int r = walk_all(&walk);
    if (r == SES_OK)
        *ret_count = walk.count;
    return r;
}

int redis_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct walk walk = { .redis = self, .now_ms = now_ms, .fn = fn, .arg = arg };
    return walk_all(&walk);
}
