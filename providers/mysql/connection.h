/* SPDX-License-Identifier: MIT */
#ifndef SES_MYSQL_CONNECTION_H
#define SES_MYSQL_CONNECTION_H

#include "mysql/state.h"
#include "mysql/talk.h"

/* One connection to the server, as struct sql_dialect asks for it. */

struct mysql_statement {
    MYSQL_STMT *handle; /* NULL: not prepared */
    int columns;
    enum sql_type types[SQL_COLUMNS_MOST];
};

/* Where the bytes of a column come to lie. */
struct mysql_room {
    unsigned char *bytes;
    size_t size;
};

struct mysql_connection {
    struct sql_connection base; /* first */
    struct talk talk;
    struct mysql_statement statements[SQL_STATEMENTS];
    struct mysql_room rooms[SQL_COLUMNS_MOST];
    uint64_t packet_most; /* bytes that the server takes at once */
    bool user_locked;     /* by SQL_LOCK_USER */
    bool patient;         /* its time-outs are those of somebody who makes tables */
    int broken;           /* what every call answers, until it is closed */
    int socket_flags;     /* of one that is borrowed, as they were */
};

/* The client library's own beginning. */
bool mysql_provider_begin(void);

struct sql_connection *mysql_provider_connect(struct sql *sql, struct deadline deadline, char *why,
                                              size_t why_size);
bool mysql_provider_is_usable(struct sql_connection *connection);
void mysql_provider_close(struct sql_connection *connection);
void mysql_provider_close_copy(struct sql_connection *connection);
int mysql_provider_ask(struct sql_connection *connection, const char *text,
                       struct deadline deadline, int64_t *ret_number);

/* ---- borrow.c ---- */

int mysql_provider_borrow(struct sql *sql, void *connection,
                          struct sql_connection **ret_connection);
void mysql_provider_give_back(struct sql_connection *connection);

/* ---- statement.c ---- */

int mysql_provider_run(struct sql_connection *connection, struct sql_call *call);
int mysql_provider_prepare(struct sql_connection *connection, enum sql_statement statement);

/* ---- error.c ---- */

/* The code of what went wrong last, with a line in why; a connection that is lost is broken then.
 */
int mysql_provider_fail(struct mysql_connection *c);
int mysql_provider_fail_statement(struct mysql_connection *c, MYSQL_STMT *handle);

#endif
