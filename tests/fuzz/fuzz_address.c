/* SPDX-License-Identifier: MIT */

/*
 * The input as what an operator writes into "ProviderConfig" to say where the servers are: the
 * first byte chooses for which provider. What is refused is refused in one line, which holds no
 * password; what is taken names at least one server, and each of them in full.
 */

#include "memcached/config.h"
#include "mysql/config.h"
#include "redis/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_problem(const char *problem)
{
    demand(problem[0] != '\0' && strlen(problem) < 400);
    for (const char *c = problem; *c; c++)
        demand((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static bool is_port(const char *text)
{
    const size_t len = strlen(text);
    return len > 0 && strspn(text, "0123456789") == len && strtol(text, NULL, 10) > 0 &&
           strtol(text, NULL, 10) <= 65535;
}

/* A path, or a host and a port. */
static void check_place(const char *path, const char *host, const char *port)
{
    demand(!path != !host);
    demand(!path || path[0] == '/');
    demand(!host || (host[0] && port && is_port(port)));
}

static void check_mysql(const char *text)
{
    struct mysql_config config;
    const char *problem = mysql_config_read(&config, text);
    if (problem) {
        check_problem(problem);
    } else {
        check_place(config.path, config.host, config.port);
        demand(config.database && config.database[0] && config.user && config.password);
        demand(config.connect_ms >= 0 && config.read_ms >= 0 && config.write_ms >= 0);
        demand(!config.ca_file || config.tls == MYSQL_TLS_VERIFIED);
        demand(strcmp(config.whole, text) == 0);
    }
    mysql_config_free(&config);
}

static void check_redis(const char *text)
{
    struct redis_config config = { .pool_size = 16, .budget_ms = 2000, .prefix = "" };
    const char *problem = redis_config_read(&config, text);
    if (problem) {
        check_problem(problem);
    } else {
        demand(config.address_count > 0 && config.address_count <= REDIS_ADDRESSES_MOST);
        for (size_t i = 0; i < config.address_count; i++)
            check_place(config.addresses[i].path, config.addresses[i].host,
                        config.addresses[i].port);
        demand(config.mode != REDIS_SENTINEL || (config.master && config.master[0]));
        demand(config.pool_size > 0 && config.budget_ms > 0 && config.database >= 0);
    }
    redis_config_free(&config);
}

static void check_memcached(const char *text)
{
    struct memcached_config config;
    const char *problem = memcached_config_read(&config, text);
    if (problem) {
        check_problem(problem);
    } else {
        demand(config.count > 0 && config.count <= MEMCACHED_SERVERS_MOST);
        for (size_t i = 0; i < config.count; i++)
            check_place(config.servers[i].path, config.servers[i].host, config.servers[i].port);
    }
    memcached_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(const char *) = { check_mysql, check_redis, check_memcached };
    if (size == 0)
        return 0;
    char *text = malloc(size);
    demand(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    checks[data[0] % 3](text);
    free(text);
    return 0;
}
