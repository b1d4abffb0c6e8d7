/* SPDX-License-Identifier: MIT */
/* What others hold: locks, deadlocks, conflicts of transactions; rows that were changed. */
#include "provider/postgres_shop.h"

#include "shared/deadline.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUDGET_MS = 1600, SLACK_MS = 2000 };

static void of_little_patience(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->budget_ms = BUDGET_MS;
}

#define WAITS                                                                                      \
 "FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND "                      \
 "application_name = 'sesame'"

/* ---- locks ---- */

static void lock_of_another_is_unavailable_within_the_budget_and_nobody_waits_for_it_on(
    void **state)
{
    (void)state;
    assert_ok(postgres_open(&shop, words, of_little_patience));
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop.f, &key, "alpha");
    postgres_say(guest, "BEGIN; UPDATE sesame_sessions SET checksum = checksum");
    const int64_t before = monotonic_ms();
    assert_code(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    assert_true(strstr(shop.told, "lock timeout") || strstr(shop.told, "took too long"));
    assert_loads(&shop.f, &key, "alpha", version, shop.f.now + LIFE_MS);
    wait_until("SELECT (count(*) = 0)::int " WAITS); /* the server has given up, too */
    postgres_say(guest, "COMMIT");
    assert_ok(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION));
    sql_shop_close(&shop);
}

struct creation {
    const struct ses_key *key, *user;
    int code;
};

static void *create_in_thread(void *arg)
{
    struct creation *creation = arg;
    creation->code = create_owned(&shop.f, creation->key, creation->user, 5);
    return NULL;
}

static void hex_of(const struct ses_key *key, char text[2 * SES_KEY_BYTES + 1])
{
    for (int i = 0; i < SES_KEY_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
}

/* The store has the user's lock and wants the row, the guest the other way round. The store's
 * transaction is the one that the server undoes: the guest is set to look much later. */
static void deadlock_is_tried_anew(void **state)
{
    char key_hex[2 * SES_KEY_BYTES + 1], user_hex[2 * SES_KEY_BYTES + 1], text[300];
    (void)state;
    const struct ses_key key = new_key(), user = new_key();
    struct creation creation = { .key = &key, .user = &user };
    pthread_t thread;
    hex_of(&key, key_hex);
    hex_of(&user, user_hex);
    (void)snprintf(text, sizeof text,
                   "SET deadlock_timeout = '20s'; BEGIN; INSERT INTO sesame_sessions VALUES "
                   "('\\x%s', 1, 9000000000000, 1, NULL, 1, '')",
                   key_hex);
    postgres_say(guest, text);
    assert_int_equal(pthread_create(&thread, NULL, create_in_thread, &creation), 0);
    wait_until("SELECT count(*) " WAITS);
    (void)snprintf(text, sizeof text,
                   "SELECT pg_advisory_xact_lock(hashtextextended('sesame_sessions %s', 0))",
                   user_hex);
    postgres_say(guest, text); /* returns once the store has lost */
    postgres_say(guest, "ROLLBACK; RESET deadlock_timeout");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(creation.code);
    assert_int_equal(shop.lines, 0);
    wait_until("SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'");
}

/* Each write is refused twice before it is let through. */
static void refuse_with(const char *state_code)
{
    char text[600];
    (void)snprintf(text, sizeof text,
                   "DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries; "
                   "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
                   "BEGIN IF nextval('tries') %% 3 <> 0 THEN RAISE EXCEPTION 'no' "
                   "USING ERRCODE = '%s'; END IF; RETURN NEW; END $$; "
                   "DROP TRIGGER IF EXISTS refuse ON sesame_sessions; CREATE TRIGGER refuse "
                   "BEFORE INSERT OR UPDATE ON sesame_sessions FOR EACH ROW "
                   "EXECUTE FUNCTION refuse()",
                   state_code);
    postgres_say(guest, text);
}

static void transaction_that_does_not_fit_in_is_tried_anew(void **state)
{
    static const char *const codes[] = { "40001", "40P01" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct ses_key key = new_key(), user = new_key(), other = new_key();
        refuse_with(codes[i]);
        const uint64_t version = put(&shop.f, &key, "alpha");
        assert_ok(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION));
        assert_ok(create_owned(&shop.f, &other, &user, 1));
        assert_int_equal(postgres_number(guest, "SELECT last_value FROM tries"), 9);
        assert_code(create_owned(&shop.f, &other, &user, 1), SES_ERR_DENIED);
    }
    assert_int_equal(shop.lines, 0); /* nothing of it is left to be told */
}

static void never_let_through_is_unavailable_within_the_budget(void **state)
{
    (void)state;
    assert_ok(postgres_open(&shop, words, of_little_patience));
    const struct ses_key key = new_key();
    refuse_with("40001");
    postgres_say(guest, "ALTER SEQUENCE tries INCREMENT BY 3");
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + LIFE_MS);
    const int64_t before = monotonic_ms();
    assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    drop_record(&record);
    sql_shop_close(&shop);
}

