/* SPDX-License-Identifier: MIT */
#include "redis/cluster.h"

#include "redis/ask.h"
#include "redis/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_ROOM = 200 };

struct cluster {
    struct slots slots;
    struct node *first;   /* is asked first; of the thread that asks */
    int64_t asked_ms;     /* when, by the monotonic clock */
    bool asking;          /* a thread is at it */
    pthread_cond_t asked; /* it is done */
};

/* ---- what nodes say ---- */

/* Without a host it is the one that was asked: it does not know how others see it. "?" is a name
 * that is not set. */
static struct node *node_at(struct redis *redis, const struct node *asked, const char *host,
                            const char *port)
{
    const struct redis_address address = { .host = host && *host ? host : asked->address.host,
                                           .port = port };
    const long number = strspn(port, "0123456789") == strlen(port) ? strtol(port, NULL, 10) : 0;
    if (!address.host || address.host[0] == '?' || number < 1 || number > 65535)
        return NULL;
    return route_node(redis, &address);
}

/* [host, port, ...] */
static struct node *read_node(struct redis *redis, const struct node *asked,
                              const redisReply *reply)
{
    char port[24];
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[1]->type != REDIS_REPLY_INTEGER)
        return NULL;
    (void)snprintf(port, sizeof port, "%lld", reply->element[1]->integer);
    return node_at(redis, asked, reply->element[0]->str, port);
}

/* [first slot, last slot, master, replica ...]; replicas become known, to be asked some time. */
static bool read_range(struct redis *redis, const struct node *asked, const redisReply *reply)
{
    int64_t first, last;
    if (!reply_number(reply, 0, &first) || !reply_number(reply, 1, &last) || reply->elements < 3 ||
        first < 0 || first > last || last >= SLOTS)
        return false;
    for (size_t i = 3; i < reply->elements; i++)
        (void)read_node(redis, asked, reply->element[i]);
    struct node *master = read_node(redis, asked, reply->element[2]);
    for (int64_t slot = first; master && slot <= last; slot++)
        slots_give(&redis->route.cluster->slots, (unsigned)slot, master);
    return master;
}

/* Half of the time, so that there is some for others if this one does not answer. */
static redisReply *ask_node(struct redis *redis, struct node *node, struct deadline deadline,
                            char *why, size_t why_size)
{
    const struct deadline half = deadline_in(deadline_left_ms(deadline) / 2);
    const struct deadline sooner = deadline_sooner(half, deadline_in(redis->config.connect_ms));
    struct batch batch = { 0 };
    BATCH_ADD(&batch, word("CLUSTER"), word("SLOTS"));
    redisReply *reply = node_try(node, &batch, sooner, why, why_size);
    batch_free(&batch);
    return reply;
}

/* Slots that it does not name keep the owner that they had. @return false: nothing was learnt. */
static bool learn(struct redis *redis, struct node *node, struct deadline deadline, char *why,
                  size_t why_size)
{
    bool learnt = false;
    redisReply *reply = ask_node(redis, node, deadline, why, why_size);
    if (!reply)
        return false;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        learnt = read_range(redis, node, reply->element[i]) || learnt;
    if (reply->type == REDIS_REPLY_ERROR)
        server_text(reply, why, why_size);
    else if (!learnt)
        (void)snprintf(why, why_size, "it knows nobody who has slots");
    reply_free(reply);
    return learnt;
}

/* ---- all of them ---- */

/* What is asked in too little time counts as a failure of whom it is asked. */
static bool too_late(const struct redis *redis, struct deadline deadline)
{
    return deadline_left_ms(deadline) < redis->config.budget_ms / 16;
}

static struct node *newest_node(struct redis *redis)
{
    (void)pthread_mutex_lock(&redis->route.mutex);
    struct node *node = redis->route.nodes;
    (void)pthread_mutex_unlock(&redis->route.mutex);
    return node;
}

/* All in turn, without an end. */
static struct node *node_after(struct redis *redis, const struct node *node)
{
    return node && node->next ? node->next : newest_node(redis);
}

/* Until one answers, from the first on; but not @p lost. The next time begins where this one ends.
 * @return false, with a line in @p why, when nothing was learnt. */
static bool ask_for_map(struct redis *redis, const struct node *lost, struct deadline deadline,
                        char *why, size_t why_size)
{
    struct cluster *cluster = redis->route.cluster;
    struct node *first = cluster->first, *node = first;
    bool learnt = false;
    do {
        cluster->first = node;
        learnt = node != lost && learn(redis, node, deadline, why, why_size);
        node = node_after(redis, cluster->first);
    } while (!learnt && node != first && !too_late(redis, deadline));
    return learnt;
}

static void ask_around(struct redis *redis, const struct node *lost, struct deadline deadline)
{
    char why[LINE_ROOM];
    (void)ask_for_map(redis, lost, deadline, why, sizeof why);
}

/* @return shall this thread ask? Who waits, does so while another one does. */
static bool take_turn(struct redis *redis, int64_t pause_ms, bool waits, struct deadline deadline)
{
    struct cluster *cluster = redis->route.cluster;
    const struct timespec until = deadline_timespec(deadline);
    bool mine = false;
    int r = 0;
    if (too_late(redis, deadline))
        return false;
    (void)pthread_mutex_lock(&redis->route.mutex);
    if (!cluster->asking)
        mine = cluster->asking = monotonic_ms() - cluster->asked_ms >= pause_ms;
    while (!mine && waits && cluster->asking && r == 0)
        r = pthread_cond_clockwait(&cluster->asked, &redis->route.mutex, CLOCK_MONOTONIC, &until);
    (void)pthread_mutex_unlock(&redis->route.mutex);
    return mine;
}

