/* SPDX-License-Identifier: MIT */
#include "memcached/config.h"

#include "shared/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char default_port[] = "11211";
static const char unix_mark[] = "unix:";
static const char what_a_server_is[] = "a server is host:port, [IPv6 address]:port or unix:/path";

static const char host_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
static const char ipv6_letters[] = "0123456789abcdefABCDEF:.";

static bool consists_of(const char *text, const char *letters)
{
    return text[0] && text[strspn(text, letters)] == '\0';
}

/* ---- one server ---- */

/* What follows the host is nothing, or a colon and a port. */
static const char *read_port(struct memcached_address *server, const char *after)
{
    server->port = after[0] ? after + 1 : default_port;
    if ((after[0] && after[0] != ':') || !consists_of(server->port, "0123456789"))
        return what_a_server_is;
    const long number = strlen(server->port) <= 5 ? strtol(server->port, NULL, 10) : 0;
    return number >= 1 && number <= 65535 ? NULL : "a server's port is a number from 1 to 65535";
}

static const char *read_ipv6(struct memcached_address *server, char *text)
{
    char *end = strchr(text, ']');
    if (!end)
        return "an IPv6 address begins with [ and ends with ]";
    *end = '\0';
    server->host = text + 1;
    if (!consists_of(server->host, ipv6_letters))
        return "what stands in brackets is not an IPv6 address";
    return read_port(server, end + 1);
}

static const char *read_host(struct memcached_address *server, char *text)
{
    const size_t len = strcspn(text, ":");
    const char *after = text + len;
    if (after[0] && strchr(after + 1, ':') && consists_of(text, ipv6_letters))
        return "an IPv6 address stands in brackets: [::1]:11211";
    const char *problem = read_port(server, after);
    text[len] = '\0';
    server->host = text;
    return consists_of(text, host_letters) ? problem : what_a_server_is;
}

static const char *read_path(struct memcached_address *server, const char *path)
{
    server->path = path;
    if (path[0] != '/')
        return "a unix socket is unix: and a path that begins with /";
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return "a unix socket's path has at most 107 characters";
    return NULL;
}

static const char *read_server(struct memcached_address *server, char *text)
{
    if (strncmp(text, unix_mark, strlen(unix_mark)) == 0)
        return read_path(server, text + strlen(unix_mark));
    return text[0] == '[' ? read_ipv6(server, text) : read_host(server, text);
}

/* ---- all of them ---- */

static bool same(const struct memcached_address *a, const struct memcached_address *b)
{
    if (a->path || b->path)
        return a->path && b->path && strcmp(a->path, b->path) == 0;
    return strcmp(a->host, b->host) == 0 && strtol(a->port, NULL, 10) == strtol(b->port, NULL, 10);
}

static const char *add_server(struct memcached_config *config, char *text)
{
    if (config->count == MEMCACHED_SERVERS_MOST)
        return "more than 64 servers";
    struct memcached_address *server = &config->servers[config->count];
    const char *problem = read_server(server, text);
    for (size_t i = 0; i < config->count && !problem; i++) {
        if (same(server, &config->servers[i]))
            problem = "a server is named twice";
    }
    config->count++;
    return problem;
}

const char *memcached_config_read(struct memcached_config *config, const char *text)
{
    const char *problem = NULL;
    *config = (struct memcached_config){ .text = strdup(text) };
    if (!config->text)
        return "out of memory";
    if (!text[0])
        return "providerConfig names the servers: host:port;host:port";
    for (char *at = config->text, *next; at && !problem; at = next) {
        next = text_cut(at, ';');
        if (!at[0])
            problem = "between two semicolons, or after the last one, stands no server";
        else
            problem = add_server(config, at);
    }
    return problem;
}

void memcached_config_free(struct memcached_config *config)
{
    free(config->text);
    *config = (struct memcached_config){ 0 };
}

const char *prefix_check(const char *prefix)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    return prefix[strspn(prefix, letters)] ? "keyPrefix has only a-z, 0-9, _ and -" : NULL;
}
