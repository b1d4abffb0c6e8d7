/* SPDX-License-Identifier: MIT */
#include "provider/sql_within.h"

#include "support/session_fixture.h"

#include <stdio.h>

enum { THREADS = 4, ORDERS = 40 };

struct sql_application application;

/* ---- a shop: each order is a row and a count in the session ---- */

struct shop {
    struct scene *scene;
    struct visitor visitor;
    void *connection;
};

static struct scene *open_scene(const char *more)
{
    char json[900];
    (void)snprintf(json, sizeof json,
                   "{\"providerConfig\": \"%s\", \"createTable\": true, \"budgetMs\": 20000%s}",
                   sql_subject.config, more);
    return scene_new(sql_subject.ops->name, json);
}

static struct shop shop_open(const char *more)
{
    struct shop shop = { .scene = open_scene(more), .connection = application.connect() };
    shop.visitor = scene_visitor(shop.scene, 0);
    application.say(shop.connection, "DROP TABLE IF EXISTS orders");
    application.say(shop.connection, "CREATE TABLE orders (n BIGINT)");
    return shop;
}

static void shop_close(struct shop *shop)
{
    application.close(shop->connection);
    scene_free(shop->scene);
}

static int64_t orders(const struct shop *shop)
{
    void *connection = application.connect();
    const int64_t count = application.number(connection, "SELECT count(*) FROM orders");
    (void)shop;
    application.close(connection);
    return count;
}

static int64_t counted(const struct shop *shop)
{
    return stored_int(shop->scene, &shop->visitor, "n");
}

/* The session of a request that orders one, which is not committed yet. */
static ses_session *order(const struct shop *shop)
{
    ses_session *session = scene_visit(shop->scene, &shop->visitor);
    assert_false(session_is_new(session));
    assert_ok(ses_increment(session, "n", 1));
    return session;
}

static void begin_and_insert(const struct shop *shop)
{
    application.say(shop->connection, "BEGIN");
    application.say(shop->connection, "INSERT INTO orders VALUES (1)");
}

/* Another request does the same, outside of any transaction of the application's. */
static void count_elsewhere(const struct shop *shop, const char *key)
{
    ses_session *session = scene_visit(shop->scene, &shop->visitor);
    assert_ok(ses_increment(session, key, 1));
    scene_finish(session, NULL);
}

/* ---- together or not at all ---- */

void row_and_session_change_together(void **state)
{
    struct shop shop = shop_open("");
    const struct ses_headers *headers;
    (void)state;
    ses_session *session = order(&shop);
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, &headers));
    assert_int_equal(orders(&shop), 0);
    assert_int_equal(counted(&shop), 0);
    application.say(shop.connection, "COMMIT");
    assert_int_equal(orders(&shop), 1);
    assert_int_equal(counted(&shop), 1);
    ses_release(session);
    shop_close(&shop);
}

void what_is_rolled_back_is_not_stored_and_can_be_made_again(void **state)
{
    struct shop shop = shop_open("");
    int64_t n = -1;
    (void)state;
    ses_session *session = order(&shop);
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL));
    application.say(shop.connection, "ROLLBACK");
    assert_int_equal(orders(&shop), 0);
    assert_int_equal(counted(&shop), 0);

    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL)); /* it counts as committed */
    assert_code(ses_increment(session, "n", 1), SES_ERR_INVALID);
    application.say(shop.connection, "COMMIT");
    application.say(shop.connection, "DELETE FROM orders");
    assert_int_equal(counted(&shop), 0);

    assert_ok(ses_reload(session));
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 0);
    assert_ok(ses_increment(session, "n", 1));
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL));
    application.say(shop.connection, "COMMIT");
    assert_int_equal(counted(&shop), 1);
    ses_release(session);
    shop_close(&shop);
}

/* ---- merging ---- */

