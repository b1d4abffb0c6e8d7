/* SPDX-License-Identifier: MIT */
/* The tables: who makes them, brings them forward, and what of another shape is refused. */
#include "provider/mysql_fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server server;
static struct sql_shop shop;
static char dsn[DSN_ROOM];

static int new_database(void **state)
{
    (void)state;
    MYSQL *guest = mysql_guest(&server, NULL);
    mysql_say(guest, "DROP DATABASE IF EXISTS site");
    mysql_say(guest, "CREATE DATABASE site");
    mysql_guest_end(guest);
    (void)mysql_unix_dsn(&server, "", dsn);
    return 0;
}

static void say(const char *text)
{
    mysql_command(&server, text);
}

static int64_t number(const char *text)
{
    return mysql_question(&server, text);
}

static void without_create_table(void *instance)
{
    struct mysql_store *store = instance;
    sql_shop_settings(instance);
    store->sql.create_table = false;
}

static void assert_refused(void (*settings)(void *instance), const char *says)
{
    const int r = mysql_shop_open(&shop, dsn, settings);
    if (r != SES_ERR_INVALID || shop.lines != 1 || !strstr(shop.told, says))
        fail_msg("%d, %d lines: \"%s\" does not say \"%s\"", r, shop.lines, shop.told, says);
    assert_null(strchr(shop.told, '\n'));
}

/* ---- making them ---- */

static void missing_table_is_one_line_and_is_not_made_unasked(void **state)
{
    (void)state;
    assert_refused(without_create_table, "no table sesame_sessions: \"createTable\": true makes");
    assert_int_equal(number("SELECT COUNT(*) FROM information_schema.tables "
                            "WHERE table_schema = 'site'"),
                     0);
}

static void table_is_made_on_request_and_then_used_by_all(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    for (int i = 0; i < 2; i++) {
        assert_ok(mysql_shop_open(&shop, dsn, i ? NULL : without_create_table));
        assert_int_equal(shop.lines, 0);
        struct ses_record record;
        assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
        assert_int_equal(record.version, version);
        drop_record(&record);
        sql_shop_close(&shop);
    }
    assert_int_equal(number("SELECT version FROM sesame_schema"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM sesame_schema"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM sesame_sessions"), 1);
}

/* As the page says, so that others may ask. */
static void row_shows_what_the_page_says(void **state)
{
    (void)state;
    const struct ses_key key = { "0123456789abcdef0123456789abcdef" };
    const struct ses_owner owner = { { "fedcba9876543210fedcba9876543210" }, 0 };
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    struct ses_record record = make_record(SLICE("bytes"), 4000000000000), winner = { 0 };
    record.version = UINT64_MAX - 6;
    assert_ok(store_create(shop.f.store, &key, shop.f.now, &owner, &record));
    assert_int_equal(number("SELECT COUNT(*) FROM sesame_sessions WHERE version = -7 AND kind = 1 "
                            "AND `key` = '0123456789abcdef0123456789abcdef' "
                            "AND `user` = 'fedcba9876543210fedcba9876543210' "
                            "AND expires = 4000000000000 AND record = 'bytes'"),
                     1);
    record.kind = SES_KIND_DEAD;
    record.version = 7;
    assert_ok(store_save(shop.f.store, &key, shop.f.now, UINT64_MAX - 6, &record, &winner));
    assert_int_equal(number("SELECT COUNT(*) FROM sesame_sessions WHERE version = 7 AND kind = 3 "
                            "AND `user` IS NULL"),
                     1);
    drop_record(&record);
    sql_shop_close(&shop);
}

/* A touch that moves nothing has found its row; a create over one alive has changed none. */
static void rows_are_counted_as_they_were_found(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + 1000);
    assert_ok(store_create(shop.f.store, &key, shop.f.now, NULL, &record));
    for (int i = 0; i < 3; i++) {
        assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_EXISTS);
        assert_ok(store_touch(shop.f.store, &key, shop.f.now, record.version, shop.f.now + 1));
    }
    for (int i = 0; i < 3; i++) { /* one that has expired is replaced, also by its equal */
        shop.f.now = record.expires_ms;
        assert_ok(store_create(shop.f.store, &key, shop.f.now, NULL, &record));
    }
    drop_record(&record);
    assert_int_equal(number("SELECT COUNT(*) FROM sesame_sessions"), 1);
    assert_int_equal(shop.lines, 0);
    sql_shop_close(&shop);
}

static void with_another_prefix(void *instance)
{
    struct mysql_store *store = instance;
    sql_shop_settings(instance);
    store->sql.table_prefix = "shop_2_";
}

static void tables_of_several_prefixes_share_a_database_and_no_session(void **state)
{
    (void)state;
    static struct sql_shop other;
    const struct ses_key key = new_key();
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    assert_ok(mysql_shop_open(&other, dsn, with_another_prefix));
    (void)put(&shop.f, &key, "alpha");
    assert_absent(&other.f, &key);
    sql_shop_close(&other);
    sql_shop_close(&shop);
    assert_int_equal(number("SELECT COUNT(*) FROM shop_2_sessions"), 0);
}

