/* SPDX-License-Identifier: MIT */
/* What lies in memcached, for how long, and what an operator is told. */
#include "memcached/visit.h"
#include "provider/memcached_fixture.h"

#include <stdio.h>

enum { DAY_S = 86400, ANSWER_ROOM = 4096 };

static struct server server;
static char config[CONFIG_ROOM];

static struct memcached_shop *open_with(const struct memcached_tuning *tuning)
{
    struct memcached_shop *shop = calloc(1, sizeof *shop);
    assert_ok(shop_open(shop, config, tuning));
    return shop;
}

static void end(struct memcached_shop *shop)
{
    shop_close(shop);
    free(shop);
}

static int load(struct memcached_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

/* "mg name t" tells how many seconds memcached will keep an item; -1: for ever. */
static long kept_for_s(const struct ses_key *key)
{
    char name[ITEM_NAME_ROOM], command[200], answer[ANSWER_ROOM];
    (void)snprintf(command, sizeof command, "mg %s t\r\n", item_name(key, name));
    (void)memcached_say(&server, command, answer, sizeof answer);
    const char *at = strstr(answer, " t");
    assert_non_null(at);
    return strtol(at + 2, NULL, 10);
}

/* ---- layout ---- */

static void item_is_the_shared_envelope_under_prefix_and_hexadecimal_key(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    char name[ITEM_NAME_ROOM], command[200], answer[ANSWER_ROOM], head[200];
    (void)snprintf(command, sizeof command, "get %s\r\n", item_name(&key, name));
    const size_t len = memcached_say(&server, command, answer, sizeof answer);
    const size_t head_len =
        (size_t)snprintf(head, sizeof head, "VALUE %s 0 %d\r\n", name, ENVELOPE_HEAD + 5);
    assert_int_equal(len, head_len + ENVELOPE_HEAD + 5 + strlen("\r\nEND\r\n"));
    assert_memory_equal(answer, head, head_len);

    struct crc crc;
    struct envelope envelope;
    crc_init(&crc);
    assert_true(envelope_read(
        &crc, &key, (struct ses_slice){ answer + head_len, ENVELOPE_HEAD + 5 }, &envelope));
    assert_int_equal(envelope.version, version);
    assert_int_equal(envelope.expires_ms, shop->f.now + LIFE_MS);
    assert_false(envelope.owned);
    assert_memory_equal(envelope.data.data, "alpha", 5);
    end(shop);
}

static void name_keeps_to_its_alphabet_and_length_with_the_longest_prefix(void **state)
{
    (void)state;
    char prefix[65];
    memset(prefix, 'z', sizeof prefix - 1);
    prefix[64] = '\0';
    const struct memcached_tuning tuning = { .key_prefix = prefix };
    struct memcached_shop *shop = open_with(&tuning);
    for (int i = 0; i < 256; i++) {
        struct ses_key key = new_key();
        struct visit visit;
        memset(key.bytes, i, sizeof key.bytes); /* control characters and spaces, too */
        assert_ok(visit_begin(&visit, store_instance(shop->f.store), &key, shop->f.now));
        assert_int_equal(visit.name.len, 64 + 64);
        for (size_t at = 0; at < visit.name.len; at++)
            assert_non_null(strchr("abcdefz0123456789", visit.name.text[at]));
        visit_end(&visit);
        (void)put(&shop->f, &key, "alpha");
        assert_ok(load(shop, &key));
        assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    }
    end(shop);
}

static void stores_of_different_prefixes_do_not_see_each_other(void **state)
{
    (void)state;
    const struct memcached_tuning tuning = { .key_prefix = "other-" };
    struct memcached_shop *one = open_with(NULL), *other = open_with(&tuning);
    const struct ses_key key = new_key();
    (void)put(&one->f, &key, "alpha");
    assert_code(load(other, &key), SES_ERR_NOT_FOUND);
    (void)put(&other->f, &key, "beta");
    assert_ok(store_destroy(one->f.store, &key, one->f.now));
    assert_ok(load(other, &key));
    end(one);
    end(other);
}

static void value_that_is_not_a_record_is_corrupt_until_it_is_destroyed(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key key = new_key(), other = new_key();
    struct ses_record record = make_record(SLICE("beta"), shop->f.now + LIFE_MS);
    char name[ITEM_NAME_ROOM], command[200], answer[ANSWER_ROOM];
    (void)snprintf(command, sizeof command, "set %s 0 0 5\r\nhello\r\n", item_name(&key, name));
    (void)memcached_say(&server, command, answer, sizeof answer);
    assert_code(load(shop, &key), SES_ERR_CORRUPT);
    assert_code(save_as(&shop->f, &key, 1, "beta", SES_KIND_SESSION), SES_ERR_CORRUPT);
    assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record), SES_ERR_CORRUPT);
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    assert_ok(store_create(shop->f.store, &key, shop->f.now, NULL, &record));
    assert_code(load(shop, &other), SES_ERR_NOT_FOUND);
    drop_record(&record);
    end(shop);
}