void change_of_another_request_is_merged(void **state)
{
    struct shop shop = shop_open("");
    int64_t n = -1;
    (void)state;
    ses_session *session = order(&shop);
    count_elsewhere(&shop, "n");
    count_elsewhere(&shop, "other");
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL));
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 2);
    application.say(shop.connection, "COMMIT");
    assert_int_equal(counted(&shop), 2);
    assert_int_equal(stored_int(shop.scene, &shop.visitor, "other"), 1);
    ses_release(session);
    shop_close(&shop);
}

/* Either the record is read as it is now, or the database gives the transaction up. */
void old_snapshot_is_never_replayed(void **state)
{
    struct shop shop = shop_open("");
    (void)state;
    ses_session *session = order(&shop);
    application.say(shop.connection, application.snapshot);
    (void)application.number(shop.connection, "SELECT count(*) FROM sesame_sessions");
    count_elsewhere(&shop, "n");
    const int r = ses_commit_within(session, shop.connection, NULL);
    if (r == SES_ERR_CONFLICT) {
        application.say(shop.connection, "ROLLBACK");
        application.say(shop.connection, "BEGIN");
        assert_ok(ses_commit_within(session, shop.connection, NULL));
    } else {
        assert_ok(r);
    }
    application.say(shop.connection, "COMMIT");
    assert_int_equal(counted(&shop), 2);
    ses_release(session);
    shop_close(&shop);
}

static void *order_often(void *arg)
{
    const struct shop *first = arg;
    const struct shop shop = { first->scene, first->visitor, application.connect() };
    for (int i = 0; i < ORDERS; i++) {
        ses_session *session = order(&shop);
        begin_and_insert(&shop);
        assert_ok(ses_commit_within(session, shop.connection, NULL));
        application.say(shop.connection, i % 4 == 0 ? "ROLLBACK" : "COMMIT");
        ses_release(session);
        count_elsewhere(&shop, "other");
    }
    application.close(shop.connection);
    return NULL;
}

void rows_and_counter_agree_after_a_storm_with_rollbacks(void **state)
{
    struct shop shop = shop_open("");
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, order_often, &shop), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(orders(&shop), THREADS * ORDERS * 3 / 4);
    assert_int_equal(counted(&shop), THREADS * ORDERS * 3 / 4);
    assert_int_equal(stored_int(shop.scene, &shop.visitor, "other"), THREADS * ORDERS);
    shop_close(&shop);
}

/* ---- where a session stands ---- */

void new_session_exists_once_the_transaction_is_committed(void **state)
{
    static const char *const ends[] = { "ROLLBACK", "COMMIT" };
    struct shop shop = shop_open("");
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct visitor visitor = { "" };
        ses_session *session = scene_start(shop.scene, NULL);
        assert_ok(ses_set_int(session, "n", 7));
        application.say(shop.connection, "BEGIN");
        assert_ok(ses_commit_within(session, shop.connection, NULL));
        scene_finish(session, &visitor); /* the cookie; there is nothing left to store */
        assert_code(scene_exists(shop.scene, &visitor), SES_ERR_NOT_FOUND);
        application.say(shop.connection, ends[i]);
        assert_code(scene_exists(shop.scene, &visitor), i == 0 ? SES_ERR_NOT_FOUND : SES_OK);
    }
    shop_close(&shop);
}

void ended_session_is_gone_also_within(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct shop shop = shop_open("");
        ses_session *session = order(&shop);
        ses_session *other = scene_visit(shop.scene, &shop.visitor);
        assert_ok(i == 0 ? ses_destroy(other) : ses_regenerate(other));
        ses_release(other);
        begin_and_insert(&shop);
        assert_code(ses_commit_within(session, shop.connection, NULL), SES_ERR_GONE);
        application.say(shop.connection, "ROLLBACK");
        ses_release(session);
        shop_close(&shop);
    }
}

