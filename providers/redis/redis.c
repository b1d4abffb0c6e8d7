/* SPDX-License-Identifier: MIT */
/*
 * Provider "redis": records in Redis 6.0 or newer, alone, with Sentinel or as a cluster.
 *
 *  - ProviderConfig: a URL, or beego's list (config.h).
 *  - Settings: keyPrefix, poolSize, connectTimeoutMs, budgetMs, waitReplicas,
 *    nearCacheRecords.
 *  - Layout: <prefix>s-<key>, a string, the envelope of shared/envelope.h; <prefix>u-<user>, a
 * sorted set, the index of a user (users.h). <key> and <user> are 64 hexadecimal digits of a hash.
 *  - Atomic save: one script of one key (script.c), so that each is also one trip.
 *  - Expiry: Redis drops records by itself, by a time to live that starts at each save and touch;
 *    until then the expiry in the record counts, by the time that is passed in.
 *  - Loses: what Redis loses. Replication is asynchronous: a failover may take back what was
 *    answered with success shortly before (docs/providers/redis.md).
 *  - Owners: index first, record second (users.h); the limit is decided in the user's own key.
 *  - Near cache, if asked for: a load may be answered by a copy (near.h) that another process has
 * changed a moment ago (listen.h); a commit never is.
 *  - Fork: a child connects anew (shared/fork.h).
 *  - Waits: for half of the budget in each call, whatever it does; then SES_ERR_UNAVAILABLE.
 */

#include "redis/users.h"
#include "redis/walk.h"
#include "shared/settings.h"
#include "shared/tls.h"

#include <stdlib.h>

/* ---- records ---- */

static int decode(const struct redis *redis, const struct ses_key *key, struct ses_slice value,
                  struct ses_record *ret_record)
{
    struct envelope envelope;
    if (!envelope_read(&redis->crc, key, value, &envelope))
        return ses_provider_fail(redis->host, SES_ERR_CORRUPT, "a value does not check");
    ses_blob *data = ses_blob_new(envelope.data);
    if (!data)
        return SES_ERR_NO_MEMORY;
    *ret_record = (struct ses_record){
        .data = data,
        .version = envelope.version,
        .expires_ms = envelope.expires_ms,
        .kind = envelope.kind,
    };
    return SES_OK;
}

static struct envelope envelope_of(const struct ses_record *record)
{
    return (struct envelope){
        .kind = record->kind,
        .version = record->version,
        .expires_ms = record->expires_ms,
        .data = ses_blob_bytes(record->data),
    };
}

/* The store's own clock counts from when it gets to know of it. */
static struct ses_slice life_word(struct digits *digits, int64_t now_ms, int64_t expires_ms)
{
    const int64_t most = (int64_t)1 << 42;
    const int64_t life = expires_ms > now_ms + most ? most : expires_ms - now_ms;
    return number_word(digits, life > 0 ? life : 1);
}

static int ask_for(struct redis *redis, const struct ses_key *key, struct ses_record *ret_record)
{
    struct batch batch = { .repeats = true };
    struct name name;
    redisReply *reply = NULL;
    name_of(redis, NAME_SESSION, key, &name);
    BATCH_ADD(&batch, word("GET"), name_slice(&name));
    int r = redis_ask(redis, name_slice(&name), &batch, redis_deadline(redis), &reply);
    batch_free(&batch);
    if (r < 0)
        return r;
    r = reply->type == REDIS_REPLY_STRING
            ? decode(redis, key, (struct ses_slice){ reply->str, reply->len }, ret_record)
            : SES_ERR_NOT_FOUND;
    reply_free(reply);
    return r;
}

static int redis_load(void *self, const struct ses_key *key, int64_t now_ms,
                      struct ses_record *ret_record)
{
    struct redis *redis = self;
    struct near_ticket ticket;
    (void)now_ms; /* what has expired is handed over, too */
    if (near_get(redis->near, key, ret_record, &ticket))
        return SES_OK;
    listen_start(redis->listen); /* in a child it does not run yet */
    const int r = ask_for(redis, key, ret_record);
    if (r == SES_OK)
        near_put(redis->near, key, &ticket, ret_record);
    return r;
}

