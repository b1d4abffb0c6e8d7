/* SPDX-License-Identifier: MIT */
#include "redis/config.h"

#include "shared/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

static const char default_port[] = "6379";
static const char default_sentinel_port[] = "26379";

/* ---- pieces ---- */

static bool number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end;
    if (!text[0] || strspn(text, "0123456789") != strlen(text) || strlen(text) > 12)
        return false;
    const long long x = strtoll(text, &end, 10);
    if (x < min || x > max)
        return false;
    *ret = x;
    return true;
}

static bool port_is_valid(const char *port)
{
    int64_t x;
    return number(port, 1, 65535, &x);
}

/* ---- addresses ---- */

/* host, host:port, [::1]:port or /path */
static const char *add_address(struct redis_config *config, char *text)
{
    if (config->address_count == REDIS_ADDRESSES_MOST)
        return "more addresses than 32";
    struct redis_address *address = &config->addresses[config->address_count++];
    if (text[0] == '/') {
        address->path = text;
        return NULL;
    }
    char *port = NULL;
    if (text[0] == '[') {
        text++;
        char *rest = text_cut(text, ']');
        if (!rest || (*rest && *rest != ':'))
            return "an IPv6 address is written [::1]:6379";
        port = *rest ? rest + 1 : NULL;
    } else {
        port = text_cut(text, ':');
    }
    if (!text[0])
        return "an address has no host: write host:port";
    if (port && !port_is_valid(port))
        return "a port is a number from 1 to 65535";
    address->host = text;
    address->port = port;
    return NULL;
}

static const char *add_addresses(struct redis_config *config, char *list, char separator)
{
    const char *problem = NULL;
    while (list && !problem) {
        char *rest = text_cut(list, separator);
        problem = add_address(config, list);
        list = rest;
    }
    return problem;
}

/* ---- the URLs ---- */

struct parameter {
    const char *name;
    bool is_text;
    size_t offset;
    int64_t min, max;
};

#define NUMBER(name, member, min, max)                                                             \
 {                                                                                                 \
  name, false, offsetof(struct redis_config, member), min, max                                     \
 }
#define TEXT(name, member)                                                                         \
 {                                                                                                 \
  name, true, offsetof(struct redis_config, member), 0, 0                                          \
 }

static const struct parameter parameters[] = {
    NUMBER("database", database, 0, 65535),
    NUMBER("poolSize", pool_size, 1, 10000),
    NUMBER("connectTimeoutMs", connect_ms, 10, 60000),
    NUMBER("budgetMs", budget_ms, 20, 60000),
    NUMBER("nearCacheRecords", near_records, 0, 10000000),
    NUMBER("idleSeconds", idle_s, 0, 86400),
    NUMBER("waitReplicas", wait_replicas, 0, 16),
    TEXT("keyPrefix", prefix),
    TEXT("caFile", ca_file),
    TEXT("certFile", cert_file),
    TEXT("keyFile", key_file),
    TEXT("serverName", tls_name),
    TEXT("sentinelUser", sentinel_user),
    TEXT("sentinelPassword", sentinel_password),
};

static const char *set_parameter(struct redis_config *config, const char *name, char *value)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        const struct parameter *p = &parameters[i];
        void *member = (char *)config + p->offset;
        if (strcasecmp(name, p->name) != 0)
            continue;
        if (p->is_text)
            memcpy(member, &value, sizeof value);
        else if (!number(value, p->min, p->max, member))
            return "a parameter of the URL is not a number, or out of its range";
        return NULL;
    }
    return "unknown parameter in the URL: it may have database, poolSize, connectTimeoutMs, "
           "budgetMs, nearCacheRecords, "
           "idleSeconds, waitReplicas, keyPrefix, caFile, certFile, keyFile, serverName, "
           "sentinelUser, "
           "sentinelPassword";
}

static const char *read_parameters(struct redis_config *config, char *query)
{
    const char *problem = NULL;
    while (query && *query && !problem) {
        char *rest = text_cut(query, '&');
        char *value = text_cut(query, '=');
        if (!value || !text_decode_percents(value))
            return "a parameter of the URL is written name=value, with %XX for special characters";
        problem = set_parameter(config, query, value);
        query = rest;
    }
    return problem;
}

static const char *read_credentials(struct redis_config *config, char *text)
{
    char *password = text_cut(text, ':');
    if (!password)
        return "in the URL, a password stands after a colon: redis://:password@host";
    if (!text_decode_percents(text) || !text_decode_percents(password))
        return "in the URL, special characters of user and password are written %XX";
    config->user = *text ? text : NULL;
    config->password = password;
    return NULL;
}

/* After the hosts: [/master][/database] */
static const char *read_path(struct redis_config *config, char *path)
{
    if (config->mode == REDIS_SENTINEL) {
        char *rest = path ? text_cut(path, '/') : NULL;
        if (!path || !*path || !text_decode_percents(path))
            return "the name of the master is missing: sentinel://host:port,host:port/master";
        config->master = path;
        path = rest;
    }
    if (path && *path && config->mode == REDIS_CLUSTER)
        return "a cluster has no databases: cluster://host:port,host:port";
    if (path && *path && !number(path, 0, 65535, &config->database))
        return "the database is a number: redis://host:port/0";
    return NULL;
}

static const char *read_url(struct redis_config *config, char *rest, bool is_unix)
{
    const char *problem = read_parameters(config, text_cut(rest, '?'));
    if (problem)
        return problem;
    char *hosts = strrchr(rest, '@');
    if (hosts) {
        *hosts++ = '\0';
        problem = read_credentials(config, rest);
    }
    hosts = hosts ? hosts : rest;
    if (problem)
        return problem;
    if (is_unix)
        return text_decode_percents(hosts) && hosts[0] == '/'
                   ? add_address(config, hosts)
                   : "a unix socket is written unix:///path";
    char *path = text_cut(hosts, '/');
    problem = add_addresses(config, hosts, ',');
    return problem ? problem : read_path(config, path);
}

