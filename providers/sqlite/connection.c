/* SPDX-License-Identifier: MIT */
#include "sqlite/connection.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_EVERY_STEPS = 5000, /* of SQLite's machine, whether the deadline has passed */
    WAL_MOST_BYTES = 67108864,
    PAGES_FOR_ENDINGS = 64, /* beyond the limit, for those who log out */
};

struct connection {
    struct sql_connection base; /* first */
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_STATEMENTS];
    struct deadline deadline;
    int64_t pages_most; /* 0: no limit */
    int broken; /* why it could not be opened: what every call answers, until it is closed */
};

/* ---- failures ---- */

static int code_of(int error)
{
    switch (error & 0xff) {
    case SQLITE_FULL:
        return SES_ERR_FULL;
    case SQLITE_TOOBIG:
        return SES_ERR_TOO_LARGE;
    case SQLITE_NOMEM:
        return SES_ERR_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* of a table that somebody changed */
    case SQLITE_MISMATCH:
        return SES_ERR_CORRUPT;
    case SQLITE_ERROR:
        return SES_ERR_INVALID;
    default:
        return SES_ERR_UNAVAILABLE;
    }
}

/* SQLite's messages name tables and columns, and no values. */
static int fail(struct connection *c, int error)
{
    const char *text = error == SQLITE_INTERRUPT ? "took too long" : sqlite3_errmsg(c->db);
    (void)snprintf(c->base.why, sizeof c->base.why, "%s", text);
    return code_of(error);
}

/* ---- waiting ---- */

/* Other processes write in between: each holds the lock for less than a millisecond. */
static int on_busy(void *arg, int times)
{
    const struct connection *c = arg;
    if (deadline_passed(c->deadline))
        return 0;
    const long us = times < 5 ? 50L << times : 1000;
    const struct timespec nap = { .tv_nsec = us * 1000 };
    (void)nanosleep(&nap, NULL);
    return 1;
}

static int on_progress(void *arg)
{
    const struct connection *c = arg;
    return deadline_passed(c->deadline);
}

/* ---- life time ---- */

static int say(struct connection *c, const char *text)
{
    int r;
    do {
        r = sqlite3_exec(c->db, text, NULL, NULL, NULL);
        /* Changing the journal's mode does not ask on_busy(). */
    } while ((r & 0xff) == SQLITE_BUSY && on_busy(c, 5));
    return r;
}

static int settle(struct connection *c, const struct sqlite_store *store)
{
    char text[240];
    (void)sqlite3_extended_result_codes(c->db, 1);
    (void)sqlite3_busy_handler(c->db, on_busy, c);
    sqlite3_progress_handler(c->db, LOOK_EVERY_STEPS, on_progress, c);
    (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)snprintf(text, sizeof text,
                   "PRAGMA journal_mode = WAL; "
                   "PRAGMA synchronous = %d; PRAGMA journal_size_limit = %d; "
                   "PRAGMA secure_delete = FAST",
                   store->durability, WAL_MOST_BYTES);
    return say(c, text);
}

static int64_t first_number(struct connection *c, const char *text)
{
    int64_t number = 0;
    return sqlite_provider_ask(&c->base, text, c->deadline, &number) == SES_OK ? number : 0;
}

static void set_limit(struct connection *c, int64_t pages)
{
    char text[64];
    (void)snprintf(text, sizeof text, "PRAGMA max_page_count = %lld", (long long)pages);
    (void)sqlite3_exec(c->db, text, NULL, NULL, NULL);
}

static void limit(struct connection *c, const struct sqlite_store *store)
{
    const int64_t page = store->max_bytes > 0 ? first_number(c, "PRAGMA page_size") : 0;
    if (page <= 0)
        return;
    c->pages_most = store->max_bytes / page > 0 ? store->max_bytes / page : 1;
    set_limit(c, c->pages_most);
}

static int open_file(struct connection *c, const struct sqlite_store *store)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int r = sqlite3_open_v2(store->path, &c->db, flags, NULL);
    if (r == SQLITE_OK)
        r = settle(c, store);
    if (r == SQLITE_OK && sqlite3_db_readonly(c->db, "main"))
        r = SQLITE_READONLY;
    if (r == SQLITE_OK)
        limit(c, store);
    return r;
}

/* Whoever uses it is to learn more than that it could not be had: a file may be damaged. */
struct sql_connection *sqlite_provider_connect(struct sql *sql, struct deadline deadline, char *why,
                                               size_t why_size)
{
    const struct sqlite_store *store = (const struct sqlite_store *)sql;
    struct connection *c = calloc(1, sizeof *c);
    if (!c) {
        (void)snprintf(why, why_size, "out of memory");
        return NULL;
    }
    c->deadline = deadline;
    const int r = open_file(c, store);
    if (r != SQLITE_OK) {
        c->broken = code_of(r);
        (void)snprintf(c->base.why, sizeof c->base.why, "%.120s: %s", store->path,
                       r == SQLITE_READONLY ? "may not be written" : sqlite3_errstr(r));
    }
    return &c->base;
}

