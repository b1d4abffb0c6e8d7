/* SPDX-License-Identifier: MIT */
/* The tables: who makes them, brings them forward, and what of another shape is refused. */
#include "provider/postgres_fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server server;
static struct sql_shop shop;
static PGconn *guest;          /* in the schema of the test, as the stores are */
static char words[WORDS_ROOM]; /* that lead to it */
static char schema[32];

static int new_schema(void **state)
{
    static int number;
    char text[100];
    (void)state;
    PQfinish(guest);
    (void)snprintf(schema, sizeof schema, "s%d", number++);
    (void)snprintf(text, sizeof text, "CREATE SCHEMA %s", schema);
    postgres_tell(&server, text);
    (void)snprintf(text, sizeof text, "options=-csearch_path=%s", schema);
    (void)postgres_words(&server, text, words);
    guest = postgres_guest(&server, text);
    return 0;
}

static void without_create_table(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->create_table = false;
}

static void assert_refused_by(const char *config, void (*settings)(void *instance), int code,
                              const char *says)
{
    assert_code(postgres_open(&shop, config, settings), code);
    assert_int_equal(shop.lines, 1);
    assert_null(strchr(shop.told, '\n'));
    if (!strstr(shop.told, says))
        fail_msg("\"%s\" does not say \"%s\"", shop.told, says);
}

static void assert_refused(void (*settings)(void *instance), const char *says)
{
    assert_refused_by(words, settings, SES_ERR_INVALID, says);
}

static int64_t tables(void)
{
    char text[100];
    (void)snprintf(text, sizeof text, "SELECT count(*) FROM pg_tables WHERE schemaname = '%s'",
                   schema);
    return postgres_number(guest, text);
}

static void assert_version(const struct ses_key *key, uint64_t version)
{
    struct ses_record record = { 0 };
    assert_ok(store_load(shop.f.store, key, shop.f.now, &record));
    assert_int_equal(record.version, version);
    drop_record(&record);
}

/* ---- making them ---- */

static void missing_table_is_one_line_and_is_not_made_unasked(void **state)
{
    (void)state;
    assert_refused(without_create_table, "no table sesame_sessions: \"createTable\": true makes");
    assert_int_equal(tables(), 0);
}

