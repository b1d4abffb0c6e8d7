/* SPDX-License-Identifier: MIT */
#include "memcached/node.h"

#include "memcached/state.h"

#include <stdio.h>
#include <string.h>

void node_name(const struct node *node, char name[NODE_NAME_ROOM])
{
    const struct memcached_address *a = node->address;
    if (a->path)
        (void)snprintf(name, NODE_NAME_ROOM, "%s", a->path);
    else
        (void)snprintf(name, NODE_NAME_ROOM, strchr(a->host, ':') ? "[%s]:%s" : "%s:%s", a->host,
                       a->port);
}

int node_fail(const struct node *node, int code, const char *why)
{
    char name[NODE_NAME_ROOM];
    node_name(node, name);
    return ses_provider_fail(node->memcached->host, code, "%s: %s", name, why);
}

/* ---- one connection ---- */

/* Each is asked how its server was started: that one may be another than it was yesterday. */
static const char *greet(struct node *node, struct wire *wire, struct deadline deadline)
{
    struct server_settings settings;
    const enum answer answer = talk_settings(wire, deadline, &settings);
    const char *problem = NULL;
    if (answer == ANSWER_LOST && deadline_passed(deadline))
        return "no answer in time";
    if (answer != ANSWER_DONE)
        return "it does not speak memcached's text protocol, or wants a log-in";
    if (settings.without_cas)
        problem = "it runs without compare-and-swap (-C), which sessions need";
    else if (settings.without_evictions)
        problem = "it runs without evictions (-M): once it is full, nobody could log out";
    node->unfit = problem != NULL;
    wire->item_most = settings.item_size_max;
    return problem;
}

static struct pooled *open_pooled(void *arg, struct deadline deadline, char *why, size_t why_size)
{
    struct node *node = arg;
    const struct memcached *memcached = node->memcached;
    const struct endpoint endpoint = {
        .path = node->address->path,
        .host = node->address->host,
        .port = node->address->port,
    };
    const struct deadline sooner = deadline_sooner(deadline, deadline_in(memcached->connect_ms));
    const char *problem;
    struct wire *wire = wire_open(&endpoint, sooner, memcached_patience_ms(memcached), &problem);
    if (wire)
        problem = greet(node, wire, sooner);
    if (wire && !problem)
        return &wire->pooled;
    if (wire)
        wire_close(wire);
    (void)snprintf(why, why_size, "%s", problem);
    return NULL;
}

static bool pooled_is_usable(struct pooled *pooled)
{
    return stream_is_quiet(&((const struct wire *)pooled)->stream);
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

/* Each server is told in the log; the store as a whole counts as lost as long as one of them is:
 * somebody's sessions lie there. */
static void on_change(void *arg, bool reachable)
{
    struct node *node = arg;
    struct memcached *memcached = node->memcached;
    (void)node_fail(node, reachable ? SES_ERR_NOT_FOUND : SES_ERR_UNAVAILABLE,
                    reachable ? "it answers again" : "it does not answer");
    const int lost_before = atomic_fetch_add(&memcached->lost, reachable ? -1 : 1);
    if (lost_before == (reachable ? 1 : 0))
        ses_provider_reachable(memcached->host, reachable);
}

/* ---- the node ---- */

void node_begin(struct node *node, struct memcached *memcached,
                const struct memcached_address *address)
{
    node->memcached = memcached;
    node->address = address;
    pool_init(&node->pool, &pool_ops, node, on_change, (uint32_t)memcached->pool_size);
}

void node_end(struct node *node)
{
    pool_end(&node->pool);
}
