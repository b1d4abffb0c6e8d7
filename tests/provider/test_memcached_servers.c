/* SPDX-License-Identifier: MIT */
/* Several servers: who keeps what, and one of them that is gone. */
#include "provider/memcached_fixture.h"
#include "shared/deadline.h"
#include "shared/envelope.h"

#include <libmemcached/memcached.h>
#include <stdio.h>

enum { SERVERS = 3, KEYS = 600 };

static struct server servers[SERVERS];
static struct ses_key keys[KEYS];

static char *config_of_all(char config[CONFIG_ROOM])
{
    config[0] = '\0';
    for (int i = 0; i < SERVERS; i++) {
        const size_t len = strlen(config);
        (void)snprintf(config + len, CONFIG_ROOM - len, "%s127.0.0.1:%d", i ? ";" : "",
                       servers[i].port);
    }
    return config;
}

static struct memcached_shop *open_shop(int64_t budget_ms)
{
    const struct memcached_tuning tuning = { .budget_ms = budget_ms };
    struct memcached_shop *shop = calloc(1, sizeof *shop);
    char config[CONFIG_ROOM];
    assert_ok(shop_open(shop, config_of_all(config), &tuning));
    return shop;
}

static void end(struct memcached_shop *shop)
{
    shop_close(shop);
    free(shop);
}

static struct memcached_shop *open_filled(int64_t budget_ms)
{
    struct memcached_shop *shop = open_shop(budget_ms);
    for (int i = 0; i < KEYS; i++) {
        keys[i] = new_key();
        (void)put(&shop->f, &keys[i], "alpha");
    }
    return shop;
}

static int load(const struct memcached_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

static bool answers(const struct server *server)
{
    return server_port_answers(server);
}

/* A client of another make, as its manual says how to share items with others. */
static memcached_st *open_client(void)
{
    memcached_st *client = memcached_create(NULL);
    assert_non_null(client);
    for (int i = 0; i < SERVERS; i++)
        assert_int_equal(memcached_server_add(client, "127.0.0.1", (in_port_t)servers[i].port),
                         MEMCACHED_SUCCESS);
    assert_int_equal(memcached_behavior_set(client, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1),
                     MEMCACHED_SUCCESS);
    return client;
}

static void clients_of_libmemcached_find_the_items_where_they_were_put(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_filled(0);
    memcached_st *client = open_client();
    for (int i = 0; i < KEYS; i++) {
        char name[ITEM_NAME_ROOM];
        size_t len;
        uint32_t flags;
        memcached_return_t r;
        (void)item_name(&keys[i], name);
        char *value = memcached_get(client, name, strlen(name), &len, &flags, &r);
        assert_int_equal(r, MEMCACHED_SUCCESS);
        assert_int_equal(len, ENVELOPE_HEAD + 5);
        free(value);
    }
    memcached_free(client);
    end(shop);
}

static void sessions_are_spread_over_all_servers(void **state)
{
    int kept[SERVERS] = { 0 };
    (void)state;
    struct memcached_shop *shop = open_shop(0);
    const struct memcached *memcached = store_instance(shop->f.store);
    for (int i = 0; i < 30000; i++) {
        const struct ses_key key = new_key();
        struct name name;
        name.len = strlen(item_name(&key, name.text));
        kept[ring_find(&memcached->ring, &name)]++;
    }
    print_message("# of 30000 sessions: %d, %d, %d\n", kept[0], kept[1], kept[2]);
    for (int i = 0; i < SERVERS; i++)
        assert_in_range(kept[i], 6000, 14000);
    end(shop);
}

struct list {
    struct memcached_config config;
    struct ring ring;
};

static void list_open(struct list *list, const char *text)
{
    assert_null(memcached_config_read(&list->config, text));
    assert_true(ring_open(&list->ring, &list->config));
}

static void list_close(struct list *list)
{
    ring_close(&list->ring);
    memcached_config_free(&list->config);
}

static char host_of(const struct list *list, const struct ses_key *key)
{
    struct name name;
    name.len = strlen(item_name(key, name.text));
    return list->config.servers[ring_find(&list->ring, &name)].host[0];
}

static void a_server_less_moves_only_its_own_sessions(void **state)
{
    (void)state;
    struct list all, fewer;
    int moved = 0, its_own = 0;
    list_open(&all, "a:1;b:2;c:3;d:4");
    list_open(&fewer, "a:1;b:2;d:4");
    for (int i = 0; i < 10000; i++) {
        const struct ses_key key = new_key();
        its_own += host_of(&all, &key) == 'c';
        moved += host_of(&all, &key) != 'c' && host_of(&all, &key) != host_of(&fewer, &key);
    }
    assert_int_equal(moved, 0);
    assert_in_range(its_own, 1500, 3500);
    list_close(&all);
    list_close(&fewer);
}

static void order_of_the_list_does_not_matter(void **state)
{
    (void)state;
    struct list one, other;
    list_open(&one, "a:1;b;[::1]:3;unix:/d");
    list_open(&other, "unix:/d;[::1]:3;a:1;b");
    one.config.servers[3].host = other.config.servers[0].host = "unix";
    for (int i = 0; i < 10000; i++) {
        const struct ses_key key = new_key();
        assert_int_equal(host_of(&one, &key), host_of(&other, &key));
    }
    list_close(&one);
    list_close(&other);
}

/* How many of the sessions are there, and how many cannot be asked for; no other answer counts. */
static void count_loads(const struct memcached_shop *shop, int *ret_there, int *ret_unavailable)
{
    *ret_there = *ret_unavailable = 0;
    for (int i = 0; i < KEYS; i++) {
        const int r = load(shop, &keys[i]);
        assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE);
        *ret_there += r == SES_OK;
        *ret_unavailable += r == SES_ERR_UNAVAILABLE;
    }
}

