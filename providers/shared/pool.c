/* SPDX-License-Identifier: MIT */
#include "shared/pool.h"

#include <stdio.h>
#include <string.h>

/* Lives on the stack of the thread that waits. */
struct pool_waiter {
    struct pool_waiter *next;
    pthread_cond_t woken;
    int64_t since_ms;
    struct pooled *connection; /* handed over, or */
    bool may_open;             /* the right to make one */
};

/* For how long a thread that runs may take what is idle before one that has to wake up for it. To
 * hand over each time makes each wait for a processor: what eight threads load and save in SQLite
 * then took 1.38 times as long as with bare connections, and takes 1.11 times as long now. */
enum { OVERTAKEN_AT_MOST_MS = 2 };

/* ---- those that there are; the mutex is held ---- */

static void add(struct pool *pool, struct pooled *connection)
{
    connection->next = pool->all;
    connection->link = &pool->all;
    if (pool->all)
        pool->all->link = &connection->next;
    pool->all = connection;
}

static void take_out(struct pooled *connection)
{
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
}

static struct pooled *pop_idle(struct pool *pool)
{
    struct pooled *connection = pool->idle;
    if (connection)
        pool->idle = connection->next_idle;
    return connection;
}

enum { LOOK_AT_MOST = 16 };

/* The one that this thread had last, whose server's end is used to its core; or any. */
static struct pooled *pop_own(struct pool *pool)
{
    struct pooled **at = &pool->idle;
    for (int i = 0; *at && i < LOOK_AT_MOST; i++, at = &(*at)->next_idle) {
        struct pooled *connection = *at;
        if (pthread_equal(connection->last, pthread_self())) {
            *at = connection->next_idle;
            return connection;
        }
    }
    return pop_idle(pool);
}

/* ---- the queue; the mutex is held ---- */

static void queue_up(struct pool *pool, struct pool_waiter *waiter)
{
    waiter->next = NULL;
    *pool->last_waiter = waiter;
    pool->last_waiter = &waiter->next;
}

static void leave_queue(struct pool *pool, const struct pool_waiter *waiter)
{
    struct pool_waiter **at = &pool->first_waiter;
    while (*at && *at != waiter)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = waiter->next;
    if (!*at)
        pool->last_waiter = at;
}

/* Whoever is first gets the connection, or the place of one that is gone. @return was there one? */
static bool serve_first(struct pool *pool, struct pooled *connection)
{
    struct pool_waiter *waiter = pool->first_waiter;
    if (!waiter)
        return false;
    leave_queue(pool, waiter);
    waiter->connection = connection;
    waiter->may_open = !connection;
    (void)pthread_cond_signal(&waiter->woken);
    return true;
}

/* Only the forking thread waits for that. */
static void tell_fork(struct pool *pool)
{
    if (pool->forking)
        (void)pthread_cond_signal(&pool->returned);
}

static void give_place(struct pool *pool)
{
    if (pool->forking || !serve_first(pool, NULL))
        pool->open--;
    tell_fork(pool);
}

static bool is_overdue(const struct pool_waiter *waiter)
{
    return waiter && monotonic_ms() - waiter->since_ms >= OVERTAKEN_AT_MOST_MS;
}

/* There may be one for it. */
static void wake_first(struct pool *pool)
{
    if (pool->first_waiter && pool->idle && !pool->forking)
        (void)pthread_cond_signal(&pool->first_waiter->woken);
}

static void give_idle(struct pool *pool, struct pooled *connection)
{
    connection->last = pthread_self();
    if (!pool->forking && is_overdue(pool->first_waiter)) {
        (void)serve_first(pool, connection);
    } else {
        connection->next_idle = pool->idle;
        pool->idle = connection;
        wake_first(pool);
    }
    tell_fork(pool);
}

/* Has it been handed one over, or was one idle when its turn came? */
static bool is_served(struct pool *pool, struct pool_waiter *waiter)
{
    if (waiter->connection || waiter->may_open)
        return true;
    if (pool->first_waiter != waiter || pool->forking || !pool->idle)
        return false;
    waiter->connection = pop_own(pool);
    leave_queue(pool, waiter);
    wake_first(pool);
    return true;
}

/* ---- forks; the mutex is held ---- */

static void close_all_before_fork(void *arg)
{
    struct pool *pool = arg;
    pool->forking = true;
    for (;;) {
        struct pooled *connection;
        while ((connection = pop_idle(pool))) {
            take_out(connection);
            pool->ops->close_before_fork(connection);
            pool->open--;
        }
        if (pool->open == 0)
            return;
        (void)pthread_cond_wait(&pool->returned, &pool->mutex);
    }
}

static void go_on_after_fork(void *arg)
{
    struct pool *pool = arg;
    pool->forking = false;
    while (pool->first_waiter && pool->open < pool->most) {
        pool->open++;
        (void)serve_first(pool, NULL);
    }
}

/* In a child. Those who waited are threads of the parent. */
static void forget_all(void *arg)
{
    struct pool *pool = arg;
    void (*close_copy)(struct pooled *) =
        pool->ops->close_copy ? pool->ops->close_copy : pool->ops->close;
    struct pooled *connection = pool->all;
    while (connection) {
        struct pooled *next = connection->next;
        close_copy(connection);
        connection = next;
    }
    pool->all = NULL;
    pool->idle = NULL;
    pool->open = 0;
    pool->forking = false;
    pool->first_waiter = NULL;
    pool->last_waiter = &pool->first_waiter;
    circuit_forget(&pool->circuit);
}