static void server_that_became_a_standby_is_unavailable_and_left(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    struct sql *sql = store_instance(shop.f.store);
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + LIFE_MS);
    refuse_with("25006");
    assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_int_equal(pool_count(sql->writers), 0);
    drop_record(&record);
}

static void *ping_in_thread(void *arg)
{
    (void)store_ping(arg);
    return NULL;
}

/* The others would each find out by themselves, and wait for it. */
static void with_several_hosts_all_idle_connections_are_left_at_once(void **state)
{
    char text[WORDS_ROOM], hosts[300];
    (void)state;
    (void)snprintf(hosts, sizeof hosts, "host=%s,%s", server.folder, server.folder);
    assert_ok(postgres_open(&shop, postgres_words(&server, hosts, text), NULL));
    struct sql *sql = store_instance(shop.f.store);
    postgres_say(guest, "BEGIN; LOCK TABLE sesame_schema");
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ping_in_thread, shop.f.store), 0);
    wait_until("SELECT (count(*) = 3)::int " WAITS);
    postgres_say(guest, "COMMIT");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pool_count(sql->writers), 3);
    assert_int_equal(((struct postgres *)sql)->first, 0);
    const struct ses_key key = new_key();
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + LIFE_MS);
    refuse_with("25006");
    assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_int_equal(pool_count(sql->writers), 0);
    assert_int_equal(((struct postgres *)sql)->first, 1); /* where the next call begins */
    drop_record(&record);
    sql_shop_close(&shop);
}

/* Whatever the role's settings are. */
static void isolation_and_patience_are_ours(void **state)
{
    char text[WORDS_ROOM];
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(postgres_open(&shop,
                            postgres_words(&server,
                                           "options='-cdefault_transaction_isolation=serializable "
                                           "-cstatement_timeout=100 -clock_timeout=100'",
                                           text),
                            sql_shop_settings));
    postgres_say(guest, "ALTER TABLE sesame_sessions ADD CHECK ("
                        "current_setting('transaction_isolation') = 'read committed' "
                        "AND current_setting('statement_timeout') = '1s' "
                        "AND current_setting('lock_timeout') = '900ms' "
                        "AND current_setting('idle_in_transaction_session_timeout') = '1s')");
    const uint64_t version = put(&shop.f, &key, "alpha");
    postgres_say(guest, "BEGIN; SELECT 1 FROM sesame_sessions FOR UPDATE");
    assert_int_equal(PQsendQuery(guest, "SELECT pg_sleep(0.2); COMMIT"), 1);
    assert_ok(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION));
    for (PGresult *result; (result = PQgetResult(guest));)
        PQclear(result);
    assert_int_equal(shop.lines, 0);
    sql_shop_close(&shop);
}

/* ---- what does not check ---- */

static void row_that_was_changed_is_corrupt_told_and_never_served(void **state)
{
    static const char *const changes[] = {
        "UPDATE sesame_sessions SET record = 'alphb'",
        "UPDATE sesame_sessions SET version = version + 1",
        "UPDATE sesame_sessions SET version = 0",
        "UPDATE sesame_sessions SET kind = 4",
        "UPDATE sesame_sessions SET kind = 5",
        "UPDATE sesame_sessions SET checksum = checksum + 4294967296",
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct ses_key key = new_key();
        struct ses_record record = { 0 };
        (void)put(&shop.f, &key, "alpha");
        postgres_say(guest, changes[i]);
        assert_code(store_load(shop.f.store, &key, shop.f.now, &record), SES_ERR_CORRUPT);
        assert_null(record.data);
        assert_non_null(strstr(shop.told, "a row does not check"));
        assert_ok(store_destroy(shop.f.store, &key, shop.f.now));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_ALONE(lock_of_another_is_unavailable_within_the_budget_and_nobody_waits_for_it_on),
        CASE_IN_A_SHOP(deadlock_is_tried_anew),
        CASE_IN_A_SHOP(transaction_that_does_not_fit_in_is_tried_anew),
        CASE_ALONE(never_let_through_is_unavailable_within_the_budget),
        CASE_IN_A_SHOP(server_that_became_a_standby_is_unavailable_and_left),
        CASE_ALONE(with_several_hosts_all_idle_connections_are_left_at_once),
        CASE_ALONE(isolation_and_patience_are_ours),
        CASE_IN_A_SHOP(row_that_was_changed_is_corrupt_told_and_never_served),
    };
    start_server((const char *const[]){ "-c", "deadlock_timeout=300ms", NULL });
    return cmocka_run_group_tests(tests, NULL, end_guest);
}
