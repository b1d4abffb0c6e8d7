/* SPDX-License-Identifier: MIT */
#include "provider/redis_sentinels.h"

#include "shared/deadline.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_MS = 30000 };

/* Of any server that listens on its port. */
static redisReply *say_to(const struct server *server, const char *command)
{
    redisContext *context = redisConnect("127.0.0.1", server->port);
    redisReply *reply = context && !context->err ? redisCommand(context, command) : NULL;
    if (context)
        redisFree(context);
    return reply;
}

static bool sentinel_answers(const struct server *server)
{
    redisReply *reply = say_to(server, "PING");
    const bool answers = reply && reply->type == REDIS_REPLY_STATUS;
    reply_free(reply);
    return answers;
}

static void start_sentinel(struct server *server, int master_port)
{
    char path[SERVER_PATH_ROOM];
    server_prepare(server);
    FILE *config = fopen(server_file(server, "sentinel.conf", path), "we");
    if (!config)
        err(2, "%s", path);
    (void)fprintf(config,
                  "bind 127.0.0.1\nport %d\ndir %s\n"
                  "sentinel monitor mymaster 127.0.0.1 %d 2\n"
                  "sentinel down-after-milliseconds mymaster 500\n"
                  "sentinel failover-timeout mymaster 4000\n",
                  server->port, server->folder, master_port);
    (void)fclose(config);
    server_start(server, (const char *const[]){ "redis-server", path, "--sentinel", NULL },
                 sentinel_answers);
}

bool has_replicas(const struct server *server, int count)
{
    char wanted[32];
    (void)snprintf(wanted, sizeof wanted, "connected_slaves:%d", count);
    redisReply *reply = redis_say(server, "INFO replication");
    const bool found = reply && reply->str && strstr(reply->str, wanted) &&
                       !strstr(reply->str, "state=wait") && !strstr(reply->str, "state=send");
    reply_free(reply);
    return found;
}

/* Each sentinel has found the replicas and the two others. */
static bool is_ready(const struct server *sentinel)
{
    redisReply *reply = say_to(sentinel, "INFO sentinel");
    const bool ready = reply && reply->str && strstr(reply->str, "slaves=2,sentinels=3");
    reply_free(reply);
    return ready;
}

void watched_start(struct watched *watched)
{
    const struct deadline deadline = deadline_in(SETTLE_MS);
    char port[16];
    redis_start(&watched->servers[0], NULL);
    (void)snprintf(port, sizeof port, "%d", watched->servers[0].port);
    for (int i = 1; i < WATCHED; i++)
        redis_start(&watched->servers[i],
                    (const char *const[]){ "--replicaof", "127.0.0.1", port, NULL });
    for (int i = 0; i < SENTINELS; i++)
        start_sentinel(&watched->sentinels[i], watched->servers[0].port);
    bool ready = false;
    while (!ready && !deadline_passed(deadline)) {
        ready = has_replicas(&watched->servers[0], WATCHED - 1);
        for (int i = 0; i < SENTINELS; i++)
            ready = ready && is_ready(&watched->sentinels[i]);
    }
    if (!ready)
        errx(2, "the sentinels did not find one another");
}

void watched_stop(struct watched *watched)
{
    for (int i = 0; i < SENTINELS; i++)
        server_end(&watched->sentinels[i]);
    for (int i = 0; i < WATCHED; i++)
        server_end(&watched->servers[i]);
}

char *watched_url(const struct watched *watched, const char *parameters, char url[URL_ROOM])
{
    const struct server *s = watched->sentinels;
    (void)snprintf(url, URL_ROOM, "sentinel://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/mymaster%s",
                   s[0].port, s[1].port, s[2].port, parameters);
    return url;
}

int watched_master(const struct watched *watched)
{
    redisReply *reply = say_to(&watched->sentinels[0], "SENTINEL get-master-addr-by-name mymaster");
    const int port = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
                         ? (int)strtol(reply->element[1]->str, NULL, 10)
                         : 0;
    reply_free(reply);
    return port;
}
