/* SPDX-License-Identifier: MIT */
/* The table: who makes it, brings it forward, and what of another shape is refused. */
#include "provider/sqlite_fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[DB_PATH_ROOM];
static struct sql_shop shop;

static int new_path(void **state)
{
    static int number;
    char name[16];
    (void)state;
    (void)snprintf(name, sizeof name, "%d.db", number++);
    (void)db_path(name, path);
    return 0;
}

static void without_create_table(void *instance)
{
    struct sqlite_store *store = instance;
    sqlite_settings_of(instance);
    store->sql.create_table = false;
}

static void assert_refused(void (*settings)(void *instance), const char *says)
{
    assert_code(db_open(&shop, path, settings), SES_ERR_INVALID);
    assert_int_equal(shop.lines, 1);
    assert_null(strchr(shop.told, '\n'));
    if (!strstr(shop.told, says))
        fail_msg("\"%s\" does not say \"%s\"", shop.told, says);
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

/* ---- making it ---- */

static void missing_file_or_table_is_one_line_and_is_not_made_unasked(void **state)
{
    (void)state;
    assert_refused(without_create_table, "createTable");
    assert_int_equal(access(path, F_OK), -1);
    say("CREATE TABLE other (x)");
    assert_refused(without_create_table, "no table sesame_sessions: \"createTable\": true makes");
    assert_int_equal(number("SELECT count(*) FROM sqlite_master"), 1);
}

static void table_is_made_on_request_and_then_used_by_all(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(db_open(&shop, path, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    for (int i = 0; i < 2; i++) {
        assert_ok(db_open(&shop, path, i ? NULL : without_create_table));
        assert_int_equal(shop.lines, 0);
        struct ses_record record;
        assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
        assert_int_equal(record.version, version);
        drop_record(&record);
        sql_shop_close(&shop);
    }
    assert_int_equal(number("SELECT version FROM sesame_schema"), 1);
    assert_int_equal(number("SELECT count(*) FROM sesame_sessions"), 1);
}

/* As the page says, so that others may ask. */
static void row_shows_what_the_page_says(void **state)
{
    (void)state;
    const struct ses_key key = { "0123456789abcdef0123456789abcdef" };
    const struct ses_owner owner = { { "fedcba9876543210fedcba9876543210" }, 0 };
    assert_ok(db_open(&shop, path, NULL));
    struct ses_record record = make_record(SLICE("bytes"), 4000000000000), winner = { 0 };
    record.version = UINT64_MAX - 6;
    assert_ok(store_create(shop.f.store, &key, shop.f.now, &owner, &record));
    assert_int_equal(number("SELECT count(*) FROM sesame_sessions WHERE version = -7 AND kind = 1 "
                            "AND key = CAST('0123456789abcdef0123456789abcdef' AS BLOB) "
                            "AND user = CAST('fedcba9876543210fedcba9876543210' AS BLOB) "
                            "AND expires = 4000000000000 AND record = CAST('bytes' AS BLOB)"),
                     1);
    record.kind = SES_KIND_DEAD;
    record.version = 7;
    assert_ok(store_save(shop.f.store, &key, shop.f.now, UINT64_MAX - 6, &record, &winner));
    assert_int_equal(number("SELECT count(*) FROM sesame_sessions WHERE version = 7 AND kind = 3 "
                            "AND user IS NULL"),
                     1);
    drop_record(&record);
    sql_shop_close(&shop);
}

static void with_another_prefix(void *instance)
{
    struct sqlite_store *store = instance;
    sqlite_settings_of(instance);
    store->sql.table_prefix = "shop_2_";
}

static void tables_of_several_prefixes_share_a_file_and_no_session(void **state)
{
    (void)state;
    static struct sql_shop other;
    const struct ses_key key = new_key();
    assert_ok(db_open(&shop, path, NULL));
    assert_ok(db_open(&other, path, with_another_prefix));
    (void)put(&shop.f, &key, "alpha");
    assert_absent(&other.f, &key);
    sql_shop_close(&other);
    sql_shop_close(&shop);
    assert_int_equal(number("SELECT count(*) FROM shop_2_sessions"), 0);
}

/* The page's script is for those who do not let the server make its table. */
static void script_of_the_page_makes_the_table_that_is_made_on_request(void **state)
{
    static char page[1 << 16];
    char made[DB_PATH_ROOM + 40];
    (void)state;
    FILE *file = fopen(SQLITE_PAGE, "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    (void)fclose(file);
    char *script = strstr(page, "    CREATE TABLE sesame_schema");
    assert_non_null(script);
    char *end = strstr(script, "\n\n");
    assert_non_null(end);
    *end = '\0';
    say(script);
    assert_ok(db_open(&shop, path, without_create_table));
    sql_shop_close(&shop);

    (void)snprintf(made, sizeof made, "ATTACH '%s' AS script", path);
    (void)new_path(NULL);
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

static void assert_shape_refused(const char *tables, const char *says)
{
    (void)new_path(NULL);
    say(tables);
    assert_refused(without_create_table, says);
    assert_refused(NULL, says);
}

static void table_of_another_shape_is_refused_in_one_line(void **state)
{
#define VERSION_1 "CREATE TABLE sesame_schema (version); INSERT INTO sesame_schema VALUES (1);"
    (void)state;
    assert_shape_refused(VERSION_1 "CREATE TABLE sesame_sessions (key, version)",
                         "not as it should be: no such column");
    assert_shape_refused(VERSION_1 "CREATE TABLE sesame_sessions (key, version, expires, kind, "
                                   "user, checksum, record)",
                         "not as it should be: ON CONFLICT");
    assert_shape_refused(VERSION_1, "not as it should be: no such table");
    assert_shape_refused(VERSION_1 "CREATE VIEW sesame_sessions AS SELECT 1 AS key",
                         "not as it should be");
    assert_shape_refused("CREATE TABLE sesame_schema (version)", "of version -1");
    assert_shape_refused("CREATE TABLE sesame_schema (other)", "no such column: version");
    assert_shape_refused("CREATE TABLE sesame_schema (version); "
                         "INSERT INTO sesame_schema VALUES (2)",
                         "of version 2, and this build knows 1");
    (void)new_path(NULL);
    say("CREATE TABLE sesame_sessions (mine)");
    assert_refused(NULL, "already exists");
    assert_int_equal(number("SELECT count(*) FROM sqlite_master"), 1);
}

/* ---- later versions ---- */

static struct sql_dialect later;
static struct sql_step later_steps[3];

static int open_later(void *self, ses_provider_host *host, const char *config)
{
    struct sqlite_store *store = self;
    store->sql.host = host;
    store->sql.dialect = &later;
    const int r = sqlite_provider_find_file(store, config);
    return r < 0 ? r : sql_open(&store->sql);
}

/* The provider of a later release, whose tables have one more version than today's. */
static struct ses_provider_ops later_release(const char *const *texts)
{
    const int known = sqlite_provider_dialect.version;
    struct ses_provider_ops ops = ses_provider_sqlite;
    ops.open = open_later;
    later = sqlite_provider_dialect;
    memcpy(later_steps, sqlite_provider_dialect.steps, (size_t)known * sizeof *later_steps);
    later_steps[known].texts = texts;
    later.steps = later_steps;
    later.version = known + 1;
    return ops;
}

static const char *const one_more_column[] = {
    "ALTER TABLE @sessions ADD COLUMN extra INTEGER NOT NULL DEFAULT 7", NULL
};

static void older_table_is_brought_forward_on_request_and_keeps_its_rows(void **state)
{
    (void)state;
    const struct ses_provider_ops ops = later_release(one_more_column);
    const struct ses_key key = new_key();
    assert_ok(db_open(&shop, path, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    assert_code(db_open_as(&shop, &ops, path, without_create_table), SES_ERR_INVALID);
    assert_non_null(strstr(shop.told, "of version 1: \"createTable\": true brings it forward"));
    assert_int_equal(number("SELECT version FROM sesame_schema"), 1);

    assert_ok(db_open_as(&shop, &ops, path, NULL));
    struct ses_record record;
    assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
    assert_int_equal(record.version, version);
    drop_record(&record);
    sql_shop_close(&shop);
    assert_int_equal(number("SELECT extra FROM sesame_sessions"), 7);
    assert_refused(NULL, "of version 2, and this build knows 1");
}

static void migration_that_fails_changes_nothing(void **state)
{
    static const char *const broken[] = {
        "ALTER TABLE @sessions ADD COLUMN extra INTEGER NOT NULL DEFAULT 7", "NONSENSE", NULL
    };
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(db_open(&shop, path, NULL));
    (void)put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    const struct ses_provider_ops ops = later_release(broken);
    assert_code(db_open_as(&shop, &ops, path, NULL), SES_ERR_INVALID);
    assert_int_equal(shop.lines, 1);
    assert_int_equal(number("SELECT version FROM sesame_schema"), 1);
    assert_int_equal(number("SELECT count(*) FROM pragma_table_info('sesame_sessions')"), 7);
    assert_ok(db_open(&shop, path, NULL));
    sql_shop_close(&shop);
}

/* Each would fail if it did what another one has done. */
static void of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward(void **state)
{
    enum { PROCESSES = 6, ROUNDS = 10 };
    (void)state;
    const struct ses_provider_ops ops = later_release(one_more_column);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[PROCESSES];
        (void)new_path(NULL);
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(db_open_as(&shop, &ops, path, NULL) == SES_OK ? 0 : 1);
        }
        for (int i = 0; i < PROCESSES; i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(number("SELECT version FROM sesame_schema"), 2);
    }
}

#define CASE_IN_A_FILE(name) cmocka_unit_test_setup(name, new_path)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_FILE(missing_file_or_table_is_one_line_and_is_not_made_unasked),
        CASE_IN_A_FILE(table_is_made_on_request_and_then_used_by_all),
        CASE_IN_A_FILE(row_shows_what_the_page_says),
        CASE_IN_A_FILE(tables_of_several_prefixes_share_a_file_and_no_session),
        CASE_IN_A_FILE(script_of_the_page_makes_the_table_that_is_made_on_request),
        CASE_IN_A_FILE(table_of_another_shape_is_refused_in_one_line),
        CASE_IN_A_FILE(older_table_is_brought_forward_on_request_and_keeps_its_rows),
        CASE_IN_A_FILE(migration_that_fails_changes_nothing),
        CASE_IN_A_FILE(of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
