/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_LISTEN_H
#define SES_REDIS_LISTEN_H

#include "redis/near.h"

struct redis;

/*
 * Hears from the server which sessions have changed, so that copies of them can be kept (near.h):
 * a thread with a connection of its own, on which the server tells each change of a key of the
 * prefix (CLIENT TRACKING in broadcast mode, redirected to that connection itself; RESP2). While
 * there is no such connection, nothing is kept.
 *
 * A connection that has died without a word is noticed after LISTEN_PING_MS and LISTEN_ANSWER_MS
 * together; one to a server that the route does not name any more, after the first.
 *
 * The child of a fork begins without a thread and without copies; its first load starts its own.
 */
enum { LISTEN_PING_MS = 1000, LISTEN_ANSWER_MS = 1000 };

struct listen;

/* NULL: no memory. It does not run yet. */
struct listen *listen_new(struct redis *redis, struct near *near);

/* If it does not run. */
void listen_start(struct listen *listen);

/* Ends the thread; accepts NULL. */
void listen_free(struct listen *listen);

#endif