void sqlite_provider_close(struct sql_connection *connection)
{
    struct connection *c = (struct connection *)connection;
    for (int i = 0; i < SQL_STATEMENTS; i++)
        (void)sqlite3_finalize(c->statements[i]);
    (void)sqlite3_close_v2(c->db);
    free(c);
}

/* The last to close would write the log into the database, which nobody who forks waits for. */
void sqlite_provider_close_before_fork(struct sql_connection *connection)
{
    const struct connection *c = (const struct connection *)connection;
    (void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite_provider_close(connection);
}

/* ---- statements ---- */

int sqlite_provider_prepare(struct sql_connection *connection, enum sql_statement statement)
{
    struct connection *c = (struct connection *)connection;
    if (c->statements[statement] || c->broken)
        return c->broken;
    const int r = sqlite3_prepare_v3(c->db, c->base.sql->texts[statement], -1,
                                     SQLITE_PREPARE_PERSISTENT, &c->statements[statement], NULL);
    return r == SQLITE_OK ? SES_OK : fail(c, r);
}

static int bind(sqlite3_stmt *statement, int at, const struct sql_value *value)
{
    switch (value->type) {
    case SQL_NUMBER:
        return sqlite3_bind_int64(statement, at, value->number);
    case SQL_BYTES: /* NULL as an address would be NULL as a value */
        return sqlite3_bind_blob64(statement, at, value->bytes.len ? value->bytes.data : "",
                                   value->bytes.len, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(statement, at);
    }
}

static void read_column(sqlite3_stmt *statement, int at, struct sql_value *value)
{
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER:
        *value = sql_number(sqlite3_column_int64(statement, at));
        break;
    case SQLITE_BLOB:
        value->type = SQL_BYTES;
        value->bytes.data = sqlite3_column_blob(statement, at); /* before its length is asked */
        value->bytes.len = (size_t)sqlite3_column_bytes(statement, at);
        break;
    default:
        value->type = SQL_OTHER;
    }
}

static int read_row(sqlite3_stmt *statement, const struct sql_call *call)
{
    struct sql_value columns[SQL_COLUMNS_MOST];
    const int count = sqlite3_data_count(statement);
    for (int i = 0; i < count && i < SQL_COLUMNS_MOST; i++)
        read_column(statement, i, &columns[i]);
    return call->fn(call->arg, columns);
}

/* SES_OK: all rows were read, or there is only one to be. */
static int read_rows(struct connection *c, sqlite3_stmt *statement, const struct sql_call *call)
{
    int r;
    while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
        const int code = call->fn ? read_row(statement, call) : SES_OK;
        if (code != SES_OK || call->one_row)
            return code;
    }
    return r == SQLITE_DONE ? SES_OK : fail(c, r);
}

static int step(struct connection *c, sqlite3_stmt *statement, const struct sql_call *call)
{
    int r = SQLITE_OK;
    for (int i = 0; r == SQLITE_OK && i < call->count; i++)
        r = bind(statement, i + 1, &call->values[i]);
    const int code = r == SQLITE_OK ? read_rows(c, statement, call) : fail(c, r);
    (void)sqlite3_reset(statement);
    return code;
}

/* A log-out finds room where nothing else does. */
static bool may_use_the_reserve(const struct connection *c, enum sql_statement statement)
{
    return c->pages_most > 0 && (statement == SQL_END || statement == SQL_DESTROY);
}

static int run(struct connection *c, struct sql_call *call)
{
    sqlite3_stmt *statement = c->statements[call->statement];
    const bool reserve = may_use_the_reserve(c, call->statement);
    if (reserve)
        set_limit(c, c->pages_most + PAGES_FOR_ENDINGS);
    const int r = step(c, statement, call);
    call->changed = r == SES_OK ? (uint64_t)sqlite3_changes(c->db) : 0;
    if (reserve)
        set_limit(c, c->pages_most);
    return r;
}

int sqlite_provider_run(struct sql_connection *connection, struct sql_call *call)
{
    struct connection *c = (struct connection *)connection;
    c->deadline = call->deadline;
    if (!c->broken && call->statement == SQL_ROLLBACK && sqlite3_get_autocommit(c->db))
        return SES_OK; /* it was, by what went wrong */
    int r = sqlite_provider_prepare(connection, call->statement);
    if (r == SES_OK)
        r = run(c, call);
    return r == SES_ERR_INVALID ? SES_ERR_UNAVAILABLE : r; /* tables that are gone */
}

int sqlite_provider_ask(struct sql_connection *connection, const char *text,
                        struct deadline deadline, int64_t *ret_number)
{
    struct connection *c = (struct connection *)connection;
    sqlite3_stmt *statement = NULL;
    c->deadline = deadline;
    if (c->broken)
        return c->broken;
    int r = sqlite3_prepare_v2(c->db, text, -1, &statement, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_step(statement);
    if (r == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
        r = SQLITE_DONE;
    }
    const int code = r == SQLITE_DONE ? SES_OK : fail(c, r);
    (void)sqlite3_finalize(statement);
    return code;
}
