/* SPDX-License-Identifier: MIT */
/* The tables: who makes them, brings them forward, and what of another shape is refused. */
#include "provider/sql_store.h"
#include "provider/sqlite_fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[DB_PATH_ROOM];
static struct sql_shop shop;

static void new_path(void)
{
    (void)db_new_path(path);
}

static void say(const char *text)
{
    sqlite3 *db = db_guest(path);
    db_say(db, text);
    sqlite3_close(db);
    assert_int_equal(chmod(path, 0600), 0);
}

static int64_t number(const char *text)
{
    sqlite3 *db = db_guest(path);
    const int64_t n = db_number(db, text);
    sqlite3_close(db);
    return n;
}

static int open_with(void *instance, ses_provider_host *host, const char *config,
                     const struct sql_dialect *dialect)
{
    struct sqlite_store *store = instance;
    store->sql.host = host;
    store->sql.dialect = dialect;
    const int r = sqlite_provider_find_file(store, config);
    return r < 0 ? r : sql_open(&store->sql);
}

/* ---- making them ---- */

static void missing_file_or_table_is_one_line_and_is_not_made_unasked(void **state)
{
    (void)state;
    assert_refused(&shop, without_create_table, "createTable");
    assert_int_equal(access(path, F_OK), -1);
    say("CREATE TABLE other (x)");
    assert_refused(&shop, without_create_table,
                   "no table sesame_sessions: \"createTable\": true makes");
    assert_int_equal(number("SELECT count(*) FROM sqlite_master"), 1);
}

/* The page's script is for those who do not let the server make its table. */
static void script_of_the_page_makes_the_table_that_is_made_on_request(void **state)
{
    char made[DB_PATH_ROOM + 40];
    (void)state;
    say(part_of_the_page("    CREATE TABLE sesame_schema", "\n\n"));
    assert_ok(db_open(&shop, path, without_create_table));
    sql_shop_close(&shop);

    (void)snprintf(made, sizeof made, "ATTACH '%s' AS script", path);
    new_path();
    assert_ok(db_open(&shop, path, NULL));
    sql_shop_close(&shop);
    sqlite3 *db = db_guest(path);
    db_say(db, made);
    assert_int_equal(db_number(db, "SELECT count(*) FROM sqlite_master"), 5);
    assert_int_equal(
        db_number(db, "SELECT count(*) FROM main.sqlite_master a JOIN script.sqlite_master b "
                      "ON a.name = b.name AND replace(replace(coalesce(a.sql, ''), ' ', ''), "
                      "char(10), '') = replace(replace(coalesce(b.sql, ''), ' ', ''), char(10), "
                      "'')"),
        5);
    sqlite3_close(db);
}

/* ---- what is not ours ---- */

static void table_of_another_shape_is_refused_in_one_line(void **state)
{
#define VERSION_1 "CREATE TABLE sesame_schema (version); INSERT INTO sesame_schema VALUES (1);"
    (void)state;
    assert_shape_refused(&shop, VERSION_1, "CREATE TABLE sesame_sessions (key, version)",
                         "cannot be used as it is: no such column");
    assert_shape_refused(&shop, VERSION_1,
                         "CREATE TABLE sesame_sessions (key, version, expires, kind, "
                         "user, checksum, record)",
                         "cannot be used as it is: ON CONFLICT");
    assert_shape_refused(&shop, VERSION_1, NULL, "cannot be used as it is: no such table");
    assert_shape_refused(&shop, VERSION_1, "CREATE VIEW sesame_sessions AS SELECT 1 AS key",
                         "cannot be used as it is");
    assert_shape_refused(&shop, "CREATE TABLE sesame_schema (version)", NULL, "of version -1");
    assert_shape_refused(&shop, "CREATE TABLE sesame_schema (other)", NULL,
                         "no such column: version");
    assert_shape_refused(&shop,
                         "CREATE TABLE sesame_schema (version); "
                         "INSERT INTO sesame_schema VALUES (2)",
                         NULL, "of version 2, and this build knows 1");
    new_path();
    say("CREATE TABLE sesame_sessions (mine)");
    assert_refused(&shop, NULL, "already exists");
    assert_int_equal(number("SELECT count(*) FROM sqlite_master"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQL_TABLES_TESTS,
        CASE_IN_A_DATABASE(missing_file_or_table_is_one_line_and_is_not_made_unasked),
        CASE_IN_A_DATABASE(script_of_the_page_makes_the_table_that_is_made_on_request),
        CASE_IN_A_DATABASE(table_of_another_shape_is_refused_in_one_line),
        CASE_IN_A_DATABASE(migration_that_fails_changes_nothing),
    };
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_sqlite,
        .config = path,
        .settings = sqlite_settings_of,
    };
    tables = (struct sql_tables){
        .dialect = &sqlite_provider_dialect,
        .open = open_with,
        .empty = new_path,
        .say = say,
        .number = number,
        .columns = "SELECT count(*) FROM pragma_table_info('sesame_sessions')",
        .quote = "\"",
        .bytes = "BLOB",
        .page = SQLITE_PAGE,
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
