/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_REDIS_SENTINELS_H
#define SES_TEST_PROVIDER_REDIS_SENTINELS_H

#include "provider/redis_fixture.h"

/* A master with two replicas, and three sentinels that watch it as "mymaster". */
enum { SENTINELS = 3, WATCHED = 3 };

struct watched {
    struct server servers[WATCHED]; /* the first is master at first */
    struct server sentinels[SENTINELS];
};

void watched_start(struct watched *watched);
void watched_stop(struct watched *watched);

/* "sentinel://..." of all three. */
char *watched_url(const struct watched *watched, const char *parameters, char url[URL_ROOM]);

/* The port of the master that the first sentinel names. */
int watched_master(const struct watched *watched);

/* Does the server have so many replicas that are up to date? */
bool has_replicas(const struct server *server, int count);

#endif
