/* SPDX-License-Identifier: MIT */
/* The tables: who makes them, brings them forward, and what of another shape is refused. */
#include "provider/mysql_fixture.h"
#include "provider/sql_store.h"

#include <stdio.h>

static struct server server;
static struct sql_shop shop;
static char dsn[DSN_ROOM];

static void new_database(void)
{
    MYSQL *guest = mysql_guest(&server, NULL);
    mysql_say(guest, "DROP DATABASE IF EXISTS site");
    mysql_say(guest, "CREATE DATABASE site");
    mysql_guest_end(guest);
    (void)mysql_unix_dsn(&server, "", dsn);
}

static void say(const char *text)
{
    mysql_command(&server, text);
}

static int64_t number(const char *text)
{
    return mysql_question(&server, text);
}

static int open_with(void *instance, ses_provider_host *host, const char *config,
                     const struct sql_dialect *dialect)
{
    return mysql_provider_open(instance, host, config, dialect);
}

/* ---- privileges, and the page's script ---- */

/* A statement of the page, which begins so, up to its semicolon. */
static void say_from_page(const char *begin)
{
    say(part_of_the_page(begin, ";"));
}

/* The page's user is the fixture's, who may do everything: it is said of another. */
static void say_of_app(const char *begin)
{
    static const char account[] = "site@'10.0.0.%'";
    char text[1000];
    const char *said = part_of_the_page(begin, ";"), *user = strstr(said, account);
    assert_non_null(user);
    (void)snprintf(text, sizeof text, "%.*sapp@localhost%s", (int)(user - said), said,
                   user + strlen(account));
    say(text);
}

