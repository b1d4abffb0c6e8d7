/* SPDX-License-Identifier: MIT */
#include "core/collector.h"

#include "core/manager.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

/* Of one step; between two steps others get their turn. */
enum { STEP_RECORDS = 1024 };

struct collector {
    ses_manager *manager; /* borrowed: the manager owns the collector */
    int64_t interval_s;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    _Atomic pid_t home; /* the process whose the lock and the thread are */
    bool running;
    bool stopping;
};

static struct timespec after(int64_t seconds)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)seconds;
    return at;
}

/* True when the interval has passed, false when it is time to stop. */
static bool wait_interval(struct collector *c)
{
    const struct timespec until = after(c->interval_s);
    LOCK(&c->mutex);
    int r = 0;
    while (!c->stopping && r == 0)
        r = pthread_cond_timedwait(&c->wake, &c->mutex, &until);
    return !c->stopping;
}

static bool is_stopping(struct collector *c)
{
    LOCK(&c->mutex);
    return c->stopping;
}

static void *run(void *arg)
{
    struct collector *c = arg;
    while (wait_interval(c)) {
        /* A failure is told by the store's event; the next interval tries again. */
        struct ses_gc_step step = { .more = true };
        while (step.more && !is_stopping(c) &&
               manager_gc_step(c->manager, STEP_RECORDS, &step) == SES_OK)
            ;
    }
    return NULL;
}

static int init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return SES_ERR_NO_MEMORY;
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int r = pthread_cond_init(wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return r == 0 ? SES_OK : SES_ERR_NO_MEMORY;
}

int collector_new(ses_manager *manager, int64_t interval_s, struct collector **ret_collector)
{
    CLEANUP(free) struct collector *c = calloc(1, sizeof *c);
    if (!c || init_wake(&c->wake) < 0)
        return SES_ERR_NO_MEMORY;
    if (pthread_mutex_init(&c->mutex, NULL) != 0) {
        (void)pthread_cond_destroy(&c->wake);
        return SES_ERR_NO_MEMORY;
    }
    c->manager = manager;
    c->interval_s = interval_s;
    c->home = getpid();
    *ret_collector = steal(&c);
    return SES_OK;
}

/* Signals are the application's: none is ever delivered to this thread. */
static int create_quietly(struct collector *c)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&c->thread, NULL, run, c);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0 ? SES_OK : SES_ERR_NO_MEMORY;
}

/* The thread of a parent did not come along, and may have held the lock when the fork happened. */
static void forget_parent(struct collector *c)
{
    if (c->home == getpid())
        return;
    (void)pthread_mutex_init(&c->mutex, NULL);
    (void)init_wake(&c->wake);
    c->running = c->stopping = false;
    c->home = getpid();
}

int collector_start(struct collector *c)
{
    forget_parent(c);
    LOCK(&c->mutex);
    if (c->running)
        return SES_ERR_EXISTS;
    int r = create_quietly(c);
    c->running = r == SES_OK;
    return r;
}

/* True when there is a thread that the caller must join. Of several callers one does, and the
 * others wait for it. */
static bool ask_to_stop(struct collector *c, pthread_t *ret_thread)
{
    forget_parent(c);
    LOCK(&c->mutex);
    while (c->stopping)
        (void)pthread_cond_wait(&c->wake, &c->mutex);
    if (!c->running)
        return false;
    c->stopping = true;
    *ret_thread = c->thread;
    (void)pthread_cond_broadcast(&c->wake);
    return true;
}

void collector_stop(struct collector *c)
{
    pthread_t thread;
    if (!ask_to_stop(c, &thread))
        return;
    (void)pthread_join(thread, NULL);
    LOCK(&c->mutex);
    c->running = c->stopping = false;
    (void)pthread_cond_broadcast(&c->wake);
}

void collector_free(struct collector *c)
{
    if (!c)
        return;
    collector_stop(c);
    (void)pthread_mutex_destroy(&c->mutex);
    (void)pthread_cond_destroy(&c->wake);
    free(c);
}
