/* SPDX-License-Identifier: MIT */
#ifndef SES_MYSQL_TALK_H
#define SES_MYSQL_TALK_H

#include "shared/deadline.h"

#include <mysql.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The calls of the client library that talk to the server, in their form that does not block. Each
 * waits up to the deadline. When that passes, the connection is cut off, and the call ends with an
 * error as it does when the server goes away.
 */
struct talk {
    MYSQL *mysql;
    struct deadline deadline;
    int64_t read_ms, write_ms; /* for each wait; 0: no limit but the deadline */
    bool tls;
    bool late; /* the deadline has passed: of no more use than to be closed */
};

struct talk_place {
    const char *host, *path; /* either, and */
    unsigned port;
    const char *user, *password, *database;
};

/* @p lock is held while the library works, and not while it waits; NULL: none. */
bool talk_connect(struct talk *talk, const struct talk_place *place, pthread_mutex_t *lock);

/* All answer false for an error: of the connection's mysql_errno(), or the statement's. */
bool talk_query(struct talk *talk, const char *text);
MYSQL_RES *talk_result(struct talk *talk); /* all rows */
bool talk_prepare(struct talk *talk, MYSQL_STMT *statement, const char *text);
bool talk_execute(struct talk *talk, MYSQL_STMT *statement);
bool talk_store(struct talk *talk, MYSQL_STMT *statement); /* all rows */

/* Says goodbye to the server, unless it is late, and frees everything. */
void talk_close(struct talk *talk);

/* The same without a byte to the server: another process goes on with the connection. */
void talk_close_copy(struct talk *talk);

/* Is it open, with nothing to be read? */
bool talk_is_quiet(const struct talk *talk);

#endif
