/* SPDX-License-Identifier: MIT */
/* Statements: prepared once, bound, run, and their rows read. */
#include "mysql/connection.h"

#include "sql/job.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUES_MOST = 8, ROOM_LEAST = 1024, PACKET_HEAD = 1024 };

/* ---- preparing ---- */

static enum sql_type type_of(const MYSQL_FIELD *field)
{
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        return SQL_NUMBER;
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
        return field->flags & BINARY_FLAG ? SQL_BYTES : SQL_OTHER;
    default:
        return SQL_OTHER;
    }
}

/* What the statements rely on, and the server would not say. */
static bool is_as_it_should_be(const MYSQL_FIELD *field, enum sql_type type)
{
    const bool is_key = strcmp(field->org_name, "key") == 0;
    const bool may_be_null = !field->org_table_length || field->flags & NOT_NULL_FLAG;
    return type != SQL_OTHER && may_be_null &&
           (!is_key || field->flags & (PRI_KEY_FLAG | UNIQUE_KEY_FLAG));
}

static int read_columns(struct mysql_connection *c, struct mysql_statement *statement)
{
    MYSQL_RES *result = mysql_stmt_result_metadata(statement->handle);
    int r = SES_OK;
    statement->columns = result ? (int)mysql_num_fields(result) : 0;
    for (int i = 0; i < statement->columns && i < SQL_COLUMNS_MOST; i++) {
        const MYSQL_FIELD *field = mysql_fetch_field_direct(result, (unsigned)i);
        statement->types[i] = type_of(field);
        if (r == SES_OK && !is_as_it_should_be(field, statement->types[i])) {
            (void)snprintf(c->base.why, sizeof c->base.why, "its column \"%.60s\" is another",
                           field->name);
            r = SES_ERR_INVALID;
        }
    }
    if (result)
        mysql_free_result(result);
    return r;
}

static void forget(struct mysql_connection *c, struct mysql_statement *statement)
{
    talk_forget(&c->talk, statement->handle);
    *statement = (struct mysql_statement){ 0 };
}

static int prepare(struct mysql_connection *c, enum sql_statement which)
{
    struct mysql_statement *statement = &c->statements[which];
    statement->handle = mysql_stmt_init(c->talk.mysql);
    if (!statement->handle)
        return mysql_provider_fail(c);
    int r = talk_prepare(&c->talk, statement->handle, c->base.sql->texts[which])
                ? read_columns(c, statement)
                : mysql_provider_fail_statement(c, statement->handle);
    if (r == SES_OK && (mysql_stmt_param_count(statement->handle) > VALUES_MOST ||
                        statement->columns > SQL_COLUMNS_MOST))
        r = SES_ERR_INVALID;
    if (r < 0 && !c->broken)
        forget(c, statement);
    return r;
}

/* These are never prepared: not every server can. */
static bool is_plain(enum sql_statement which)
{
    return which == SQL_BEGIN || which == SQL_COMMIT || which == SQL_ROLLBACK;
}

static int prepare_once(struct mysql_connection *c, enum sql_statement which)
{
    if (c->broken)
        return c->broken;
    return c->statements[which].handle || is_plain(which) ? SES_OK : prepare(c, which);
}

/* At start: the deadline is that of the call before. */
int mysql_provider_prepare(struct sql_connection *connection, enum sql_statement statement)
{
    struct mysql_connection *c = (struct mysql_connection *)connection;
    talk_work(&c->talk, true);
    const int r = prepare_once(c, statement);
    talk_work(&c->talk, false);
    return r;
}

/* ---- binding ---- */

static void bind_value(MYSQL_BIND *bind, const struct sql_value *value)
{
    switch (value->type) {
    case SQL_NUMBER:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = (void *)&value->number;
        break;
    case SQL_BYTES:
        bind->buffer_type = MYSQL_TYPE_BLOB;
        bind->buffer = value->bytes.len ? (void *)value->bytes.data : (void *)"";
        bind->buffer_length = value->bytes.len;
        break;
    default:
        bind->buffer_type = MYSQL_TYPE_NULL;
    }
}

/* What is larger than the server takes at once would end the connection. */
static bool fits(const struct mysql_connection *c, const struct sql_call *call)
{
    uint64_t size = PACKET_HEAD;
    for (int i = 0; i < call->count; i++)
        size += call->values[i].bytes.len;
    return size <= c->packet_most;
}

