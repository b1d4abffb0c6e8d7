/* SPDX-License-Identifier: MIT */
#include "redis/route.h"

#include "redis/cluster.h"
#include "redis/sentinel.h"
#include "redis/state.h"

#include <string.h>

/* ---- the nodes ---- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct node *known(const struct route *route, const struct redis_address *address)
{
    for (struct node *node = route->nodes; node; node = node->next) {
        if (same(node->address.path, address->path) && same(node->address.host, address->host) &&
            same(node->address.port, address->port))
            return node;
    }
    return NULL;
}

/* A node is made without the mutex, because its pool begins to watch forks. */
struct node *route_node(struct redis *redis, const struct redis_address *address)
{
    struct route *route = &redis->route;
    (void)pthread_mutex_lock(&route->mutex);
    struct node *node = known(route, address);
    (void)pthread_mutex_unlock(&route->mutex);
    struct node *made = node ? NULL : node_new(redis, address);
    if (!made)
        return node;
    (void)pthread_mutex_lock(&route->mutex);
    node = known(route, address);
    if (!node) {
        made->next = route->nodes;
        route->nodes = node = made;
    }
    (void)pthread_mutex_unlock(&route->mutex);
    if (node != made)
        node_free(made);
    return node;
}

int route_greet(struct redis *redis, struct node *node, struct deadline deadline)
{
    char why[200], name[NODE_NAME_ROOM];
    struct pooled *connection = pool_take(&node->pool, deadline, why, sizeof why);
    if (connection) {
        pool_give(&node->pool, connection, POOL_ANSWERED);
        return SES_OK;
    }
    node_name(node, name);
    return ses_provider_fail(redis->host, SES_ERR_UNAVAILABLE, "%s: %s", name, why);
}

void route_tell(struct redis *redis)
{
    struct route *route = &redis->route;
    struct node *node;
    bool lost = false;
    for (size_t i = 0; !lost && (node = route->ops->each(redis, i)); i++)
        lost = pool_is_lost(&node->pool);
    (void)pthread_mutex_lock(&route->mutex);
    const bool changed = route->lost != lost;
    route->lost = lost;
    (void)pthread_mutex_unlock(&route->mutex);
    if (changed)
        ses_provider_reachable(redis->host, !lost);
}

bool route_may_settle(const redisReply *reply)
{
    static const char *const words[] = { "CLUSTERDOWN", "TRYAGAIN",   "READONLY",
                                         "LOADING",     "MASTERDOWN", "NOREPLICAS" };
    for (size_t i = 0; reply && i < sizeof words / sizeof *words; i++) {
        if (reply_is_error(reply, words[i]))
            return true;
    }
    return !reply;
}

/* ---- one server ---- */

static int single_open(struct redis *redis, struct deadline deadline)
{
    struct route *route = &redis->route;
    route->master = route_node(redis, &redis->config.addresses[0]);
    return route->master ? route_greet(redis, route->master, deadline) : SES_ERR_NO_MEMORY;
}

static void single_close(struct redis *redis)
{
    (void)redis;
}

static struct node *single_find(struct redis *redis, const struct ses_slice *key)
{
    (void)key;
    return redis->route.master;
}

static enum next_step single_after(struct redis *redis, const struct ses_slice *key,
                                   struct hop *hop, const redisReply *reply,
                                   struct deadline deadline)
{
    (void)redis, (void)key, (void)hop, (void)reply, (void)deadline;
    return STEP_ANSWER;
}

static bool single_confirm(struct redis *redis, const struct node *node, struct deadline deadline)
{
    (void)redis, (void)node, (void)deadline;
    return true;
}

static void single_forked(struct redis *redis)
{
    (void)redis;
}

static struct node *single_each(struct redis *redis, size_t i)
{
    return i == 0 ? redis->route.master : NULL;
}

const struct route_ops single_route = {
    .open = single_open,
    .close = single_close,
    .find = single_find,
    .after = single_after,
    .confirm = single_confirm,
    .forked = single_forked,
    .each = single_each,
};

/* ---- any ---- */

static const struct route_ops *const kinds[] = {
    [REDIS_SINGLE] = &single_route,
    [REDIS_SENTINEL] = &sentinel_route,
    [REDIS_CLUSTER] = &cluster_route,
};

static void forked(void *arg)
{
    struct redis *redis = arg;
    redis->route.ops->forked(redis);
}

int route_open(struct redis *redis)
{
    struct route *route = &redis->route;
    (void)pthread_mutex_init(&route->mutex, NULL);
    route->ops = kinds[redis->config.mode];
    route->watch = (struct fork_watch){ .mutex = &route->mutex, .in_child = forked, .arg = redis };
    fork_watch_begin(&route->watch);
    return route->ops->open(redis, redis_deadline(redis));
}

void route_close(struct redis *redis)
{
    struct route *route = &redis->route;
    fork_watch_end(&route->watch);
    route->ops->close(redis);
    while (route->nodes) {
        struct node *node = route->nodes;
        route->nodes = node->next;
        node_free(node);
    }
    (void)pthread_mutex_destroy(&route->mutex);
}
