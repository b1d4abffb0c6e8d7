/* SPDX-License-Identifier: MIT */
/* Tables of later versions. */
#include "provider/postgres_fixture.h"

#include "shared/deadline.h"

#include <sys/wait.h>
#include <unistd.h>

static struct server server;
static struct sql_shop shop;
static PGconn *guest;
static char words[WORDS_ROOM];

static int new_schema(void **state)
{
    (void)state;
    postgres_say(guest, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return 0;
}

static void without_create_table(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->create_table = false;
}

/* ---- later versions ---- */

static struct sql_dialect later;
static struct sql_step later_steps[3];

static int open_later(void *self, ses_provider_host *host, const char *config)
{
    struct postgres *store = self;
    store->sql.host = host;
    store->sql.dialect = &later;
    assert_null(postgres_config_read(&store->config, config));
    return sql_open(&store->sql);
}

/* The provider of a later release, whose tables have one more version than today's. */
static struct ses_provider_ops later_release(const char *const *texts)
{
    const int known = postgres_provider_dialect.version;
    struct ses_provider_ops ops = ses_provider_postgres;
    ops.open = open_later;
    later = postgres_provider_dialect;
    memcpy(later_steps, postgres_provider_dialect.steps, (size_t)known * sizeof *later_steps);
    later_steps[known].texts = texts;
    later.steps = later_steps;
    later.version = known + 1;
    return ops;
}

static const char *const one_more_column[] = {
    "ALTER TABLE @sessions ADD COLUMN extra integer NOT NULL DEFAULT 7", NULL
};

static void older_table_is_brought_forward_on_request_and_keeps_its_rows(void **state)
{
    (void)state;
    const struct ses_provider_ops ops = later_release(one_more_column);
    const struct ses_key key = new_key();
    assert_ok(postgres_open(&shop, words, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    assert_code(sql_shop_open(&shop, &ops, words, without_create_table), SES_ERR_INVALID);
    assert_non_null(strstr(shop.told, "of version 1: \"createTable\": true brings it forward"));
    assert_int_equal(postgres_number(guest, "SELECT version FROM sesame_schema"), 1);

    assert_ok(sql_shop_open(&shop, &ops, words, NULL));
    struct ses_record record = { 0 };
    assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
    assert_int_equal(record.version, version);
    drop_record(&record);
    sql_shop_close(&shop);
    assert_int_equal(postgres_number(guest, "SELECT extra FROM sesame_sessions"), 7);
    assert_code(postgres_open(&shop, words, NULL), SES_ERR_INVALID);
    assert_non_null(strstr(shop.told, "of version 2, and this build knows 1"));
}

static void migration_that_fails_changes_nothing(void **state)
{
    static const char *const broken[] = {
        "ALTER TABLE @sessions ADD COLUMN extra integer NOT NULL DEFAULT 7", "NONSENSE", NULL
    };
    (void)state;
    assert_ok(postgres_open(&shop, words, NULL));
    sql_shop_close(&shop);
    const struct ses_provider_ops ops = later_release(broken);
    assert_code(sql_shop_open(&shop, &ops, words, NULL), SES_ERR_INVALID);
    assert_int_equal(shop.lines, 1);
    assert_int_equal(postgres_number(guest, "SELECT version FROM sesame_schema"), 1);
    assert_int_equal(postgres_number(guest, "SELECT count(*) FROM information_schema.columns "
                                            "WHERE table_name = 'sesame_sessions'"),
                     7);
    assert_ok(postgres_open(&shop, words, NULL));
    sql_shop_close(&shop);
}

/* libpq would hand over what there is of a copy again and again. */
static void answer_that_never_ends_is_the_end_of_its_connection(void **state)
{
    static const char *const in[] = { "COPY @schema FROM STDIN", NULL };
    static const char *const out[] = { "COPY @schema TO STDOUT", NULL };
    for (int i = 0; i < 2; i++) {
        const struct ses_provider_ops ops = later_release(i ? in : out);
        (void)new_schema(state);
        const int64_t before = monotonic_ms();
        assert_code(sql_shop_open(&shop, &ops, words, NULL), SES_ERR_UNAVAILABLE);
        assert_true(monotonic_ms() - before < 2000);
        assert_int_equal(shop.lines, 1);
    }
}

/* A large table takes longer than a call may. */
static void migration_may_take_longer_than_a_call(void **state)
{
    static const char *const slow[] = { "SELECT pg_sleep(1.5)", NULL };
    (void)state;
    const struct ses_provider_ops ops = later_release(slow);
    const int64_t before = monotonic_ms();
    assert_ok(sql_shop_open(&shop, &ops, words, NULL));
    assert_true(monotonic_ms() - before >= 1500);
    sql_shop_close(&shop);
}

/* Each would fail if it did what another one has done. */
static void of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward(void **state)
{
    enum { PROCESSES = 6, ROUNDS = 10 };
    const struct ses_provider_ops ops = later_release(one_more_column);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[PROCESSES];
        (void)new_schema(state);
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(sql_shop_open(&shop, &ops, words, NULL) == SES_OK ? 0 : 1);
        }
        for (int i = 0; i < PROCESSES; i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(postgres_number(guest, "SELECT version FROM sesame_schema"), 2);
    }
}

int main(void)
{
#define CASE_IN_A_SCHEMA(name) cmocka_unit_test_setup(name, new_schema)
    const struct CMUnitTest tests[] = {
        CASE_IN_A_SCHEMA(older_table_is_brought_forward_on_request_and_keeps_its_rows),
        CASE_IN_A_SCHEMA(migration_that_fails_changes_nothing),
        CASE_IN_A_SCHEMA(answer_that_never_ends_is_the_end_of_its_connection),
        CASE_IN_A_SCHEMA(migration_may_take_longer_than_a_call),
        CASE_IN_A_SCHEMA(of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward),
    };
    postgres_start(&server, NULL);
    (void)postgres_words(&server, "", words);
    guest = postgres_guest(&server, "");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(guest);
    return failed;
}
