/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/memcached_fixture.h"
#include "shared/deadline.h"
#include "support/proxy.h"

#include <signal.h>
#include <stdio.h>

enum { BUDGET_MS = 2000, SLACK_MS = 2000 };

static struct server server;
static struct proxy proxy;

static struct memcached_shop *open_shop(const char *config, int64_t budget_ms, int64_t pool_size)
{
    const struct memcached_tuning tuning = { .budget_ms = budget_ms, .pool_size = pool_size };
    struct memcached_shop *shop = calloc(1, sizeof *shop);
    assert_ok(shop_open(shop, config, &tuning));
    return shop;
}

static struct memcached_shop *open_direct(int64_t budget_ms)
{
    char config[CONFIG_ROOM];
    return open_shop(memcached_config_of(&server, config), budget_ms, 0);
}

static struct memcached_shop *open_by_proxy(int64_t budget_ms)
{
    char config[CONFIG_ROOM];
    (void)snprintf(config, sizeof config, "127.0.0.1:%d", proxy.port);
    return open_shop(config, budget_ms, 0);
}

static void end(struct memcached_shop *shop)
{
    shop_close(shop);
    free(shop);
}

static int load(const struct memcached_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

/* Calls until it answers like that. */
static void load_until(const struct memcached_shop *shop, const struct ses_key *key, int code)
{
    const struct deadline deadline = deadline_in(20000);
    while (load(shop, key) != code)
        assert_false(deadline_passed(deadline));
}

/* ---- gone, and back ---- */

static void killed_server_is_unavailable_and_has_forgotten_all_after_its_restart(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_direct(0);
    const struct ses_key key = new_key(), next = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    struct ses_record record = make_record(SLICE("beta"), shop->f.now + LIFE_MS);
    server_kill(&server);
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_code(store_create(shop->f.store, &next, shop->f.now, NULL, &record),
                SES_ERR_UNAVAILABLE);
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_code(store_touch(shop->f.store, &key, shop->f.now, version, shop->f.now + 2 * LIFE_MS),
                SES_ERR_UNAVAILABLE);
    assert_code(store_destroy(shop->f.store, &key, shop->f.now), SES_ERR_UNAVAILABLE);
    assert_code(store_ping(shop->f.store), SES_ERR_UNAVAILABLE);
    drop_record(&record);

    server_start_again(&server, memcached_answers);
    load_until(shop, &key, SES_ERR_NOT_FOUND);
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    (void)put(&shop->f, &next, "gamma");
    assert_ok(load(shop, &next));
    assert_ok(store_ping(shop->f.store));
    end(shop);
}

static void connection_that_was_closed_meanwhile_is_replaced_unseen(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_direct(0);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    for (int i = 0; i < 3; i++) {
        server_kill(&server);
        server_start_again(&server, memcached_answers);
        if (i == 0)
            assert_code(load(shop, &key), SES_ERR_NOT_FOUND);
        else if (i == 1)
            assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
        else
            (void)put(&shop->f, &key, "beta");
    }
    assert_int_equal(shop->lines, 0);
    end(shop);
}

static void frozen_server_is_answered_for_within_the_budget(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_direct(0);
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    server_freeze(&server);
    int64_t before = monotonic_ms();
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    before = monotonic_ms();
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, 0, BUDGET_MS / 2 + SLACK_MS);
    server_thaw(&server);
    load_until(shop, &key, SES_OK);
    end(shop);
}

struct caller {
    const struct memcached_shop *shop;
    int code;
    int64_t took_ms;
};

static void *load_one(void *arg)
{
    struct caller *caller = arg;
    const struct ses_key key = new_key();
    const int64_t before = monotonic_ms();
    caller->code = load(caller->shop, &key);
    caller->took_ms = monotonic_ms() - before;
    return NULL;
}

static void who_waits_for_a_connection_waits_within_the_budget_too(void **state)
{
    enum { CALLERS = 6 };
    char config[CONFIG_ROOM];
    struct caller callers[CALLERS];
    (void)state;
    struct memcached_shop *shop = open_shop(memcached_config_of(&server, config), 600, 2);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = (struct caller){ .shop = shop };
    server_freeze(&server);
    run_together(load_one, callers, sizeof *callers, CALLERS);
    server_thaw(&server);
    for (int i = 0; i < CALLERS; i++) {
        assert_code(callers[i].code, SES_ERR_UNAVAILABLE);
        assert_in_range(callers[i].took_ms, 0, 300 + SLACK_MS);
    }
    end(shop);
}

