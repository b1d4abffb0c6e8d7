/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_SENTINEL_H
#define SES_REDIS_SENTINEL_H

#include "redis/route.h"

/*
 * The master that sentinels name. It is asked for at start, before each new connection, and
 * whenever the one that we have does not answer, refuses to write (READONLY: it is a replica now)
 * or is not ready; by one thread at a time, and not more often than every SENTINEL_PAUSE_MS.
 */
enum { SENTINEL_PAUSE_MS = 50 };

extern const struct route_ops sentinel_route;

#endif
