/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/postgres_fixture.h"
#include "provider/server_faults.h"
#include "shared/deadline.h"

#include <stdio.h>

static struct server server;

static void write_words(int port, char *text, size_t size)
{
    (void)snprintf(text, size,
                   "host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", port);
}

#define TERMINATE                                                                                  \
 "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "                           \
 "WHERE application_name = 'sesame'"

static void connection_that_was_ended_meanwhile_is_replaced_with_its_statements(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    assert_true(postgres_ask_number(&server, TERMINATE) > 0);
    assert_ok(fault_load(&shop->f, &key)); /* seen before it was used */
    assert_true(postgres_ask_number(&server, TERMINATE) > 0);
    assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION));
    assert_true(postgres_ask_number(&server, TERMINATE) > 0);
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    assert_int_equal(shop->lost, 0);
    assert_int_equal(shop->lines, 0);
    fault_close(shop);
}

static void with_a_short_budget(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->budget_ms = 300;
}

/* While connecting: a greeting is some 400 bytes. */
static void start_of_which_any_part_is_lost_fails_in_one_line_and_in_time(void **state)
{
    (void)state;
    char words[WORDS_ROOM];
    struct sql_shop shop;
    write_words(fault_proxy.port, words, sizeof words);
    for (unsigned n = 0; n < 420; n += n % 2 ? 7 : 6) {
        proxy_set(&fault_proxy, n % 2 ? PROXY_CUT : PROXY_SWALLOW, n);
        const int64_t before = monotonic_ms();
        assert_code(postgres_open(&shop, words, with_a_short_budget), SES_ERR_UNAVAILABLE);
        assert_in_range(monotonic_ms() - before, 0, 150 + FAULT_SLACK_MS);
        assert_int_equal(shop.lines, 1);
        assert_true(shop.told[0] && !strchr(shop.told, '\n'));
    }
    proxy_set(&fault_proxy, PROXY_NONE, 0);
}

static const struct CMUnitTest own[] = {
    cmocka_unit_test(connection_that_was_ended_meanwhile_is_replaced_with_its_statements),
    cmocka_unit_test(start_of_which_any_part_is_lost_fails_in_one_line_and_in_time),
    { 0 },
};

int main(void)
{
    char words[WORDS_ROOM], path[SERVER_PATH_ROOM];
    postgres_start(&server, NULL);
    const struct fault_subject subject = {
        .ops = &ses_provider_postgres,
        .settings = sql_shop_settings,
        .pool_at = offsetof(struct sql, pool_size),
        .budget_at = offsetof(struct sql, budget_ms),
        .server = &server,
        .answers = postgres_answers,
        .kill = postgres_kill,
        .freeze = postgres_freeze,
        .thaw = postgres_thaw,
        .socket = postgres_socket(&server, path),
        .config = postgres_words(&server, "", words),
        .write_config = write_words,
        .traits = FAULT_KEEPS | FAULT_SAVES_IN_ONE_TRIP,
        .large_bytes = 8 << 20,
        .cuts = { .dense = 260, .step = 5, .end = 400 },
        .saves_cut_least = 200,
        .halves = { .step = 7, .end = 60 },
        .refused_least = 51,
    };
    return server_faults_run(&subject, own);
}