static void script_of_the_page_makes_the_table_that_is_made_on_request(void **state)
{
    static const char alike[] =
        "SELECT COUNT(*) FROM information_schema.columns a JOIN information_schema.columns b "
        "USING (table_name, column_name, ordinal_position, column_type, is_nullable, column_key) "
        "WHERE a.table_schema = 'site' AND b.table_schema = 'page'";
    (void)state;
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

static void make_app(void)
{
    char path[SERVER_PATH_ROOM];
    say("DROP USER IF EXISTS app@localhost");
    say_of_app("CREATE USER");
    (void)snprintf(dsn, sizeof dsn, "app:password@unix(%s)/site", mysql_socket(&server, path));
    assert_refused(&shop, without_create_table, "Access denied");
}

static void assert_everything_works(void)
{
    for (int i = 0; i < 2; i++) {
        assert_ok(mysql_shop_open(&shop, dsn, i ? NULL : without_create_table));
        use_every_operation(&shop);
        sql_shop_close(&shop);
    }
}

static void give_what_the_page_says(void)
{
    say_of_app("GRANT SELECT, INSERT, UPDATE, DELETE ON site.sesame_sessions");
    say_of_app("GRANT SELECT ON site.sesame_schema");
}

/* Two lines let a server run; without any word of them, it does not start. */
static void grants_of_the_page_suffice_and_each_is_needed(void **state)
{
    static const char *const revoked[] = {
        "REVOKE SELECT ON sesame_sessions FROM app@localhost",
        "REVOKE INSERT ON sesame_sessions FROM app@localhost",
        "REVOKE UPDATE ON sesame_sessions FROM app@localhost",
        "REVOKE DELETE ON sesame_sessions FROM app@localhost",
        "REVOKE SELECT ON sesame_schema FROM app@localhost",
    };
    (void)state;
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    sql_shop_close(&shop);
    make_app();
    for (size_t i = 0; i < sizeof revoked / sizeof *revoked; i++) {
        give_what_the_page_says();
        say(revoked[i]);
        assert_refused(&shop, without_create_table, "");
    }
    give_what_the_page_says();
    assert_everything_works();
}

static void grants_of_the_page_let_it_make_the_tables_and_go_back(void **state)
{
    (void)state;
    make_app();
    say_of_app("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER ON site.sesame_sessions");
    say_of_app("GRANT SELECT, INSERT, UPDATE, CREATE, ALTER ON site.sesame_schema");
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    sql_shop_close(&shop);
    say_of_app("REVOKE CREATE, ALTER ON site.sesame_sessions");
    say_of_app("REVOKE INSERT, UPDATE, CREATE, ALTER ON site.sesame_schema");
    assert_int_equal(number("SELECT COUNT(*) FROM mysql.tables_priv WHERE user = 'app' AND "
                            "(table_name = 'sesame_sessions' AND "
                            "table_priv = 'Select,Insert,Update,Delete' OR "
                            "table_name = 'sesame_schema' AND table_priv = 'Select')"),
                     2);
    assert_everything_works();
}

/* ---- what is not ours ---- */

#define SESSIONS(key, version, user)                                                               \
 "CREATE TABLE sesame_sessions (`key` " key ", version " version ", expires BIGINT NOT NULL, "     \
 "kind TINYINT NOT NULL, `user` " user ", checksum BIGINT NOT NULL, record LONGBLOB NOT NULL)"
#define KEY_RIGHT  "BINARY(32) NOT NULL PRIMARY KEY"
#define USER_RIGHT "BINARY(32)"

static void table_of_another_shape_is_refused_in_one_line(void **state)
{
    static const char right[] = "CREATE TABLE sesame_schema SELECT 1 AS version";
    (void)state;
    assert_shape_refused(&shop, right, NULL,
                         "cannot be used as it is: Table 'site.sesame_sessions' doesn't");
    assert_shape_refused(&shop, right, "CREATE TABLE sesame_sessions (`key` INT, version INT)",
                         "cannot be used as it is: Unknown column");
    assert_shape_refused(&shop, right, "CREATE VIEW sesame_sessions AS SELECT 1 AS `key`",
                         "cannot be used as it is");
    assert_shape_refused(&shop, right, SESSIONS(KEY_RIGHT, "VARCHAR(20) NOT NULL", USER_RIGHT),
                         "column \"version\" is another");
    assert_shape_refused(&shop, right, SESSIONS(KEY_RIGHT, "BIGINT", USER_RIGHT),
                         "column \"version\" is another");
    assert_shape_refused(&shop, right,
                         SESSIONS("BINARY(32) NOT NULL", "BIGINT NOT NULL", USER_RIGHT),
                         "column \"key\" is another");
    assert_shape_refused(&shop, right,
                         SESSIONS("CHAR(32) NOT NULL PRIMARY KEY", "BIGINT NOT NULL", USER_RIGHT),
                         "column \"key\" is another");
    assert_shape_refused(&shop, "CREATE TABLE sesame_schema SELECT 1 AS other", NULL,
                         "Unknown column 'version'");
    assert_shape_refused(&shop, "CREATE TABLE sesame_schema SELECT 2 AS version", NULL,
                         "of version 2, and this build knows 1");
    say("DELETE FROM sesame_schema");
    assert_refused(&shop, without_create_table, "of version -1");
}

/* Each step that a process may have been killed before. */
static void making_that_was_cut_off_anywhere_is_finished_by_the_next(void **state)
{
    (void)state;
    for (int done = 1; mysql_provider_dialect.steps[0].texts[done - 1]; done++) {
        new_database();
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

static int start(void **state)
{
    (void)state;
    mysql_start(&server, NULL);
    sql_subject = (struct sql_subject){ .ops = &ses_provider_mysql, .config = dsn };
    tables = (struct sql_tables){
        .dialect = &mysql_provider_dialect,
        .open = open_with,
        .empty = new_database,
        .say = say,
        .number = number,
        .count = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'site'",
        .quote = "`",
        .bytes = "BINARY",
        .page = MYSQL_PAGE,
    };
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQL_TABLES_TESTS,
        CASE_IN_A_DATABASE(missing_table_is_one_line_and_is_not_made_unasked),
        CASE_IN_A_DATABASE(script_of_the_page_makes_the_table_that_is_made_on_request),
        CASE_IN_A_DATABASE(grants_of_the_page_suffice_and_each_is_needed),
        CASE_IN_A_DATABASE(grants_of_the_page_let_it_make_the_tables_and_go_back),
        CASE_IN_A_DATABASE(table_of_another_shape_is_refused_in_one_line),
        CASE_IN_A_DATABASE(making_that_was_cut_off_anywhere_is_finished_by_the_next),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
