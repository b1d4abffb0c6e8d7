/* SPDX-License-Identifier: MIT */
/* Tables of later versions, how gc looks for rows, and what reaches SQL. */
#include "provider/postgres_fixture.h"

#include "shared/deadline.h"

#include <stdio.h>
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

static int new_shop(void **state)
{
    (void)new_schema(state);
    return postgres_open(&shop, words, NULL);
}

static int end_shop(void **state)
{
    (void)state;
    sql_shop_close(&shop);
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

/* ---- gc ---- */

static void make_expired(int count)
{
    char text[300];
    (void)snprintf(text, sizeof text,
                   "INSERT INTO sesame_sessions SELECT sha256(i::text::bytea), 1, "
                   "1000 + i, 1, NULL, 1, 'x' FROM generate_series(1, %d) i; ANALYZE "
                   "sesame_sessions",
                   count);
    postgres_say(guest, text);
}

static int64_t rows(void)
{
    return postgres_number(guest, "SELECT count(*) FROM sesame_sessions");
}

/* With the plan for any parameters, which the server takes after the fifth time. */
static void gc_finds_rows_by_the_index_and_asks_for_its_lock_once(void **state)
{
    static char plan[1 << 14];
    char text[1200];
    const char *collect = postgres_provider_dialect.texts[SQL_COLLECT];
    (void)state;
    make_expired(20000);
    size_t len = (size_t)snprintf(text, sizeof text, "PREPARE c AS ");
    for (; *collect; collect++)
        len += (size_t)snprintf(text + len, sizeof text - len, *collect == '@' ? "sesame_" : "%c",
                                *collect);
    postgres_say(guest, text);
    postgres_say(guest, "SET plan_cache_mode = force_generic_plan");
    postgres_say(guest, "CREATE FUNCTION plan_of_c() RETURNS text LANGUAGE plpgsql AS $$ "
                        "DECLARE line text; lines text := ''; BEGIN FOR line IN EXECUTE "
                        "'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE c(9000, 100)' LOOP "
                        "lines := lines || line || chr(10); END LOOP; RETURN lines; END $$");
    postgres_text(guest, "SELECT plan_of_c()", plan, sizeof plan);
    if (!strstr(plan, "Index Scan using sesame_sessions_expires") ||
        !strstr(plan, "sesame_sessions_pkey") || strstr(plan, "Seq Scan") || strstr(plan, "Sort") ||
        !strstr(plan, "One-Time Filter") || strstr(plan, "SubPlan"))
        fail_msg("%s", plan);
    for (const char *at = plan; (at = strstr(at, "loops=")); at++)
        assert_int_equal(at[6], '1');
    assert_int_equal(rows(), 20000 - 100);
}

static void gc_leaves_it_to_another_process_that_collects(void **state)
{
    struct ses_gc_step step;
    (void)state;
    make_expired(250);
    postgres_say(guest, "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended("
                        "'sesame_collect', 0))");
    assert_ok(store_gc(shop.f.store, shop.f.now, 1000, &step));
    assert_int_equal(step.removed, 0);
    assert_false(step.more);
    assert_int_equal(rows(), 250);
    postgres_say(guest, "COMMIT");
    assert_ok(store_gc(shop.f.store, shop.f.now, 1000, &step));
    assert_int_equal(step.removed, 250);
}

static void gc_waits_for_no_row_that_somebody_writes_to(void **state)
{
    struct ses_gc_step step;
    (void)state;
    make_expired(50);
    postgres_say(guest, "BEGIN; UPDATE sesame_sessions SET version = 2 WHERE expires <= 1010");
    const int64_t before = monotonic_ms();
    assert_ok(store_gc(shop.f.store, shop.f.now, 1000, &step));
    assert_true(monotonic_ms() - before < 900);
    assert_int_equal(step.removed, 40);
    postgres_say(guest, "COMMIT");
    assert_int_equal(rows(), 10);
}

/* ---- T-32: what reaches SQL ---- */

static const char *const corpus[] = {
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "\xbf\x5c\x27",
    "\xbf'",
    ";",
    "--",
    "/*",
    "a'b",
    "$1",
    "x'); DROP TABLE sesame_sessions; --",
    "' OR '1'='1",
    "%00",
    "?1",
    "\xff\xfe",
    "\xc0\xa7",
    "\xe2\x80\x99",
    "@",
    "a\nb",
    "a\tb",
    ":a",
    "%s%n",
    "$$",
    "E'\\000'",
    "\\x00",
    "\x81\x5c",
    "\x95\x5c'",
    "a b",
};
enum { CORPUS = sizeof corpus / sizeof *corpus };

static const char *prefix;

static void of_that_prefix(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->table_prefix = prefix;
}

static void prefix_of_anything_but_a_name_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < CORPUS; i++) {
        prefix = corpus[i];
        assert_code(postgres_open(&shop, words, of_that_prefix), SES_ERR_INVALID);
        assert_non_null(strstr(shop.told, "\"tablePrefix\" has to be"));
    }
}