/* ---- privileges, and the page's script ---- */

static char page[1 << 16];

static void read_page(void)
{
    FILE *file = fopen(MYSQL_PAGE, "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    (void)fclose(file);
}

/* A statement of the page, which begins so, up to its semicolon. */
static void say_from_page(const char *begin)
{
    char text[1000] = "";
    const char *at = strstr(page, begin);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(at, ";"), at);
    say(text);
}

static void script_of_the_page_makes_the_table_that_is_made_on_request(void **state)
{
    static const char alike[] =
        "SELECT COUNT(*) FROM information_schema.columns a JOIN information_schema.columns b "
        "USING (table_name, column_name, ordinal_position, column_type, is_nullable, column_key) "
        "WHERE a.table_schema = 'site' AND b.table_schema = 'page'";
    (void)state;
    read_page();
    say_from_page("CREATE TABLE sesame_schema");
    say_from_page("CREATE TABLE sesame_sessions");
    say_from_page("INSERT INTO sesame_schema");
    assert_ok(mysql_shop_open(&shop, dsn, without_create_table));
    sql_shop_close(&shop);
    say("DROP DATABASE IF EXISTS page");
    say("CREATE DATABASE page");
    say("RENAME TABLE sesame_schema TO page.sesame_schema, "
        "sesame_sessions TO page.sesame_sessions");
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    sql_shop_close(&shop);
    assert_int_equal(number(alike), 8);
    assert_int_equal(number("SELECT COUNT(DISTINCT index_name) FROM "
                            "information_schema.statistics WHERE table_schema IN ('site', 'page') "
                            "AND table_name = 'sesame_sessions'"),
                     3);
    say("DROP DATABASE page");
}

static void use_everything(const struct ses_key *key)
{
    struct ses_gc_step step;
    const struct ses_key user = new_key(), other = new_key();
    uint64_t count;
    const uint64_t version = put(&shop.f, key, "alpha");
    assert_ok(save_as(&shop.f, key, version, "beta", SES_KIND_SESSION));
    assert_ok(create_owned(&shop.f, &other, &user, 1));
    assert_ok(store_count(shop.f.store, shop.f.now, &count));
    assert_ok(store_destroy(shop.f.store, key, shop.f.now));
    assert_ok(store_gc(shop.f.store, shop.f.now, 10, &step));
    assert_int_equal(shop.lines, 0);
}

/* As the page names them: one line for running, one for making the tables. */
static void grants_of_the_page_suffice_and_nothing_less(void **state)
{
    const struct ses_key key = new_key();
    (void)state;
    read_page();
    say("DROP USER IF EXISTS app@localhost");
    say("CREATE USER app@localhost IDENTIFIED BY 'x'");
    char path[SERVER_PATH_ROOM];
    (void)snprintf(dsn, sizeof dsn, "app:x@unix(%s)/site", mysql_socket(&server, path));
    assert_refused(without_create_table, "Access denied");
    say_from_page("GRANT SELECT, INSERT, UPDATE, DELETE ON site.*");
    assert_refused(NULL, "CREATE command denied");
    say_from_page("GRANT CREATE, ALTER ON site.*");
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    sql_shop_close(&shop);
    say("REVOKE CREATE, ALTER ON site.* FROM app@localhost");
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    use_everything(&key);
    sql_shop_close(&shop);
    say("REVOKE DELETE ON site.* FROM app@localhost");
    assert_refused(without_create_table, "DELETE command denied");
}

/* ---- what is not ours ---- */

#define SESSIONS(key, version, user)                                                               \
 "CREATE TABLE sesame_sessions (`key` " key ", version " version ", expires BIGINT NOT NULL, "     \
 "kind TINYINT NOT NULL, `user` " user ", checksum BIGINT NOT NULL, record LONGBLOB NOT NULL)"
#define KEY_RIGHT  "BINARY(32) NOT NULL PRIMARY KEY"
#define USER_RIGHT "BINARY(32)"

static void assert_shape_refused(const char *schema, const char *sessions, const char *says)
{
    (void)new_database(NULL);
    say(schema);
    say("INSERT INTO sesame_schema VALUES (1)");
    if (sessions)
        say(sessions);
    assert_refused(without_create_table, says);
    assert_refused(NULL, says);
}

static void table_of_another_shape_is_refused_in_one_line(void **state)
{
    static const char right[] = "CREATE TABLE sesame_schema (version INT NOT NULL)";
    (void)state;
    assert_shape_refused(right, NULL, "not as it should be: Table 'site.sesame_sessions' doesn't");
    assert_shape_refused(right, "CREATE TABLE sesame_sessions (`key` INT, version INT)",
                         "not as it should be: Unknown column");
    assert_shape_refused(right, "CREATE VIEW sesame_sessions AS SELECT 1 AS `key`",
                         "not as it should be");
    assert_shape_refused(right, SESSIONS(KEY_RIGHT, "VARCHAR(20) NOT NULL", USER_RIGHT),
                         "column \"version\" is another");
    assert_shape_refused(right, SESSIONS(KEY_RIGHT, "BIGINT", USER_RIGHT),
                         "column \"version\" is another");
    assert_shape_refused(right, SESSIONS("BINARY(32) NOT NULL", "BIGINT NOT NULL", USER_RIGHT),
                         "column \"key\" is another");
    assert_shape_refused(right,
                         SESSIONS("CHAR(32) NOT NULL PRIMARY KEY", "BIGINT NOT NULL", USER_RIGHT),
                         "column \"key\" is another");
    assert_shape_refused("CREATE TABLE sesame_schema (other INT)", NULL,
                         "Unknown column 'version'");
    (void)new_database(NULL);
    say("CREATE TABLE sesame_schema SELECT 2 AS version");
    assert_refused(NULL, "of version 2, and this build knows 1");
    say("DELETE FROM sesame_schema");
    assert_refused(without_create_table, "of version -1");
}

