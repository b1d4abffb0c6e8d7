/* SPDX-License-Identifier: MIT */
#include "provider/redis_fixture.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MORE_MOST = 30 };

static char *socket_path(const struct server *server, char path[SERVER_PATH_ROOM])
{
    return server_file(server, "redis.sock", path);
}

redisReply *redis_say(const struct server *server, const char *command)
{
    char path[SERVER_PATH_ROOM];
    redisContext *context = redisConnectUnix(socket_path(server, path));
    redisReply *reply = context && !context->err ? redisCommand(context, command) : NULL;
    if (context)
        redisFree(context);
    return reply;
}

bool redis_answers(const struct server *server)
{
    redisReply *reply = redis_say(server, "PING");
    const bool answers =
        reply && (reply->type == REDIS_REPLY_STATUS || reply_is_error(reply, "NOAUTH"));
    reply_free(reply);
    return answers;
}

void redis_start(struct server *server, const char *const *more)
{
    char port[16], path[SERVER_PATH_ROOM];
    server_prepare(server);
    (void)snprintf(port, sizeof port, "%d", server->port);
    const char *words[20 + MORE_MOST] = {
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--port",
        port,
        "--unixsocket",
        socket_path(server, path),
        "--dir",
        server->folder,
        "--save",
        "",
        "--enable-debug-command",
        "local",
    };
    for (int i = 0, at = 13; more && more[i] && i < MORE_MOST; i++)
        words[at++] = more[i];
    server_start(server, words, redis_answers);
}

char *redis_unix_url(const struct server *server, const char *parameters, char url[URL_ROOM])
{
    char path[SERVER_PATH_ROOM];
    (void)snprintf(url, URL_ROOM, "unix://%s%s", socket_path(server, path), parameters);
    return url;
}

char *redis_tcp_url(const struct server *server, const char *parameters, char url[URL_ROOM])
{
    (void)snprintf(url, URL_ROOM, "redis://127.0.0.1:%d%s", server->port, parameters);
    return url;
}

void redis_settings(void *instance)
{
    struct redis *redis = instance;
    redis->pool_size = 16;
    redis->connect_ms = 500;
    redis->budget_ms = 2000;
}

void redis_patient_settings(void *instance)
{
    struct redis *redis = instance;
    redis_settings(instance);
    redis->connect_ms = 5000;
    redis->budget_ms = 20000;
}

static void note_line(void *arg, enum ses_log_level level, const char *line)
{
    struct redis_shop *shop = arg;
    (void)level;
    (void)pthread_mutex_lock(&shop->mutex);
    const size_t len = strlen(shop->all);
    (void)snprintf(shop->told, sizeof shop->told, "%s", line);
    (void)snprintf(shop->all + len, sizeof shop->all - len, "%s\n", line);
    (void)pthread_mutex_unlock(&shop->mutex);
}

static void note_reachable(void *arg, bool reachable)
{
    struct redis_shop *shop = arg;
    if (reachable)
        shop->back++;
    else
        shop->lost++;
}

int shop_open(struct redis_shop *shop, const char *config)
{
    const struct store_hooks hooks = {
        .log = note_line, .log_arg = shop, .reachable = note_reachable, .reachable_arg = shop
    };
    static const struct ses_conformance subject = { .size = sizeof subject,
                                                    .ops = &ses_provider_redis };
    struct store *store = NULL;
    *shop = (struct redis_shop){ .f = { .subject = &subject, .now = present_ms() } };
    (void)pthread_mutex_init(&shop->mutex, NULL);
    assert_ok(store_prepare(&ses_provider_redis, &hooks, &store));
    redis_settings(store_instance(store));
    const int r = store_open(store, config);
    if (r == SES_OK)
        shop->f.store = store;
    else
        store_close(store);
    return r;
}

void shop_close(struct redis_shop *shop)
{
    store_close(shop->f.store);
    (void)pthread_mutex_destroy(&shop->mutex);
}
