/* SPDX-License-Identifier: MIT */
#include "mysql/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char default_host[] = "127.0.0.1";
static const char default_port[] = "3306";
static const char default_path[] = "/tmp/mysql.sock";

enum { PATH_MOST = 107, HOST_MOST = 255, USER_MOST = 128, DATABASE_MOST = 64 * 4 };

/* ---- pieces ---- */

/* Cuts the text at the mark. @return what follows, or NULL. */
static char *cut_at(char *text, char mark)
{
    char *at = strchr(text, mark);
    if (!at)
        return NULL;
    *at = '\0';
    return at + 1;
}

static char *cut_at_last(char *text, char mark)
{
    char *at = strrchr(text, mark);
    return at ? cut_at(at, mark) : NULL;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* %41 is A, in place. A NUL would end the text early. */
static bool decode_percents(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        const int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || high * 16 + low == 0)
            return false;
        *out++ = (char)(high * 16 + low);
        in += 2;
    }
    *out = '\0';
    return true;
}

/* ---- the address ---- */

static bool port_is_valid(const char *port)
{
    const size_t len = strlen(port);
    return len > 0 && len <= 5 && strspn(port, "0123456789") == len && atoi(port) >= 1 &&
           atoi(port) <= 65535;
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
        char *rest = cut_at(++text, ']');
        if (!rest || (*rest && *rest != ':'))
            return "in the DSN, an IPv6 address is written tcp([::1]:3306)";
        port = *rest ? rest + 1 : NULL;
    } else {
        port = cut_at(text, ':');
        if (port && strchr(port, ':'))
            return "in the DSN, an IPv6 address is written tcp([::1]:3306)";
    }
    if (port && !port_is_valid(port))
        return "in the DSN, a port is a number from 1 to 65535";
    if (!host_is_valid(text))
        return "in the DSN, an address is written tcp(host:port) or unix(/path)";
    config->host = text;
    config->port = port ? port : default_port;
    return NULL;
}

static const char *read_unix(struct mysql_config *config, const char *path)
{
    if (path[0] != '/')
        return "in the DSN, a unix socket is written unix(/path)";
    if (strlen(path) > PATH_MOST)
        return "in the DSN, the path of a unix socket has 107 characters at most";
    config->path = path;
    return NULL;
}

/* [protocol[(address)]] */
static const char *read_place(struct mysql_config *config, char *text)
{
    char *address = cut_at(text, '(');
    const size_t len = address ? strlen(address) : 0;
    if (address && (len == 0 || address[len - 1] != ')'))
        return "in the DSN, an address ends with a parenthesis: tcp(host:port)/database";
    if (address)
        address[len - 1] = '\0';
    if (strcmp(text, "unix") == 0)
        return read_unix(config, address ? address : default_path);
    if (text[0] && strcmp(text, "tcp") != 0)
        return "in the DSN, the protocol is tcp or unix: tcp(host:port) or unix(/path)";
    if (address && *address)
        return read_tcp(config, address);
    config->host = default_host;
    config->port = default_port;
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
        char *rest = cut_at(query, '&');
        char *value = cut_at(query, '=');
        if (!value || !decode_percents(value))
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
    const char *problem = read_parameters(config, cut_at(text, '?'));
    if (problem)
        return problem;
    if (!decode_percents(text) || !*text || strlen(text) > DATABASE_MOST)
        return "in the DSN, a database is named behind the last slash: "
               "user:password@tcp(host:port)/database";
    config->database = text;
    return NULL;
}

/* As the driver has it: the last slash, the last @ before it, the first colon before that. So a
 * password may hold any of them. */
static const char *read_dsn(struct mysql_config *config, char *text)
{
    char *database = cut_at_last(text, '/');
    if (!database)
        return "the DSN has no slash before the database: user:password@tcp(host:port)/database";
    const char *problem = read_database(config, database);
    if (problem)
        return problem;
    char *place = cut_at_last(text, '@');
    config->user = config->password = "";
    if (place) {
        const char *password = cut_at(text, ':');
        config->user = text;
        config->password = password ? password : "";
    }
    if (strlen(config->user) > USER_MOST)
        return "in the DSN, a user's name has 128 bytes at most";
    return read_place(config, place ? place : text);
}

const char *mysql_config_read(struct mysql_config *config, const char *text)
{
    *config = (struct mysql_config){ .text = strdup(text) };
    return config->text ? read_dsn(config, config->text) : "out of memory";
}

void mysql_config_free(struct mysql_config *config)
{
    free(config->text);
    config->text = NULL;
}
