/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_HOLD_H
#define SES_MEMORY_HOLD_H

#include <pthread.h>

/*
 * HOLD(&mutex): locked until the end of the enclosing block.
 *
 * Order: the collector's lock, then one user group's, then one shard's; never two of a kind. With a
 * group's or a shard's held nothing is called that is not ours: blobs are dropped and functions are
 * called afterwards.
 */

static inline pthread_mutex_t *hold_lock(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_lock(mutex);
    return mutex;
}

static inline void hold_unlock(pthread_mutex_t **mutex)
{
    (void)pthread_mutex_unlock(*mutex);
}

#define HOLD(mutex)                                                                                \
 __attribute__((cleanup(hold_unlock), unused)) pthread_mutex_t *held_ = hold_lock(mutex)

#endif