/* ---- create ---- */

static int insert(struct redis *redis, const struct ses_key *key, int64_t now_ms,
                  const struct envelope *envelope, struct deadline deadline)
{
    const size_t len = ENVELOPE_HEAD + envelope->data.len;
    struct digits now, life;
    struct name name;
    redisReply *reply = NULL;
    unsigned char *value = malloc(len);
    if (!value)
        return SES_ERR_NO_MEMORY;
    envelope_write_head(&redis->crc, key, envelope, value);
    if (envelope->data.len > 0)
        memcpy(value + ENVELOPE_HEAD, envelope->data.data, envelope->data.len);
    name_of(redis, NAME_SESSION, key, &name);
    int r = REDIS_RUN(redis, SCRIPT_CREATE, name_slice(&name), deadline, &reply,
                      number_word(&now, now_ms), (struct ses_slice){ value, len },
                      life_word(&life, now_ms, envelope->expires_ms));
    near_forget(redis->near, key);
    if (r == SES_OK && reply->integer != ANSWER_DONE)
        r = SES_ERR_EXISTS;
    reply_free(reply);
    free(value);
    return r;
}

static int redis_create(void *self, const struct ses_key *key, int64_t now_ms,
                        const struct ses_owner *owner, const struct ses_record *record)
{
    struct redis *redis = self;
    const struct deadline deadline = redis_deadline(redis);
    struct envelope envelope = envelope_of(record);
    if (!owner || !ses_kind_is_live(record->kind))
        return insert(redis, key, now_ms, &envelope, deadline);

    envelope.owned = true;
    envelope.user = owner->user;
    envelope.birth = record->version; /* random, and of this create alone */
    int r = users_enter(redis, owner, key, &envelope, now_ms, deadline);
    if (r < 0)
        return r;
    r = insert(redis, key, now_ms, &envelope, deadline);
    if (r < 0 && r != SES_ERR_UNAVAILABLE)
        users_leave(redis, &owner->user, key, envelope.birth, deadline);
    return r;
}

/* ---- save and touch ---- */

/* A script's answer as a code; SES_ERR_GONE: the user's index has to be extended first. */
static int code_of(const struct redis *redis, const redisReply *reply)
{
    static const int codes[] = {
        [ANSWER_DONE] = SES_OK,
        [ANSWER_CONFLICT] = SES_ERR_CONFLICT,
        [ANSWER_ABSENT] = SES_ERR_NOT_FOUND,
        [ANSWER_EXTEND] = SES_ERR_GONE,
    };
    int64_t answer;
    if (!reply_number(reply, 0, &answer) || answer < 0 || answer > ANSWER_EXTEND)
        return ses_provider_fail(redis->host, SES_ERR_CORRUPT, "a script answered otherwise");
    return codes[answer];
}

struct saving {
    const struct ses_key *key;
    int64_t now_ms;
    uint64_t expected; /* as it lies in the store */
    struct envelope envelope;
    struct deadline deadline;
    unsigned char head[ENVELOPE_HEAD];
};

static int run_save(struct redis *redis, const struct saving *saving, int64_t day_ms,
                    redisReply **ret_reply)
{
    const bool frees = !ses_kind_is_live(saving->envelope.kind);
    struct digits now, life, day;
    struct name name;
    name_of(redis, NAME_SESSION, saving->key, &name);
    const int r = REDIS_RUN(
        redis, SCRIPT_SAVE, name_slice(&name), saving->deadline, ret_reply,
        number_word(&now, saving->now_ms),
        (struct ses_slice){ &saving->expected, sizeof saving->expected },
        (struct ses_slice){ saving->head, ENVELOPE_OWNER }, saving->envelope.data,
        life_word(&life, saving->now_ms, saving->envelope.expires_ms), number_word(&day, day_ms),
        (struct ses_slice){ saving->head + ENVELOPE_OWNER, frees ? ENVELOPE_OWNER_LEN : 0 });
    return r == SES_OK ? code_of(redis, *ret_reply) : r;
}

