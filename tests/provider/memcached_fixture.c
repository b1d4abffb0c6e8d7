/* SPDX-License-Identifier: MIT */
#include "provider/memcached_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORDS_MOST = 30 };

char *memcached_socket(const struct server *server, char path[SERVER_PATH_ROOM])
{
    return server_file(server, "memcached.sock", path);
}

/* ---- the server ---- */

static bool says_version(int fd)
{
    static const char command[] = "version\r\n";
    char answer[16];
    if (fd < 0)
        return false;
    const bool sent = send(fd, command, strlen(command), MSG_NOSIGNAL) == (ssize_t)strlen(command);
    const ssize_t got = sent ? recv(fd, answer, sizeof answer, 0) : -1;
    (void)close(fd);
    return got > 7 && memcmp(answer, "VERSION", 7) == 0;
}

bool memcached_answers(const struct server *server)
{
    char path[SERVER_PATH_ROOM];
    return says_version(server_connect(memcached_socket(server, path), 0));
}

static bool port_answers(const struct server *server)
{
    return says_version(server_connect(NULL, server->port));
}

static void start(struct server *server, const char *const *where, const char *const *more,
                  bool (*answers)(const struct server *server))
{
    const char *words[10 + WORDS_MOST] = { "memcached", "-u", "root", "-m", "64" };
    int at = 5;
    for (int i = 0; where[i]; i++)
        words[at++] = where[i];
    for (int i = 0; more && more[i] && at < WORDS_MOST; i++)
        words[at++] = more[i];
    server_start(server, words, answers);
}

void memcached_start(struct server *server, const char *const *more)
{
    char path[SERVER_PATH_ROOM];
    server_prepare(server);
    const char *const where[] = { "-s", memcached_socket(server, path), NULL };
    start(server, where, more, memcached_answers);
}

void memcached_start_tcp(struct server *server, const char *const *more)
{
    char port[16];
    server_prepare(server);
    (void)snprintf(port, sizeof port, "%d", server->port);
    const char *const where[] = { "-l", "127.0.0.1", "-p", port, NULL };
    start(server, where, more, port_answers);
}

char *memcached_config_of(const struct server *server, char config[CONFIG_ROOM])
{
    char path[SERVER_PATH_ROOM];
    (void)snprintf(config, CONFIG_ROOM, "unix:%s", memcached_socket(server, path));
    return config;
}

size_t memcached_say(const struct server *server, const char *command, char *answer, size_t room)
{
    char path[SERVER_PATH_ROOM];
    const int fd = server_connect(memcached_socket(server, path), 0);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, command, strlen(command), MSG_NOSIGNAL), strlen(command));
    const ssize_t got = recv(fd, answer, room - 1, 0);
    (void)close(fd);
    assert_true(got > 0);
    answer[got] = '\0';
    return (size_t)got;
}

char *item_name(const struct ses_key *key, char name[ITEM_NAME_ROOM])
{
    int at = snprintf(name, ITEM_NAME_ROOM, "sesame-");
    for (size_t i = 0; i < sizeof key->bytes; i++)
        at += snprintf(name + at, (size_t)(ITEM_NAME_ROOM - at), "%02x", key->bytes[i]);
    return name;
}

/* ---- the store ---- */

void memcached_settings(void *instance)
{
    struct memcached *memcached = instance;
    memcached->pool_size = 16;
    memcached->connect_ms = 500;
    memcached->budget_ms = 2000;
}

void memcached_patient_settings(void *instance)
{
    struct memcached *memcached = instance;
    memcached_settings(instance);
    memcached->connect_ms = 5000;
    memcached->budget_ms = 20000;
}

static void note_line(void *arg, enum ses_log_level level, const char *line)
{
    struct memcached_shop *shop = arg;
    (void)level;
    (void)pthread_mutex_lock(&shop->mutex);
    const size_t len = strlen(shop->all);
    shop->lines++;
    (void)snprintf(shop->told, sizeof shop->told, "%s", line);
    (void)snprintf(shop->all + len, sizeof shop->all - len, "%s\n", line);
    (void)pthread_mutex_unlock(&shop->mutex);
}

static void note_reachable(void *arg, bool reachable)
{
    struct memcached_shop *shop = arg;
    if (reachable)
        shop->back++;
    else
        shop->lost++;
}

static void tune(struct memcached *memcached, const struct memcached_tuning *tuning)
{
    memcached_settings(memcached);
    if (!tuning)
        return;
    memcached->key_prefix = tuning->key_prefix;
    if (tuning->budget_ms > 0)
        memcached->budget_ms = tuning->budget_ms;
    if (tuning->pool_size > 0)
        memcached->pool_size = tuning->pool_size;
}

int shop_open(struct memcached_shop *shop, const char *config,
              const struct memcached_tuning *tuning)
{
    static const struct ses_conformance subject = { .size = sizeof subject,
                                                    .ops = &ses_provider_memcached };
    const struct store_hooks hooks = {
        .log = note_line, .log_arg = shop, .reachable = note_reachable, .reachable_arg = shop
    };
    struct store *store = NULL;
    *shop = (struct memcached_shop){ .f = { .subject = &subject, .now = present_ms() } };
    (void)pthread_mutex_init(&shop->mutex, NULL);
    assert_ok(store_prepare(&ses_provider_memcached, &hooks, &store));
    tune(store_instance(store), tuning);
    const int r = store_open(store, config);
    if (r == SES_OK)
        shop->f.store = store;
    else
        store_close(store);
    return r;
}

void shop_close(struct memcached_shop *shop)
{
    store_close(shop->f.store);
    (void)pthread_mutex_destroy(&shop->mutex);
}
