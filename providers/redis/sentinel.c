/* SPDX-License-Identifier: MIT */
#include "redis/sentinel.h"

#include "redis/ask.h"

#include <stdio.h>
#include <stdlib.h>

struct sentinel {
    size_t first;         /* the one that answered last is asked first */
    int64_t asked_ms;     /* when, by the monotonic clock */
    bool asking;          /* a thread is at it */
    pthread_cond_t asked; /* it is done */
};

/* ---- one sentinel ---- */

/* Its own user and password, no database, and no pool: it is asked seldom. */
static struct wire *greet(struct redis *redis, const struct redis_address *address,
                          struct deadline deadline, const char **ret_why)
{
    const struct redis_config *config = &redis->config;
    const struct endpoint endpoint = {
        .path = address->path, .host = address->host, .port = address->port, .tls = redis->tls
    };
    const struct deadline sooner = deadline_sooner(deadline, deadline_in(config->connect_ms));
    struct wire *wire = wire_open(&endpoint, sooner, redis_patience_ms(redis), ret_why);
    if (!wire || !config->sentinel_password)
        return wire;
    struct batch batch = { 0 };
    const struct ses_slice user = word(config->sentinel_user ? config->sentinel_user : "default");
    BATCH_ADD(&batch, word("AUTH"), user, word(config->sentinel_password));
    redisReply *reply = wire_ask(wire, &batch, sooner);
    batch_free(&batch);
    const bool welcome = reply && reply->type != REDIS_REPLY_ERROR;
    reply_free(reply);
    if (welcome)
        return wire;
    wire_close(wire);
    *ret_why = "the sentinel refuses \"sentinelPassword\"";
    return NULL;
}

/* @return NULL with *ret_why, or a reply of two texts: host and port. */
static redisReply *ask_one(struct redis *redis, const struct redis_address *address,
                           struct deadline deadline, const char **ret_why)
{
    struct wire *wire = greet(redis, address, deadline, ret_why);
    if (!wire)
        return NULL;
    struct batch batch = { 0 };
    struct ses_slice text;
    BATCH_ADD(&batch, word("SENTINEL"), word("get-master-addr-by-name"),
              word(redis->config.master));
    redisReply *reply =
        wire_ask(wire, &batch, deadline_sooner(deadline, deadline_in(redis->config.connect_ms)));
    batch_free(&batch);
    wire_close(wire);
    if (reply && reply_member(reply, 0, &text) && reply_member(reply, 1, &text))
        return reply;
    *ret_why = !reply                             ? "no answer"
               : reply->type == REDIS_REPLY_ERROR ? "the sentinel answered with an error"
                                                  : "the sentinel knows no master of that name";
    reply_free(reply);
    return NULL;
}

/* ---- all of them ---- */

/* The first that answers; not told here. NULL: none did, with *ret_why of the last one. */
static struct node *ask_all(struct redis *redis, size_t *first, struct deadline deadline,
                            const char **ret_why)
{
    const size_t count = redis->config.address_count;
    for (size_t i = 0; i < count; i++) {
        const size_t which = (*first + i) % count;
        redisReply *reply = ask_one(redis, &redis->config.addresses[which], deadline, ret_why);
        if (!reply)
            continue;
        const struct redis_address master = { .host = reply->element[0]->str,
                                              .port = reply->element[1]->str };
        struct node *node = route_node(redis, &master);
        reply_free(reply);
        *first = which;
        *ret_why = "out of memory";
        return node;
    }
    return NULL;
}

/* Whoever comes while another thread asks waits for what that one learns. */
static void find_master(struct redis *redis, struct deadline deadline)
{
    struct route *route = &redis->route;
    struct sentinel *sentinel = route->sentinel;
    const struct timespec until = deadline_timespec(deadline);
    const char *why;
    (void)pthread_mutex_lock(&route->mutex);
    if (sentinel->asking) {
        int r = 0;
        while (sentinel->asking && r == 0)
            r = pthread_cond_clockwait(&sentinel->asked, &route->mutex, CLOCK_MONOTONIC, &until);
    } else if (monotonic_ms() - sentinel->asked_ms >= SENTINEL_PAUSE_MS) {
        size_t first = sentinel->first;
        sentinel->asking = true;
        (void)pthread_mutex_unlock(&route->mutex);
        struct node *node = ask_all(redis, &first, deadline, &why);
        (void)pthread_mutex_lock(&route->mutex);
        if (node)
            route->master = node;
        sentinel->first = first;
        sentinel->asked_ms = monotonic_ms();
        sentinel->asking = false;
        (void)pthread_cond_broadcast(&sentinel->asked);
    }
    (void)pthread_mutex_unlock(&route->mutex);
    route_tell(redis);
}

/* ---- as a route ---- */

static int sentinel_open(struct redis *redis, struct deadline deadline)
{
    struct route *route = &redis->route;
    const char *why = NULL;
    route->sentinel = calloc(1, sizeof *route->sentinel);
    if (!route->sentinel)
        return SES_ERR_NO_MEMORY;
    (void)pthread_cond_init(&route->sentinel->asked, NULL);
    route->master = ask_all(redis, &route->sentinel->first, deadline, &why);
    if (!route->master)
        return ses_provider_fail(redis->host, SES_ERR_UNAVAILABLE,
                                 "none of %zu sentinels names the master \"%s\"; the last: %s",
                                 redis->config.address_count, redis->config.master, why);
    return route_greet(redis, route->master, deadline);
}

static void sentinel_close(struct redis *redis)
{
    struct sentinel *sentinel = redis->route.sentinel;
    if (!sentinel)
        return;
    (void)pthread_cond_destroy(&sentinel->asked);
    free(sentinel);
}

static struct node *sentinel_find(struct redis *redis, const struct ses_slice *key)
{
    (void)key;
    (void)pthread_mutex_lock(&redis->route.mutex);
    struct node *node = redis->route.master;
    (void)pthread_mutex_unlock(&redis->route.mutex);
    return node;
}

static enum next_step sentinel_after(struct redis *redis, const struct ses_slice *key,
                                     struct hop *hop, const redisReply *reply,
                                     struct deadline deadline)
{
    if (!route_may_settle(reply))
        return STEP_ANSWER;
    const struct node *before = hop->node;
    find_master(redis, deadline);
    hop->node = sentinel_find(redis, key);
    return hop->node == before ? STEP_LATER : STEP_NOW;
}

/* While no sentinel answers, the master that they named last will do. */
static bool sentinel_confirm(struct redis *redis, const struct node *node, struct deadline deadline)
{
    find_master(redis, deadline);
    return sentinel_find(redis, NULL) == node;
}

static void sentinel_forked(struct redis *redis)
{
    struct sentinel *sentinel = redis->route.sentinel;
    if (!sentinel)
        return;
    sentinel->asking = false;
    (void)pthread_cond_init(&sentinel->asked, NULL); /* the parent's waiters are none here */
}

static struct node *sentinel_each(struct redis *redis, size_t i)
{
    return i == 0 ? sentinel_find(redis, NULL) : NULL;
}

const struct route_ops sentinel_route = {
    .open = sentinel_open,
    .close = sentinel_close,
    .find = sentinel_find,
    .after = sentinel_after,
    .confirm = sentinel_confirm,
    .forked = sentinel_forked,
    .each = sentinel_each,
};