/* ---- later versions ---- */

static struct sql_dialect later;
static struct sql_step later_steps[3];

static int open_later(void *self, ses_provider_host *host, const char *config)
{
    return mysql_provider_open(self, host, config, &later);
}

/* The provider of a later release, whose tables have one more version than today's. */
static struct ses_provider_ops later_release(const char *const *texts)
{
    const int known = mysql_provider_dialect.version;
    struct ses_provider_ops ops = ses_provider_mysql;
    ops.open = open_later;
    later = mysql_provider_dialect;
    memcpy(later_steps, mysql_provider_dialect.steps, (size_t)known * sizeof *later_steps);
    later_steps[known].texts = texts;
    later.steps = later_steps;
    later.version = known + 1;
    return ops;
}

static const char *const one_more_column[] = {
    "ALTER TABLE @sessions ADD COLUMN IF NOT EXISTS extra INTEGER NOT NULL DEFAULT 7", NULL
};

static void older_table_is_brought_forward_on_request_and_keeps_its_rows(void **state)
{
    (void)state;
    const struct ses_provider_ops ops = later_release(one_more_column);
    const struct ses_key key = new_key();
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    assert_code(sql_shop_open(&shop, &ops, dsn, without_create_table), SES_ERR_INVALID);
    assert_non_null(strstr(shop.told, "of version 1: \"createTable\": true brings it forward"));
    assert_ok(sql_shop_open(&shop, &ops, dsn, NULL));
    struct ses_record record;
    assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
    assert_int_equal(record.version, version);
    drop_record(&record);
    sql_shop_close(&shop);
    assert_int_equal(number("SELECT extra FROM sesame_sessions"), 7);
    assert_refused(NULL, "of version 2, and this build knows 1");
}

/* Each step that a process may have been killed before. */
static void making_that_was_cut_off_anywhere_is_finished_by_the_next(void **state)
{
    (void)state;
    for (int done = 1; mysql_provider_dialect.steps[0].texts[done - 1]; done++) {
        (void)new_database(NULL);
        assert_ok(mysql_shop_open(&shop, dsn, NULL));
        sql_shop_close(&shop);
        say("UPDATE sesame_schema SET version = 0");
        if (done == 1)
            say("DROP TABLE sesame_schema");
        if (done == 2)
            say("DELETE FROM sesame_schema");
        assert_ok(mysql_shop_open(&shop, dsn, NULL));
        assert_int_equal(number("SELECT SUM(version) FROM sesame_schema"), 1);
        sql_shop_close(&shop);
    }
}

static void of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward(void **state)
{
    enum { PROCESSES = 6, ROUNDS = 5 };
    static const char *const once[] = {
        "ALTER TABLE @sessions ADD COLUMN extra INTEGER NOT NULL DEFAULT 7", NULL
    };
    (void)state;
    const struct ses_provider_ops ops = later_release(once);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[PROCESSES];
        (void)new_database(NULL);
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(sql_shop_open(&shop, &ops, dsn, NULL) == SES_OK ? 0 : 1);
        }
        for (int i = 0; i < PROCESSES; i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(number("SELECT version FROM sesame_schema"), 2);
    }
}

static int start(void **state)
{
    (void)state;
    mysql_start(&server, NULL);
    return 0;
}

#define CASE_IN_A_DATABASE(name) cmocka_unit_test_setup(name, new_database)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_DATABASE(missing_table_is_one_line_and_is_not_made_unasked),
        CASE_IN_A_DATABASE(table_is_made_on_request_and_then_used_by_all),
        CASE_IN_A_DATABASE(row_shows_what_the_page_says),
        CASE_IN_A_DATABASE(rows_are_counted_as_they_were_found),
        CASE_IN_A_DATABASE(tables_of_several_prefixes_share_a_database_and_no_session),
        CASE_IN_A_DATABASE(script_of_the_page_makes_the_table_that_is_made_on_request),
        CASE_IN_A_DATABASE(grants_of_the_page_suffice_and_nothing_less),
        CASE_IN_A_DATABASE(table_of_another_shape_is_refused_in_one_line),
        CASE_IN_A_DATABASE(older_table_is_brought_forward_on_request_and_keeps_its_rows),
        CASE_IN_A_DATABASE(making_that_was_cut_off_anywhere_is_finished_by_the_next),
        CASE_IN_A_DATABASE(
            of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
