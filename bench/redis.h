/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REDIS_H
#define BENCH_REDIS_H

#include "harness.h"

#include "core/store.h"

/* Shared by the parts of sesame-bench-redis. */

enum { REDIS_RECORD_BYTES = 400 };
static const int64_t redis_now_ms = 1700000000000, redis_life_ms = 604800000;

struct store *redis_store(const char *url, unsigned threads, int64_t near_records);
struct ses_key redis_key(unsigned thread, unsigned i);

/* One line of output; @p aim 0: none was set. */
void redis_print(const char *name, unsigned threads, const struct bench_result *result, double aim);

/* The near cache: a hit beside a load of the memory provider, and how long a change by another
 * process takes to be seen, beside one trip to the server. */
void redis_near(const char *path, const char *url, bool quick);

#endif
