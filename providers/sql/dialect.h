/* SPDX-License-Identifier: MIT */
#ifndef SES_SQL_DIALECT_H
#define SES_SQL_DIALECT_H

#include "shared/pool.h"

#include <sesame/ext/provider.h>

/*
 * What a database has of its own: its statements as text, and how a connection runs one. Values
 * reach a statement only as bound parameters; the one thing that is put into its text is the prefix
 * of the tables, which is checked first (schema.h).
 */

struct sql;

/* Of a statement, beside the codes of a provider: its transaction was undone by the database, which
 * found a deadlock or could not put it in order with others. It may be tried again at once. */
enum { SQL_AGAIN = -1000 };

enum sql_type { SQL_NOTHING, SQL_NUMBER, SQL_BYTES, SQL_OTHER };

/* A parameter, or a column of a row; bytes are borrowed. */
struct sql_value {
    enum sql_type type;
    int64_t number;
    struct ses_slice bytes;
};

static inline struct sql_value sql_number(int64_t number)
{
    return (struct sql_value){ .type = SQL_NUMBER, .number = number };
}

static inline struct sql_value sql_bytes(struct ses_slice bytes)
{
    return (struct sql_value){ .type = SQL_BYTES, .bytes = bytes };
}

static inline struct sql_value sql_key(const struct ses_key *key)
{
    return sql_bytes((struct ses_slice){ key->bytes, sizeof key->bytes });
}

static inline struct sql_value sql_nothing(void)
{
    return (struct sql_value){ .type = SQL_NOTHING };
}

/*
 * The statements, with their parameters in order. In their texts "@" stands for the tables' prefix.
 * "Optional": its text may be NULL, and then nothing is run in its place.
 * ROW: version, expires, kind, checksum, record. ALIVE: expires > now, and a session or token.
 */
enum sql_statement {
    SQL_BEGIN, /* a transaction that writes */
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_LOAD,         /* key; a ROW */
    SQL_LOAD_LOCKED,  /* the same as it is now, until the transaction ends; optional */
    SQL_INSERT,       /* key, version, expires, kind, checksum, record, user, now: changes 1 row, or
                         none where one is alive */
    SQL_SAVE,         /* version, expires, kind, checksum, record, key, expected version, now */
    SQL_END,          /* the same, and the user is forgotten */
    SQL_TOUCH,        /* expires, key, expected version, now; never back */
    SQL_DESTROY,      /* key */
    SQL_LOCK_USER,    /* user: none else counts these and adds one until the transaction ends;
                         optional */
    SQL_COUNT_USER,   /* user, now: how many are ALIVE */
    SQL_LIST,         /* user, now: ROW and key of those that are ALIVE */
    SQL_PAGE,         /* key, now, most: the same of all, by key, from after that one */
    SQL_COUNT,        /* now: sessions alone */
    SQL_COLLECT_LOCK, /* a number: 1, none else collects now; optional */
    SQL_COLLECT,      /* now, most: removes what has expired */
    SQL_COLLECT_UNLOCK, /* optional */
    SQL_PING,
    SQL_STATEMENTS
};

/* Not SES_OK ends the statement, and is its code. */
typedef int sql_row_fn(void *arg, const struct sql_value *columns);
enum { SQL_COLUMNS_MOST = 6 };

struct sql_call {
    enum sql_statement statement;
    const struct sql_value *values;
    int count;
    sql_row_fn *fn; /* called for each row; NULL: there are none, or nobody asks */
    void *arg;
    bool one_row; /* there is no second one to be looked for */
    struct deadline deadline;
    uint64_t changed; /* filled in: rows */
};

/* One version of the tables to the next: statements, ended by NULL. */
struct sql_step {
    const char *const *texts;
};

enum { SQL_WHY_ROOM = 200 };

struct sql_connection {
    struct pooled pooled; /* first */
    struct sql *sql;
    char why[SQL_WHY_ROOM]; /* what went wrong last, for a log line */
    bool answered;          /* SES_ERR_UNAVAILABLE, by the server's own word: it is there */
};

struct sql_dialect {
    const char *texts[SQL_STATEMENTS];
    bool one_writer; /* it has one at a time anyway: they queue up for a connection of their own */

    const char *table_exists;     /* a query of one number: is there the table @schema? */
    const char *schema_lock;      /* a query of one number: 1, none else makes tables; or NULL */
    const char *schema_unlock;    /* a query, with a lock */
    const struct sql_step *steps; /* to version 1, to version 2, ... */
    bool steps_by_piece;          /* one that was cut off has to be begun again */
    int version;                  /* how many there are */

    struct sql_connection *(*open)(struct sql *sql, struct deadline deadline, char *why,
                                   size_t why_size);
    bool (*is_usable)(struct sql_connection *connection); /* after it was idle; NULL: always */
    void (*close)(struct sql_connection *connection);
    void (*close_copy)(struct sql_connection *connection);        /* see shared/pool.h */
    void (*close_before_fork)(struct sql_connection *connection); /* see shared/pool.h */

    /* Runs a statement of the set, prepared at its first use. SES_OK, SQL_AGAIN or a failure's
     * code, with a line in why; it never waits beyond the deadline. */
    int (*run)(struct sql_connection *connection, struct sql_call *call);

    /* A connection of the application's as one of ours, for a call; both NULL: none is taken.
     * SES_ERR_INVALID: it has no transaction open. What is prepared on it is gone afterwards. */
    int (*borrow)(struct sql *sql, void *connection, struct sql_connection **ret_connection);
    void (*give_back)(struct sql_connection *connection);

    /* Both answer SES_ERR_INVALID where the database does not understand the statement. */
    int (*prepare)(struct sql_connection *connection, enum sql_statement statement);
    /* Runs a text of the schema; the first number of its first row, if any. */
    int (*ask)(struct sql_connection *connection, const char *text, struct deadline deadline,
               int64_t *ret_number);
};

#endif
