/* SPDX-License-Identifier: MIT */
#include "shared/pool_fork.h"

#include "shared/pool.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t pools_mutex = PTHREAD_MUTEX_INITIALIZER; /* before all others */
static struct pool *pools;

static void before_fork(void)
{
    (void)pthread_mutex_lock(&pools_mutex);
    for (struct pool *pool = pools; pool; pool = pool->next_pool)
        (void)pthread_mutex_lock(&pool->mutex);
}

static void in_parent(void)
{
    for (struct pool *pool = pools; pool; pool = pool->next_pool)
        (void)pthread_mutex_unlock(&pool->mutex);
    (void)pthread_mutex_unlock(&pools_mutex);
}

/* Those who waited are threads of the parent. */
static void empty(struct pool *pool)
{
    struct pooled *connection = pool->all;
    while (connection) {
        struct pooled *next = connection->next;
        pool->ops->close(connection);
        connection = next;
    }
    pool->all = NULL;
    pool->idle = NULL;
    pool->open = 0;
    pool->first_waiter = NULL;
    pool->last_waiter = &pool->first_waiter;
    circuit_forget(&pool->circuit);
}

static void in_child(void)
{
    for (struct pool *pool = pools; pool; pool = pool->next_pool)
        empty(pool);
    in_parent();
}

/* Without memory for it a fork is as dangerous as it would be anyway. */
static void watch(void)
{
    (void)pthread_atfork(before_fork, in_parent, in_child);
}

void pool_watch_forks(struct pool *pool)
{
    (void)pthread_once(&once, watch);
    (void)pthread_mutex_lock(&pools_mutex);
    pool->next_pool = pools;
    pools = pool;
    (void)pthread_mutex_unlock(&pools_mutex);
}

void pool_forget_forks(struct pool *pool)
{
    (void)pthread_mutex_lock(&pools_mutex);
    for (struct pool **link = &pools; *link; link = &(*link)->next_pool) {
        if (*link == pool) {
            *link = pool->next_pool;
            break;
        }
    }
    (void)pthread_mutex_unlock(&pools_mutex);
}
