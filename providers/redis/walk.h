/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_WALK_H
#define SES_REDIS_WALK_H

#include "redis/ask.h"

/* count and iterate: SCAN over every server that holds keys. Each step waits as long as any call.
 */
int redis_count(void *self, int64_t now_ms, uint64_t *ret_count);
int redis_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg);

#endif
