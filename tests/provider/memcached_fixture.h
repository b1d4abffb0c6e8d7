/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_MEMCACHED_FIXTURE_H
#define SES_TEST_PROVIDER_MEMCACHED_FIXTURE_H

#include "memcached/state.h"
#include "provider/fixture.h"
#include "support/server.h"

/* Servers of memcached for the tests of its provider. */

extern const struct ses_provider_ops ses_provider_memcached;

/* Starts one on a unix socket in its folder, or on its port, with further words of its command
 * line. */
void memcached_start(struct server *server, const char *const *more);
void memcached_start_tcp(struct server *server, const char *const *more);
bool memcached_answers(const struct server *server);
char *memcached_socket(const struct server *server, char path[SERVER_PATH_ROOM]);

/* "unix:/path" */
enum { CONFIG_ROOM = 600 };
char *memcached_config_of(const struct server *server, char config[CONFIG_ROOM]);

/* The settings as they are without any. */
void memcached_settings(void *instance);
void memcached_patient_settings(
    void *instance); /* nothing is about time: a busy machine may stand still */

/* A fixture (provider/fixture.h) whose store is opened with that text, and what it tells. */
struct memcached_shop {
    struct fixture f;       /* first */
    _Atomic int lost, back; /* how often the store was found so */
    pthread_mutex_t mutex;
    int lines;         /* of the log */
    char told[512];    /* the last one */
    char all[1 << 16]; /* the first ones */
};

/* What differs from the default; zero: nothing does. */
struct memcached_tuning {
    int64_t budget_ms, pool_size;
    const char *key_prefix;
};

/* @return the code of opening; on failure there is no store. */
int shop_open(struct memcached_shop *shop, const char *config,
              const struct memcached_tuning *tuning);
void shop_close(struct memcached_shop *shop);

/* Says one command to the server, past the provider, and hands over the first bytes of its answer.
 * @return how many. */
size_t memcached_say(const struct server *server, const char *command, char *answer, size_t room);

/* The name of the item of that key, with the default prefix. */
enum { ITEM_NAME_ROOM = 80 };
char *item_name(const struct ses_key *key, char name[ITEM_NAME_ROOM]);

#endif