static int run_touch(struct redis *redis, const struct saving *saving, int64_t day_ms,
                     redisReply **ret_reply)
{
    struct digits now, life, day;
    struct name name;
    name_of(redis, NAME_SESSION, saving->key, &name);
    const int r = REDIS_RUN(
        redis, SCRIPT_TOUCH, name_slice(&name), saving->deadline, ret_reply,
        number_word(&now, saving->now_ms),
        (struct ses_slice){ &saving->expected, sizeof saving->expected },
        (struct ses_slice){ saving->head + ENVELOPE_EXPIRY, ENVELOPE_EXPIRY_LEN },
        life_word(&life, saving->now_ms, saving->envelope.expires_ms), number_word(&day, day_ms));
    return r == SES_OK ? code_of(redis, *ret_reply) : r;
}

typedef int run_fn(struct redis *redis, const struct saving *saving, int64_t day_ms,
                   redisReply **ret_reply);

/* Once more if the index had to be extended; nobody else can make that necessary a second time. */
static int run(struct redis *redis, run_fn *fn, struct saving *saving, redisReply **ret_reply)
{
    struct ses_slice owner = { 0 };
    saving->deadline = redis_deadline(redis);
    saving->expected = htole64(saving->expected);
    int r = fn(redis, saving, USERS_DAY_MS, ret_reply);
    if (r != SES_ERR_GONE)
        return r;
    (void)reply_member(*ret_reply, 1, &owner);
    r = users_extend(redis, saving->key, owner, saving->now_ms, saving->envelope.expires_ms,
                     saving->deadline);
    reply_free(*ret_reply);
    *ret_reply = NULL;
    return r == SES_OK ? fn(redis, saving, 0, ret_reply) : r;
}

static int redis_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                      const struct ses_record *record, struct ses_record *ret_winner)
{
    struct redis *redis = self;
    struct saving saving = {
        .key = key, .now_ms = now_ms, .expected = expected, .envelope = envelope_of(record)
    };
    struct ses_slice more = { 0 };
    redisReply *reply = NULL;
    envelope_write_head(&redis->crc, key, &saving.envelope, saving.head);
    int r = run(redis, run_save, &saving, &reply);
    near_forget(redis->near, key);
    const bool has_more = (r == SES_OK || r == SES_ERR_CONFLICT) && reply_member(reply, 1, &more);
    if (r == SES_ERR_CONFLICT) {
        const int decoded = decode(redis, key, more, ret_winner);
        r = decoded < 0 ? decoded : r;
    } else if (r == SES_OK && has_more) {
        users_leave_owner(redis, key, more, saving.deadline);
    }
    reply_free(reply);
    return r;
}

static int redis_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       int64_t expires_ms)
{
    struct redis *redis = self;
    struct saving saving = {
        .key = key, .now_ms = now_ms, .expected = expected, .envelope = { .expires_ms = expires_ms }
    };
    redisReply *reply = NULL;
    envelope_write_expiry(&redis->crc, key, expires_ms, saving.head + ENVELOPE_EXPIRY);
    const int r = run(redis, run_touch, &saving, &reply);
    near_forget(redis->near, key);
    reply_free(reply);
    return r;
}

static int redis_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    struct redis *redis = self;
    const struct deadline deadline = redis_deadline(redis);
    struct ses_slice owner;
    struct name name;
    redisReply *reply = NULL;
    (void)now_ms; /* what has expired may go as well */
    name_of(redis, NAME_SESSION, key, &name);
    const struct script_call call = { .script = SCRIPT_DESTROY, .key = name_slice(&name) };
    const int r = redis_run(redis, &call, deadline, &reply);
    near_forget(redis->near, key);
    if (r == SES_OK && reply_member(reply, 1, &owner))
        users_leave_owner(redis, key, owner, deadline);
    reply_free(reply);
    return r;
}

/* ---- the whole store: list is in users.c, count and iterate in walk.c ---- */

