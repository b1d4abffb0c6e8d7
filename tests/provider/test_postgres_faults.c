/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/postgres_fixture.h"

#include "shared/deadline.h"
#include "support/proxy.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUDGET_MS = 2000, SLACK_MS = 2000 };

static struct server server;
static struct proxy proxy;
static int64_t budget_ms;

static void with_a_budget(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->budget_ms = budget_ms;
}

static struct sql_shop *open_at(const char *words, int64_t budget)
{
    struct sql_shop *shop = calloc(1, sizeof *shop);
    budget_ms = budget;
    assert_non_null(shop);
    assert_ok(postgres_open(shop, words, with_a_budget));
    return shop;
}

static struct sql_shop *open_direct(int64_t budget)
{
    char words[WORDS_ROOM];
    return open_at(postgres_words(&server, "", words), budget);
}

static char *proxy_words(char words[WORDS_ROOM])
{
    (void)snprintf(words, WORDS_ROOM,
                   "host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable",
                   proxy.port);
    return words;
}

static struct sql_shop *open_by_proxy(int64_t budget)
{
    char words[WORDS_ROOM];
    return open_at(proxy_words(words), budget);
}

static void end(struct sql_shop *shop)
{
    sql_shop_close(shop);
    free(shop);
}

static int load(struct sql_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

/* Calls until it answers, and never what is not so. */
static void load_until_back(struct sql_shop *shop, const struct ses_key *key)
{
    const struct deadline deadline = deadline_in(20000);
    int r;
    while ((r = load(shop, key)) != SES_OK) {
        assert_code(r, SES_ERR_UNAVAILABLE);
        assert_false(deadline_passed(deadline));
    }
}

/* ---- gone, and back ---- */

static void killed_server_is_unavailable_and_keeps_all_when_it_is_back(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key(), next = new_key();
    (void)put(&shop->f, &key, "alpha");
    postgres_kill(&server);
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    struct ses_record record = make_record(SLICE("beta"), shop->f.now + LIFE_MS);
    assert_code(store_create(shop->f.store, &next, shop->f.now, NULL, &record),
                SES_ERR_UNAVAILABLE);
    assert_code(store_destroy(shop->f.store, &key, shop->f.now), SES_ERR_UNAVAILABLE);
    drop_record(&record);
    postgres_restart(&server);
    load_until_back(shop, &key);
    (void)put(&shop->f, &next, "gamma");
    assert_ok(load(shop, &next));
    end(shop);
}

#define TERMINATE                                                                                  \
 "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "                           \
 "WHERE application_name = 'sesame'"

static void connection_that_was_ended_meanwhile_is_replaced_with_its_statements(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    assert_true(postgres_ask_number(&server, TERMINATE) > 0);
    assert_ok(load(shop, &key)); /* seen before it was used */
    assert_true(postgres_ask_number(&server, TERMINATE) > 0);
    assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION));
    assert_true(postgres_ask_number(&server, TERMINATE) > 0);
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    assert_int_equal(shop->lost, 0);
    assert_int_equal(shop->lines, 0);
    end(shop);
}

static void frozen_server_is_answered_for_within_the_budget(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    postgres_freeze(&server);
    int64_t before = monotonic_ms();
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    before = monotonic_ms();
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    postgres_thaw(&server);
    load_until_back(shop, &key);
    end(shop);
}

static void lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    ((struct sql *)store_instance(shop->f.store))->budget_ms = 200;
    postgres_freeze(&server);
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
    postgres_thaw(&server);
    load_until_back(shop, &key);
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

static void create_large_while_it_ends(void)
{
    static unsigned char bytes[8 << 20];
    const struct ses_key key = new_key();
    struct sql_shop *shop = open_by_proxy(BUDGET_MS);
    struct ses_record record =
        make_record((struct ses_slice){ bytes, sizeof bytes }, shop->f.now + LIFE_MS);
    proxy_set(&proxy, PROXY_HANG_UP, 0);
    assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    proxy_set(&proxy, PROXY_NONE, 0);
    assert_ok(store_create(shop->f.store, &key, shop->f.now, NULL, &record));
    assert_ok(load(shop, &key));
    drop_record(&record);
    end(shop);
}

static void dead_connections_raise_no_signal_and_leave_its_settings_alone(void **state)
{
    (void)state;
    struct sigaction ours = { .sa_handler = count_pipe }, before, after;
    assert_int_equal(sigaction(SIGPIPE, &ours, &before), 0);
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    uint64_t version = put(&shop->f, &key, "alpha");
    for (int i = 0; i < 3; i++) {
        postgres_kill(&server);
        assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION),
                    SES_ERR_UNAVAILABLE);
        postgres_restart(&server);
        load_until_back(shop, &key);
    }
    create_large_while_it_ends();
    postgres_kill(&server);
    end(shop); /* says goodbye to nobody */
    postgres_restart(&server);
    assert_int_equal(sigaction(SIGPIPE, &before, &after), 0);
    assert_true(after.sa_handler == count_pipe);
    assert_int_equal(pipes, 0);
}

/* ---- half an answer ---- */

/* One cycle on a record that stands; what it may answer while answers are spoilt. */
static void run_cycle(struct sql_shop *shop, const struct ses_key *key)
{
    struct fixture *f = &shop->f;
    struct ses_record record = { 0 };
    int r = store_load(f->store, key, f->now, &record);
    if (r == SES_OK) {
        assert_int_equal(ses_blob_bytes(record.data).len, 4);
        assert_true(memcmp(ses_blob_bytes(record.data).data, "even", 4) == 0 ||
                    memcmp(ses_blob_bytes(record.data).data, "odds", 4) == 0);
    }
    assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE);
    const uint64_t version = record.version ? record.version : 1;
    drop_record(&record);
    r = save_as(f, key, version, version % 2 ? "even" : "odds", SES_KIND_SESSION);
    assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE || r == SES_ERR_CONFLICT);
    r = store_touch(f->store, key, f->now, version, f->now + LIFE_MS + 1);
    assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE || r == SES_ERR_CONFLICT);
}

