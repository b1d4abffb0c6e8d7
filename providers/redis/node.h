/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_NODE_H
#define SES_REDIS_NODE_H

#include "redis/config.h"
#include "redis/wire.h"

struct redis;

/* One server, and the connections to it. Lives as long as the store does: what a route holds on to
 * never dangles, and there are no more of them than addresses were ever named. */
struct node {
    struct node *next;
    struct redis *redis;
    struct redis_address address; /* its own copies */
    struct pool pool;
};

struct node *node_new(struct redis *redis, const struct redis_address *address);
void node_free(struct node *node);

/* A connection of the node's, outside of its pool: for what is no request. */
struct wire *node_connect(struct node *node, struct deadline deadline, char *why, size_t why_size);

/* "host:port", for log lines. */
enum { NODE_NAME_ROOM = 300 };
void node_name(const struct node *node, char name[NODE_NAME_ROOM]);

/* What the server says, without what we said to it: words that may come from us stand in quotation
 * marks there. */
void server_text(const redisReply *reply, char *text, size_t size);

#endif
