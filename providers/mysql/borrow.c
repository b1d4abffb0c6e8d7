/* SPDX-License-Identifier: MIT */
/* The application's connection, for a call. */
#include "mysql/connection.h"

#include <fcntl.h>
#include <stdlib.h>

/* With autocommit off, the first statement begins one. */
static bool has_transaction(MYSQL *mysql)
{
    unsigned status = SERVER_STATUS_AUTOCOMMIT;
    (void)mariadb_get_infov(mysql, MARIADB_CONNECTION_SERVER_STATUS, &status);
    return (status & SERVER_STATUS_IN_TRANS) || !(status & SERVER_STATUS_AUTOCOMMIT);
}

static struct mysql_connection *wrap(struct sql *sql, MYSQL *mysql)
{
    struct mysql_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    const int fd = mysql_get_socket(mysql);
    *c = (struct mysql_connection){
        .base.sql = sql,
        .talk = { .mysql = mysql, .tls = mysql_get_ssl_cipher(mysql) != NULL },
        .packet_most = UINT64_MAX, /* to ask would be one more trip */
        .socket_flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1,
    };
    if (c->socket_flags >= 0)
        (void)fcntl(fd, F_SETFL, c->socket_flags | O_NONBLOCK);
    return c;
}

int mysql_provider_borrow(struct sql *sql, void *connection, struct sql_connection **ret_connection)
{
    MYSQL *mysql = connection;
    if (!has_transaction(mysql))
        return ses_provider_fail(sql->host, SES_ERR_INVALID,
                                 "the application's connection has no transaction open");
    struct mysql_connection *c =
        mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL) == 0 ? wrap(sql, mysql) : NULL;
    if (!c)
        return SES_ERR_NO_MEMORY;
    *ret_connection = &c->base;
    return SES_OK;
}

void mysql_provider_give_back(struct sql_connection *connection)
{
    struct mysql_connection *c = (struct mysql_connection *)connection;
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        if (c->statements[i].handle)
            talk_forget(&c->talk, c->statements[i].handle);
    }
    for (int i = 0; i < SQL_COLUMNS_MOST; i++)
        free(c->rooms[i].bytes);
    if (c->socket_flags >= 0)
        (void)fcntl(mysql_get_socket(c->talk.mysql), F_SETFL, c->socket_flags);
    free(c);
}
