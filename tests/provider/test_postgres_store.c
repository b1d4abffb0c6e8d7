/* SPDX-License-Identifier: MIT */
/* The tables: who makes them, brings them forward, and what of another shape is refused. */
#include "provider/postgres_fixture.h"
#include "provider/sql_store.h"

#include "shared/deadline.h"

#include <stdio.h>

static struct server server;
static struct sql_shop shop;
static PGconn *guest;          /* in the schema of the test, as the stores are */
static char words[WORDS_ROOM]; /* that lead to it */
static char schema[32];

static void new_schema(void)
{
    static int count;
    char text[100];
    PQfinish(guest);
    (void)snprintf(schema, sizeof schema, "s%d", count++);
    (void)snprintf(text, sizeof text, "CREATE SCHEMA %s", schema);
    postgres_tell(&server, text);
    (void)snprintf(text, sizeof text, "options=-csearch_path=%s", schema);
    (void)postgres_words(&server, text, words);
    guest = postgres_guest(&server, text);
}

static void say(const char *text)
{
    postgres_say(guest, text);
}

static int64_t number(const char *text)
{
    return postgres_number(guest, text);
}

static int open_with(void *instance, ses_provider_host *host, const char *config,
                     const struct sql_dialect *dialect)
{
    struct postgres *store = instance;
    store->sql.host = host;
    store->sql.dialect = dialect;
    assert_null(postgres_config_read(&store->config, config));
    return sql_open(&store->sql);
}

/* ---- the page's script ---- */

static void run_script_of_the_page(const char *first_line)
{
    say(part_of_the_page(first_line, "\n\n"));
}

/* All that the catalog says of the tables, but for the schema's name. */
static void describe(char *answer, size_t size)
{
    char text[1200];
    (void)snprintf(
        text, sizeof text,
        "SELECT replace(string_agg(line, chr(10) ORDER BY line), '%s.', '') FROM ("
        "SELECT concat_ws(' ', c.relname, a.attnum, a.attname, a.atttypid, a.attnotnull, "
        "a.attstorage, c.reloptions) AS line FROM pg_attribute a JOIN pg_class c ON c.oid = "
        "a.attrelid WHERE c.relnamespace = '%s'::regnamespace "
        "UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = '%s' "
        "UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = '%s'::regnamespace) lines",
        schema, schema, schema, schema);
    postgres_text(guest, text, answer, size);
}

static void script_of_the_page_makes_the_table_that_is_made_on_request(void **state)
{
    static char by_page[1 << 13], by_us[1 << 13];
    (void)state;
    run_script_of_the_page("    CREATE TABLE sesame_schema");
    assert_ok(postgres_open(&shop, words, without_create_table));
    sql_shop_close(&shop);
    describe(by_page, sizeof by_page);
    assert_non_null(strstr(by_page, "octet_length(key) = 32"));
    new_schema();
    assert_ok(postgres_open(&shop, words, NULL));
    sql_shop_close(&shop);
    describe(by_us, sizeof by_us);
    assert_string_equal(by_page, by_us);
}

/* ---- privileges ---- */

static char as_web[WORDS_ROOM];

static void make_web(void)
{
    say("DROP ROLE IF EXISTS web; CREATE ROLE web LOGIN");
    (void)snprintf(as_web, sizeof as_web,
                   "host=%s port=%d user=web dbname=postgres options=-csearch_path=%s",
                   server.folder, server.port, schema);
}

static void forget_web(void)
{
    say("DROP OWNED BY web; DROP ROLE web");
}

/* One line of the page lets a server run; without any word of it, it does not start. */
static void privileges_of_the_page_suffice_and_each_is_needed(void **state)
{
    static const char *const revoked[] = {
        "REVOKE SELECT ON sesame_sessions FROM web", "REVOKE INSERT ON sesame_sessions FROM web",
        "REVOKE UPDATE ON sesame_sessions FROM web", "REVOKE DELETE ON sesame_sessions FROM web",
        "REVOKE SELECT ON sesame_schema FROM web",
    };
    char text[100];
    (void)state;
    make_web();
    assert_ok(postgres_open(&shop, words, NULL));
    sql_shop_close(&shop);
    (void)snprintf(text, sizeof text, "GRANT USAGE ON SCHEMA %s TO web", schema);
    say(text);
    for (size_t i = 0; i < sizeof revoked / sizeof *revoked; i++) {
        run_script_of_the_page("    GRANT SELECT, INSERT");
        say(revoked[i]);
        assert_config_refused(&shop, as_web, without_create_table, SES_ERR_INVALID,
                              "permission denied");
    }
    run_script_of_the_page("    GRANT SELECT, INSERT");
    for (int i = 0; i < 2; i++) {
        assert_ok(postgres_open(&shop, as_web, i ? NULL : without_create_table));
        use_every_operation(&shop);
        sql_shop_close(&shop);
    }
    forget_web();
}

static void one_privilege_lets_it_make_the_table(void **state)
{
    char text[100];
    (void)state;
    make_web();
    (void)snprintf(text, sizeof text, "GRANT USAGE ON SCHEMA %s TO web", schema);
    say(text);
    assert_config_refused(&shop, as_web, NULL, SES_ERR_INVALID, "permission denied for schema");
    (void)snprintf(text, sizeof text, "GRANT USAGE, CREATE ON SCHEMA %s TO web", schema);
    say(text);
    assert_ok(postgres_open(&shop, as_web, NULL));
    use_every_operation(&shop);
    sql_shop_close(&shop);
    forget_web();
}