static void table_is_made_on_request_and_then_used_by_all(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(postgres_open(&shop, words, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    for (int i = 0; i < 2; i++) {
        assert_ok(postgres_open(&shop, words, i ? NULL : without_create_table));
        assert_int_equal(shop.lines, 0);
        assert_version(&key, version);
        sql_shop_close(&shop);
    }
    assert_int_equal(postgres_number(guest, "SELECT version FROM sesame_schema"), 1);
    assert_int_equal(postgres_number(guest, "SELECT count(*) FROM sesame_sessions"), 1);
}

/* As the page says, so that others may ask. */
static void row_shows_what_the_page_says(void **state)
{
    (void)state;
    const struct ses_key key = { "0123456789abcdef0123456789abcdef" };
    const struct ses_owner owner = { { "fedcba9876543210fedcba9876543210" }, 0 };
    assert_ok(postgres_open(&shop, words, NULL));
    struct ses_record record = make_record(SLICE("bytes"), 4000000000000), winner = { 0 };
    record.version = UINT64_MAX - 6;
    assert_ok(store_create(shop.f.store, &key, shop.f.now, &owner, &record));
    assert_int_equal(postgres_number(guest,
                                     "SELECT count(*) FROM sesame_sessions WHERE version = -7 "
                                     "AND kind = 1 AND key = '0123456789abcdef0123456789abcdef' "
                                     "AND \"user\" = 'fedcba9876543210fedcba9876543210' "
                                     "AND expires = 4000000000000 AND record = 'bytes'"),
                     1);
    record.kind = SES_KIND_DEAD;
    record.version = 7;
    assert_ok(store_save(shop.f.store, &key, shop.f.now, UINT64_MAX - 6, &record, &winner));
    assert_int_equal(postgres_number(guest, "SELECT count(*) FROM sesame_sessions "
                                            "WHERE version = 7 AND kind = 3 AND \"user\" IS NULL"),
                     1);
    drop_record(&record);
    sql_shop_close(&shop);
}

static void with_another_prefix(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->table_prefix = "shop_2_";
}

static void tables_of_several_prefixes_share_a_database_and_no_session(void **state)
{
    static struct sql_shop other;
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(postgres_open(&shop, words, NULL));
    assert_ok(postgres_open(&other, words, with_another_prefix));
    (void)put(&shop.f, &key, "alpha");
    assert_absent(&other.f, &key);
    sql_shop_close(&other);
    sql_shop_close(&shop);
    assert_int_equal(postgres_number(guest, "SELECT count(*) FROM shop_2_sessions"), 0);
}

/* ---- the page's script ---- */

static void run_script_of_the_page(const char *first_line)
{
    static char page[1 << 16];
    FILE *file = fopen(POSTGRES_PAGE, "re");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    (void)fclose(file);
    char *script = strstr(page, first_line);
    assert_non_null(script);
    char *end = strstr(script, "\n\n");
    assert_non_null(end);
    *end = '\0';
    postgres_say(guest, script);
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
    run_script_of_the_page("    CREATE TABLE sesame_schema");
    assert_ok(postgres_open(&shop, words, without_create_table));
    sql_shop_close(&shop);
    describe(by_page, sizeof by_page);
    assert_non_null(strstr(by_page, "octet_length(key) = 32"));
    (void)new_schema(state);
    assert_ok(postgres_open(&shop, words, NULL));
    sql_shop_close(&shop);
    describe(by_us, sizeof by_us);
    assert_string_equal(by_page, by_us);
}

/* ---- privileges ---- */

static char as_web[WORDS_ROOM];

static void make_web(void)
{
    postgres_say(guest, "DROP ROLE IF EXISTS web; CREATE ROLE web LOGIN");
    (void)snprintf(as_web, sizeof as_web,
                   "host=%s port=%d user=web dbname=postgres options=-csearch_path=%s",
                   server.folder, server.port, schema);
}

static void forget_web(void)
{
    postgres_say(guest, "DROP OWNED BY web; DROP ROLE web");
}

static void use_every_operation(void)
{
    struct fixture *f = &shop.f;
    const struct ses_key key = new_key(), user = new_key();
    struct ses_gc_step step;
    uint64_t count;
    assert_ok(create_owned(f, &key, &user, 3));
    struct ses_record record = { 0 };
    struct sighting sighting = { .key = &key };
    assert_ok(store_load(f->store, &key, f->now, &record));
    assert_ok(store_touch(f->store, &key, f->now, record.version, f->now + 2 * LIFE_MS));
    assert_ok(save_as(f, &key, record.version, "beta", SES_KIND_SESSION));
    assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
    assert_ok(store_iterate(f->store, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.seen, 2);
    assert_ok(store_count(f->store, f->now, &count));
    assert_ok(store_gc(f->store, f->now, 10, &step));
    assert_ok(store_ping(f->store));
    assert_ok(store_destroy(f->store, &key, f->now));
    drop_record(&record);
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
    postgres_say(guest, text);
    for (size_t i = 0; i < sizeof revoked / sizeof *revoked; i++) {
        run_script_of_the_page("    GRANT SELECT, INSERT");
        postgres_say(guest, revoked[i]);
        assert_refused_by(as_web, without_create_table, SES_ERR_INVALID, "permission denied");
    }
    run_script_of_the_page("    GRANT SELECT, INSERT");
    for (int i = 0; i < 2; i++) {
        assert_ok(postgres_open(&shop, as_web, i ? NULL : without_create_table));
        use_every_operation();
        assert_int_equal(shop.lines, 0);
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
    postgres_say(guest, text);
    assert_refused_by(as_web, NULL, SES_ERR_INVALID, "permission denied for schema");
    (void)snprintf(text, sizeof text, "GRANT USAGE, CREATE ON SCHEMA %s TO web", schema);
    postgres_say(guest, text);
    assert_ok(postgres_open(&shop, as_web, NULL));
    use_every_operation();
    sql_shop_close(&shop);
    forget_web();
}

static void server_that_does_not_take_us_is_one_line_at_start(void **state)
{
    char text[WORDS_ROOM];
    (void)state;
    assert_refused_by(postgres_port_words(&server, "password=s3cret", text), NULL,
                      SES_ERR_UNAVAILABLE, "password authentication failed for user \"postgres\"");
    assert_null(strstr(shop.all, "s3cret"));
    assert_refused_by(postgres_words(&server, "dbname=none", text), NULL, SES_ERR_UNAVAILABLE,
                      "database \"none\" does not exist");
    assert_refused_by(postgres_words(&server, "user=none", text), NULL, SES_ERR_UNAVAILABLE,
                      "role \"none\" does not exist");
    assert_refused_by(postgres_words(&server, "host=/none", text), NULL, SES_ERR_UNAVAILABLE,
                      "/none");
    assert_refused_by(postgres_words(&server, "host=none.invalid", text), NULL, SES_ERR_UNAVAILABLE,
                      "\"none.invalid\": ");
    assert_refused_by(postgres_words(&server, "options=-cdefault_transaction_read_only=on", text),
                      NULL, SES_ERR_UNAVAILABLE, "session is read-only");
}

/* ---- what is not ours ---- */

static void assert_shape_refused(const char *made, const char *says)
{
    (void)new_schema(NULL);
    postgres_say(guest, made);
    assert_refused(without_create_table, says);
    assert_refused(NULL, says);
}

#define VERSION_1 "CREATE TABLE sesame_schema (version int); INSERT INTO sesame_schema VALUES (1);"
#define COLUMNS_UP_TO_KIND(version_type)                                                           \
 "version " version_type ", expires bigint, kind smallint, checksum bigint, record bytea"

static void table_of_another_shape_is_refused_in_one_line(void **state)
{
    (void)state;
    assert_shape_refused(VERSION_1 "CREATE TABLE sesame_sessions (key bytea, version bigint)",
                         "not as it should be: column \"expires\" does not exist");
    assert_shape_refused(VERSION_1 "CREATE TABLE sesame_sessions (key bytea primary key, "
                                   "\"user\" bytea, " COLUMNS_UP_TO_KIND("int") ")",
                         "not as it should be: a column is of another type");
    assert_shape_refused(VERSION_1 "CREATE TABLE sesame_sessions (key bytea primary key, "
                                   "\"user\" text, " COLUMNS_UP_TO_KIND("bigint") ")",
                         "not as it should be: a column is of another type");
    assert_shape_refused(VERSION_1 "CREATE TABLE sesame_sessions (key bytea, "
                                   "\"user\" bytea, " COLUMNS_UP_TO_KIND("bigint") ")",
                         "not as it should be: there is no unique");
    assert_shape_refused(VERSION_1, "relation \"sesame_sessions\" does not exist");
    assert_shape_refused(VERSION_1 "CREATE VIEW sesame_sessions AS SELECT 1 AS key",
                         "not as it should be");
    assert_shape_refused("CREATE TABLE sesame_schema (version int)", "of version -1");
    assert_shape_refused("CREATE TABLE sesame_schema (other int)", "column \"version\" does not");
    assert_shape_refused("CREATE TABLE sesame_schema (version int); "
                         "INSERT INTO sesame_schema VALUES (2)",
                         "of version 2, and this build knows 1");
    (void)new_schema(NULL);
    postgres_say(guest, "CREATE TABLE sesame_sessions (mine int)");
    assert_refused(NULL, "already exists");
    assert_int_equal(tables(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE_IN_A_SCHEMA(name) cmocka_unit_test_setup(name, new_schema)
        CASE_IN_A_SCHEMA(missing_table_is_one_line_and_is_not_made_unasked),
        CASE_IN_A_SCHEMA(table_is_made_on_request_and_then_used_by_all),
        CASE_IN_A_SCHEMA(row_shows_what_the_page_says),
        CASE_IN_A_SCHEMA(tables_of_several_prefixes_share_a_database_and_no_session),
        CASE_IN_A_SCHEMA(script_of_the_page_makes_the_table_that_is_made_on_request),
        CASE_IN_A_SCHEMA(privileges_of_the_page_suffice_and_each_is_needed),
        CASE_IN_A_SCHEMA(one_privilege_lets_it_make_the_table),
        CASE_IN_A_SCHEMA(server_that_does_not_take_us_is_one_line_at_start),
        CASE_IN_A_SCHEMA(table_of_another_shape_is_refused_in_one_line),
    };
    postgres_start(&server, NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(guest);
    return failed;
}