static void answers_that_are_cut_after_any_byte_are_never_served(void **state)
{
    (void)state;
    struct sql_shop *direct = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    (void)put(&direct->f, &key, "even");
    for (unsigned n = 0; n < 260; n++) {
        proxy_set(&proxy, PROXY_NONE, 0);
        struct sql_shop *shop = open_by_proxy(BUDGET_MS);
        proxy_set(&proxy, PROXY_CUT, n);
        run_cycle(shop, &key);
        proxy_set(&proxy, PROXY_NONE, 0);
        end(shop);
        assert_ok(load(direct, &key));
    }
    end(direct);
}

/* While connecting: a greeting is some 400 bytes. */
static void start_of_which_any_part_is_lost_fails_in_one_line_and_in_time(void **state)
{
    (void)state;
    char words[WORDS_ROOM];
    struct sql_shop shop;
    budget_ms = 300;
    for (unsigned n = 0; n < 420; n += n % 2 ? 7 : 6) {
        proxy_set(&proxy, n % 2 ? PROXY_CUT : PROXY_SWALLOW, n);
        const int64_t before = monotonic_ms();
        assert_code(postgres_open(&shop, proxy_words(words), with_a_budget), SES_ERR_UNAVAILABLE);
        assert_in_range(monotonic_ms() - before, 0, 150 + SLACK_MS);
        assert_int_equal(shop.lines, 1);
        assert_true(shop.told[0] && !strchr(shop.told, '\n'));
    }
    proxy_set(&proxy, PROXY_NONE, 0);
}

static void bytes_that_were_changed_on_the_way_are_refused(void **state)
{
    (void)state;
    struct sql_shop *direct = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    unsigned refused = 0;
    (void)put(&direct->f, &key, "even");
    for (unsigned n = 2; n < 100; n++) {
        proxy_set(&proxy, PROXY_NONE, 0);
        struct sql_shop *shop = open_by_proxy(BUDGET_MS);
        ((struct sql *)store_instance(shop->f.store))->budget_ms = 300;
        struct ses_record record = { 0 };
        proxy_set(&proxy, PROXY_CORRUPT, n);
        const int r = store_load(shop->f.store, &key, shop->f.now, &record);
        assert_false(r == SES_OK && memcmp(ses_blob_bytes(record.data).data, "even", 4) != 0);
        assert_true(r != SES_ERR_NOT_FOUND);
        refused += r == SES_ERR_CORRUPT || r == SES_ERR_UNAVAILABLE;
        drop_record(&record);
        proxy_set(&proxy, PROXY_NONE, 0);
        end(shop);
    }
    assert_true(refused > 50);
    end(direct);
}

static void answer_that_comes_in_drops_ends_with_the_budget(void **state)
{
    (void)state;
    struct sql_shop *shop = open_by_proxy(BUDGET_MS);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "even");
    proxy_set(&proxy, PROXY_SLOW, 100); /* never silent for long, and never done */
    const int64_t before = monotonic_ms();
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    proxy_set(&proxy, PROXY_NONE, 0);
    load_until_back(shop, &key);
    end(shop);
}

static void connection_of_half_an_answer_is_never_used_again(void **state)
{
    (void)state;
    struct sql_shop *shop = open_by_proxy(1600);
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
    struct sql_shop *shop = open_by_proxy(BUDGET_MS);
    const struct ses_key key = new_key();
    uint64_t version = put(&shop->f, &key, "even");
    struct ses_record record = { 0 };
    assert_ok(save_as(&shop->f, &key, version, "odds", SES_KIND_SESSION)); /* now it is prepared */
    assert_ok(store_load(shop->f.store, &key, shop->f.now, &record));
    version = record.version;
    drop_record(&record);
    proxy_set(&proxy, PROXY_CUT, 0); /* the server does it; its answer is lost */
    assert_code(save_as(&shop->f, &key, version, "even", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    proxy_set(&proxy, PROXY_NONE, 0);
    assert_code(save_as(&shop->f, &key, version, "odds", SES_KIND_SESSION), SES_ERR_CONFLICT);
    end(shop);
}

int main(void)
{
    static char path[SERVER_PATH_ROOM];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_server_is_unavailable_and_keeps_all_when_it_is_back),
        cmocka_unit_test(connection_that_was_ended_meanwhile_is_replaced_with_its_statements),
        cmocka_unit_test(frozen_server_is_answered_for_within_the_budget),
        cmocka_unit_test(lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back),
        cmocka_unit_test(dead_connections_raise_no_signal_and_leave_its_settings_alone),
        cmocka_unit_test(answers_that_are_cut_after_any_byte_are_never_served),
        cmocka_unit_test(start_of_which_any_part_is_lost_fails_in_one_line_and_in_time),
        cmocka_unit_test(bytes_that_were_changed_on_the_way_are_refused),
        cmocka_unit_test(answer_that_comes_in_drops_ends_with_the_budget),
        cmocka_unit_test(connection_of_half_an_answer_is_never_used_again),
        cmocka_unit_test(write_of_unknown_outcome_is_not_repeated),
    };
    postgres_start(&server, NULL);
    proxy_start(&proxy, postgres_socket(&server, path));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    proxy_stop(&proxy);
    return failed;
}
