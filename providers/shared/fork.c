/* SPDX-License-Identifier: MIT */
#include "shared/fork.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t watches_mutex = PTHREAD_MUTEX_INITIALIZER; /* before all others */
static struct fork_watch *watches;

static void before_fork(void)
{
    (void)pthread_mutex_lock(&watches_mutex);
    for (struct fork_watch *watch = watches; watch; watch = watch->next) {
        (void)pthread_mutex_lock(watch->mutex);
        if (watch->before)
            watch->before(watch->arg);
    }
}

static void unlock_all(void)
{
    for (struct fork_watch *watch = watches; watch; watch = watch->next)
        (void)pthread_mutex_unlock(watch->mutex);
    (void)pthread_mutex_unlock(&watches_mutex);
}

static void in_parent(void)
{
    for (struct fork_watch *watch = watches; watch; watch = watch->next) {
        if (watch->in_parent)
            watch->in_parent(watch->arg);
    }
    unlock_all();
}

static void in_child(void)
{
    for (struct fork_watch *watch = watches; watch; watch = watch->next) {
        if (watch->in_child)
            watch->in_child(watch->arg);
    }
    unlock_all();
}

/* Without memory for it a fork is as dangerous as it would be anyway. */
static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, in_parent, in_child);
}

void fork_watch_begin(struct fork_watch *watch)
{
    (void)pthread_once(&once, watch_forks);
    (void)pthread_mutex_lock(&watches_mutex);
    watch->next = watches;
    watches = watch;
    (void)pthread_mutex_unlock(&watches_mutex);
}

void fork_watch_end(struct fork_watch *watch)
{
    (void)pthread_mutex_lock(&watches_mutex);
    for (struct fork_watch **link = &watches; *link; link = &(*link)->next) {
        if (*link == watch) {
            *link = watch->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&watches_mutex);
}