/* ---- for how long ---- */

static void lifetime_over_thirty_days_is_converted_to_a_date(void **state)
{
    (void)state;
    static const long days[] = { 0, 1, 29, 30, 31, 60, 400 };
    struct memcached_shop *shop = open_with(NULL);
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        const struct ses_key key = new_key();
        const long life_s = days[i] * DAY_S + 10;
        const uint64_t version = put_until(&shop->f, &key, "alpha", shop->f.now + life_s * 1000);
        assert_ok(load(shop, &key));
        assert_in_range(kept_for_s(&key), life_s, life_s + 120); /* never less */
        assert_ok(store_touch(shop->f.store, &key, shop->f.now, version,
                              shop->f.now + (life_s + 40L * DAY_S) * 1000));
        assert_in_range(kept_for_s(&key), life_s + 40L * DAY_S, life_s + 40L * DAY_S + 120);
    }
    end(shop);
}

static void lifetime_beyond_any_date_of_memcacheds_has_no_end_there(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key key = new_key(), last = new_key();
    (void)put_until(&shop->f, &key, "alpha", INT64_C(0x7fffffff) * 1000);
    assert_int_equal(kept_for_s(&key), -1);
    (void)put_until(&shop->f, &last, "alpha", INT64_MAX);
    assert_int_equal(kept_for_s(&last), -1);
    assert_ok(load(shop, &last));
    end(shop);
}

static void item_is_kept_a_little_longer_than_it_lives(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key key = new_key();
    (void)put_until(&shop->f, &key, "alpha", shop->f.now + 1);
    assert_in_range(kept_for_s(&key), 55, 62);
    assert_ok(load(shop, &key));
    end(shop);
}

/* ---- the end ---- */

static void add_that_was_delayed_until_after_a_destroy_finds_a_tombstone(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key key = new_key(), unknown = new_key();
    char name[ITEM_NAME_ROOM], command[200], answer[ANSWER_ROOM];
    (void)put(&shop->f, &key, "alpha");
    const struct ses_key *const destroyed[] = { &key, &unknown };
    for (int i = 0; i < 2; i++) {
        assert_ok(store_destroy(shop->f.store, destroyed[i], shop->f.now));
        (void)snprintf(command, sizeof command, "add %s 0 0 5\r\nhello\r\n",
                       item_name(destroyed[i], name));
        (void)memcached_say(&server, command, answer, sizeof answer);
        assert_string_equal(answer, "NOT_STORED\r\n");
        /* Longer than a kernel sends what it could not deliver: 924 s. */
        assert_in_range(kept_for_s(destroyed[i]), 1000, 1200);
        assert_code(load(shop, destroyed[i]), SES_ERR_NOT_FOUND);
    }
    end(shop);
}

