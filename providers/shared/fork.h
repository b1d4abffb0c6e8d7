/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_FORK_H
#define SES_SHARED_FORK_H

#include <pthread.h>

/*
 * A fork copies every lock as it stands, and of the threads that hold one only the forking one. So
 * while a process forks, the mutexes that are watched are held by the thread that forks. Nobody
 * holds one of them while taking another, or while beginning or ending a watch.
 */
struct fork_watch {
    pthread_mutex_t *mutex;
    /* With the mutex held; each may be NULL. */
    void (*before)(void *arg);    /* may wait, for what ends by itself */
    void (*in_parent)(void *arg); /* afterwards */
    void (*in_child)(void *arg);  /* lets go of what is the parent's */
    void *arg;
    struct fork_watch *next;
};

void fork_watch_begin(struct fork_watch *watch);
void fork_watch_end(struct fork_watch *watch); /* does nothing if it never began */

#endif
