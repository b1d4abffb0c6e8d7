/* SPDX-License-Identifier: MIT */
#ifndef SES_MYSQL_TALK_H
#define SES_MYSQL_TALK_H

#include "shared/deadline.h"

#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The calls of the client library that talk to the server, in their form that does not block. Each
 * waits up to the deadline. When that passes, the connection is cut off, and the call ends with an
 * error as it does when the server goes away.
 */
/* The socket once more, for another thread to shut it down: the library closes its own at any time.
 */
struct talk_socket {
    pthread_mutex_t mutex;
    int fd; /* -1: none yet */
};

struct talk {
    MYSQL *mysql;
    struct deadline deadline;
    int64_t read_ms, write_ms; /* for each wait; 0: no limit but the deadline */
    bool tls;
    atomic_bool at_work;
    int fd; /* once it is connected */
    ino_t inode;
    struct talk_socket *socket; /* NULL, or where it is kept while connecting */
    bool late;                  /* the deadline has passed: of no more use than to be closed */
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

void talk_forget(struct talk *talk, MYSQL_STMT *statement);

/* Says goodbye to the server, unless it is late, and frees everything. */
void talk_close(struct talk *talk);

/* The same without a byte to the server: another process goes on with the connection. If a thread
 * of that was at work on it, what the library holds is as that thread left it, and is let be.
 * @return whether it was freed. */
bool talk_close_copy(struct talk *talk);

/* Around all that the library does with a connection or its statements. */
static inline void talk_work(struct talk *talk, bool is_at_work)
{
    atomic_store(&talk->at_work, is_at_work);
}

/* Is it open, with nothing to be read? */
bool talk_is_quiet(const struct talk *talk);

#endif