static int redis_ping(void *self)
{
    struct redis *redis = self;
    struct batch batch = { .repeats = true };
    redisReply *reply = NULL;
    BATCH_ADD(&batch, word("PING"));
    const int r = redis_ask(redis, word(""), &batch, redis_deadline(redis), &reply);
    batch_free(&batch);
    reply_free(reply);
    return r;
}

/* ---- life time ---- */

static int open_tls(struct redis *redis)
{
    const struct redis_config *config = &redis->config;
    const struct tls_options options = {
        .ca_file = config->ca_file,
        .cert_file = config->cert_file,
        .key_file = config->key_file,
        .name = config->tls_name,
    };
    char why[200];
    redis->tls = tls_new(&options, why, sizeof why);
    return redis->tls ? SES_OK : ses_provider_fail(redis->host, SES_ERR_INVALID, "%s", why);
}

static int open_near(struct redis *redis)
{
    if (redis->config.near_records == 0)
        return SES_OK;
    redis->near = near_new((size_t)redis->config.near_records);
    redis->listen = redis->near ? listen_new(redis, redis->near) : NULL;
    if (!redis->listen)
        return SES_ERR_NO_MEMORY;
    listen_start(redis->listen);
    return SES_OK;
}

/* Whether its user may do what sessions need is to be found out at start, not by the first visitor.
 * What is written is gone after a millisecond. */
static int probe(struct redis *redis)
{
    struct ses_key nobody;
    const struct envelope envelope = { .kind = SES_KIND_TOKEN, .version = 1 };
    memset(&nobody, 0xff, sizeof nobody);
    const int r = insert(redis, &nobody, 0, &envelope, redis_deadline(redis));
    return r == SES_ERR_INVALID ? r : SES_OK; /* a server that is full may have room again */
}

static int redis_open(void *self, ses_provider_host *host, const char *config)
{
    struct redis *redis = self;
    redis->host = host;
    redis->config = (struct redis_config){
        .pool_size = redis->pool_size,
        .connect_ms = redis->connect_ms,
        .budget_ms = redis->budget_ms,
        .wait_replicas = redis->wait_replicas,
        .near_records = redis->near_records,
        .prefix = redis->key_prefix ? redis->key_prefix : "sesame-",
    };
    const char *problem = redis_config_read(&redis->config, config);
    if (problem)
        return ses_provider_fail(host, SES_ERR_INVALID, "%s", problem);
    crc_init(&redis->crc);
    scripts_prepare(redis->scripts);
    int r = redis->config.tls ? open_tls(redis) : SES_OK;
    if (r < 0)
        return r;
    redis->opened = true;
    r = route_open(redis);
    if (r == SES_OK)
        r = probe(redis);
    return r == SES_OK ? open_near(redis) : r;
}

static void redis_close(void *self)
{
    struct redis *redis = self;
    listen_free(redis->listen);
    near_free(redis->near);
    if (redis->opened)
        route_close(redis);
    tls_free(redis->tls);
    redis_config_free(&redis->config);
}

/* ---- the vtable ---- */

static const struct ses_setting redis_settings[] = {
    KEY_SERVER_SETTINGS(struct redis),
    {
        .name = "waitReplicas",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct redis, wait_replicas),
        .max = 16,
    },
    {
        .name = "nearCacheRecords",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct redis, near_records),
        .max = 10000000,
    },
    { 0 },
};

extern SES_API const struct ses_provider_ops ses_provider_redis;

const struct ses_provider_ops ses_provider_redis = {
    .size = sizeof ses_provider_redis,
    .abi = SES_PROVIDER_ABI,
    .flags = SES_PROVIDER_EXPIRES,
    .name = "redis",
    .instance_size = sizeof(struct redis),
    .settings = redis_settings,
    .open = redis_open,
    .close = redis_close,
    .load = redis_load,
    .create = redis_create,
    .save = redis_save,
    .touch = redis_touch,
    .destroy = redis_destroy,
    .count = redis_count,
    .iterate = redis_iterate,
    .list = redis_list,
    .ping = redis_ping,
};