void pool_init(struct pool *pool, const struct pool_ops *ops, void *arg,
               void (*changed)(void *arg, bool reachable), uint32_t most)
{
    *pool = (struct pool){ .ops = ops, .arg = arg, .changed = changed, .most = most };
    pool->last_waiter = &pool->first_waiter;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_cond_init(&pool->returned, NULL);
    pool->watch = (struct fork_watch){ .mutex = &pool->mutex, .in_child = forget_all, .arg = pool };
    if (ops->close_before_fork) {
        pool->watch.before = close_all_before_fork;
        pool->watch.in_parent = go_on_after_fork;
    }
    fork_watch_begin(&pool->watch);
}

/* ---- taking ---- */

static bool wait_in_queue(struct pool *pool, struct deadline deadline, struct pooled **ret)
{
    struct pool_waiter waiter = { .since_ms = monotonic_ms() };
    const struct timespec until = deadline_timespec(deadline);
    bool served = false;
    int r = 0;
    (void)pthread_cond_init(&waiter.woken, NULL);
    queue_up(pool, &waiter);
    while (!(served = is_served(pool, &waiter)) && r == 0)
        r = pthread_cond_clockwait(&waiter.woken, &pool->mutex, CLOCK_MONOTONIC, &until);
    if (!served)
        leave_queue(pool, &waiter);
    (void)pthread_cond_destroy(&waiter.woken);
    *ret = waiter.connection;
    return served;
}

/* A connection, or NULL and the right to make one. @return false: neither. */
static bool take_place(struct pool *pool, struct deadline deadline, struct pooled **ret,
                       const char **ret_why)
{
    *ret = NULL;
    (void)pthread_mutex_lock(&pool->mutex);
    bool taken = !pool->circuit.open || circuit_allows(&pool->circuit, monotonic_ms());
    if (!taken) {
        *ret_why = "the server was lost; not asked again yet";
    } else if (pool->idle && !pool->forking) {
        *ret = pop_own(pool);
    } else if (pool->open < pool->most && !pool->first_waiter && !pool->forking) {
        pool->open++;
    } else {
        taken = wait_in_queue(pool, deadline, ret);
        if (!taken) {
            circuit_forget(&pool->circuit);
            *ret_why = "all connections are in use";
        }
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return taken;
}

static void tell(struct pool *pool, enum circuit_change change)
{
    if (change != CIRCUIT_SAME && pool->changed)
        pool->changed(pool->arg, change == CIRCUIT_CLOSED);
}

static void drop(struct pool *pool, struct pooled *connection)
{
    (void)pthread_mutex_lock(&pool->mutex);
    take_out(connection);
    (void)pthread_mutex_unlock(&pool->mutex);
    pool->ops->close(connection);
}

static struct pooled *open_one(struct pool *pool, struct deadline deadline, char *why,
                               size_t why_size)
{
    struct pooled *connection = pool->ops->open(pool->arg, deadline, why, why_size);
    enum circuit_change change = CIRCUIT_SAME;
    (void)pthread_mutex_lock(&pool->mutex);
    if (connection) {
        add(pool, connection);
    } else {
        change = circuit_report(&pool->circuit, false, monotonic_ms());
        give_place(pool);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    tell(pool, change);
    return connection;
}

struct pooled *pool_take(struct pool *pool, struct deadline deadline, char *why, size_t why_size)
{
    struct pooled *connection;
    const char *problem = NULL;
    if (!take_place(pool, deadline, &connection, &problem)) {
        (void)snprintf(why, why_size, "%s", problem);
        return NULL;
    }
    if (connection && pool->ops->is_usable(connection))
        return connection;
    if (connection)
        drop(pool, connection);
    return open_one(pool, deadline, why, why_size);
}

/* ---- giving back ---- */

void pool_give(struct pool *pool, struct pooled *connection, enum pool_verdict verdict)
{
    const bool keeps = verdict == POOL_ANSWERED;
    if (!keeps)
        drop(pool, connection);
    (void)pthread_mutex_lock(&pool->mutex);
    const bool answered = verdict != POOL_FAILED;
    const enum circuit_change change =
        circuit_report(&pool->circuit, answered, answered ? 0 : monotonic_ms());
    if (keeps)
        give_idle(pool, connection);
    else
        give_place(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
    tell(pool, change);
}

void pool_drop_idle(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    struct pooled *connection;
    while ((connection = pop_idle(pool))) {
        take_out(connection);
        (void)pthread_mutex_unlock(&pool->mutex);
        pool->ops->close(connection);
        (void)pthread_mutex_lock(&pool->mutex);
        give_place(pool);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
}

bool pool_is_lost(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    const bool lost = pool->circuit.open;
    (void)pthread_mutex_unlock(&pool->mutex);
    return lost;
}

uint32_t pool_count(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    const uint32_t count = pool->open;
    (void)pthread_mutex_unlock(&pool->mutex);
    return count;
}

void pool_end(struct pool *pool)
{
    if (!pool->ops)
        return; /* never begun */
    pool_drop_idle(pool);
    fork_watch_end(&pool->watch);
    (void)pthread_cond_destroy(&pool->returned);
    (void)pthread_mutex_destroy(&pool->mutex);
    pool->ops = NULL;
}
