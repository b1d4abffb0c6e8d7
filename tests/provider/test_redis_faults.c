/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/redis_fixture.h"
#include "shared/deadline.h"
#include "support/proxy.h"

#include <signal.h>
#include <stdio.h>

enum { BUDGET_MS = 2000, SLACK_MS = 2000 };

static struct server server;
static struct proxy proxy;

static struct redis_shop *open_direct(const char *parameters)
{
    struct redis_shop *shop = calloc(1, sizeof *shop);
    char url[URL_ROOM];
    assert_ok(shop_open(shop, redis_unix_url(&server, parameters, url)));
    return shop;
}

static struct redis_shop *open_by_proxy(const char *parameters)
{
    struct redis_shop *shop = calloc(1, sizeof *shop);
    char url[URL_ROOM];
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d%s", proxy.port, parameters);
    assert_ok(shop_open(shop, url));
    return shop;
}

static void end(struct redis_shop *shop)
{
    shop_close(shop);
    free(shop);
}

static int load(struct redis_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

/* Calls until it answers like that. */
static void load_until(struct redis_shop *shop, const struct ses_key *key, int code)
{
    const struct deadline deadline = deadline_in(20000);
    while (load(shop, key) != code)
        assert_false(deadline_passed(deadline));
}

/* ---- gone, and back ---- */

static void killed_server_is_unavailable_and_back_after_its_restart(void **state)
{
    (void)state;
    struct redis_shop *shop = open_direct("");
    const struct ses_key key = new_key(), next = new_key();
    (void)put(&shop->f, &key, "alpha");
    server_kill(&server);
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    struct ses_record record = make_record(SLICE("beta"), shop->f.now + LIFE_MS);
    assert_code(store_create(shop->f.store, &next, shop->f.now, NULL, &record),
                SES_ERR_UNAVAILABLE);
    assert_code(store_destroy(shop->f.store, &key, shop->f.now), SES_ERR_UNAVAILABLE);
    drop_record(&record);

    server_start_again(&server, redis_answers);
    load_until(shop, &key, SES_ERR_NOT_FOUND); /* this one keeps nothing on disk */
    (void)put(&shop->f, &next, "gamma");
    assert_ok(load(shop, &next));
    end(shop);
}

static void read_over_a_connection_that_was_closed_meanwhile_succeeds(void **state)
{
    (void)state;
    struct redis_shop *shop = open_direct("");
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    reply_free(redis_say(&server, "CLIENT KILL TYPE normal"));
    assert_ok(load(shop, &key));
    reply_free(redis_say(&server, "CLIENT KILL TYPE normal"));
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now)); /* seen before it was used */
    assert_int_equal(shop->lost, 0);
    end(shop);
}

static void frozen_server_is_answered_for_within_the_budget(void **state)
{
    (void)state;
    struct redis_shop *shop = open_direct("");
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

static void lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back(void **state)
{
    (void)state;
    struct redis_shop *shop = open_direct("?budgetMs=200");
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
    struct redis_shop *shop = open_direct("");
    const struct ses_key key = new_key();
    for (int i = 0; i < 5; i++) {
        const uint64_t version = put(&shop->f, &key, "alpha");
        server_kill(&server);
        (void)save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION);
        (void)load(shop, &key);
        server_start_again(&server, redis_answers);
        load_until(shop, &key, SES_ERR_NOT_FOUND);
    }
    end(shop);
    /* The connection ends while a long record is being written. */
    struct ses_key large = new_key();
    static unsigned char bytes[8 << 20];
    shop = open_by_proxy("");
    proxy_set(&proxy, PROXY_HANG_UP, 0);
    struct ses_record record =
        make_record((struct ses_slice){ bytes, sizeof bytes }, shop->f.now + LIFE_MS);
    assert_code(store_create(shop->f.store, &large, shop->f.now, NULL, &record),
                SES_ERR_UNAVAILABLE);
    proxy_set(&proxy, PROXY_NONE, 0);
    drop_record(&record);
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

static struct cycle run_cycle(struct redis_shop *shop, const struct ses_key *key)
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
    const uint64_t version = record.version ? record.version : 1;
    drop_record(&record);
    cycle.saved = save_as(f, key, version, version % 2 ? "even" : "odds", SES_KIND_SESSION);
    cycle.touched = store_touch(f->store, key, f->now, version, f->now + LIFE_MS + 1);
    return cycle;
}

static void answers_that_are_cut_after_any_byte_are_never_served(void **state)
{
    (void)state;
    struct redis_shop *direct = open_direct("");
    const struct ses_key key = new_key();
    (void)put(&direct->f, &key, "even");
    for (unsigned n = 0; n < 130; n++) {
        proxy_set(&proxy, PROXY_NONE, 0);
        struct redis_shop *shop = open_by_proxy("?budgetMs=1000");
        proxy_set(&proxy, PROXY_CUT, n);
        const struct cycle cycle = run_cycle(shop, &key);
        assert_false(cycle.mixed_up);
        assert_true(cycle.loaded == SES_OK || cycle.loaded == SES_ERR_UNAVAILABLE);
        assert_true(cycle.saved == SES_OK || cycle.saved == SES_ERR_UNAVAILABLE ||
                    cycle.saved == SES_ERR_CONFLICT);
        assert_true(cycle.touched == SES_OK || cycle.touched == SES_ERR_UNAVAILABLE ||
                    cycle.touched == SES_ERR_CONFLICT);
        proxy_set(&proxy, PROXY_NONE, 0);
        end(shop);
        assert_ok(load(direct, &key));
    }
    end(direct);
}

