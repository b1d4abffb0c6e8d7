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

/* Told to the processor while it waits for another one: half a dozen to some forty cycles. */
#if defined(__x86_64__) || defined(__i386__)
# define HOLD_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
# define HOLD_PAUSE() __asm__ volatile("yield")
#else
# define HOLD_PAUSE() (void)0
#endif

/* A lock is held for a microsecond or two, and to be woken from sleep takes fifty: so whoever finds
 * it held looks again for some ten before it sleeps. */
enum { HOLD_TRIES = 400 };

static inline pthread_mutex_t *hold_lock(pthread_mutex_t *mutex)
{
    for (int tries = 0; tries < HOLD_TRIES; tries++) {
        if (pthread_mutex_trylock(mutex) == 0)
            return mutex;
        HOLD_PAUSE();
    }
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
