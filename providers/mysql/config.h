/* SPDX-License-Identifier: MIT */
#ifndef SES_MYSQL_CONFIG_H
#define SES_MYSQL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What "ProviderConfig" says, as go-sql-driver/mysql writes it:
 *
 *     [user[:password]@][protocol[(address)]]/database[?name=value&...]
 *
 * Protocol and address: tcp(host:port), tcp([::1]:port) or unix(/path); without one
 * tcp(127.0.0.1:3306).
 */
enum mysql_tls {
    MYSQL_TLS_NONE,
    MYSQL_TLS_PREFERRED, /* where the server has it, and whoever it is */
    MYSQL_TLS_UNVERIFIED,
    MYSQL_TLS_VERIFIED,
};

struct mysql_config {
    const char *user, *password;
    const char *path; /* a unix socket, or */
    const char *host;
    const char *port;
    const char *database;
    enum mysql_tls tls;
    const char *ca_file;
    int64_t connect_ms, read_ms, write_ms; /* 0: as long as the call may take */
    char *text;                            /* what the others point into */
};

/* @return NULL, or what is wrong: one line, which says nothing of the text. */
const char *mysql_config_read(struct mysql_config *config, const char *text);
void mysql_config_free(struct mysql_config *config);

#endif
