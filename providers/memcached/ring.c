/* SPDX-License-Identifier: MIT */
#include "memcached/ring.h"

#include <stdlib.h>

#include <libmemcached/memcached.h>

static bool add(memcached_st *servers, const struct memcached_address *server)
{
    const memcached_return_t r =
        server->path ? memcached_server_add_unix_socket(servers, server->path)
                     : memcached_server_add(servers, server->host,
                                            (in_port_t)strtol(server->port, NULL, 10));
    return memcached_success(r);
}

bool ring_open(struct ring *ring, const struct memcached_config *config)
{
    ring->servers = memcached_create(NULL);
    bool done = ring->servers && memcached_success(memcached_behavior_set(
                                     ring->servers, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1));
    for (size_t i = 0; i < config->count && done; i++)
        done = add(ring->servers, &config->servers[i]);
    return done;
}

void ring_close(struct ring *ring)
{
    if (ring->servers)
        memcached_free(ring->servers);
}

size_t ring_find(const struct ring *ring, const struct name *name)
{
    return memcached_generate_hash(ring->servers, name->text, name->len);
}