static const struct scheme {
    const char *name;
    enum redis_mode mode;
    bool tls, is_unix;
} schemes[] = {
    { "redis://", REDIS_SINGLE, false, false },
    { "rediss://", REDIS_SINGLE, true, false },
    { "unix://", REDIS_SINGLE, false, true },
    { "sentinel://", REDIS_SENTINEL, false, false },
    { "sentinels://", REDIS_SENTINEL, true, false },
    { "cluster://", REDIS_CLUSTER, false, false },
    { "clusters://", REDIS_CLUSTER, true, false },
};

/* ---- the ancestor's ---- */

static const char *read_list(struct redis_config *config, char *text)
{
    int64_t ignored;
    char *fields[8] = { 0 };
    size_t count = 0;
    for (char *at = text, *next; at && count < 8; count++, at = next) {
        next = text_cut(at, ',');
        fields[count] = at;
    }
    if (fields[1] && *fields[1] && !number(fields[1], 1, 10000, &config->pool_size))
        return "the second field is the size of the pool, 1 to 10000: "
               "host:port,pool size,password,database";
    if (fields[2] && *fields[2])
        config->password = fields[2];
    if (fields[3] && *fields[3] && !number(fields[3], 0, 65535, &config->database))
        return "the fourth field is the database, a number";
    if (fields[4] && *fields[4] && !number(fields[4], 0, 86400, &config->idle_s))
        return "the fifth field is the idle time-out of a connection in seconds";
    for (int i = 5; i < 7; i++) { /* idle check, retries: nothing here needs them */
        if (fields[i] && *fields[i] && !number(fields[i], 0, 1000000, &ignored))
            return "the sixth and seventh field are numbers";
    }
    if (fields[7] && *fields[7]) {
        config->master = fields[7];
        config->mode = REDIS_SENTINEL;
    }
    if (config->mode == REDIS_SINGLE && strchr(fields[0], ';'))
        config->mode = REDIS_CLUSTER;
    return add_addresses(config, fields[0], ';');
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* As the list that it is another form of. */
static char *list_of_json(const json_t *object)
{
    static const char *const numbers[] = { "poolsize", "db_num", "idle_timeout",
                                           "idle_check_frequency", "max_retries" };
    char digits[5][24] = { "" };
    for (int i = 0; i < 5; i++) {
        const json_t *x = json_object_get(object, numbers[i]);
        if (json_is_integer(x) && json_integer_value(x) >= 0)
            (void)snprintf(digits[i], sizeof digits[i], "%lld", (long long)json_integer_value(x));
        else if (json_is_string(x))
            (void)snprintf(digits[i], sizeof digits[i], "%s", json_string_value(x));
    }
    char *list = NULL;
    if (asprintf(&list, "%s,%s,%s,%s,%s,%s,%s,%s", text_of(object, "save_path"), digits[0],
                 text_of(object, "password"), digits[1], digits[2], digits[3], digits[4],
                 text_of(object, "master_name")) < 0)
        return NULL;
    return list;
}

static const char *read_json(struct redis_config *config)
{
    json_t *object = json_loads(config->text, JSON_REJECT_DUPLICATES, NULL);
    char *list = json_is_object(object) ? list_of_json(object) : NULL;
    const bool comma = strchr(text_of(object, "password"), ',') != NULL;
    json_decref(object);
    if (!list)
        return "this is not a JSON object; write {\"save_path\": \"host:port\"}";
    free(config->text);
    config->text = list;
    return comma ? "a password with a comma needs a URL: redis://:password@host"
                 : read_list(config, list);
}

/* ---- all together ---- */

static const char *read_any(struct redis_config *config)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const struct scheme *scheme = &schemes[i];
        const size_t len = strlen(scheme->name);
        if (strncasecmp(config->text, scheme->name, len) != 0)
            continue;
        config->mode = scheme->mode;
        config->tls = scheme->tls;
        return read_url(config, config->text + len, scheme->is_unix);
    }
    if (strstr(config->text, "://"))
        return "the URL is none of redis://, rediss://, unix://, sentinel://, cluster://";
    if (config->text[0] == '{')
        return read_json(config);
    return read_list(config, config->text);
}

static bool prefix_is_valid(const char *prefix)
{
    return strlen(prefix) <= 64 &&
           strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(prefix);
}

const char *redis_config_read(struct redis_config *config, const char *text)
{
    config->text = strdup(text[0] ? text : "127.0.0.1");
    if (!config->text)
        return "out of memory";
    const char *problem = read_any(config);
    if (problem)
        return problem;
    for (size_t i = 0; i < config->address_count; i++) {
        if (!config->addresses[i].port)
            config->addresses[i].port =
                config->mode == REDIS_SENTINEL ? default_sentinel_port : default_port;
    }
    if (!prefix_is_valid(config->prefix))
        return "\"keyPrefix\" is up to 64 of a-z, 0-9, _ and -";
    if (config->mode == REDIS_SINGLE && config->address_count > 1)
        return "several addresses are written cluster:// or sentinel://";
    if (config->mode == REDIS_CLUSTER && config->database != 0)
        return "a cluster has no databases";
    if (config->mode == REDIS_CLUSTER && config->near_records != 0)
        return "\"nearCacheRecords\" is not for a cluster: leave it out, or make it 0";
    return NULL;
}

void redis_config_free(struct redis_config *config)
{
    free(config->text);
    config->text = NULL;
}
