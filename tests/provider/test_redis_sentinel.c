/* SPDX-License-Identifier: MIT */
/* A master is killed under load; its replica takes over. What is lost is printed, not promised:
 * replication is asynchronous. What is promised: no call hangs, and nobody invents anything. */
#include "provider/load.h"
#include "provider/redis_sentinels.h"
#include "shared/deadline.h"

#include <stdio.h>

enum { CALL_MOST_MS = 2000, SETTLE_MS = 30000 };

static struct watched watched;

static struct redis_shop *open_shop(const char *parameters)
{
    struct redis_shop *shop = calloc(1, sizeof *shop);
    char url[URL_ROOM];
    assert_ok(shop_open(shop, watched_url(&watched, parameters, url)));
    return shop;
}

static void end(struct redis_shop *shop)
{
    shop_close(shop);
    free(shop);
}

static void wait_for_another_master(void)
{
    const struct deadline deadline = deadline_in(SETTLE_MS);
    while (watched_master(&watched) == watched.servers[0].port)
        assert_false(deadline_passed(deadline));
}

static struct losses fail_over(const char *parameters)
{
    static struct load load;
    struct redis_shop *shop = open_shop(parameters);
    load_begin(&load, &shop->f, new_key);
    load_wait(&load, 500);
    server_kill(&watched.servers[0]);
    wait_for_another_master();
    load_wait(&load, 500);
    load_end(&load);
    const struct losses losses = load_audit(&load, &shop->f);
    end(shop);
    return losses;
}

static void new_master_is_followed_and_no_call_outlasts_its_budget(void **state)
{
    (void)state;
    const struct losses losses = fail_over("");
    losses_print("sentinel, killed master", &losses);
    assert_int_equal(losses.invented, 0);
    assert_int_equal(losses.wrong, 0);
    assert_in_range(losses.longest_ms, 0, CALL_MOST_MS);
}

static void waiting_for_a_replica_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    const struct losses losses = fail_over("?waitReplicas=1");
    losses_print("sentinel, killed master, waitReplicas 1", &losses);
    assert_int_equal(losses.invented, 0);
    assert_int_equal(losses.wrong, 0);
    assert_int_equal(losses.lost, 0);
    assert_int_equal(losses.risen, 0);
    assert_in_range(losses.longest_ms, 0, CALL_MOST_MS);
}

/* A session that a replica has, too: on a busy machine not every one is in time. */
static struct ses_key put_on_a_replica(struct redis_shop *shop)
{
    const struct deadline deadline = deadline_in(SETTLE_MS);
    struct ses_record record = make_record(SLICE("alpha"), shop->f.now + LIFE_MS);
    struct ses_key key;
    int r;
    do {
        key = new_key();
        r = store_create(shop->f.store, &key, shop->f.now, NULL, &record);
    } while (r == SES_ERR_UNAVAILABLE && !deadline_passed(deadline));
    assert_ok(r);
    drop_record(&record);
    return key;
}

static void master_that_comes_back_empty_is_not_taken_for_the_master(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop("?waitReplicas=1");
    const struct ses_key key = put_on_a_replica(shop);
    struct ses_record record = { 0 };
    server_kill(&watched.servers[0]);
    wait_for_another_master();
    server_start_again(&watched.servers[0], redis_answers); /* as a master, for half a minute */
    int r = SES_ERR_UNAVAILABLE;
    const struct deadline deadline = deadline_in(SETTLE_MS);
    while (r == SES_ERR_UNAVAILABLE && !deadline_passed(deadline))
        r = store_load(shop->f.store, &key, shop->f.now, &record);
    assert_ok(r);
    drop_record(&record);
    end(shop);
}

static void too_few_replicas_are_told_as_unavailable(void **state)
{
    (void)state;
    const int master = watched_master(&watched);
    for (int i = 0; i < WATCHED; i++) {
        if (watched.servers[i].port != master)
            server_kill(&watched.servers[i]);
    }
    struct redis_shop *shop = open_shop("?waitReplicas=1");
    const struct ses_key key = new_key();
    struct ses_record record = make_record(SLICE("alpha"), shop->f.now + LIFE_MS);
    assert_code(store_create(shop->f.store, &key, shop->f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(shop->told, "not enough replicas"));
    drop_record(&record);
    end(shop);
}

static void unknown_master_is_one_clear_line_at_start(void **state)
{
    (void)state;
    struct redis_shop shop;
    char url[URL_ROOM];
    (void)snprintf(url, sizeof url, "sentinel://127.0.0.1:%d/other", watched.sentinels[0].port);
    assert_code(shop_open(&shop, url), SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(shop.told, "none of 1 sentinels names the master \"other\""));
    assert_non_null(strstr(shop.told, "knows no master of that name"));
    shop_close(&shop);
}

static void sentinels_that_are_gone_do_not_matter_while_the_master_is_there(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop("");
    const struct ses_key key = new_key();
    server_kill(&watched.sentinels[0]);
    server_kill(&watched.sentinels[1]);
    (void)put(&shop->f, &key, "alpha");
    end(shop);
    shop = open_shop(""); /* the third one still answers */
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    end(shop);
}

/* ---- the near cache ---- */

static int load_code(struct fixture *f, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(f->store, key, f->now, &record);
    drop_record(&record);
    return r;
}

static size_t kept(const struct redis_shop *shop)
{
    const struct redis *redis = store_instance(shop->f.store);
    return near_count(redis->near);
}

static void wait_until_kept(struct redis_shop *shop, const struct ses_key *key)
{
    const struct deadline deadline = deadline_in(SETTLE_MS);
    while (load_code(&shop->f, key) != SES_OK || kept(shop) == 0)
        assert_false(deadline_passed(deadline));
}

static void near_cache_hears_from_the_new_master(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop("?nearCacheRecords=100&waitReplicas=1");
    struct redis_shop *other = open_shop("");
    const struct ses_key key = put_on_a_replica(shop);
    wait_until_kept(shop, &key);
    server_kill(&watched.servers[0]);
    wait_for_another_master();
    const struct deadline deadline = deadline_in(SETTLE_MS);
    while (kept(shop) > 0) /* what the old one told is dropped */
        assert_false(deadline_passed(deadline));
    wait_until_kept(shop, &key);
    while (store_destroy(other->f.store, &key, other->f.now) != SES_OK)
        assert_false(deadline_passed(deadline));
    while (load_code(&shop->f, &key) != SES_ERR_NOT_FOUND)
        assert_false(deadline_passed(deadline));
    end(other);
    end(shop);
}

static int start_all(void **state)
{
    (void)state;
    watched_start(&watched);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    watched_stop(&watched);
    return 0;
}

int main(void)
{
    /* Four failovers, each of servers that have seen none yet. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unknown_master_is_one_clear_line_at_start, start_all),
        cmocka_unit_test_teardown(new_master_is_followed_and_no_call_outlasts_its_budget, stop_all),
        cmocka_unit_test_setup_teardown(master_that_comes_back_empty_is_not_taken_for_the_master,
                                        start_all, stop_all),
        cmocka_unit_test_setup_teardown(near_cache_hears_from_the_new_master, start_all, stop_all),
        cmocka_unit_test_setup(waiting_for_a_replica_keeps_what_was_acknowledged, start_all),
        cmocka_unit_test(too_few_replicas_are_told_as_unavailable),
        cmocka_unit_test_teardown(sentinels_that_are_gone_do_not_matter_while_the_master_is_there,
                                  stop_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