void renewed_session_is_followed(void **state)
{
    struct shop shop = shop_open(", \"renewalInterval\": 100");
    struct visitor renewed = { "" };
    (void)state;
    ses_session *session = order(&shop);
    shop.scene->now_ms += 101 * 1000;
    ses_session *other = scene_visit(shop.scene, &shop.visitor);
    scene_finish(other, &renewed);
    assert_string_not_equal(renewed.cookie, "");
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL));
    application.say(shop.connection, "COMMIT");
    assert_int_equal(stored_int(shop.scene, &renewed, "n"), 1);
    ses_release(session);
    shop_close(&shop);
}

/* The id was changed at once, and not in the transaction that is rolled back. */
void cookie_of_a_new_id_is_sent_also_after_a_rollback(void **state)
{
    struct shop shop = shop_open("");
    struct visitor renewed = { "" };
    (void)state;
    ses_session *session = order(&shop);
    assert_ok(ses_regenerate(session));
    assert_ok(ses_increment(session, "n", 1));
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL));
    application.say(shop.connection, "ROLLBACK");
    assert_ok(ses_reload(session));
    scene_finish(session, &renewed);
    assert_string_not_equal(renewed.cookie, "");
    assert_int_equal(stored_int(shop.scene, &renewed, "n"), 1);
    shop_close(&shop);
}

/* The first request with it notes that; this is no change of the application's. */
void first_use_of_a_new_id_needs_no_transaction(void **state)
{
    struct shop shop = shop_open(", \"renewalInterval\": 100");
    struct visitor renewed = { "" };
    (void)state;
    shop.scene->now_ms += 101 * 1000;
    scene_finish(scene_visit(shop.scene, &shop.visitor), &renewed);
    ses_session *session = scene_visit(shop.scene, &renewed);
    assert_ok(ses_commit_within(session, &shop, NULL)); /* no connection at all */
    ses_release(session);
    shop_close(&shop);
}

/* ---- mistakes and faults ---- */

void without_a_transaction_it_is_refused_and_nothing_is_lost(void **state)
{
    struct shop shop = shop_open("");
    (void)state;
    ses_session *session = order(&shop);
    assert_code(ses_commit_within(session, shop.connection, NULL), SES_ERR_INVALID);
    assert_code(ses_commit_within(session, NULL, NULL), SES_ERR_INVALID);
    assert_int_equal(counted(&shop), 0);
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL));
    application.say(shop.connection, "COMMIT");
    assert_int_equal(counted(&shop), 1);
    ses_release(session);
    shop_close(&shop);
}

void without_changes_the_connection_is_not_used(void **state)
{
    struct shop shop = shop_open("");
    (void)state;
    ses_session *session = scene_visit(shop.scene, &shop.visitor);
    assert_ok(ses_commit_within(session, &shop, NULL)); /* no connection at all */
    ses_release(session);
    shop_close(&shop);
}

void lost_connection_is_unavailable_and_stores_nothing(void **state)
{
    struct shop shop = shop_open("");
    (void)state;
    ses_session *session = order(&shop);
    begin_and_insert(&shop);
    application.cut(shop.connection);
    assert_code(ses_commit_within(session, shop.connection, NULL), SES_ERR_UNAVAILABLE);
    application.close(shop.connection);
    assert_int_equal(counted(&shop), 0);

    shop.connection = application.connect();
    begin_and_insert(&shop);
    assert_ok(ses_commit_within(session, shop.connection, NULL));
    application.say(shop.connection, "COMMIT");
    assert_int_equal(orders(&shop), 1);
    assert_int_equal(counted(&shop), 1);
    ses_release(session);
    shop_close(&shop);
}

/* ---- for cases of a database's own ---- */

int within_set_up(void **state)
{
    static struct within within;
    *state = &within;
    within.connection = application.connect();
    return sql_storm_open(&within.shop);
}

int within_tear_down(void **state)
{
    struct within *within = *state;
    application.close(within->connection);
    sql_shop_close(&within->shop);
    return 0;
}

int load_within(struct within *within)
{
    const struct ses_key key = new_key();
    struct ses_record record = { 0 };
    struct fixture *f = &within->shop.f;
    return store_load_within(f->store, within->connection, &key, f->now, &record);
}
