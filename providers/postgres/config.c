/* SPDX-License-Identifier: MIT */
#include "postgres/config.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sesame/error.h>

SES_PRINTF(2, 3)
static const char *fail(struct postgres_config *config, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    (void)vsnprintf(config->problem, sizeof config->problem, format, words);
    va_end(words);
    return config->problem;
}

static const char *value_of(const PQconninfoOption *options, const char *name)
{
    for (; options && options->keyword; options++) {
        if (strcmp(options->keyword, name) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    }
    return NULL;
}

const char *postgres_config_option(const struct postgres_config *config, const char *name)
{
    return value_of(config->options, name);
}

/* ---- a text that libpq does not understand ---- */

/* libpq's own message is of no use here: it may quote a password, and in any language. */

static bool is_url(const char *text)
{
    return strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0;
}

/* The word that has most in common with it. NULL: it is one itself, or there is none. */
static const char *likely(const PQconninfoOption *known, const char *name, size_t len)
{
    const char *found = NULL;
    size_t best = 2;
    for (; known->keyword; known++) {
        size_t same = 0;
        while (same < len && known->keyword[same] && known->keyword[same] == name[same])
            same++;
        if (same == len && !known->keyword[len])
            return NULL;
        if (same > best) {
            best = same;
            found = known->keyword;
        }
    }
    return found;
}

/* Past a value of the words: with '' around it, or up to a space. */
static const char *past_value(const char *at)
{
    const bool quoted = *at == '\'';
    for (at += quoted; *at && *at != (quoted ? '\'' : ' '); at++) {
        if (*at == '\\' && at[1])
            at++;
    }
    return *at ? at + 1 : at;
}

static const char *likely_of_url(const PQconninfoOption *known, const char *text)
{
    const char *at = strchr(text, '?'), *found = NULL;
    while (at && !found) {
        at++;
        found = likely(known, at, strcspn(at, "=&"));
        at = strchr(at, '&');
    }
    return found;
}

static const char *likely_of_words(const PQconninfoOption *known, const char *text)
{
    const char *found = NULL;
    while (*text && !found) {
        text += strspn(text, " \t\n");
        const size_t len = strcspn(text, " \t\n=");
        found = likely(known, text, len);
        text += len + strspn(text + len, " \t\n");
        if (*text != '=')
            break;
        text++;
        text = past_value(text + strspn(text, " \t\n"));
    }
    return found;
}

static const char *explain(struct postgres_config *config, const char *text)
{
    PQconninfoOption *known = PQconndefaults();
    if (!known)
        return "libpq's defaults cannot be read";
    char meant[80] = "";
    const char *found = is_url(text) ? likely_of_url(known, text) : likely_of_words(known, text);
    if (found)
        (void)snprintf(meant, sizeof meant, "; perhaps \"%s\" is meant", found);
    PQconninfoFree(known);
    if (is_url(text))
        return fail(config,
                    "\"ProviderConfig\" is no URL of libpq, or has an unknown parameter: "
                    "postgres://user:password@host:5432/database?sslmode=require, with %%XX for "
                    "special characters%s",
                    meant);
    if (strstr(text, "://") && strstr(text, "://") < text + strcspn(text, "= "))
        return "the URL is none of postgres:// and postgresql://";
    return fail(config,
                "\"ProviderConfig\" is not in libpq's words, or has an unknown one: "
                "host=... dbname=... user=... password='...'%s",
                meant);
}

/* ---- values that libpq looks at only while connecting ---- */

static const struct choice {
    const char *name, *values;
} choices[] = {
    { "sslmode", "disable, allow, prefer, require, verify-ca, verify-full" },
    { "gssencmode", "disable, prefer, require" },
    { "channel_binding", "disable, prefer, require" },
    { "ssl_min_protocol_version", "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3" },
    { "ssl_max_protocol_version", "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3" },
    { "sslcompression", "0, 1" },
    { "sslsni", "0, 1" },
    { "keepalives", "0, 1" },
    { "target_session_attrs", "read-write, primary, any" }, /* sessions are written */
};

static bool is_one_of(const char *value, const char *values)
{
    const size_t len = strlen(value);
    for (const char *at = values; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
        if (strcspn(at, ",") == len && strncmp(at, value, len) == 0)
            return true;
    }
    return false;
}

static const char *check_choices(struct postgres_config *config)
{
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const char *value = postgres_config_option(config, choices[i].name);
        if (value && !is_one_of(value, choices[i].values))
            return fail(config, "\"%s\" has to be one of %s", choices[i].name, choices[i].values);
    }
    return NULL;
}

static bool is_number(const char *value, long long most)
{
    const size_t len = strlen(value);
    return len > 0 && len < 10 && strspn(value, "0123456789") == len &&
           strtoll(value, NULL, 10) <= most;
}