static void lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_direct(400);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    server_freeze(&server);
    for (int i = 0; i < CIRCUIT_FAILURES; i++)
        assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_int_equal(shop->lost, 1);
    /* Far more calls than would fit if each of them waited. */
    const int64_t before = monotonic_ms();
    for (int i = 0; i < 1000; i++)
        assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, 0, 2000);
    assert_int_equal(shop->lost, 1);
    assert_int_equal(shop->back, 0);
    server_thaw(&server);
    load_until(shop, &key, SES_OK);
    assert_int_equal(shop->back, 1);
    end(shop);
}

/* ---- the process's own signals ---- */

static volatile sig_atomic_t pipes;

static void count_pipe(int signal)
{
    (void)signal;
    pipes++;
}

static void dead_connections_raise_no_signal_and_leave_its_settings_alone(void **state)
{
    (void)state;
    struct sigaction ours = { .sa_handler = count_pipe }, before, after;
    assert_int_equal(sigaction(SIGPIPE, &ours, &before), 0);
    struct memcached_shop *shop = open_direct(0);
    const struct ses_key key = new_key();
    for (int i = 0; i < 5; i++) {
        const uint64_t version = put(&shop->f, &key, "alpha");
        server_kill(&server);
        (void)save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION);
        (void)load(shop, &key);
        server_start_again(&server, memcached_answers);
        load_until(shop, &key, SES_ERR_NOT_FOUND);
    }
    assert_int_equal(sigaction(SIGPIPE, &before, &after), 0);
    assert_true(after.sa_handler == count_pipe);
    assert_int_equal(pipes, 0);
    end(shop);
}

/* ---- half an answer ---- */

/* One cycle on a record that stands; what it may answer while answers are spoilt. */
struct cycle {
    int loaded, saved, touched;
    bool mixed_up; /* it loaded something that nobody stored */
};

static struct cycle run_cycle(struct memcached_shop *shop, const struct ses_key *key,
                              uint64_t version)
{
    struct fixture *f = &shop->f;
    struct cycle cycle = { 0 };
    struct ses_record record = { 0 };
    cycle.loaded = store_load(f->store, key, f->now, &record);
    if (cycle.loaded == SES_OK) {
        const struct ses_slice bytes = ses_blob_bytes(record.data);
        cycle.mixed_up = bytes.len != 4 ||
                         (memcmp(bytes.data, "even", 4) != 0 && memcmp(bytes.data, "odds", 4) != 0);
    }
    drop_record(&record);
    cycle.saved = save_as(f, key, version, "odds", SES_KIND_SESSION);
    cycle.touched = store_touch(f->store, key, f->now, version, f->now + LIFE_MS + 1);
    return cycle;
}

static bool known_or_unknown(int code)
{
    return code == SES_OK || code == SES_ERR_UNAVAILABLE || code == SES_ERR_CONFLICT;
}

static void answers_that_are_cut_after_any_byte_are_never_served(void **state)
{
    (void)state;
    struct memcached_shop *direct = open_direct(0);
    int cut = 0;
    for (unsigned n = 0; n < 570; n += 2) {
        const struct ses_key key = new_key();
        const uint64_t version = put(&direct->f, &key, "even");
        proxy_set(&proxy, PROXY_NONE, 0);
        struct memcached_shop *shop = open_by_proxy(1000);
        proxy_set(&proxy, PROXY_CUT, n);
        const struct cycle cycle = run_cycle(shop, &key, version);
        assert_false(cycle.mixed_up);
        assert_true(cycle.loaded == SES_OK || cycle.loaded == SES_ERR_UNAVAILABLE);
        assert_true(known_or_unknown(cycle.saved));
        assert_true(known_or_unknown(cycle.touched));
        cut += cycle.saved == SES_ERR_UNAVAILABLE;
        proxy_set(&proxy, PROXY_NONE, 0);
        end(shop);
        assert_ok(load(direct, &key));
    }
    assert_true(cut > 150);
    end(direct);
}

static void bytes_that_were_changed_on_the_way_are_refused(void **state)
{
    (void)state;
    struct memcached_shop *direct = open_direct(0);
    const struct ses_key key = new_key();
    (void)put(&direct->f, &key, "even");
    unsigned refused = 0;
    for (unsigned n = 2; n < 100; n++) {
        proxy_set(&proxy, PROXY_NONE, 0);
        struct memcached_shop *shop = open_by_proxy(1000);
        proxy_set(&proxy, PROXY_CORRUPT, n);
        struct ses_record record = { 0 };
        const int r = store_load(shop->f.store, &key, shop->f.now, &record);
        assert_false(r == SES_OK && memcmp(ses_blob_bytes(record.data).data, "even", 4) != 0);
        assert_int_not_equal(r, SES_ERR_NOT_FOUND);
        refused += r == SES_ERR_CORRUPT || r == SES_ERR_UNAVAILABLE;
        drop_record(&record);
        proxy_set(&proxy, PROXY_NONE, 0);
        end(shop);
    }
    assert_true(refused > 80);
    end(direct);
}