static void sessions_of_a_lost_server_are_unavailable_and_no_neighbour_takes_them(void **state)
{
    int there, unavailable;
    (void)state;
    struct memcached_shop *shop = open_filled(0);
    server_kill(&servers[1]);
    for (int round = 0; round < 3; round++) {
        count_loads(shop, &there, &unavailable);
        assert_in_range(unavailable, KEYS / 6, KEYS / 2);
        assert_int_equal(there + unavailable, KEYS);
    }
    assert_int_equal(shop->lost, 1);
    assert_int_equal(shop->back, 0);
    assert_code(store_ping(shop->f.store), SES_ERR_UNAVAILABLE);

    server_start_again(&servers[1], answers);
    const struct deadline deadline = deadline_in(20000);
    while (shop->back == 0) {
        for (int i = 0; i < KEYS; i++)
            (void)load(shop, &keys[i]);
        assert_false(deadline_passed(deadline));
    }
    assert_ok(store_ping(shop->f.store));
    end(shop);
}

static void frozen_server_does_not_hold_up_the_sessions_of_others(void **state)
{
    int there, unavailable;
    (void)state;
    struct memcached_shop *shop = open_filled(800);
    server_freeze(&servers[2]);
    const int64_t before = monotonic_ms();
    count_loads(shop, &there, &unavailable);
    server_thaw(&servers[2]);
    assert_in_range(there, KEYS / 2, KEYS);
    assert_in_range(unavailable, 1, KEYS / 2);
    /* Five wait for 400 ms each, then a probe now and then. */
    assert_in_range(monotonic_ms() - before, 1500, 6000);
    end(shop);
}

static void store_opens_while_one_of_its_servers_is_down_and_says_so(void **state)
{
    char config[CONFIG_ROOM];
    (void)state;
    server_kill(&servers[0]);
    struct memcached_shop *shop = open_shop(0);
    assert_int_equal(shop->lines, 1);
    (void)snprintf(config, sizeof config, "127.0.0.1:%d: ", servers[0].port);
    assert_non_null(strstr(shop->told, config));
    end(shop);

    server_kill(&servers[1]);
    server_kill(&servers[2]);
    shop = calloc(1, sizeof *shop);
    assert_code(shop_open(shop, config_of_all(config), NULL), SES_ERR_UNAVAILABLE);
    assert_int_equal(shop->lines, SERVERS);
    end(shop);
    for (int i = 0; i < SERVERS; i++)
        server_start_again(&servers[i], answers);
}

static void lost_store_is_told_once_though_all_its_servers_are_lost(void **state)
{
    int there, unavailable;
    (void)state;
    struct memcached_shop *shop = open_filled(0);
    for (int i = 0; i < SERVERS; i++)
        server_kill(&servers[i]);
    count_loads(shop, &there, &unavailable);
    assert_int_equal(unavailable, KEYS);
    assert_int_equal(shop->lost, 1);
    for (int i = 0; i < SERVERS; i++)
        server_start_again(&servers[i], answers);
    const struct deadline deadline = deadline_in(20000);
    while (shop->back == 0) {
        for (int i = 0; i < KEYS; i++)
            (void)load(shop, &keys[i]);
        assert_false(deadline_passed(deadline));
    }
    assert_int_equal(shop->lost, 1);
    assert_int_equal(shop->back, 1);
    assert_ok(store_ping(shop->f.store)); /* not before all were */
    end(shop);
}

static int start_all(void **state)
{
    (void)state;
    for (int i = 0; i < SERVERS; i++)
        memcached_start_tcp(&servers[i], NULL);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    for (int i = 0; i < SERVERS; i++)
        server_end(&servers[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_of_libmemcached_find_the_items_where_they_were_put),
        cmocka_unit_test(sessions_are_spread_over_all_servers),
        cmocka_unit_test(a_server_less_moves_only_its_own_sessions),
        cmocka_unit_test(order_of_the_list_does_not_matter),
        cmocka_unit_test(sessions_of_a_lost_server_are_unavailable_and_no_neighbour_takes_them),
        cmocka_unit_test(frozen_server_does_not_hold_up_the_sessions_of_others),
        cmocka_unit_test(store_opens_while_one_of_its_servers_is_down_and_says_so),
        cmocka_unit_test(lost_store_is_told_once_though_all_its_servers_are_lost),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
