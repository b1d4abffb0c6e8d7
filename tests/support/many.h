/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_MANY_H
#define SES_TEST_MANY_H

/* For tests in which many threads act at once. */

#include "support/test.h"

#include <stdatomic.h>
#include <stdlib.h>

/* How often; SESAME_TEST_ROUNDS multiplies it. */
static inline unsigned rounds(unsigned least)
{
    const char *times = getenv("SESAME_TEST_ROUNDS");
    const long n = times ? strtol(times, NULL, 10) : 1;
    return n > 1 ? least * (unsigned)n : least;
}

/* cmocka's assertions belong to the main thread; the others count what went wrong. */
static atomic_uint faults;

#define EXPECT(condition) ((condition) ? (void)0 : expect_failed(#condition, __LINE__))

static inline void expect_failed(const char *what, int line)
{
    if (atomic_fetch_add(&faults, 1) < 5)
        print_error("line %d: %s\n", line, what);
}

#endif