static void answer_that_comes_in_drops_ends_with_the_budget(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_by_proxy(800);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "even");
    proxy_set(&proxy, PROXY_SLOW, 50); /* never silent for long, and never done */
    const int64_t before = monotonic_ms();
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, 300, 400 + SLACK_MS);
    proxy_set(&proxy, PROXY_NONE, 0);
    load_until(shop, &key, SES_OK);
    end(shop);
}

static void connection_of_half_an_answer_is_never_used_again(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_by_proxy(1600);
    const struct ses_key first = new_key(), second = new_key();
    (void)put(&shop->f, &first, "even");
    (void)put(&shop->f, &second, "odds");
    for (unsigned n = 1; n < 170; n += 13) {
        const unsigned before = proxy.connections;
        proxy_set(&proxy, PROXY_SWALLOW, n); /* the rest of the answer may yet come */
        assert_code(load(shop, &first), SES_ERR_UNAVAILABLE);
        proxy_set(&proxy, PROXY_NONE, 0);
        load_until(shop, &second, SES_OK);
        assert_true(proxy.connections > before);
        struct ses_record record = { 0 };
        assert_ok(store_load(shop->f.store, &second, shop->f.now, &record));
        assert_memory_equal(ses_blob_bytes(record.data).data, "odds", 4);
        drop_record(&record);
    }
    end(shop);
}

/* The answer to the gets arrives, that to the cas does not. */
static void save_of_unknown_outcome_is_not_repeated(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_by_proxy(0), *direct = open_direct(0);
    int unknown = 0;
    for (unsigned n = 180; n < 190; n++) {
        const struct ses_key key = new_key();
        const uint64_t version = put(&direct->f, &key, "even");
        proxy_set(&proxy, PROXY_CUT, n);
        const int r = save_as(&shop->f, &key, version, "odds", SES_KIND_SESSION);
        proxy_set(&proxy, PROXY_NONE, 0);
        const int again = save_as(&direct->f, &key, version, "even", SES_KIND_SESSION);
        assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE);
        assert_true(r == SES_ERR_UNAVAILABLE || again == SES_ERR_CONFLICT);
        unknown += r == SES_ERR_UNAVAILABLE && again == SES_ERR_CONFLICT; /* it was done, once */
    }
    assert_true(unknown > 0);
    end(shop);
    end(direct);
}

static void create_of_unknown_outcome_is_not_repeated(void **state)
{
    (void)state;
    struct memcached_shop *shop = open_by_proxy(0), *direct = open_direct(0);
    const struct ses_key key = new_key();
    struct ses_record record = make_record(SLICE("even"), shop->f.now + LIFE_MS);
    proxy_set(&proxy, PROXY_CUT, 0); /* the server does it; its answer is lost */
    assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    proxy_set(&proxy, PROXY_NONE, 0);
    assert_loads(&direct->f, &key, "even", record.version, record.expires_ms);
    drop_record(&record);
    end(shop);
    end(direct);
}

/* ---- starting ---- */

static int start_all(void **state)
{
    static char path[SERVER_PATH_ROOM];
    (void)state;
    memcached_start(&server, NULL);
    proxy_start(&proxy, memcached_socket(&server, path));
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    proxy_stop(&proxy);
    server_end(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_server_is_unavailable_and_has_forgotten_all_after_its_restart),
        cmocka_unit_test(connection_that_was_closed_meanwhile_is_replaced_unseen),
        cmocka_unit_test(frozen_server_is_answered_for_within_the_budget),
        cmocka_unit_test(who_waits_for_a_connection_waits_within_the_budget_too),
        cmocka_unit_test(lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back),
        cmocka_unit_test(dead_connections_raise_no_signal_and_leave_its_settings_alone),
        cmocka_unit_test(answers_that_are_cut_after_any_byte_are_never_served),
        cmocka_unit_test(bytes_that_were_changed_on_the_way_are_refused),
        cmocka_unit_test(answer_that_comes_in_drops_ends_with_the_budget),
        cmocka_unit_test(connection_of_half_an_answer_is_never_used_again),
        cmocka_unit_test(save_of_unknown_outcome_is_not_repeated),
        cmocka_unit_test(create_of_unknown_outcome_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
