/* SPDX-License-Identifier: MIT */
/* What the server's and the client library's errors come to. */
#include "mysql/connection.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>

enum {
    ERROR_OF_CLIENT = 2000, /* from here to 2999, and */
    ERROR_OF_CLIENT_TOO = 5000,
    ERROR_DISK = 1030, /* "got error 28 from the storage engine" */
};

/* The server is there, and somebody else has what was asked for (set_patience() in connection.c).
 */
static bool is_out_of_time(unsigned error)
{
    return error == ER_LOCK_WAIT_TIMEOUT || error == ER_STATEMENT_TIMEOUT;
}

static bool is_of_client(unsigned error)
{
    return (error >= ERROR_OF_CLIENT && error < ERROR_OF_CLIENT + 1000) ||
           (error >= ERROR_OF_CLIENT_TOO && error < ERROR_OF_CLIENT_TOO + 1000);
}

static int code_of(unsigned error)
{
    switch (error) {
    case ER_LOCK_DEADLOCK:
    case ER_CHECKREAD: /* another transaction changed the row meanwhile */
        return SQL_AGAIN;
    case ER_RECORD_FILE_FULL:
    case ER_DISK_FULL:
    case ERROR_DISK:
        return SES_ERR_FULL;
    case ER_NET_PACKET_TOO_LARGE:
    case CR_NET_PACKET_TOO_LARGE:
    case ER_DATA_TOO_LONG:
    case ER_TOO_BIG_ROWSIZE:
        return SES_ERR_TOO_LARGE;
    case CR_OUT_OF_MEMORY:
        return SES_ERR_NO_MEMORY;
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_NO_SUCH_TABLE:
    case ER_TABLE_EXISTS_ERROR:
    case ER_BAD_FIELD_ERROR:
    case ER_PARSE_ERROR:
    case ER_SYNTAX_ERROR:
    case ER_DUP_FIELDNAME:
    case ER_NON_UPDATABLE_TABLE:
    case ER_NON_INSERTABLE_TABLE:
        return SES_ERR_INVALID;
    default:
        return SES_ERR_UNAVAILABLE;
    }
}

/* Some of the server's messages name values, "Duplicate entry '...'": those are not shown. */
static bool may_name_values(unsigned error)
{
    return !is_of_client(error) && code_of(error) == SES_ERR_UNAVAILABLE &&
           !is_out_of_time(error) && error != ER_SERVER_SHUTDOWN && error != ER_CON_COUNT_ERROR &&
           error != ER_OPTION_PREVENTS_STATEMENT && error != ER_QUERY_INTERRUPTED &&
           error != ER_CONNECTION_KILLED && error != ER_TOO_MANY_USER_CONNECTIONS &&
           error != ER_HOST_IS_BLOCKED && error != ER_HOST_NOT_PRIVILEGED;
}

static int fail(struct mysql_connection *c, unsigned error, const char *text)
{
    const int code = c->talk.late ? SES_ERR_UNAVAILABLE : code_of(error);
    c->base.answered = !c->talk.late && is_out_of_time(error);
    if (c->talk.late)
        (void)snprintf(c->base.why, sizeof c->base.why, "no answer in time");
    else if (may_name_values(error))
        (void)snprintf(c->base.why, sizeof c->base.why, "error %u of the server", error);
    else
        (void)snprintf(c->base.why, sizeof c->base.why, "%s", text);
    if (code == SES_ERR_UNAVAILABLE || is_of_client(error) || error == ER_NET_PACKET_TOO_LARGE)
        c->broken = code;
    return code;
}

int mysql_provider_fail(struct mysql_connection *c)
{
    return fail(c, mysql_errno(c->talk.mysql), mysql_error(c->talk.mysql));
}

int mysql_provider_fail_statement(struct mysql_connection *c, MYSQL_STMT *handle)
{
    return fail(c, mysql_stmt_errno(handle), mysql_stmt_error(handle));
}
