/* SPDX-License-Identifier: MIT */
/* What a node may say about its cluster, also if no node says it, by a server that only talks. */
#include "provider/redis_fixture.h"
#include "shared/deadline.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUDGET_MS = 2000, LITTLE_MS = 100, SLACK_MS = 2000 };

/* What it answers to CLUSTER SLOTS and to GET; everything else it welcomes. */
struct talker {
    int listener, port;
    pthread_t thread;
    _Atomic(const char *) map, value;
};

static struct talker talker;

static void *talk(void *arg)
{
    const int fd = (int)(intptr_t)arg;
    char asked[1024];
    for (;;) {
        const ssize_t len = recv(fd, asked, sizeof asked - 1, 0);
        if (len <= 0)
            break;
        asked[len] = '\0';
        const char *answer = strstr(asked, "CLUSTER") ? talker.map
                             : strstr(asked, "GET")   ? talker.value
                                                      : "+OK\r\n";
        (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    }
    (void)close(fd);
    return NULL;
}

static void *listen_on(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_t thread;
        const int fd = accept(talker.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        if (pthread_create(&thread, NULL, talk, (void *)(intptr_t)fd) == 0)
            (void)pthread_detach(thread);
    }
}

static int start(void **state)
{
    (void)state;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    talker.port = free_port();
    address.sin_port = htons((uint16_t)talker.port);
    talker.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(talker.listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(talker.listener, 16) < 0)
        return -1;
    return pthread_create(&talker.thread, NULL, listen_on, NULL);
}

static int stop(void **state)
{
    (void)state;
    (void)shutdown(talker.listener, SHUT_RDWR);
    (void)pthread_join(talker.thread, NULL);
    return close(talker.listener);
}

static int open_shop(struct redis_shop *shop)
{
    char url[URL_ROOM];
    (void)snprintf(url, sizeof url, "cluster://127.0.0.1:%d", talker.port);
    return shop_open(shop, url);
}

/* As if it had been opened with that budget. */
static void give(const struct redis_shop *shop, int64_t budget_ms)
{
    ((struct redis *)store_instance(shop->f.store))->config.budget_ms = budget_ms;
}

static int load(const struct redis_shop *shop)
{
    const struct ses_key key = new_key();
    struct ses_record record = { 0 };
    const int64_t before = monotonic_ms();
    const int r = store_load(shop->f.store, &key, shop->f.now, &record);
    assert_in_range(monotonic_ms() - before, 0, LITTLE_MS / 2 + SLACK_MS);
    drop_record(&record);
    return r;
}

/* ---- the map ---- */

static void map_of_a_host_that_is_an_ipv6_is_followed(void **state)
{
    (void)state;
    static struct redis_shop shop;
    talker.map = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$3\r\n::1\r\n:1\r\n";
    assert_ok(open_shop(&shop));
    give(&shop, LITTLE_MS);
    assert_code(load(&shop), SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(shop.told, "[::1]:1: "));
    shop_close(&shop);
}

static const char *own_map(const char *host)
{
    static char map[200];
    (void)snprintf(map, sizeof map, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n%s\r\n:%d\r\n", host,
                   talker.port);
    return map;
}

static void map_without_a_host_means_the_one_that_was_asked(void **state)
{
    (void)state;
    static const char *const none[] = { "$0\r\n", "$-1" };
    static struct redis_shop shop;
    talker.value = "$-1\r\n";
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        talker.map = own_map(none[i]);
        assert_ok(open_shop(&shop));
        assert_code(load(&shop), SES_ERR_NOT_FOUND);
        shop_close(&shop);
    }
}

static void map_that_makes_no_sense_is_refused_in_one_line(void **state)
{
    (void)state;
    static const char *const maps[] = {
        "*0\r\n",
        "+OK\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*0\r\n",
        "*1\r\n*2\r\n:0\r\n:16383\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n$1\r\nx\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n*1\r\n$1\r\nx\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nx\r\n$1\r\n1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nx\r\n:1\r\n",
        "*1\r\n*3\r\n:-1\r\n:5\r\n*2\r\n$1\r\nx\r\n:1\r\n",
        "*1\r\n*3\r\n:6\r\n:5\r\n*2\r\n$1\r\nx\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nx\r\n:0\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nx\r\n:65536\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\n?\r\n:1\r\n",
    };
    static struct redis_shop shop;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        talker.map = maps[i];
        assert_code(open_shop(&shop), SES_ERR_UNAVAILABLE);
        assert_non_null(strstr(shop.told, "it knows nobody who has slots"));
        assert_string_equal(strchr(shop.all, '\n'), "\n");
    }
}

/* ---- redirections ---- */

static void redirection_to_an_ipv6_is_followed(void **state)
{
    (void)state;
    static const char *const values[] = { "-MOVED 7 ::1:1\r\n", "-ASK 7 ::1:1\r\n" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        static struct redis_shop shop;
        talker.map = own_map("$0\r\n");
        talker.value = values[i];
        assert_ok(open_shop(&shop));
        give(&shop, LITTLE_MS);
        assert_code(load(&shop), SES_ERR_UNAVAILABLE);
        assert_non_null(strstr(shop.all, "[::1]:1"));
        shop_close(&shop);
    }
}

static void redirection_to_nowhere_ends_with_the_budget(void **state)
{
    (void)state;
    static const char *const values[] = {
        "-MOVED\r\n",        "-MOVED 7\r\n",     "-MOVED 7 x\r\n",       "-ASK 7 x:\r\n",
        "-MOVED 7 x:0\r\n",  "-ASK 7 ?:1\r\n",   "-MOVED 7 x:65536\r\n", "-MOVED 7 x:-1\r\n",
        "-TRYAGAIN not\r\n", "-CLUSTERDOWN\r\n", "-LOADING yet\r\n",     "-MASTERDOWN so\r\n",
    };
    static struct redis_shop shop;
    talker.map = own_map("$0\r\n");
    assert_ok(open_shop(&shop));
    give(&shop, LITTLE_MS);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        talker.value = values[i];
        assert_code(load(&shop), SES_ERR_UNAVAILABLE);
    }
    talker.value = "$-1\r\n";
    give(&shop, BUDGET_MS);
    assert_code(load(&shop), SES_ERR_NOT_FOUND);
    shop_close(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_of_a_host_that_is_an_ipv6_is_followed),
        cmocka_unit_test(map_without_a_host_means_the_one_that_was_asked),
        cmocka_unit_test(map_that_makes_no_sense_is_refused_in_one_line),
        cmocka_unit_test(redirection_to_an_ipv6_is_followed),
        cmocka_unit_test(redirection_to_nowhere_ends_with_the_budget),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