/* Whatever the server does with texts, it does to none of ours. */
static void bytes_of_keys_users_and_records_are_never_read_as_sql(void **state)
{
    static const char *const settings[] = {
        "",
        "options='-cstandard_conforming_strings=off -cbackslash_quote=on'",
        "client_encoding=SJIS",
        "client_encoding=BIG5",
        "client_encoding=SQL_ASCII",
        "client_encoding=LATIN1 options='-cbytea_output=escape'",
    };
    (void)state;
    for (size_t n = 0; n < sizeof settings / sizeof *settings; n++) {
        char text[WORDS_ROOM];
        (void)new_schema(NULL);
        assert_ok(postgres_open(&shop, postgres_words(&server, settings[n], text), NULL));
        for (size_t i = 0; i < CORPUS; i++) {
            struct ses_key key = { { 0 } }, user = { { 0 } };
            (void)snprintf((char *)key.bytes, sizeof key.bytes, "%s", corpus[i]);
            (void)snprintf((char *)user.bytes, sizeof user.bytes, "u%s", corpus[i]);
            const struct ses_owner owner = { user, 1 };
            struct ses_record record = make_record(
                (struct ses_slice){ corpus[i], strlen(corpus[i]) + 1 }, shop.f.now + LIFE_MS);
            assert_ok(store_create(shop.f.store, &key, shop.f.now, &owner, &record));
            const struct ses_key other = new_key();
            assert_code(create_owned(&shop.f, &other, &user, 1), SES_ERR_DENIED);
            struct ses_record there = { 0 };
            assert_ok(store_load(shop.f.store, &key, shop.f.now, &there));
            assert_int_equal(ses_blob_bytes(there.data).len, strlen(corpus[i]) + 1);
            assert_memory_equal(ses_blob_bytes(there.data).data, corpus[i], strlen(corpus[i]) + 1);
            struct sighting sighting = { .key = &key };
            assert_ok(store_list(shop.f.store, &user, shop.f.now, note_sighting, &sighting));
            assert_int_equal(sighting.seen, 1);
            assert_int_equal(sighting.others, 0);
            drop_record(&there);
            drop_record(&record);
        }
        uint64_t count = 0;
        assert_ok(store_count(shop.f.store, shop.f.now, &count));
        assert_int_equal(count, CORPUS);
        assert_int_equal(shop.lines, 0);
        sql_shop_close(&shop);
    }
}

/* As names of databases, which do not exist: said, and nothing done. */
static void parts_of_the_connection_string_are_never_read_as_sql(void **state)
{
    (void)state;
    assert_ok(postgres_open(&shop, words, NULL));
    sql_shop_close(&shop);
    for (size_t i = 0; i < CORPUS; i++) {
        char url[WORDS_ROOM];
        size_t len = (size_t)snprintf(url, sizeof url, "postgres://postgres@/");
        for (const char *at = corpus[i]; *at; at++)
            len += (size_t)snprintf(url + len, sizeof url - len, "%%%02x", (unsigned char)*at);
        (void)snprintf(url + len, sizeof url - len, "?host=%s&port=%d", server.folder, server.port);
        assert_code(postgres_open(&shop, url, NULL), SES_ERR_UNAVAILABLE);
        assert_int_equal(shop.lines, 1);
    }
    assert_int_equal(rows(), 0);
}

int main(void)
{
#define CASE_IN_A_SCHEMA(name) cmocka_unit_test_setup(name, new_schema)
#define CASE_IN_A_SHOP(name)   cmocka_unit_test_setup_teardown(name, new_shop, end_shop)
    const struct CMUnitTest tests[] = {
        CASE_IN_A_SCHEMA(older_table_is_brought_forward_on_request_and_keeps_its_rows),
        CASE_IN_A_SCHEMA(migration_that_fails_changes_nothing),
        CASE_IN_A_SCHEMA(answer_that_never_ends_is_the_end_of_its_connection),
        CASE_IN_A_SCHEMA(migration_may_take_longer_than_a_call),
        CASE_IN_A_SCHEMA(of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward),
        CASE_IN_A_SHOP(gc_finds_rows_by_the_index_and_asks_for_its_lock_once),
        CASE_IN_A_SHOP(gc_leaves_it_to_another_process_that_collects),
        CASE_IN_A_SHOP(gc_waits_for_no_row_that_somebody_writes_to),
        CASE_IN_A_SCHEMA(prefix_of_anything_but_a_name_is_refused),
        CASE_IN_A_SCHEMA(bytes_of_keys_users_and_records_are_never_read_as_sql),
        CASE_IN_A_SCHEMA(parts_of_the_connection_string_are_never_read_as_sql),
    };
    postgres_start(&server, NULL);
    (void)postgres_words(&server, "", words);
    guest = postgres_guest(&server, "");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(guest);
    return failed;
}
