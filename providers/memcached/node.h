/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMCACHED_NODE_H
#define SES_MEMCACHED_NODE_H

#include "memcached/config.h"
#include "memcached/talk.h"

#include <stdatomic.h>

struct memcached;

/* One server, and the connections to it. */
struct node {
    struct memcached *memcached;
    const struct memcached_address *address;
    struct pool pool;
    atomic_bool unfit; /* it was started so that it cannot keep sessions; told as an operator's
                          mistake when the store is opened */
};

void node_begin(struct node *node, struct memcached *memcached,
                const struct memcached_address *address);
void node_end(struct node *node); /* does nothing if it never began */

/* "host:port", for log lines. */
enum { NODE_NAME_ROOM = 300 };
void node_name(const struct node *node, char name[NODE_NAME_ROOM]);

/* Tells what is wrong with that server. @return @p code. */
int node_fail(const struct node *node, int code, const char *why);

#endif
