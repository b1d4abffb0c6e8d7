/* SPDX-License-Identifier: MIT */
/* Running statements: binding, waiting, reading. Values go both ways in their binary form. */
#include "postgres/connection.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUES_MOST = 8, BINARY = 1, NAME_ROOM = 32 };

/* As the catalog of every server has them. */
enum { TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23 };

/* ---- failures ---- */

static int code_of(const char *state)
{
    static const struct {
        const char *begins;
        int code;
    } codes[] = {
        { "40001", SQL_AGAIN },       /* not in order with others */
        { "40P01", SQL_AGAIN },       /* a deadlock */
        { "53100", SES_ERR_FULL },    /* the disk */
        { "54", SES_ERR_TOO_LARGE },  /* beyond what the server can */
        { "22", SES_ERR_CORRUPT },    /* values of a table that somebody changed */
        { "23", SES_ERR_CORRUPT },    /* its constraints */
        { "XX001", SES_ERR_CORRUPT }, /* damaged pages */
        { "XX002", SES_ERR_CORRUPT }, /* a damaged index */
        { "3F", SES_ERR_INVALID },    /* no such schema */
        { "42", SES_ERR_INVALID },    /* tables and privileges that are not as they should be */
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strncmp(state, codes[i].begins, strlen(codes[i].begins)) == 0)
            return codes[i].code;
    }
    return SES_ERR_UNAVAILABLE;
}

/* What one connection met the others will, and each would wait for it: with several hosts the next
 * call begins with another. */
static void leave_host(const struct connection *c)
{
    struct postgres *store = (struct postgres *)c->base.sql;
    if (c->borrowed || store->config.host_count < 2)
        return;
    store->first = (c->host + 1) % store->config.host_count;
    pool_drop_idle(store->sql.writers);
}

/* No answer, or none that could be read. */
static int fail_lost(struct connection *c)
{
    const bool late = deadline_passed(c->deadline) && PQstatus(c->pg) == CONNECTION_OK;
    const char *text = late ? "took too long" : PQerrorMessage(c->pg);
    postgres_provider_note(c->base.why, sizeof c->base.why,
                           text[0] ? text : "an answer that makes no sense");
    c->base.answered = false;
    leave_host(c);
    return SES_ERR_UNAVAILABLE;
}

/* The first line of the server's message names tables and columns, and no values. */
static int fail_by(struct connection *c, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!state || !text)
        return fail_lost(c);
    postgres_provider_note(c->base.why, sizeof c->base.why, text);
    c->base.answered =
        strcmp(state, "55P03") == 0 || strcmp(state, "57014") == 0; /* a lock's wait */
    if (strcmp(state, "25006") == 0) /* the server has become a standby */
        leave_host(c);
    return code_of(state);
}

static int judge(struct connection *c, const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return SES_OK;
    return fail_by(c, result);
}

/* ---- there and back ---- */

static bool send_out(struct connection *c)
{
    int r;
    while ((r = PQflush(c->pg)) == 1) {
        if (!postgres_provider_wait(c->pg, POLLIN | POLLOUT, c->deadline) ||
            !PQconsumeInput(c->pg)) /* the server may have to speak before it listens */
            return false;
    }
    return r == 0;
}

static bool receive(struct connection *c)
{
    while (PQisBusy(c->pg)) {
        if (!postgres_provider_wait(c->pg, POLLIN, c->deadline) || !PQconsumeInput(c->pg))
            return false;
    }
    return true;
}

/* What is left of a copy, say, would never end. */
static bool makes_sense(const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_FATAL_ERROR;
}

/* All that the server answers to one statement; of several results the first. */
static bool receive_all(struct connection *c, PGresult **ret_first)
{
    while (receive(c)) {
        PGresult *next = PQgetResult(c->pg);
        if (!next)
            return *ret_first != NULL;
        const bool goes_on = makes_sense(next) && !deadline_passed(c->deadline);
        if (*ret_first)
            PQclear(next);
        else
            *ret_first = next;
        if (!goes_on)
            return false;
    }
    return false;
}

/* @p sent is what libpq says of sending it. */
static int talk(struct connection *c, int sent, PGresult **ret_result)
{
    PGresult *first = NULL;
    const bool whole = sent && send_out(c) && receive_all(c, &first);
    const int r = whole ? judge(c, first) : fail_lost(c);
    if (r == SES_OK)
        *ret_result = first;
    else
        PQclear(first);
    return r;
}

static int talk_only(struct connection *c, int sent)
{
    PGresult *result;
    const int r = talk(c, sent, &result);
    if (r == SES_OK)
        PQclear(result);
    return r;
}

/* ---- values ---- */

struct bound {
    const char *values[VALUES_MOST];
    int lens[VALUES_MOST], formats[VALUES_MOST];
    uint64_t numbers[VALUES_MOST];
};

