/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMCACHED_RING_H
#define SES_MEMCACHED_RING_H

#include "memcached/config.h"
#include "memcached/talk.h"

/*
 * Which server keeps a name: consistent hashing as libmemcached does it with
 * MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, so that its clients find our values where we put them. Never
 * changes while the store is open: a server that is lost is not replaced by its neighbour, where
 * older records, or none, would be found.
 *
 * libmemcached's own connections are not used. Its time limits begin anew with each byte that
 * arrives, so a server that answers in drops holds a request for as long as it likes.
 */
struct ring {
    struct memcached_st *servers;
};

bool ring_open(struct ring *ring, const struct memcached_config *config);
void ring_close(struct ring *ring);

/* The index in config->servers. Any thread. */
size_t ring_find(const struct ring *ring, const struct name *name);

#endif
