/* SPDX-License-Identifier: MIT */
#include "redis/ask.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 10, PAUSE_MOST_MS = 100, LOOK_MOST = 256 };

/* ---- names ---- */

static const char kind_letters[] = { [NAME_SESSION] = 's', [NAME_USER] = 'u' };

void name_of(const struct redis *redis, enum name_kind kind, const struct ses_key *key,
             struct name *ret_name)
{
    static const char digits[] = "0123456789abcdef";
    const size_t len = strlen(redis->config.prefix);
    char *at = ret_name->text + len;
    memcpy(ret_name->text, redis->config.prefix, len);
    *at++ = kind_letters[kind];
    *at++ = '-';
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        *at++ = digits[key->bytes[i] >> 4];
        *at++ = digits[key->bytes[i] & 15];
    }
    ret_name->len = (size_t)(at - ret_name->text);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool name_read(const struct redis *redis, const char *text, size_t len, struct ses_key *ret_key)
{
    const size_t before = strlen(redis->config.prefix) + 2;
    if (len != before + 2 * sizeof ret_key->bytes)
        return false;
    for (size_t i = 0; i < sizeof ret_key->bytes; i++) {
        const int high = digit(text[before + 2 * i]), low = digit(text[before + 2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_key->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* ---- replies ---- */

struct ses_slice number_word(struct digits *digits, int64_t number)
{
    const int len = snprintf(digits->text, sizeof digits->text, "%lld", (long long)number);
    return (struct ses_slice){ digits->text, (size_t)len };
}

bool reply_member(const redisReply *reply, size_t i, struct ses_slice *ret_text)
{
    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements ||
        reply->element[i]->type != REDIS_REPLY_STRING)
        return false;
    *ret_text = (struct ses_slice){ reply->element[i]->str, reply->element[i]->len };
    return true;
}

bool reply_number(const redisReply *reply, size_t i, int64_t *ret_number)
{
    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements)
        return false;
    const redisReply *member = reply->element[i];
    if (member->type == REDIS_REPLY_STRING)
        *ret_number = strtoll(member->str, NULL, 10);
    else if (member->type == REDIS_REPLY_INTEGER)
        *ret_number = member->integer;
    else
        return false;
    return true;
}

int redis_fail(const struct redis *redis, const struct node *node, const char *why)
{
    char name[NODE_NAME_ROOM];
    node_name(node, name);
    return ses_provider_fail(redis->host, SES_ERR_UNAVAILABLE, "%s: %s", name, why);
}

/* Of the call itself, or of a command in a script, as Redis 7 and 6 put it. */
static bool is_forbidden(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           (reply_is_error(reply, "NOPERM") || strstr(reply->str, "ACL failure in script") ||
            strstr(reply->str, "The user executing the script"));
}

/* What an error of a server's means to us. */
static int judge(const struct redis *redis, const struct node *node, const redisReply *reply)
{
    char text[200], name[NODE_NAME_ROOM];
    int code = SES_ERR_UNAVAILABLE;
    if (reply_is_error(reply, "OOM"))
        code = SES_ERR_FULL;
    else if (reply_is_error(reply, "WRONGTYPE"))
        code = SES_ERR_CORRUPT;
    else if (is_forbidden(reply))
        code = SES_ERR_INVALID;
    server_text(reply, text, sizeof text);
    node_name(node, name);
    return ses_provider_fail(redis->host, code, "%s: %s", name, text);
}

/* ---- one trip ---- */

/* How far it came. */
enum trip { TRIP_NOT_BEGUN, TRIP_LOST, TRIP_DONE };

static bool say_asking(struct wire *wire, struct deadline deadline)
{
    struct batch batch = { 0 };
    BATCH_ADD(&batch, word("ASKING"));
    redisReply *reply = wire_ask(wire, &batch, deadline);
    batch_free(&batch);
    const bool ok = reply && reply->type == REDIS_REPLY_STATUS;
    reply_free(reply);
    return ok;
}

/* All replies, or the first ones and NULL. */
static enum trip travel(const struct hop *hop, const struct batch *batch, struct deadline deadline,
                        redisReply **replies, char *why, size_t why_size)
{
    struct pooled *pooled = pool_take(&hop->node->pool, deadline, why, why_size);
    struct wire *wire = (struct wire *)pooled;
    if (!wire)
        return TRIP_NOT_BEGUN;
    int got = 0;
    if ((!hop->asking || say_asking(wire, deadline)) && wire_send(wire, batch, deadline)) {
        while (got < batch->commands && (replies[got] = wire_receive(wire, deadline)))
            got++;
    }
    const bool done = got == batch->commands;
    wire->used_ms = wire->idle_ms ? monotonic_ms() : 0;
    pool_give(&hop->node->pool, pooled, done ? POOL_ANSWERED : POOL_FAILED);
    if (done)
        return TRIP_DONE;
    (void)snprintf(why, why_size, "%s",
                   deadline_passed(deadline) ? "no answer in time" : "the connection was lost");
    return TRIP_LOST;
}

static int take_answer(const struct redis *redis, const struct node *node, redisReply *reply,
                       redisReply **ret_reply)
{
    if (reply && reply->type != REDIS_REPLY_ERROR) {
        *ret_reply = reply;
        return SES_OK;
    }
    const int code =
        reply ? judge(redis, node, reply) : redis_fail(redis, node, "there is no answer");
    reply_free(reply);
    return code;
}

redisReply *node_try(struct node *node, const struct batch *batch, struct deadline deadline,
                     char *why, size_t why_size)
{
    const struct hop hop = { .node = node };
    redisReply *reply = NULL;
    (void)snprintf(why, why_size, "out of memory");
    if (!batch->failed)
        (void)travel(&hop, batch, deadline, &reply, why, why_size);
    return reply;
}

int node_ask(struct redis *redis, struct node *node, const struct batch *batch,
             struct deadline deadline, redisReply **ret_reply)
{
    char why[200];
    if (batch->failed)
        return SES_ERR_NO_MEMORY;
    redisReply *reply = node_try(node, batch, deadline, why, sizeof why);
    return reply ? take_answer(redis, node, reply, ret_reply) : redis_fail(redis, node, why);
}

/* ---- as many trips as it takes ---- */

static void pause_before(int tries, struct deadline deadline)
{
    const int64_t wanted = PAUSE_MS << (tries < 4 ? tries : 4);
    const int left = deadline_left_ms(deadline);
    const int64_t bounded = wanted < PAUSE_MOST_MS ? wanted : PAUSE_MOST_MS;
    (void)poll(NULL, 0, left < bounded ? left : (int)bounded);
}

/* A command, and perhaps WAIT. */
enum { ASKED_MOST = 2 };

static void drop_replies(redisReply *replies[ASKED_MOST])
{
    for (int i = 0; i < ASKED_MOST; i++)
        reply_free(replies[i]);
}

/* The first replies that are to be had; an error too, with the node that it comes from. */
static int ask_any(struct redis *redis, struct ses_slice key, const struct batch *batch,
                   struct deadline deadline, redisReply *ret_replies[ASKED_MOST],
                   struct node **ret_node)
{
    const struct route_ops *route = redis->route.ops;
    struct hop hop = { .node = route->find(redis, &key) };
    char why[200];
    for (int tries = 0;; tries++) {
        redisReply *replies[ASKED_MOST] = { 0 };
        const enum trip trip = travel(&hop, batch, deadline, replies, why, sizeof why);
        const redisReply *answer = trip == TRIP_DONE ? replies[0] : NULL;
        const bool settled =
            answer ? answer->type != REDIS_REPLY_ERROR : trip == TRIP_LOST && !batch->repeats;
        *ret_node = hop.node;
        const enum next_step step =
            settled ? STEP_ANSWER : route->after(redis, &key, &hop, answer, deadline);
        if (answer && (step == STEP_ANSWER || deadline_passed(deadline))) {
            memcpy(ret_replies, replies, sizeof replies);
            return SES_OK;
        }
        drop_replies(replies);
        /* A server that was started anew has closed what lay in the pool. */
        const bool fresh = trip == TRIP_LOST && batch->repeats && tries == 0;
        if ((step == STEP_ANSWER && !fresh) || deadline_passed(deadline))
            return redis_fail(redis, *ret_node, why);
        if (step == STEP_LATER)
            pause_before(tries, deadline);
    }
}

int redis_ask(struct redis *redis, struct ses_slice key, const struct batch *batch,
              struct deadline deadline, redisReply **ret_reply)
{
    struct node *node;
    redisReply *replies[ASKED_MOST] = { 0 };
    if (batch->failed)
        return SES_ERR_NO_MEMORY;
    const int r = ask_any(redis, key, batch, deadline, replies, &node);
    return r == SES_OK ? take_answer(redis, node, replies[0], ret_reply) : r;
}

/* In the same trip as the write that it is about; less than the deadline, so that it can answer. */
static void add_wait(struct batch *batch, const struct redis *redis, struct deadline deadline)
{
    struct digits replicas, ms;
    const int64_t left = deadline_left_ms(deadline) * INT64_C(3) / 4;
    BATCH_ADD(batch, word("WAIT"), number_word(&replicas, redis->config.wait_replicas),
              number_word(&ms, left > 0 ? left : 1));
}

/* Written it is, but it may be lost yet: that is for the caller to know. */
static int judge_wait(const struct redis *redis, const struct node *node, redisReply *waited)
{
    const bool enough = !waited || (waited->type == REDIS_REPLY_INTEGER &&
                                    waited->integer >= redis->config.wait_replicas);
    reply_free(waited);
    return enough ? SES_OK : redis_fail(redis, node, "not enough replicas have it in time");
}

int redis_run(struct redis *redis, const struct script_call *call, struct deadline deadline,
              redisReply **ret_reply)
{
    const struct script *script = &redis->scripts[call->script];
    struct node *node = NULL;
    redisReply *replies[ASKED_MOST] = { 0 };
    int r = SES_OK;
    for (int whole = 0; whole < 2; whole++) {
        struct batch batch = { 0 };
        script_add(&batch, script, whole, call->key, call->count, call->args);
        if (redis->config.wait_replicas > 0)
            add_wait(&batch, redis, deadline);
        r = batch.failed ? SES_ERR_NO_MEMORY
                         : ask_any(redis, call->key, &batch, deadline, replies, &node);
        batch_free(&batch);
        if (r < 0)
            return r;
        if (!reply_is_error(replies[0], "NOSCRIPT"))
            break;
        drop_replies(replies);
        replies[0] = replies[1] = NULL;
    }
    if (!replies[0])
        return redis_fail(redis, node, "a server that keeps no scripts");
    r = take_answer(redis, node, replies[0], ret_reply);
    const int waited = judge_wait(redis, node, replies[1]);
    if (r == SES_OK && waited < 0) {
        reply_free(*ret_reply);
        *ret_reply = NULL;
        return waited;
    }
    return r;
}

/* ---- many sessions ---- */

static void add_look(struct batch *batch, const struct redis *redis, const struct ses_key *key,
                     long last)
{
    struct digits digits;
    struct name name;
    name_of(redis, NAME_SESSION, key, &name);
    if (last < 0)
        BATCH_ADD(batch, word("GET"), name_slice(&name));
    else
        BATCH_ADD(batch, word("GETRANGE"), name_slice(&name), word("0"),
                  number_word(&digits, last));
    batch->repeats = true;
}

/* From there on, one pipeline of those that are still to be asked and live where the first does. */
static void look_together(struct redis *redis, const struct ses_key *keys, size_t count, long last,
                          struct deadline deadline, redisReply **replies)
{
    struct batch batch = { 0 };
    struct hop hop = { 0 };
    redisReply *got[LOOK_MOST] = { 0 };
    size_t which[LOOK_MOST] = { 0 };
    for (size_t i = 0; i < count && batch.commands < LOOK_MOST; i++) {
        struct name name;
        name_of(redis, NAME_SESSION, &keys[i], &name);
        const struct ses_slice key = name_slice(&name);
        struct node *node = replies[i] ? NULL : redis->route.ops->find(redis, &key);
        hop.node = hop.node ? hop.node : node;
        if (!node || node != hop.node)
            continue;
        which[batch.commands] = i;
        add_look(&batch, redis, &keys[i], last);
    }
    char why[200];
    if (batch.commands > 0 && !batch.failed)
        (void)travel(&hop, &batch, deadline, got, why, sizeof why);
    for (int i = 0; i < batch.commands; i++)
        replies[which[i]] = got[i];
    batch_free(&batch);
}

static int look_alone(struct redis *redis, const struct ses_key *key, long last,
                      struct deadline deadline, redisReply **ret_reply)
{
    struct batch batch = { 0 };
    struct name name;
    name_of(redis, NAME_SESSION, key, &name);
    add_look(&batch, redis, key, last);
    reply_free(*ret_reply);
    *ret_reply = NULL;
    const int r = redis_ask(redis, name_slice(&name), &batch, deadline, ret_reply);
    batch_free(&batch);
    return r;
}

int redis_look(struct redis *redis, const struct ses_key *keys, size_t count, long last,
               struct deadline deadline, redisReply **replies)
{
    int r = SES_OK;
    for (size_t i = 0; i < count && r == SES_OK; i++) {
        if (!replies[i])
            look_together(redis, keys + i, count - i, last, deadline, replies + i);
        if (!replies[i] || replies[i]->type == REDIS_REPLY_ERROR)
            r = look_alone(redis, &keys[i], last, deadline, &replies[i]);
    }
    return r;
}