static int execute(struct mysql_connection *c, MYSQL_STMT *handle, const struct sql_call *call)
{
    MYSQL_BIND binds[VALUES_MOST] = { { 0 } };
    if (mysql_stmt_param_count(handle) != (unsigned long)call->count)
        return SES_ERR_INVALID;
    if (!fits(c, call)) {
        (void)snprintf(c->base.why, sizeof c->base.why,
                       "larger than the server's max_allowed_packet");
        return SES_ERR_TOO_LARGE;
    }
    for (int i = 0; i < call->count; i++)
        bind_value(&binds[i], &call->values[i]);
    if ((call->count > 0 && mysql_stmt_bind_param(handle, binds)) ||
        !talk_execute(&c->talk, handle))
        return mysql_provider_fail_statement(c, handle);
    return SES_OK;
}

/* ---- rows ---- */

struct row {
    MYSQL_BIND binds[SQL_COLUMNS_MOST];
    struct sql_value values[SQL_COLUMNS_MOST];
    unsigned long lengths[SQL_COLUMNS_MOST];
    my_bool nulls[SQL_COLUMNS_MOST];
    bool grown; /* to be bound anew, once all of a row has been read */
};

static bool make_room(struct mysql_room *room, size_t size)
{
    if (size <= room->size)
        return true;
    const size_t wanted = size > ROOM_LEAST ? size * 2 : ROOM_LEAST;
    unsigned char *bytes = realloc(room->bytes, wanted);
    if (!bytes)
        return false;
    room->bytes = bytes;
    room->size = wanted;
    return true;
}

static int out_of_memory(struct mysql_connection *c)
{
    (void)snprintf(c->base.why, sizeof c->base.why, "out of memory");
    return SES_ERR_NO_MEMORY;
}

/* For a start, with the room that there is. */
static void bind_bytes(MYSQL_BIND *bind, const struct mysql_room *room)
{
    static unsigned char nothing;
    bind->buffer_type = MYSQL_TYPE_BLOB;
    bind->buffer = room->bytes ? room->bytes : &nothing;
    bind->buffer_length = room->size;
}

static int bind_row(struct mysql_connection *c, const struct mysql_statement *statement,
                    struct row *row)
{
    for (int i = 0; i < statement->columns; i++) {
        MYSQL_BIND *bind = &row->binds[i];
        *bind = (MYSQL_BIND){ .length = &row->lengths[i], .is_null = &row->nulls[i] };
        bind_bytes(bind, &c->rooms[i]);
        if (statement->types[i] == SQL_NUMBER) {
            bind->buffer_type = MYSQL_TYPE_LONGLONG;
            bind->buffer = &row->values[i].number;
        }
    }
    return mysql_stmt_bind_result(statement->handle, row->binds)
               ? mysql_provider_fail_statement(c, statement->handle)
               : SES_OK;
}

/* A record that found too little room is read once more. */
static int read_bytes(struct mysql_connection *c, const struct mysql_statement *statement,
                      struct row *row, int i)
{
    if (row->lengths[i] > row->binds[i].buffer_length) {
        if (!make_room(&c->rooms[i], row->lengths[i]))
            return out_of_memory(c);
        row->binds[i].buffer = c->rooms[i].bytes;
        row->binds[i].buffer_length = c->rooms[i].size;
        row->grown = true;
        if (mysql_stmt_fetch_column(statement->handle, &row->binds[i], (unsigned)i, 0))
            return mysql_provider_fail_statement(c, statement->handle);
    }
    row->values[i].bytes = (struct ses_slice){ row->binds[i].buffer, row->lengths[i] };
    return SES_OK;
}

static int read_row(struct mysql_connection *c, const struct mysql_statement *statement,
                    struct row *row, const struct sql_call *call)
{
    int r = SES_OK;
    for (int i = 0; r == SES_OK && i < statement->columns; i++) {
        row->values[i].type = row->nulls[i] ? SQL_OTHER : statement->types[i];
        if (row->values[i].type == SQL_BYTES)
            r = read_bytes(c, statement, row, i);
    }
    if (r == SES_OK && row->grown && mysql_stmt_bind_result(statement->handle, row->binds))
        r = mysql_provider_fail_statement(c, statement->handle);
    row->grown = false;
    return r == SES_OK ? call->fn(call->arg, row->values) : r;
}

