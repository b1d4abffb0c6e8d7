/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_MYSQL_FIXTURE_H
#define SES_TEST_PROVIDER_MYSQL_FIXTURE_H

#include "mysql/state.h"
#include "provider/sql_shop.h"
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

int mysql_shop_open(struct sql_shop *shop, const char *dsn, void (*settings)(void *instance));

/* The server's owner, in that database or none; what it says must succeed. */
MYSQL *mysql_guest(const struct server *server, const char *database);
void mysql_guest_end(MYSQL *guest);
void mysql_say(MYSQL *guest, const char *text);
int64_t mysql_number(MYSQL *guest, const char *text); /* the first of its answer */

/* Both at once, in the database "site". */
void mysql_command(const struct server *server, const char *text);
int64_t mysql_question(const struct server *server, const char *text);

#endif
