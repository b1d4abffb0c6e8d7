/* SPDX-License-Identifier: MIT */
#include "memory/fork.h"

#include "memory/state.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t stores_mutex = PTHREAD_MUTEX_INITIALIZER; /* before all others */
static struct memory *stores;

/* In the order that hold.h has. */
static void each_lock(struct memory *memory, int (*act)(pthread_mutex_t *mutex))
{
    (void)act(&memory->turn.mutex);
    for (uint32_t g = 0; g < USER_GROUPS; g++)
        (void)act(&memory->users->groups[g].mutex);
    for (uint32_t s = 0; s < SHARDS; s++)
        (void)act(&memory->shards[s].mutex);
}

static void before_fork(void)
{
    (void)pthread_mutex_lock(&stores_mutex);
    for (struct memory *memory = stores; memory; memory = memory->next_store)
        each_lock(memory, pthread_mutex_lock);
}

static void after_fork(void)
{
    for (struct memory *memory = stores; memory; memory = memory->next_store)
        each_lock(memory, pthread_mutex_unlock);
    (void)pthread_mutex_unlock(&stores_mutex);
}

/* Without memory for it a fork is as dangerous as it would be anyway. */
static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork, after_fork);
}

void fork_watch(struct memory *memory)
{
    (void)pthread_once(&once, watch_forks);
    HOLD(&stores_mutex);
    memory->next_store = stores;
    stores = memory;
}

void fork_forget(struct memory *memory)
{
    HOLD(&stores_mutex);
    for (struct memory **link = &stores; *link; link = &(*link)->next_store) {
        if (*link == memory) {
            *link = memory->next_store;
            return;
        }
    }
}
