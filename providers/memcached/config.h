/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMCACHED_CONFIG_H
#define SES_MEMCACHED_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What "ProviderConfig" says: host[:port] or unix:/path, separated by semicolons. An IPv6 address
 * stands in brackets.
 */
struct memcached_address {
    const char *path; /* a unix socket, or */
    const char *host;
    const char *port;
};

enum { MEMCACHED_SERVERS_MOST = 64 };

struct memcached_config {
    struct memcached_address servers[MEMCACHED_SERVERS_MOST];
    size_t count;
    char *text; /* what the others point into */
};

/* @return NULL, or what is wrong and what would be right. */
const char *memcached_config_read(struct memcached_config *config, const char *text);
void memcached_config_free(struct memcached_config *config);

/* A prefix of keys: NULL, or what is wrong with it. */
const char *prefix_check(const char *prefix);

#endif
