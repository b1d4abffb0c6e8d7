/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/redis_fixture.h"
#include "provider/server_faults.h"
#include "shared/deadline.h"

#include <stdio.h>

static struct server server;

static void read_over_a_connection_that_was_closed_meanwhile_succeeds(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    reply_free(redis_say(&server, "CLIENT KILL TYPE normal"));
    assert_ok(fault_load(&shop->f, &key));
    reply_free(redis_say(&server, "CLIENT KILL TYPE normal"));
    assert_ok(store_destroy(shop->f.store, &key, shop->f.now)); /* seen before it was used */
    assert_int_equal(shop->lost, 0);
    fault_close(shop);
}

/* ---- a look that takes long ---- */

struct slow_look {
    struct fault_shop *shop;
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

/* The list has read the index, and not yet the session, when that gets another key. A store over
 * SQL lists in one statement, and memcached has no list. */
static void session_that_changes_its_key_during_a_list_is_not_missed(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_by_proxy(), *direct = fault_open_direct();
    const struct ses_key user = new_key(), first = new_key(), next = new_key();
    assert_ok(create_owned(&direct->f, &first, &user, 0));
    struct ses_record record = { 0 };
    assert_ok(store_load(direct->f.store, &first, direct->f.now, &record));

    fault_set_budget(shop, 20000);
    struct slow_look look = { .shop = shop, .user = &user, .sighting = { .key = &next } };
    pthread_t thread;
    const unsigned before = fault_proxy.answers;
    proxy_set(&fault_proxy, PROXY_SLOW, 3);
    assert_int_equal(pthread_create(&thread, NULL, look_slowly, &look), 0);
    const struct deadline deadline = deadline_in(20000);
    while (fault_proxy.answers == before) /* the index is on its way, a byte at a time */
        assert_false(deadline_passed(deadline));
    assert_ok(create_owned(&direct->f, &next, &user, 0));
    assert_ok(save_as(&direct->f, &first, record.version, "marker", SES_KIND_MOVED));
    proxy_set(&fault_proxy, PROXY_NONE, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(look.code);
    assert_int_equal(look.sighting.seen, 1);
    drop_record(&record);
    fault_close(direct);
    fault_close(shop);
}

static void write_url(int port, char *text, size_t size)
{
    (void)snprintf(text, size, "redis://127.0.0.1:%d", port);
}

static const struct CMUnitTest own[] = {
    cmocka_unit_test(read_over_a_connection_that_was_closed_meanwhile_succeeds),
    cmocka_unit_test(session_that_changes_its_key_during_a_list_is_not_missed),
    { 0 },
};

int main(void)
{
    char url[URL_ROOM], path[SERVER_PATH_ROOM];
    redis_start(&server, NULL);
    const struct fault_subject subject = {
        .ops = &ses_provider_redis,
        .settings = redis_settings,
        .pool_at = offsetof(struct redis, pool_size),
        .budget_at = offsetof(struct redis, config.budget_ms),
        .server = &server,
        .answers = redis_answers,
        .kill = server_kill,
        .freeze = server_freeze,
        .thaw = server_thaw,
        .socket = server_file(&server, "redis.sock", path),
        .config = redis_unix_url(&server, "", url),
        .write_config = write_url,
        .traits = FAULT_FORGETS | FAULT_SAVES_IN_ONE_TRIP, /* this one keeps nothing on disk */
        .large_bytes = 8 << 20,
        .cuts = { .dense = 200, .end = 200 },
        .saves_cut_least = 15,
        .halves = { .step = 7, .end = 60 },
        .refused_least = 81,
    };
    return server_faults_run(&subject, own);
}