static void bytes_that_were_changed_on_the_way_are_refused(void **state)
{
    (void)state;
    struct redis_shop *direct = open_direct("");
    const struct ses_key key = new_key();
    (void)put(&direct->f, &key, "even");
    unsigned refused = 0;
    for (unsigned n = 2; n < 100; n++) {
        proxy_set(&proxy, PROXY_NONE, 0);
        struct redis_shop *shop = open_by_proxy("?budgetMs=1000");
        proxy_set(&proxy, PROXY_CORRUPT, n);
        struct ses_record record = { 0 };
        const int r = store_load(shop->f.store, &key, shop->f.now, &record);
        assert_false(r == SES_OK && memcmp(ses_blob_bytes(record.data).data, "even", 4) != 0);
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
    struct redis_shop *shop = open_by_proxy("?budgetMs=800");
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
    struct redis_shop *shop = open_by_proxy("?budgetMs=1600");
    const struct ses_key first = new_key(), second = new_key();
    (void)put(&shop->f, &first, "even");
    (void)put(&shop->f, &second, "odds");
    for (unsigned n = 1; n < 60; n += 7) {
        proxy_set(&proxy, PROXY_SWALLOW, n); /* the rest of the answer may yet come */
        assert_code(load(shop, &first), SES_ERR_UNAVAILABLE);
        proxy_set(&proxy, PROXY_NONE, 0);
        struct ses_record record = { 0 };
        assert_ok(store_load(shop->f.store, &second, shop->f.now, &record));
        assert_memory_equal(ses_blob_bytes(record.data).data, "odds", 4);
        drop_record(&record);
    }
    end(shop);
}

static void write_of_unknown_outcome_is_not_repeated(void **state)
{
    (void)state;
    struct redis_shop *shop = open_by_proxy("");
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "even");
    proxy_set(&proxy, PROXY_CUT, 0); /* the server does it; its answer is lost */
    assert_code(save_as(&shop->f, &key, version, "odds", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    proxy_set(&proxy, PROXY_NONE, 0);
    assert_code(save_as(&shop->f, &key, version, "even", SES_KIND_SESSION), SES_ERR_CONFLICT);
    end(shop);
}

/* ---- a look that takes long ---- */

struct slow_look {
    struct redis_shop *shop;
    const struct ses_key *user;
    struct sighting sighting;
    int code;
};

static void *look_slowly(void *arg)
{
    struct slow_look *look = arg;
    look->code = store_list(look->shop->f.store, look->user, look->shop->f.now, note_sighting,
                            &look->sighting);
    return NULL;
}

/* The list has read the index, and not yet the session, when that gets another key. */
static void session_that_changes_its_key_during_a_list_is_not_missed(void **state)
{
    (void)state;
    struct redis_shop *shop = open_by_proxy("?budgetMs=20000"), *direct = open_direct("");
    const struct ses_key user = new_key(), first = new_key(), next = new_key();
    assert_ok(create_owned(&direct->f, &first, &user, 0));
    struct ses_record record = { 0 };
    assert_ok(store_load(direct->f.store, &first, direct->f.now, &record));

    struct slow_look look = { .shop = shop, .user = &user, .sighting = { .key = &next } };
    pthread_t thread;
    const unsigned before = proxy.answers;
    proxy_set(&proxy, PROXY_SLOW, 3);
    assert_int_equal(pthread_create(&thread, NULL, look_slowly, &look), 0);
    const struct deadline deadline = deadline_in(20000);
    while (proxy.answers == before) /* the index is on its way, a byte at a time */
        assert_false(deadline_passed(deadline));
    assert_ok(create_owned(&direct->f, &next, &user, 0));
    assert_ok(save_as(&direct->f, &first, record.version, "marker", SES_KIND_MOVED));
    proxy_set(&proxy, PROXY_NONE, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(look.code);
    assert_int_equal(look.sighting.seen, 1);
    drop_record(&record);
    end(direct);
    end(shop);
}

/* ---- starting ---- */

static int start_all(void **state)
{
    static char path[SERVER_PATH_ROOM];
    (void)state;
    redis_start(&server, NULL);
    proxy_start(&proxy, server_file(&server, "redis.sock", path));
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
        cmocka_unit_test(killed_server_is_unavailable_and_back_after_its_restart),
        cmocka_unit_test(read_over_a_connection_that_was_closed_meanwhile_succeeds),
        cmocka_unit_test(frozen_server_is_answered_for_within_the_budget),
        cmocka_unit_test(lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back),
        cmocka_unit_test(dead_connections_raise_no_signal_and_leave_its_settings_alone),
        cmocka_unit_test(answers_that_are_cut_after_any_byte_are_never_served),
        cmocka_unit_test(bytes_that_were_changed_on_the_way_are_refused),
        cmocka_unit_test(answer_that_comes_in_drops_ends_with_the_budget),
        cmocka_unit_test(connection_of_half_an_answer_is_never_used_again),
        cmocka_unit_test(write_of_unknown_outcome_is_not_repeated),
        cmocka_unit_test(session_that_changes_its_key_during_a_list_is_not_missed),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
