/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_ROUTE_H
#define SES_REDIS_ROUTE_H

#include "redis/node.h"

#include <pthread.h>
#include <sesame/common.h>

/*
 * Which server to ask for a key. One server always is the same; with sentinels it is the master
 * that they name; in a cluster each key has a slot, and each slot a master.
 */

struct cluster;
struct sentinel;

/* What to do after an error of a server's, or without a reply. */
enum next_step {
    STEP_ANSWER, /* it is an answer like any other */
    STEP_NOW,    /* ask the node that is named now */
    STEP_LATER,  /* the same after a short pause: it will be settled soon */
};

struct hop {
    struct node *node;
    bool asking;    /* say ASKING first: the slot is on its way to that node */
    unsigned count; /* of hops, for the route's own use */
};

struct route_ops {
    /* SES_OK; or a failure, told in one line: an operator's mistake, or nobody is there. */
    int (*open)(struct redis *redis, struct deadline deadline);
    void (*close)(struct redis *redis);

    /* Where to ask for that key; never NULL once it is open. NULL for key: anywhere. */
    struct node *(*find)(struct redis *redis, const struct ses_slice *key);

    /* The node answered with an error, or (@p reply NULL) could not be asked. May find out where
     * things are now; fills in @p hop when it says STEP_NOW or STEP_LATER. */
    enum next_step (*after)(struct redis *redis, const struct ses_slice *key, struct hop *hop,
                            const redisReply *reply, struct deadline deadline);

    /* Before a new connection to it: is it still the one to ask? A master that was killed may come
     * back, without its data, before anybody has told it that it is a replica now. */
    bool (*confirm)(struct redis *redis, const struct node *node, struct deadline deadline);

    /* In the child of a fork, with the mutex held: what a thread of the parent was at, nobody is.
     */
    void (*forked)(struct redis *redis);

    /* The i-th of those that hold keys; NULL: there are no more. */
    struct node *(*each)(struct redis *redis, size_t i);
};

struct route {
    const struct route_ops *ops;
    pthread_mutex_t mutex; /* of what the route learns */
    struct node *nodes;    /* all that there ever were; only added to, under the mutex */
    struct node *master;   /* single, sentinel */
    bool lost;             /* it was told that one of those that hold keys does not answer */
    struct fork_watch watch;
    struct cluster *cluster;
    struct sentinel *sentinel;
};

int route_open(struct redis *redis);
void route_close(struct redis *redis);

/* The node of that address, new or known. The mutex is not held. NULL: no memory. */
struct node *route_node(struct redis *redis, const struct redis_address *address);

/* No reply, or an error that another server would not give, or this one not for long. */
bool route_may_settle(const redisReply *reply);

/* Asks one server at once, to tell an operator's mistake at start. */
int route_greet(struct redis *redis, struct node *node, struct deadline deadline);

/* After a node was lost or came back, or another one has its place: tells the manager whether all
 * that hold keys answer, if that has changed. The mutex is not held. */
void route_tell(struct redis *redis);

extern const struct route_ops single_route;

#endif
