/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_POSTGRES_FIXTURE_H
#define SES_TEST_PROVIDER_POSTGRES_FIXTURE_H

#include "postgres/state.h"
#include "provider/sql_shop.h"
#include "support/server.h"

#include <libpq-fe.h>

/* Servers of PostgreSQL for the tests of its provider. As root they run as the user nobody. */

extern const struct ses_provider_ops ses_provider_postgres;

/* The user is "postgres". Its socket asks for no password, its port for this one. */
#define POSTGRES_PASSWORD     "it's \\ 100%"
#define POSTGRES_PASSWORD_URL "it%27s%20%5C%20100%25"

/* Starts one with further words of its command line ("-c", "name=value"); keeps nothing back for a
 * crash of the machine. */
void postgres_start(struct server *server, const char *const *more);

/* A standby of that one. */
void postgres_start_replica(struct server *server, const struct server *primary);
bool postgres_answers(const struct server *server);

/* The server and all of its processes: it forks one for each connection. */
void postgres_kill(struct server *server);
void postgres_restart(struct server *server); /* after a kill */
void postgres_freeze(struct server *server);
void postgres_thaw(struct server *server);

/* The words that lead to its socket, and those that lead to its port; with more. */
enum { WORDS_ROOM = 600 };
char *postgres_words(const struct server *server, const char *more, char text[WORDS_ROOM]);
char *postgres_port_words(const struct server *server, const char *more, char text[WORDS_ROOM]);
char *postgres_socket(const struct server *server, char path[SERVER_PATH_ROOM]);

int postgres_open(struct sql_shop *shop, const char *config, void (*settings)(void *instance));

/* Somebody else's connection to it; what it says must succeed. */
PGconn *postgres_guest(const struct server *server, const char *more);
void postgres_say(PGconn *guest, const char *text);
int64_t postgres_number(PGconn *guest, const char *text); /* the first of its answer */
void postgres_text(PGconn *guest, const char *text, char *answer, size_t size);

/* For one thing to say. */
void postgres_tell(const struct server *server, const char *text);
int64_t postgres_ask_number(const struct server *server, const char *text);

#endif