static void end_turn(struct redis *redis)
{
    struct cluster *cluster = redis->route.cluster;
    (void)pthread_mutex_lock(&redis->route.mutex);
    cluster->asked_ms = monotonic_ms();
    cluster->asking = false;
    (void)pthread_cond_broadcast(&cluster->asked);
    (void)pthread_mutex_unlock(&redis->route.mutex);
}

/* ---- as a route ---- */

static int cluster_open(struct redis *redis, struct deadline deadline)
{
    const struct redis_config *config = &redis->config;
    char why[LINE_ROOM] = "", name[NODE_NAME_ROOM];
    struct cluster *cluster = redis->route.cluster = calloc(1, sizeof *cluster);
    if (!cluster)
        return SES_ERR_NO_MEMORY;
    (void)pthread_cond_init(&cluster->asked, NULL);
    size_t i = config->address_count;
    do {
        cluster->first = route_node(redis, &config->addresses[--i]);
    } while (cluster->first && i > 0);
    if (!cluster->first)
        return SES_ERR_NO_MEMORY;
    if (ask_for_map(redis, NULL, deadline, why, sizeof why))
        return SES_OK;
    node_name(cluster->first, name);
    return ses_provider_fail(redis->host, SES_ERR_UNAVAILABLE,
                             "none of %zu addresses answers as a cluster; the last, %s: %s",
                             config->address_count, name, why);
}

static void cluster_close(struct redis *redis)
{
    struct cluster *cluster = redis->route.cluster;
    if (!cluster)
        return;
    (void)pthread_cond_destroy(&cluster->asked);
    free(cluster);
}

static struct node *cluster_find(struct redis *redis, const struct ses_slice *key)
{
    struct node *node = slots_owner(&redis->route.cluster->slots, key ? slot_of(*key) : 0);
    return node ? node : newest_node(redis);
}

/* "MOVED 3999 127.0.0.1:6381": the last colon, because the host may be an IPv6. */
static struct node *read_redirect(struct redis *redis, const struct node *asked,
                                  const redisReply *reply)
{
    char text[300];
    const char *address = strrchr(reply->str, ' ');
    (void)snprintf(text, sizeof text, "%s", address ? address + 1 : "");
    char *colon = strrchr(text, ':');
    if (!colon)
        return NULL;
    *colon = '\0';
    return node_at(redis, asked, text, colon + 1);
}

static enum next_step go_to(struct hop *hop, struct node *node, bool asking)
{
    const bool elsewhere = node != hop->node;
    hop->node = node;
    hop->asking = asking;
    return elsewhere && ++hop->count % CLUSTER_HOPS_MOST != 0 ? STEP_NOW : STEP_LATER;
}

/* The new owner knows best what else has moved. */
static enum next_step follow(struct redis *redis, const struct ses_slice *key, struct hop *hop,
                             struct node *owner, struct deadline deadline)
{
    slots_give(&redis->route.cluster->slots, slot_of(*key), owner);
    if (take_turn(redis, CLUSTER_MOVED_PAUSE_MS, false, deadline)) {
        redis->route.cluster->first = owner;
        ask_around(redis, NULL, deadline);
        end_turn(redis);
    }
    route_tell(redis);
    return go_to(hop, owner, false);
}

/* Whoever sees nothing new may be cut off himself: another one is asked the next time. */
static enum next_step look_around(struct redis *redis, const struct ses_slice *key, struct hop *hop,
                                  const struct node *lost, struct deadline deadline)
{
    struct cluster *cluster = redis->route.cluster;
    const struct node *before = cluster_find(redis, key);
    if (take_turn(redis, CLUSTER_PAUSE_MS, true, deadline)) {
        ask_around(redis, lost, deadline);
        if (cluster_find(redis, key) == before)
            cluster->first = node_after(redis, cluster->first);
        end_turn(redis);
        route_tell(redis);
    }
    return go_to(hop, cluster_find(redis, key), false);
}

static enum next_step cluster_after(struct redis *redis, const struct ses_slice *key,
                                    struct hop *hop, const redisReply *reply,
                                    struct deadline deadline)
{
    const bool asks = reply && reply_is_error(reply, "ASK");
    const bool moved = reply && reply_is_error(reply, "MOVED");
    struct node *named = asks || moved ? read_redirect(redis, hop->node, reply) : NULL;
    if (asks && named)
        return go_to(hop, named, true);
    if (moved && named)
        return follow(redis, key, hop, named, deadline);
    if (asks || moved || route_may_settle(reply))
        return look_around(redis, key, hop, reply ? NULL : hop->node, deadline);
    return STEP_ANSWER;
}

/* A node that comes back serves nothing before the others have told it who has its slots. */
static bool cluster_confirm(struct redis *redis, const struct node *node, struct deadline deadline)
{
    (void)redis, (void)node, (void)deadline;
    return true;
}

static void cluster_forked(struct redis *redis)
{
    struct cluster *cluster = redis->route.cluster;
    if (!cluster)
        return;
    cluster->asking = false;
    (void)pthread_cond_init(&cluster->asked, NULL); /* the parent's waiters are none here */
}

static struct node *cluster_each(struct redis *redis, size_t i)
{
    return slots_each(&redis->route.cluster->slots, i);
}

const struct route_ops cluster_route = {
    .open = cluster_open,
    .close = cluster_close,
    .find = cluster_find,
    .after = cluster_after,
    .confirm = cluster_confirm,
    .forked = cluster_forked,
    .each = cluster_each,
};