static void tombstone_gives_way_to_a_new_record_and_to_nothing_else(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key key = new_key();
    const uint64_t old = put(&shop->f, &key, "alpha");
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    assert_code(save_as(&shop->f, &key, old, "beta", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    assert_code(store_touch(shop->f.store, &key, shop->f.now, old, shop->f.now + 2 * LIFE_MS),
                SES_ERR_NOT_FOUND);
    assert_code(load(shop, &key), SES_ERR_NOT_FOUND);
    const uint64_t version = put(&shop->f, &key, "gamma");
    assert_loads(&shop->f, &key, "gamma", version, shop->f.now + LIFE_MS);
    assert_true(kept_for_s(&key) < 1000);
    end(shop);
}

/* ---- too much ---- */

static void record_over_the_servers_limit_is_too_large_and_changes_nothing(void **state)
{
    enum { MIB = 1 << 20 };
    static unsigned char bytes[MIB + 1];
    static const size_t sizes[] = { MIB + 1, MIB, MIB - ENVELOPE_HEAD, MIB - ENVELOPE_HEAD - 1 };
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key key = new_key(), other = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct ses_record winner = { 0 }, large = make_record((struct ses_slice){ bytes, sizes[i] },
                                                              shop->f.now + LIFE_MS);
        assert_code(store_save(shop->f.store, &key, shop->f.now, version, &large, &winner),
                    SES_ERR_TOO_LARGE);
        assert_code(store_create(shop->f.store, &other, shop->f.now, NULL, &large),
                    SES_ERR_TOO_LARGE);
        drop_record(&large);
        assert_loads(&shop->f, &key, "alpha", version, shop->f.now + LIFE_MS);
        assert_code(load(shop, &other), SES_ERR_NOT_FOUND);
    }
    struct ses_record fits =
        make_record((struct ses_slice){ bytes, MIB - 1024 }, shop->f.now + LIFE_MS);
    assert_ok(store_create(shop->f.store, &other, shop->f.now, NULL, &fits));
    assert_ok(load(shop, &other));
    drop_record(&fits);
    end(shop);
}

static void assert_gone(struct memcached_shop *shop, const struct ses_key *key, uint64_t version)
{
    assert_code(load(shop, key), SES_ERR_NOT_FOUND);
    assert_code(save_as(&shop->f, key, version, "beta", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    assert_code(store_touch(shop->f.store, key, shop->f.now, version, shop->f.now + 2 * LIFE_MS),
                SES_ERR_NOT_FOUND);
}

static void evicted_session_is_not_found_and_not_brought_back(void **state)
{
    enum { FILLING = 100000, MOST = 2000 }; /* three times of what the server has */
    static unsigned char bytes[FILLING];
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    struct ses_key key = new_key();
    struct ses_record filling =
        make_record((struct ses_slice){ bytes, FILLING }, shop->f.now + LIFE_MS);
    assert_ok(store_create(shop->f.store, &key, shop->f.now, NULL, &filling));
    const uint64_t version = filling.version;
    for (int i = 0; i < MOST; i++) {
        const struct ses_key next = new_key();
        assert_ok(store_create(shop->f.store, &next, shop->f.now, NULL, &filling));
    }
    drop_record(&filling);
    assert_gone(shop, &key, version);
    end(shop);
}

/* ---- what it cannot do ---- */

static int count_none(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    (void)arg, (void)key, (void)record;
    return 1;
}

static void list_count_and_walk_are_unsupported(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_with(NULL);
    const struct ses_key user = new_key();
    uint64_t count;
    assert_code(store_count(shop->f.store, shop->f.now, &count), SES_ERR_UNSUPPORTED);
    assert_code(store_iterate(shop->f.store, shop->f.now, count_none, NULL), SES_ERR_UNSUPPORTED);
    assert_code(store_list(shop->f.store, &user, shop->f.now, count_none, NULL),
                SES_ERR_UNSUPPORTED);
    end(shop);
}

/* ---- an operator's mistakes ---- */

static void assert_refused(const char *text, const char *prefix, int code, const char *told)
{
    const struct memcached_tuning tuning = { .key_prefix = prefix, .budget_ms = 2000 };
    struct memcached_shop *shop = calloc(1, sizeof *shop);
    assert_code(shop_open(shop, text, &tuning), code);
    if (!strstr(shop->told, told))
        fail_msg("\"%s\": told \"%s\", not \"%s\"", text, shop->told, told);
    assert_int_equal(shop->lines, 1);
    end(shop);
}

static void mistakes_of_configuration_are_each_told_in_one_line(void **state)
{
    static const struct {
        const char *config, *told;
    } mistakes[] = {
        { "", "names the servers" },
        { ";", "stands no server" },
        { "127.0.0.1:11211;", "stands no server" },
        { "127.0.0.1:11211;;127.0.0.1:11212", "stands no server" },
        { "127.0.0.1:0", "1 to 65535" },
        { "127.0.0.1:65536", "1 to 65535" },
        { "127.0.0.1:", "host:port" },
        { "127.0.0.1:port", "host:port" },
        { "127.0.0.1:-1", "host:port" },
        { ":11211", "host:port" },
        { "memcached://127.0.0.1:11211", "host:port" },
        { "127.0.0.1:11211,127.0.0.1:11212", "host:port" },
        { "a b", "host:port" },
        { "::1", "brackets" },
        { "fe80::1", "brackets" },
        { "[::1", "begins with [ and ends with ]" },
        { "[::1]11211", "host:port" },
        { "[localhost]:11211", "not an IPv6 address" },
        { "unix:memcached.sock", "begins with /" },
        { "127.0.0.1:11211;127.0.0.1", "named twice" },
        { "unix:/a;unix:/a", "named twice" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        assert_refused(mistakes[i].config, NULL, SES_ERR_INVALID, mistakes[i].told);
    assert_refused(config, "Upper", SES_ERR_INVALID, "keyPrefix");
    assert_refused(config, "with space", SES_ERR_INVALID, "keyPrefix");
    assert_refused(config, "line\r\n", SES_ERR_INVALID, "keyPrefix");
}

static void list_of_servers_may_be_long_but_not_endless(void **state)
{
    char text[2000] = "";
    (void)state;
    for (int i = 0; i < MEMCACHED_SERVERS_MOST + 1; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%sa:%d", i ? ";" : "",
                       i + 1);
    assert_refused(text, NULL, SES_ERR_INVALID, "more than 64");
}

static void path_too_long_for_a_socket_is_told_in_one_line(void **state)
{
    char text[200] = "unix:/";
    (void)state;
    memset(text + strlen(text), 'a', 107);
    assert_refused(text, NULL, SES_ERR_INVALID, "at most 107");
}

static void server_that_nobody_reaches_is_told_in_one_line(void **state)
{
    char text[100];
    (void)state;
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", free_port());
    assert_refused(text, NULL, SES_ERR_UNAVAILABLE, "127.0.0.1:");
    assert_refused("unix:/nowhere/memcached.sock", NULL, SES_ERR_UNAVAILABLE, "/nowhere");
    assert_refused("no-such-host.invalid:11211", NULL, SES_ERR_UNAVAILABLE, "no-such-host");
}

static void refuse_server_of(const char *option, const char *told)
{
    const char *const more[] = { option, NULL };
    struct server unfit;
    char text[CONFIG_ROOM];
    memcached_start(&unfit, more);
    assert_refused(memcached_config_of(&unfit, text), NULL, SES_ERR_INVALID, told);
    server_end(&unfit);
}

static void server_that_was_started_unfit_for_sessions_is_refused(void **state)
{
    (void)state;
    refuse_server_of("-C", "compare-and-swap (-C)");
    refuse_server_of("-M", "evictions (-M)");
}

/* ---- starting ---- */

static int start_all(void **state)
{
    (void)state;
    memcached_start(&server, NULL);
    (void)memcached_config_of(&server, config);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    server_end(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_is_the_shared_envelope_under_prefix_and_hexadecimal_key),
        cmocka_unit_test(name_keeps_to_its_alphabet_and_length_with_the_longest_prefix),
        cmocka_unit_test(stores_of_different_prefixes_do_not_see_each_other),
        cmocka_unit_test(value_that_is_not_a_record_is_corrupt_until_it_is_destroyed),
        cmocka_unit_test(lifetime_over_thirty_days_is_converted_to_a_date),
        cmocka_unit_test(lifetime_beyond_any_date_of_memcacheds_has_no_end_there),
        cmocka_unit_test(item_is_kept_a_little_longer_than_it_lives),
        cmocka_unit_test(add_that_was_delayed_until_after_a_destroy_finds_a_tombstone),
        cmocka_unit_test(tombstone_gives_way_to_a_new_record_and_to_nothing_else),
        cmocka_unit_test(record_over_the_servers_limit_is_too_large_and_changes_nothing),
        cmocka_unit_test(evicted_session_is_not_found_and_not_brought_back),
        cmocka_unit_test(list_count_and_walk_are_unsupported),
        cmocka_unit_test(mistakes_of_configuration_are_each_told_in_one_line),
        cmocka_unit_test(list_of_servers_may_be_long_but_not_endless),
        cmocka_unit_test(path_too_long_for_a_socket_is_told_in_one_line),
        cmocka_unit_test(server_that_nobody_reaches_is_told_in_one_line),
        cmocka_unit_test(server_that_was_started_unfit_for_sessions_is_refused),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