static void server_that_does_not_take_us_is_one_line_at_start(void **state)
{
    char text[WORDS_ROOM];
    (void)state;
    assert_config_refused(&shop, postgres_port_words(&server, "password=s3cret", text), NULL,
                          SES_ERR_UNAVAILABLE,
                          "password authentication failed for user \"postgres\"");
    assert_null(strstr(shop.all, "s3cret"));
    assert_config_refused(&shop, postgres_words(&server, "dbname=none", text), NULL,
                          SES_ERR_UNAVAILABLE, "database \"none\" does not exist");
    assert_config_refused(&shop, postgres_words(&server, "user=none", text), NULL,
                          SES_ERR_UNAVAILABLE, "role \"none\" does not exist");
    assert_config_refused(&shop, postgres_words(&server, "host=/none", text), NULL,
                          SES_ERR_UNAVAILABLE, "/none");
    assert_config_refused(&shop, postgres_words(&server, "host=none.invalid", text), NULL,
                          SES_ERR_UNAVAILABLE, "\"none.invalid\": ");
    assert_config_refused(
        &shop, postgres_words(&server, "options=-cdefault_transaction_read_only=on", text), NULL,
        SES_ERR_UNAVAILABLE, "session is read-only");
}

/* ---- what is not ours ---- */

#define VERSION_1 "CREATE TABLE sesame_schema (version int); INSERT INTO sesame_schema VALUES (1);"
#define COLUMNS_UP_TO_KIND(version_type)                                                           \
 "version " version_type ", expires bigint, kind smallint, checksum bigint, record bytea"

static void table_of_another_shape_is_refused_in_one_line(void **state)
{
    (void)state;
    assert_shape_refused(&shop, VERSION_1,
                         "CREATE TABLE sesame_sessions (key bytea, version bigint)",
                         "cannot be used as it is: column \"expires\" does not exist");
    assert_shape_refused(&shop, VERSION_1,
                         "CREATE TABLE sesame_sessions (key bytea primary key, "
                         "\"user\" bytea, " COLUMNS_UP_TO_KIND("int") ")",
                         "cannot be used as it is: a column is of another type");
    assert_shape_refused(&shop, VERSION_1,
                         "CREATE TABLE sesame_sessions (key bytea primary key, "
                         "\"user\" text, " COLUMNS_UP_TO_KIND("bigint") ")",
                         "cannot be used as it is: a column is of another type");
    assert_shape_refused(&shop, VERSION_1,
                         "CREATE TABLE sesame_sessions (key bytea, "
                         "\"user\" bytea, " COLUMNS_UP_TO_KIND("bigint") ")",
                         "cannot be used as it is: there is no unique");
    assert_shape_refused(&shop, VERSION_1, NULL, "relation \"sesame_sessions\" does not exist");
    assert_shape_refused(&shop, VERSION_1, "CREATE VIEW sesame_sessions AS SELECT 1 AS key",
                         "cannot be used as it is");
    assert_shape_refused(&shop, "CREATE TABLE sesame_schema (version int)", NULL, "of version -1");
    assert_shape_refused(&shop, "CREATE TABLE sesame_schema (other int)", NULL,
                         "column \"version\" does not");
    assert_shape_refused(&shop,
                         "CREATE TABLE sesame_schema (version int); "
                         "INSERT INTO sesame_schema VALUES (2)",
                         NULL, "of version 2, and this build knows 1");
    new_schema();
    say("CREATE TABLE sesame_sessions (mine int)");
    assert_refused(&shop, NULL, "already exists");
    assert_int_equal(number(tables.count), 1);
}

/* ---- later versions ---- */

/* libpq would hand over what there is of a copy again and again. */
static void answer_that_never_ends_is_the_end_of_its_connection(void **state)
{
    static const char *const in[] = { "COPY @schema FROM STDIN", NULL };
    static const char *const out[] = { "COPY @schema TO STDOUT", NULL };
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct ses_provider_ops ops = later_release(i ? in : out);
        new_schema();
        const int64_t before = monotonic_ms();
        assert_code(sql_tables_open(&shop, &ops, NULL), SES_ERR_UNAVAILABLE);
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
    assert_ok(sql_tables_open(&shop, &ops, NULL));
    assert_true(monotonic_ms() - before >= 1500);
    sql_shop_close(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQL_TABLES_TESTS,
        CASE_IN_A_DATABASE(missing_table_is_one_line_and_is_not_made_unasked),
        CASE_IN_A_DATABASE(script_of_the_page_makes_the_table_that_is_made_on_request),
        CASE_IN_A_DATABASE(privileges_of_the_page_suffice_and_each_is_needed),
        CASE_IN_A_DATABASE(one_privilege_lets_it_make_the_table),
        CASE_IN_A_DATABASE(server_that_does_not_take_us_is_one_line_at_start),
        CASE_IN_A_DATABASE(table_of_another_shape_is_refused_in_one_line),
        CASE_IN_A_DATABASE(migration_that_fails_changes_nothing),
        CASE_IN_A_DATABASE(answer_that_never_ends_is_the_end_of_its_connection),
        CASE_IN_A_DATABASE(migration_may_take_longer_than_a_call),
    };
    postgres_start(&server, NULL);
    sql_subject = (struct sql_subject){ .ops = &ses_provider_postgres, .config = words };
    tables = (struct sql_tables){
        .dialect = &postgres_provider_dialect,
        .open = open_with,
        .empty = new_schema,
        .say = say,
        .number = number,
        .count = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()",
        .columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = "
                   "current_schema() AND table_name = 'sesame_sessions'",
        .quote = "\"",
        .bytes = "bytea",
        .page = POSTGRES_PAGE,
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(guest);
    return failed;
}
