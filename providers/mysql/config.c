/* SPDX-License-Identifier: MIT */
#include "mysql/config.h"

#include "shared/text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char default_host[] = "127.0.0.1";
static const char default_port[] = "3306";
static const char default_path[] = "/tmp/mysql.sock";

enum { PATH_MOST = 107, HOST_MOST = 255, USER_MOST = 128, DATABASE_MOST = 64 * 4 };

/* ---- the address ---- */

static unsigned port_of(const char *text)
{
    const size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return 0;
    const unsigned long number = strtoul(text, NULL, 10);
    return number <= 65535 ? (unsigned)number : 0;
}

/* The client library takes some texts for more than a name. */
static bool host_is_valid(const char *host)
{
    const size_t len = strlen(host);
    return len > 0 && len <= HOST_MOST &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "-._:%") == len;
}

/* host, host:port, [::1] or [::1]:port */
static const char *read_tcp(struct mysql_config *config, char *text)
{
    char *port;
    if (text[0] == '[') {
        char *rest = text_cut(++text, ']');
        if (!rest || (*rest && *rest != ':'))
            return "in the DSN, an IPv6 address is written tcp([::1]:3306)";
        port = *rest ? rest + 1 : NULL;
    } else {
        port = text_cut(text, ':');
        if (port && strchr(port, ':'))
            return "in the DSN, an IPv6 address is written tcp([::1]:3306)";
    }
    config->port = port ? port : default_port;
    config->port_number = port_of(config->port);
    if (config->port_number == 0)
        return "in the DSN, a port is a number from 1 to 65535";
    if (!host_is_valid(text))
        return "in the DSN, an address is written tcp(host:port) or unix(/path)";
    config->host = text;
    return NULL;
}

static const char *read_unix(struct mysql_config *config, const char *path)
{
    if (path[0] != '/')
        return "in the DSN, a unix socket is written unix(/path)";
    if (strlen(path) > PATH_MOST)
        return "in the DSN, the path of a unix socket has 107 characters at most";
    if (config->tls > MYSQL_TLS_PREFERRED)
        return "in the DSN, TLS is for tcp(host:port)";
    config->tls = MYSQL_TLS_NONE;
    config->path = path;
    return NULL;
}

/* [protocol[(address)]] */
static const char *read_place(struct mysql_config *config, char *text)
{
    char *address = text_cut(text, '(');
    const size_t len = address ? strlen(address) : 0;
    if (address && (len == 0 || address[len - 1] != ')'))
        return "in the DSN, an address ends with a parenthesis: tcp(host:port)/database";
    if (address)
        address[len - 1] = '\0';
    if (strcmp(text, "unix") == 0)
        return read_unix(config, address && *address ? address : default_path);
    if (text[0] && strcmp(text, "tcp") != 0)
        return "in the DSN, the protocol is tcp or unix: tcp(host:port) or unix(/path)";
    if (address && *address)
        return read_tcp(config, address);
    config->host = default_host;
    config->port = default_port;
    config->port_number = port_of(default_port);
    return NULL;
}

/* ---- parameters ---- */

static const char *set_tls(struct mysql_config *config, const char *value)
{
    static const struct {
        const char *name;
        enum mysql_tls tls;
    } choices[] = {
        { "false", MYSQL_TLS_NONE },          { "0", MYSQL_TLS_NONE },
        { "preferred", MYSQL_TLS_PREFERRED }, { "skip-verify", MYSQL_TLS_UNVERIFIED },
        { "true", MYSQL_TLS_VERIFIED },       { "1", MYSQL_TLS_VERIFIED },
    };
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(value, choices[i].name) == 0) {
            config->tls = choices[i].tls;
            return NULL;
        }
    }
    return "in the DSN, \"tls\" is true, skip-verify, preferred or false";
}

/* What begins with a unit, in milliseconds; *end behind it. */
static int64_t unit_of(const char *text, const char **end)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const size_t len = strlen(units[i].name);
        if (strncmp(text, units[i].name, len) == 0) {
            *end = text + len;
            return units[i].ms;
        }
    }
    return 0;
}

/* 1m30s, 500ms */
static bool read_duration(const char *text, int64_t *ret_ms)
{
    int64_t total = 0;
    const char *at = text;
    do {
        const size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 6)
            return false;
        const int64_t count = strtoll(at, NULL, 10);
        const char *rest = NULL;
        const int64_t unit = unit_of(at + digits, &rest);
        if (unit == 0)
            return false;
        total += count * unit;
        at = rest;
    } while (*at);
    *ret_ms = total;
    return true;
}

