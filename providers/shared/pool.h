/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_POOL_H
#define SES_SHARED_POOL_H

#include "shared/circuit.h"
#include "shared/deadline.h"
#include "shared/fork.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A bounded number of connections to one server. Whoever takes one has it alone until it gives it
 * back; who finds none waits in a queue. Its first may be overtaken by a thread that is running
 * already, for two milliseconds; from then on it is handed the next one. What has failed is closed,
 * and the next call connects anew.
 *
 * A child of fork() closes its copies of the connections, saying nothing, and begins with an empty
 * pool; what a thread of the parent had taken at that moment stays the parent's. Connections that
 * must not exist at a fork at all, not even unused, say so by close_before_fork(): then the fork
 * waits until all are given back, and closes them. So nobody forks while it has one, and nobody
 * who has one waits for another.
 */

/* What the connections are: a struct that begins with this. */
struct pooled {
    struct pooled *next_idle;
    struct pooled *next, **link; /* among all of the pool, busy or idle */
    pthread_t last;              /* who gave it back */
};

struct pool_ops {
    /* @return NULL when it failed, with a line in @p why. */
    struct pooled *(*open)(void *arg, struct deadline deadline, char *why, size_t why_size);
    bool (*is_usable)(struct pooled *connection); /* after it was idle */
    void (*close)(struct pooled *connection);
    void (*close_copy)(struct pooled *connection); /* in a child, saying nothing; NULL: as close */
    void (*close_before_fork)(struct pooled *connection); /* NULL: a child closes its copies */
};

struct pool_waiter;

struct pool {
    const struct pool_ops *ops;
    void *arg;
    void (*changed)(void *arg, bool reachable); /* without a lock held */
    uint32_t most;

    pthread_mutex_t mutex;
    uint32_t open; /* connections, and those who are about to make one */
    struct pooled *idle;
    struct pooled *all;
    struct pool_waiter *first_waiter, **last_waiter;
    struct circuit circuit;

    struct fork_watch watch;
    bool forking; /* nobody gets one */
    pthread_cond_t returned;
};

void pool_init(struct pool *pool, const struct pool_ops *ops, void *arg,
               void (*changed)(void *arg, bool reachable), uint32_t most);
void pool_end(struct pool *pool); /* nobody uses it any more */

/* @return NULL when there is none to be had in time, with a line in @p why. */
struct pooled *pool_take(struct pool *pool, struct deadline deadline, char *why, size_t why_size);

/* How it went with the server. */
enum pool_verdict {
    POOL_ANSWERED, /* the connection is as good as before */
    POOL_SPOILT,   /* the server is there, but this connection has to go */
    POOL_FAILED,   /* no answer, or not one that could be read */
};
void pool_give(struct pool *pool, struct pooled *connection, enum pool_verdict verdict);

/* Closes those that nobody uses: the server is another one now. */
void pool_drop_idle(struct pool *pool);

/* Did it tell that the server does not answer, and nothing else since? */
bool pool_is_lost(struct pool *pool);

/* How many connections there are. */
uint32_t pool_count(struct pool *pool);

#endif
