/* SPDX-License-Identifier: MIT */
#include "redis/node.h"

#include "redis/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one connection ---- */

/* Up to a quotation, which may be a key or a value; where somebody may not do a thing, it is the
 * thing's name. */
static size_t harmless_len(const char *text)
{
    const bool names_command = strncmp(text, "NOPERM ", 7) == 0;
    return strcspn(text, names_command ? "\"\r\n" : "`'\"\r\n");
}

void server_text(const redisReply *reply, char *text, size_t size)
{
    const bool has_text = reply && reply->str;
    const size_t len = has_text ? harmless_len(reply->str) : 0;
    (void)snprintf(text, size, "%.*s", has_text ? (int)(len < 120 ? len : 120) : 12,
                   has_text ? reply->str : "not a reply");
}

/* AUTH, SELECT and PING in one trip. The last is answered only by a server that is ready. */
static void introduce(const struct redis_config *config, struct batch *batch)
{
    char digits[24];
    if (config->password && config->user)
        BATCH_ADD(batch, word("AUTH"), word(config->user), word(config->password));
    else if (config->password)
        BATCH_ADD(batch, word("AUTH"), word(config->password));
    if (config->database != 0) {
        (void)snprintf(digits, sizeof digits, "%lld", (long long)config->database);
        BATCH_ADD(batch, word("SELECT"), word(digits));
    }
    BATCH_ADD(batch, word("PING"));
}

static bool is_welcome(struct wire *wire, const struct batch *batch, struct deadline deadline,
                       char *why, size_t why_size)
{
    bool welcome = wire_send(wire, batch, deadline);
    (void)snprintf(why, why_size, "no answer");
    for (int i = 0; welcome && i < batch->commands; i++) {
        redisReply *reply = wire_receive(wire, deadline);
        welcome = reply && reply->type != REDIS_REPLY_ERROR;
        if (reply && !welcome)
            server_text(reply, why, why_size);
        reply_free(reply);
    }
    return welcome;
}

struct wire *node_connect(struct node *node, struct deadline deadline, char *why, size_t why_size)
{
    const struct redis *redis = node->redis;
    const struct endpoint endpoint = {
        .path = node->address.path,
        .host = node->address.host,
        .port = node->address.port,
        .tls = redis->tls,
    };
    const struct deadline sooner = deadline_sooner(deadline, deadline_in(redis->config.connect_ms));
    const char *problem;
    if (!redis->route.ops->confirm(node->redis, node, sooner)) {
        (void)snprintf(why, why_size, "another server took its place");
        return NULL;
    }
    struct wire *wire = wire_open(&endpoint, sooner, redis_patience_ms(redis), &problem);
    if (!wire) {
        (void)snprintf(why, why_size, "%s", problem);
        return NULL;
    }
    struct batch batch = { 0 };
    introduce(&redis->config, &batch);
    const bool welcome = is_welcome(wire, &batch, sooner, why, why_size);
    batch_free(&batch);
    if (welcome)
        return wire;
    wire_close(wire);
    return NULL;
}

/* ---- as the pool sees it ---- */

static struct pooled *open_pooled(void *arg, struct deadline deadline, char *why, size_t why_size)
{
    struct wire *wire = node_connect(arg, deadline, why, why_size);
    if (!wire)
        return NULL;
    wire->idle_ms = ((struct node *)arg)->redis->config.idle_s * 1000;
    wire->used_ms = monotonic_ms();
    return &wire->pooled;
}

static bool pooled_is_usable(struct pooled *pooled)
{
    const struct wire *wire = (const struct wire *)pooled;
    return (wire->idle_ms == 0 || monotonic_ms() - wire->used_ms < wire->idle_ms) &&
           stream_is_quiet(&wire->stream);
}

static void close_pooled(struct pooled *pooled)
{
    wire_close((struct wire *)pooled);
}

static const struct pool_ops pool_ops = {
    .open = open_pooled,
    .is_usable = pooled_is_usable,
    .close = close_pooled,
};

static void on_change(void *arg, bool reachable)
{
    const struct node *node = arg;
    char name[NODE_NAME_ROOM];
    node_name(node, name);
    (void)ses_provider_fail(node->redis->host, reachable ? SES_ERR_NOT_FOUND : SES_ERR_UNAVAILABLE,
                            "%s %s", name, reachable ? "answers again" : "does not answer");
    route_tell(node->redis);
}

/* ---- the node ---- */

static const char *copy(const char *text, bool *ret_failed)
{
    char *copied = text ? strdup(text) : NULL;
    *ret_failed = *ret_failed || (text && !copied);
    return copied;
}

struct node *node_new(struct redis *redis, const struct redis_address *address)
{
    struct node *node = calloc(1, sizeof *node);
    bool failed = false;
    if (!node)
        return NULL;
    node->redis = redis;
    node->address.path = copy(address->path, &failed);
    node->address.host = copy(address->host, &failed);
    node->address.port = copy(address->port, &failed);
    if (failed) {
        node_free(node);
        return NULL;
    }
    pool_init(&node->pool, &pool_ops, node, on_change, (uint32_t)redis->config.pool_size);
    return node;
}

void node_free(struct node *node)
{
    pool_end(&node->pool);
    free((char *)node->address.path);
    free((char *)node->address.host);
    free((char *)node->address.port);
    free(node);
}

void node_name(const struct node *node, char name[NODE_NAME_ROOM])
{
    const struct redis_address *a = &node->address;
    if (a->path)
        (void)snprintf(name, NODE_NAME_ROOM, "%s", a->path);
    else
        (void)snprintf(name, NODE_NAME_ROOM, strchr(a->host, ':') ? "[%s]:%s" : "%s:%s", a->host,
                       a->port);
}
