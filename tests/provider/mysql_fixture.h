/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_MYSQL_FIXTURE_H
#define SES_TEST_PROVIDER_MYSQL_FIXTURE_H

#include "mysql/state.h"
#include "provider/fixture.h"
#include "support/server.h"

#include <mysql.h>

/* Servers of MariaDB for the tests of its provider. */

extern const struct ses_provider_ops ses_provider_mysql;

/* Starts one on a unix socket and a port, with a database "site" that the user "site" may do all
 * in, and further words of its command line. The client library is not used for that. */
#define MYSQL_PASSWORD "pa:s@s/w'rd"
void mysql_start(struct server *server, const char *const *more);
bool mysql_answers(const struct server *server);

/* "site:password@unix(/path)/site?parameters" or tcp(127.0.0.1:port). */
enum { DSN_ROOM = 400 };
char *mysql_unix_dsn(const struct server *server, const char *parameters, char dsn[DSN_ROOM]);
char *mysql_tcp_dsn(int port, const char *parameters, char dsn[DSN_ROOM]);
char *mysql_socket(const struct server *server, char path[SERVER_PATH_ROOM]);

/* The settings as they are without any, but that a missing table is made. */
void mysql_settings_of(void *instance);

/* A fixture (provider/fixture.h) whose store is opened with that text, and what it tells. */
struct mysql_shop {
    struct fixture f; /* first */
    struct ses_conformance subject;
    atomic_int lost, back; /* how often the store was found so */
    atomic_int lines;
    pthread_mutex_t mutex;
    char told[512];    /* the last line of the log */
    char all[1 << 14]; /* the first ones */
};

/* NULL as settings: mysql_settings_of. @return the code of opening; on failure no store. */
int mysql_shop_open(struct mysql_shop *shop, const char *dsn, void (*settings)(void *instance));
int mysql_shop_open_as(struct mysql_shop *shop, const struct ses_provider_ops *ops, const char *dsn,
                       void (*settings)(void *instance));
void mysql_shop_close(struct mysql_shop *shop);

/* The server's owner, in that database or none; what it says must succeed. */
MYSQL *mysql_guest(const struct server *server, const char *database);
void mysql_guest_end(MYSQL *guest);
void mysql_say(MYSQL *guest, const char *text);
int64_t mysql_number(MYSQL *guest, const char *text); /* the first of its answer */

/* Both at once, in the database "site". */
void mysql_command(const struct server *server, const char *text);
int64_t mysql_question(const struct server *server, const char *text);

#endif