static const struct {
    const char *name;
    size_t offset;
} durations[] = {
    { "timeout", offsetof(struct mysql_config, connect_ms) },
    { "readTimeout", offsetof(struct mysql_config, read_ms) },
    { "writeTimeout", offsetof(struct mysql_config, write_ms) },
};

/* They tell a driver for Go how to hand values over, or ask for what is always so here, or for what
 * is never done. */
static const char *const without_effect[] = {
    "allowAllFiles",
    "allowCleartextPasswords",
    "allowNativePasswords",
    "allowOldPasswords",
    "charset",
    "checkConnLiveness",
    "clientFoundRows",
    "collation",
    "columnsWithAlias",
    "compress",
    "connectionAttributes",
    "interpolateParams",
    "loc",
    "maxAllowedPacket",
    "multiStatements",
    "parseTime",
    "rejectReadOnly",
    "timeTruncate",
};

static const char *set_parameter(struct mysql_config *config, const char *name, const char *value)
{
    if (strcmp(name, "tls") == 0)
        return set_tls(config, value);
    if (strcmp(name, "caFile") == 0) {
        config->ca_file = value;
        return value[0] ? NULL : "in the DSN, \"caFile\" is the path of a file";
    }
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        if (strcmp(name, durations[i].name) == 0)
            return read_duration(value, (int64_t *)(void *)((char *)config + durations[i].offset))
                       ? NULL
                       : "in the DSN, a timeout is a number with a unit: 500ms, 30s, 1m30s";
    }
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++) {
        if (strcmp(name, without_effect[i]) == 0)
            return NULL;
    }
    return "unknown parameter in the DSN: it may have tls, caFile, timeout, readTimeout, "
           "writeTimeout; others of go-sql-driver that have no effect here are parseTime, loc, "
           "charset, collation and the like";
}

static const char *read_parameters(struct mysql_config *config, char *query)
{
    const char *problem = NULL;
    while (query && *query && !problem) {
        char *rest = text_cut(query, '&');
        char *value = text_cut(query, '=');
        if (!value || !text_decode_percents(value))
            return "in the DSN, a parameter is written name=value, with %XX for special "
                   "characters, and %2F for a slash";
        problem = set_parameter(config, query, value);
        query = rest;
    }
    if (!problem && config->ca_file && config->tls != MYSQL_TLS_VERIFIED)
        problem = "in the DSN, \"caFile\" asks for tls=true";
    return problem;
}

/* ---- all together ---- */

static const char *read_database(struct mysql_config *config, char *text)
{
    const char *problem = read_parameters(config, text_cut(text, '?'));
    if (problem)
        return problem;
    if (!text_decode_percents(text))
        return "in the DSN, special characters of the database's name are written %XX";
    if (!*text || strlen(text) > DATABASE_MOST)
        return "in the DSN, a database is named behind the last slash: "
               "user:password@tcp(host:port)/database";
    config->database = text;
    return NULL;
}

/* As the driver has it: the last slash, the last @ before it, the first colon before that. So a
 * password may hold any of them. */
static const char *read_dsn(struct mysql_config *config, char *text)
{
    if (!*text)
        return "\"ProviderConfig\" is required: user:password@tcp(host:port)/database";
    char *database = text_cut_last(text, '/');
    if (!database)
        return "the DSN has no slash before the database: user:password@tcp(host:port)/database";
    const char *problem = read_database(config, database);
    if (problem)
        return problem;
    char *place = text_cut_last(text, '@');
    config->user = config->password = "";
    if (place) {
        const char *password = text_cut(text, ':');
        config->user = text;
        config->password = password ? password : "";
    }
    if (strlen(config->user) > USER_MOST)
        return "in the DSN, a user's name has 128 bytes at most";
    return read_place(config, place ? place : text);
}

const char *mysql_config_read(struct mysql_config *config, const char *text)
{
    *config = (struct mysql_config){ .text = strdup(text), .whole = strdup(text) };
    return config->text && config->whole ? read_dsn(config, config->text) : "out of memory";
}

void mysql_config_free(struct mysql_config *config)
{
    free(config->text);
    free(config->whole);
    config->text = config->whole = NULL;
}
