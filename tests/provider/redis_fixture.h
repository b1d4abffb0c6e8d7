/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_REDIS_FIXTURE_H
#define SES_TEST_PROVIDER_REDIS_FIXTURE_H

#include "redis/state.h"
#include "support/server.h"

/* Servers of Redis for the tests of its provider. */

extern const struct ses_provider_ops ses_provider_redis;

/* Starts one on a unix socket and a port, with further words of its command line; keeps nothing on
 * disk unless these say so. */
void redis_start(struct server *server, const char *const *more);
bool redis_answers(const struct server *server);

/* "unix://..." or "redis://127.0.0.1:port", with parameters. */
enum { URL_ROOM = 300 };
char *redis_unix_url(const struct server *server, const char *parameters, char url[URL_ROOM]);
char *redis_tcp_url(const struct server *server, const char *parameters, char url[URL_ROOM]);

/* The settings as they are without any. */
void redis_settings(void *instance);

/* Says one command of plain words to the server, and hands over its reply. */
redisReply *redis_say(const struct server *server, const char *command);

#endif
