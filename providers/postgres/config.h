/* SPDX-License-Identifier: MIT */
#ifndef SES_POSTGRES_CONFIG_H
#define SES_POSTGRES_CONFIG_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

/* "ProviderConfig": a URL or the words of libpq. What libpq would find out only while connecting is
 * checked here. */

enum { POSTGRES_HOSTS_MOST = 16, POSTGRES_PROBLEM_ROOM = 240 };

/* In the order in which to try; "": libpq's default. */
struct postgres_host {
    const char *name; /* or the folder of a unix socket */
    const char *address;
    const char *port;
};

struct postgres_config {
    PQconninfoOption *options; /* as given; those of the hosts are below */
    char *lists[3];
    struct postgres_host hosts[POSTGRES_HOSTS_MOST];
    size_t host_count;
    int64_t connect_ms; /* for each host; 0: no limit of its own */
    char problem[POSTGRES_PROBLEM_ROOM];
};

/* @return NULL, or what is wrong, for a log line: nothing in it may be a password. */
const char *postgres_config_read(struct postgres_config *config, const char *text);
void postgres_config_free(struct postgres_config *config); /* accepts one that was never read */

/* NULL: not given. */
const char *postgres_config_option(const struct postgres_config *config, const char *name);

#endif
