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

/* To ask would be one more trip: what the provider's own connections were told does. */
static uint64_t packet_most(struct sql *sql)
{
    const uint64_t most = atomic_load(&((struct mysql_store *)sql)->packet_most);
    return most > 0 ? most : UINT64_MAX;
}

static struct sql_connection *wrap(struct sql *sql, MYSQL *mysql)
{
    struct mysql_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    const int fd = mysql_get_socket(mysql);
    c->base.sql = sql;
    c->talk.mysql = mysql;
    c->talk.tls = mysql_get_ssl_cipher(mysql) != NULL;
    c->packet_most = packet_most(sql);
    c->socket_flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
    if (c->socket_flags >= 0)
        (void)fcntl(fd, F_SETFL, c->socket_flags | O_NONBLOCK);
    return (struct sql_connection *)c;
}

/* @return NULL, or why nothing can be done on it. */
static const char *problem_of(MYSQL *mysql)
{
    if (mysql->status != MYSQL_STATUS_READY || mysql_more_results(mysql))
        return "the application's connection has a result that was not read";
    if (!has_transaction(mysql))
        return "the application's connection has no transaction open";
    return NULL;
}

int mysql_provider_borrow(struct sql *sql, void *connection, struct sql_connection **ret_connection)
{
    MYSQL *mysql = connection;
    const char *problem = problem_of(mysql);
    if (problem)
        return ses_provider_fail(sql->host, SES_ERR_INVALID, "%s", problem);
    if (mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL) != 0)
        return SES_ERR_NO_MEMORY;
    *ret_connection = wrap(sql, mysql);
    return *ret_connection ? SES_OK : SES_ERR_NO_MEMORY;
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