static const char *check_numbers(struct postgres_config *config)
{
    static const char *const names[] = { "connect_timeout", "keepalives_idle", "tcp_user_timeout",
                                         "keepalives_interval", "keepalives_count" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = postgres_config_option(config, names[i]);
        if (value && !is_number(value, 999999999))
            return fail(config, "\"%s\" has to be a number", names[i]);
    }
    const char *seconds = postgres_config_option(config, "connect_timeout");
    config->connect_ms = seconds ? strtoll(seconds, NULL, 10) * 1000 : 0;
    return NULL;
}

static const char *check_others(const struct postgres_config *config)
{
    if (postgres_config_option(config, "service"))
        return "\"service\" is not for here: write what its file says";
    if (postgres_config_option(config, "replication"))
        return "\"replication\" is not for here";
    return NULL;
}

/* ---- hosts ---- */

struct list {
    const char *items[POSTGRES_HOSTS_MOST];
    size_t count;
};

/* "a,b,c"; nothing at all is one that is empty. */
static bool split(char *text, struct list *ret)
{
    for (ret->count = 0; text; ret->count++) {
        if (ret->count == POSTGRES_HOSTS_MOST)
            return false;
        char *comma = strchr(text, ',');
        ret->items[ret->count] = text;
        if (comma)
            *comma++ = '\0';
        text = comma;
    }
    return true;
}

static const char *check_ports(const struct list *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        const char *port = ports->items[i];
        if (*port && (!is_number(port, 65535) || strtol(port, NULL, 10) == 0))
            return "a port is a number from 1 to 65535";
    }
    return NULL;
}

static const char *pair(struct postgres_config *config, struct list lists[3])
{
    const struct list *names = &lists[0], *addresses = &lists[1], *ports = &lists[2];
    const bool has_names = names->count > 1 || names->items[0][0];
    const bool has_addresses = addresses->count > 1 || addresses->items[0][0];
    if (has_names && has_addresses && names->count != addresses->count)
        return "there have to be as many of \"hostaddr\" as of \"host\"";
    config->host_count = names->count > addresses->count ? names->count : addresses->count;
    if (ports->count != 1 && ports->count != config->host_count)
        return "there has to be one port for all hosts, or one for each";
    for (size_t i = 0; i < config->host_count; i++) {
        const char *port = ports->items[ports->count == 1 ? 0 : i];
        config->hosts[i] = (struct postgres_host){
            .name = has_names ? names->items[i] : "",
            .address = has_addresses ? addresses->items[i] : "",
            .port = *port ? port : "5432",
        };
    }
    return check_ports(ports);
}

/* Where nothing is said: as libpq does without us, by PGHOST and the like. */
static const char *read_hosts(struct postgres_config *config)
{
    static const char *const names[3] = { "host", "hostaddr", "port" };
    struct list lists[3];
    PQconninfoOption *defaults = PQconndefaults();
    const bool given =
        postgres_config_option(config, "host") || postgres_config_option(config, "hostaddr");
    for (int i = 0; i < 3; i++) {
        const char *value = postgres_config_option(config, names[i]);
        if (!value && (i == 2 || !given))
            value = value_of(defaults, names[i]);
        config->lists[i] = strdup(value ? value : "");
    }
    PQconninfoFree(defaults);
    for (int i = 0; i < 3; i++) {
        if (!config->lists[i])
            return "out of memory";
        if (!split(config->lists[i], &lists[i]))
            return "there are more hosts than 16";
    }
    return pair(config, lists);
}

/* ---- all together ---- */

/* libpq would take the rest of a password for the host, look it up, and tell. */
static bool has_raw_at(const char *text)
{
    const char *authority = strstr(text, "://") + 3;
    const char *at = memchr(authority, '@', strcspn(authority, "/?"));
    const char *rest = at ? at + 1 : authority;
    return memchr(rest, '@', strcspn(rest, "?")) != NULL;
}

const char *postgres_config_read(struct postgres_config *config, const char *text)
{
    char *ignored = NULL;
    if (is_url(text) && has_raw_at(text))
        return "in the URL, @ : / ? of user, password and database are written %40 %3A %2F %3F";
    config->options = PQconninfoParse(text, &ignored);
    PQfreemem(ignored);
    if (!config->options)
        return explain(config, text);
    const char *problem = check_choices(config);
    if (!problem)
        problem = check_numbers(config);
    if (!problem)
        problem = check_others(config);
    return problem ? problem : read_hosts(config);
}

void postgres_config_free(struct postgres_config *config)
{
    PQconninfoFree(config->options);
    for (int i = 0; i < 3; i++)
        free(config->lists[i]);
    *config = (struct postgres_config){ 0 };
}
