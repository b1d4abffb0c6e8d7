/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_REDIS_FIXTURE_H
#define SES_TEST_PROVIDER_REDIS_FIXTURE_H

#include "provider/fixture.h"
#include "redis/state.h"
#include "support/server.h"

/* Servers of Redis for the tests of its provider. */

extern const struct ses_provider_ops ses_provider_redis;

/* Starts one on a unix socket and a port, with further words of its command line; keeps nothing on
 * disk unless these say so. */
void redis_start(struct server *server, const char *const *more);
bool redis_answers(const struct server *server);

/* "unix://..." or "redis://127.0.0.1:port", with parameters. */
enum { URL_ROOM = 600 };
char *redis_unix_url(const struct server *server, const char *parameters, char url[URL_ROOM]);
char *redis_tcp_url(const struct server *server, const char *parameters, char url[URL_ROOM]);

/* The settings as they are without any. */
void redis_settings(void *instance);
void redis_patient_settings(
    void *instance); /* nothing is about time: a busy machine may stand still */

/* A fixture (provider/fixture.h) whose store is opened with that text, and what it tells. */
struct redis_shop {
    struct fixture f;       /* first */
    _Atomic int lost, back; /* how often the store was found so */
    pthread_mutex_t mutex;
    char told[512];    /* the last line of the log */
    char all[1 << 16]; /* the first ones */
};

/* @return the code of opening; on failure there is no store. */
int shop_open(struct redis_shop *shop, const char *config);
void shop_close(struct redis_shop *shop);

/* Says one command of plain words to the server, and hands over its reply. */
redisReply *redis_say(const struct server *server, const char *command);

#endif