static void bind(struct bound *bound, int at, const struct sql_value *value)
{
    bound->formats[at] = BINARY;
    if (value->type == SQL_NUMBER) {
        bound->numbers[at] = htobe64((uint64_t)value->number);
        bound->values[at] = (const char *)&bound->numbers[at];
        bound->lens[at] = sizeof bound->numbers[at];
    } else if (value->type == SQL_BYTES) { /* NULL as an address would be NULL as a value */
        bound->values[at] = value->bytes.len ? value->bytes.data : "";
        bound->lens[at] = (int)value->bytes.len;
    } else {
        bound->values[at] = NULL;
        bound->lens[at] = 0;
    }
}

/* Of as many bytes as it has, the first of them with the sign. */
static struct sql_value number_of(const char *bytes, int len)
{
    uint64_t number = (unsigned char)bytes[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < len; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return sql_number((int64_t)number);
}

static struct sql_value read_column(const PGresult *result, int row, int column)
{
    const char *bytes = PQgetvalue(result, row, column);
    const int len = PQgetlength(result, row, column);
    const Oid type = PQftype(result, column);
    const int size = type == TYPE_INT8 ? 8 : type == TYPE_INT4 ? 4 : type == TYPE_INT2 ? 2 : 0;
    if (PQgetisnull(result, row, column) || PQfformat(result, column) != BINARY)
        return (struct sql_value){ .type = SQL_OTHER };
    if (type == TYPE_BYTEA)
        return sql_bytes((struct ses_slice){ bytes, (size_t)len });
    if (size > 0 && len == size)
        return number_of(bytes, len);
    return (struct sql_value){ .type = SQL_OTHER };
}

static int read_rows(const PGresult *result, const struct sql_call *call)
{
    const int rows = PQntuples(result), count = PQnfields(result);
    int r = SES_OK;
    for (int row = 0; call->fn && r == SES_OK && row < rows; row++) {
        struct sql_value columns[SQL_COLUMNS_MOST];
        for (int i = 0; i < count && i < SQL_COLUMNS_MOST; i++)
            columns[i] = read_column(result, row, i);
        r = call->fn(call->arg, columns);
    }
    return r;
}

/* ---- statements of the set ---- */

static const char *name_of(enum sql_statement statement, char name[NAME_ROOM])
{
    (void)snprintf(name, NAME_ROOM, "sesame_%d", (int)statement);
    return name;
}

static int make_ready(struct connection *c, enum sql_statement statement)
{
    char name[NAME_ROOM];
    if (c->prepared[statement] || c->borrowed)
        return SES_OK;
    const int r = talk_only(
        c, PQsendPrepare(c->pg, name_of(statement, name), c->base.sql->texts[statement], 0, NULL));
    c->prepared[statement] = r == SES_OK;
    return r;
}

/* @return what libpq says of sending. */
static int send_call(struct connection *c, const struct sql_call *call, const struct bound *bound)
{
    char name[NAME_ROOM];
    if (c->borrowed)
        return PQsendQueryParams(c->pg, c->base.sql->texts[call->statement], call->count, NULL,
                                 bound->values, bound->lens, bound->formats, BINARY);
    return PQsendQueryPrepared(c->pg, name_of(call->statement, name), call->count, bound->values,
                               bound->lens, bound->formats, BINARY);
}

static int execute(struct connection *c, struct sql_call *call)
{
    struct bound bound;
    PGresult *result;
    for (int i = 0; i < call->count; i++) {
        if (call->values[i].type == SQL_BYTES && call->values[i].bytes.len > INT32_MAX)
            return SES_ERR_TOO_LARGE;
        bind(&bound, i, &call->values[i]);
    }
    int r = talk(c, send_call(c, call, &bound), &result);
    if (r != SES_OK)
        return r;
    call->changed = strtoull(PQcmdTuples(result), NULL, 10);
    r = read_rows(result, call);
    PQclear(result);
    return r;
}

static int run(struct connection *c, struct sql_call *call)
{
    c->deadline = call->deadline;
    call->changed = 0;
    if (call->statement != SQL_ROLLBACK)
        c->base.why[0] = '\0'; /* of an attempt that was made anew */
    else if (PQtransactionStatus(c->pg) != PQTRANS_INERROR &&
             PQtransactionStatus(c->pg) != PQTRANS_INTRANS)
        return SES_OK; /* it was, by what went wrong */
    int r = make_ready(c, call->statement);
    if (r == SES_OK)
        r = execute(c, call);
    return r == SES_ERR_INVALID ? SES_ERR_UNAVAILABLE : r; /* tables that are gone */
}

/* ---- at start ---- */

static bool is_ours(Oid type)
{
    return type == TYPE_BYTEA || type == TYPE_INT8 || type == TYPE_INT2;
}

/* Numbers are sent in eight bytes, whatever a table's columns are. */
static bool fits(const PGresult *description)
{
    bool all = true;
    for (int i = 0; i < PQnparams(description); i++)
        all =
            all && is_ours(PQparamtype(description, i)) && PQparamtype(description, i) != TYPE_INT2;
    for (int i = 0; i < PQnfields(description); i++)
        all = all && is_ours(PQftype(description, i));
    return all;
}

static int check_types(struct connection *c, enum sql_statement statement, int *ret_params)
{
    char name[NAME_ROOM];
    PGresult *description;
    const int r = talk(c, PQsendDescribePrepared(c->pg, name_of(statement, name)), &description);
    if (r != SES_OK)
        return r;
    const bool good = fits(description);
    *ret_params = PQnparams(description);
    PQclear(description);
    if (good)
        return SES_OK;
    (void)snprintf(c->base.why, sizeof c->base.why, "a column is of another type");
    return SES_ERR_INVALID;
}

/* A plan is made of it, and not run: so it is found out whether the privileges and the indexes are
 * there. */
static int check_plan(struct connection *c, enum sql_statement statement, int params)
{
    char text[200];
    size_t len = (size_t)snprintf(text, sizeof text, "EXPLAIN EXECUTE sesame_%d", (int)statement);
    for (int i = 0; i < params && i < VALUES_MOST; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%sNULL", i ? ", " : " (");
    (void)snprintf(text + len, sizeof text - len, "%s", params > 0 ? ")" : "");
    return talk_only(c, PQsendQuery(c->pg, text));
}

static int check(struct connection *c, enum sql_statement statement)
{
    int params = 0;
    c->deadline = deadline_in(c->base.sql->budget_ms / 2); /* for each: no request waits for it */
    int r = make_ready(c, statement);
    if (r < 0 || statement == SQL_BEGIN || statement == SQL_COMMIT || statement == SQL_ROLLBACK)
        return r;
    r = check_types(c, statement, &params);
    return r == SES_OK ? check_plan(c, statement, params) : r;
}

/* ---- texts ---- */

/* Who makes or changes tables, or waits for the one that does, may take longer than a call. */
static bool allow_time(struct connection *c)
{
    const struct sql *sql = c->base.sql;
    const int left = deadline_left_ms(c->deadline);
    const bool patient = left > sql->budget_ms;
    if (!patient && !c->patient)
        return true;
    c->patient = patient;
    return postgres_provider_settle(c, patient ? left : sql->budget_ms / 2);
}

static int ask(struct connection *c, const char *text, struct deadline deadline,
               int64_t *ret_number)
{
    PGresult *result;
    c->deadline = deadline;
    if (!allow_time(c))
        return SES_ERR_UNAVAILABLE;
    int r = talk(c, PQsendQueryParams(c->pg, text, 0, NULL, NULL, NULL, NULL, BINARY), &result);
    if (r != SES_OK)
        return r;
    if (PQntuples(result) > 0 && PQnfields(result) > 0) {
        const struct sql_value value = read_column(result, 0, 0);
        if (value.type == SQL_NUMBER)
            *ret_number = value.number;
    }
    PQclear(result);
    return SES_OK;
}

/* The server, too, ends what nobody waits for any more; a lock a little sooner, to be told apart.
 */
bool postgres_provider_settle(struct connection *c, int64_t patience_ms)
{
    char text[400];
    (void)snprintf(text, sizeof text,
                   "SET statement_timeout = %lld; SET lock_timeout = %lld; "
                   "SET idle_in_transaction_session_timeout = %lld; "
                   "SET default_transaction_isolation = 'read committed'",
                   (long long)patience_ms, (long long)(patience_ms - patience_ms / 10),
                   (long long)patience_ms);
    return talk_only(c, PQsendQuery(c->pg, text)) == SES_OK;
}

/* ---- the calls; a child of a fork lets a connection be that a thread was at work on ---- */

int postgres_provider_run(struct sql_connection *connection, struct sql_call *call)
{
    struct connection *c = (struct connection *)connection;
    atomic_store(&c->at_work, true);
    const int r = run(c, call);
    atomic_store(&c->at_work, false);
    return r;
}

int postgres_provider_prepare(struct sql_connection *connection, enum sql_statement statement)
{
    struct connection *c = (struct connection *)connection;
    atomic_store(&c->at_work, true);
    const int r = check(c, statement);
    atomic_store(&c->at_work, false);
    return r;
}

int postgres_provider_ask(struct sql_connection *connection, const char *text,
                          struct deadline deadline, int64_t *ret_number)
{
    struct connection *c = (struct connection *)connection;
    atomic_store(&c->at_work, true);
    const int r = ask(c, text, deadline, ret_number);
    atomic_store(&c->at_work, false);
    return r;
}