/* All rows are here: these calls talk to nobody. */
static int read_rows(struct mysql_connection *c, const struct mysql_statement *statement,
                     const struct sql_call *call)
{
    struct row row = { 0 };
    int r = bind_row(c, statement, &row);
    while (r == SES_OK) {
        const int fetched = mysql_stmt_fetch(statement->handle);
        if (fetched == MYSQL_NO_DATA)
            return SES_OK;
        r = fetched == 0 || fetched == MYSQL_DATA_TRUNCATED
                ? read_row(c, statement, &row, call)
                : mysql_provider_fail_statement(c, statement->handle);
        if (call->one_row)
            return r;
    }
    return r;
}

static int read_result(struct mysql_connection *c, const struct mysql_statement *statement,
                       const struct sql_call *call)
{
    if (statement->columns == 0)
        return SES_OK;
    if (!talk_store(&c->talk, statement->handle))
        return mysql_provider_fail_statement(c, statement->handle);
    const int r = call->fn ? read_rows(c, statement, call) : SES_OK;
    (void)mysql_stmt_free_result(statement->handle);
    return r;
}

/* ---- running ---- */

/* The server has forgotten it, or it has to be made anew because the table is another. */
static bool is_stale(MYSQL_STMT *handle)
{
    const unsigned error = mysql_stmt_errno(handle);
    return error == ER_UNKNOWN_STMT_HANDLER || error == ER_NEED_REPREPARE;
}

/* Where a row is alive, the statement would make its version NULL, and so changes nothing. */
static bool met_one_alive(const struct sql_call *call, MYSQL_STMT *handle)
{
    return call->statement == SQL_INSERT && mysql_stmt_errno(handle) == ER_BAD_NULL_ERROR;
}

static int run_prepared(struct mysql_connection *c, struct sql_call *call, bool again)
{
    struct mysql_statement *statement = &c->statements[call->statement];
    int r = prepare_once(c, call->statement);
    if (r < 0)
        return r;
    r = execute(c, statement->handle, call);
    if (r == SES_OK) {
        call->changed = mysql_stmt_affected_rows(statement->handle);
        return read_result(c, statement, call);
    }
    if (met_one_alive(call, statement->handle)) {
        c->base.why[0] = '\0';
        c->broken = SES_OK;
        return SES_OK;
    }
    if (again || c->talk.late || !is_stale(statement->handle))
        return r;
    c->base.why[0] = '\0';
    c->broken = SES_OK;
    forget(c, statement);
    return run_prepared(c, call, true);
}

static int run_plain(struct mysql_connection *c, enum sql_statement which)
{
    if (c->broken)
        return c->broken;
    return talk_query(&c->talk, c->base.sql->texts[which]) ? SES_OK : mysql_provider_fail(c);
}

/* A user's lock is the connection's, and would outlive the transaction. What cannot be said any
 * more ends with the connection. */
static int end_transaction(struct mysql_connection *c, enum sql_statement which)
{
    const int r = run_plain(c, which);
    if (c->user_locked && !c->broken && !talk_query(&c->talk, "DO RELEASE_ALL_LOCKS()"))
        c->broken = SES_ERR_UNAVAILABLE;
    c->user_locked = false;
    return r;
}

static int lock_user(struct mysql_connection *c, struct sql_call *call)
{
    int64_t mine = 0;
    struct sql_call question = *call;
    question.fn = sql_take_number;
    question.arg = &mine;
    const int r = run_prepared(c, &question, false);
    c->user_locked = c->user_locked || mine;
    return r == SES_OK && !mine ? SQL_AGAIN : r;
}

static int run(struct mysql_connection *c, struct sql_call *call)
{
    switch (call->statement) {
    case SQL_BEGIN:
        return run_plain(c, SQL_BEGIN);
    case SQL_COMMIT:
    case SQL_ROLLBACK:
        return end_transaction(c, call->statement);
    case SQL_LOCK_USER:
        return lock_user(c, call);
    default:
        return run_prepared(c, call, false);
    }
}

int mysql_provider_run(struct sql_connection *connection, struct sql_call *call)
{
    struct mysql_connection *c = (struct mysql_connection *)connection;
    c->talk.deadline = call->deadline;
    call->changed = 0;
    talk_work(&c->talk, true);
    const int r = run(c, call);
    talk_work(&c->talk, false);
    return r == SES_ERR_INVALID ? SES_ERR_UNAVAILABLE : r; /* tables that are gone */
}
