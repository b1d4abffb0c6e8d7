/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_DEADLINE_H
#define SES_SHARED_DEADLINE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Until when a call may wait, by the monotonic clock. It limits waiting only: when a record expires
 * is judged by the time that the core passes in. */
struct deadline {
    int64_t at_ms;
};

static inline int64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* only waits */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline struct deadline deadline_in(int64_t ms)
{
    return (struct deadline){ monotonic_ms() + ms };
}

static inline struct deadline deadline_sooner(struct deadline a, struct deadline b)
{
    return a.at_ms < b.at_ms ? a : b;
}

/* For poll(): 0 when it has passed. */
static inline int deadline_left_ms(struct deadline deadline)
{
    const int64_t left = deadline.at_ms - monotonic_ms();
    if (left <= 0)
        return 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

static inline bool deadline_passed(struct deadline deadline)
{
    return deadline_left_ms(deadline) == 0;
}

/* For pthread_cond_clockwait(). */
static inline struct timespec deadline_timespec(struct deadline deadline)
{
    return (struct timespec){ deadline.at_ms / 1000, deadline.at_ms % 1000 * 1000000 };
}

#endif
