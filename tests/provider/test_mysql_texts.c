/* SPDX-License-Identifier: MIT */
/* T-32: what reaches SQL, on a server that presets the worst for every session. */
#include "provider/mysql_fixture.h"
#include "provider/sql_texts.h"
#include "support/logins.h"

#include <stdio.h>

static struct server server;
static struct sql_shop shop;
static char dsn[DSN_ROOM];

/* In these the second byte of a character may be a backslash. */
static const char *const charsets[] = { "gbk", "big5", "sjis", "cp932", "utf8mb4", "latin1" };
enum { CHARSETS = sizeof charsets / sizeof *charsets };

/* What init_connect says is done for all users without higher privileges. */
static void preset(const char *charset)
{
    char text[400];
    (void)snprintf(text, sizeof text,
                   "SET GLOBAL init_connect = \"SET NAMES %s, autocommit = 0, sql_mode = "
                   "'NO_BACKSLASH_ESCAPES,ANSI_QUOTES', tx_isolation = 'SERIALIZABLE', "
                   "time_zone = '+13:00', sql_select_limit = 1\", character_set_server = %s",
                   charset, charset);
    mysql_command(&server, text);
}

static int set_up(void **state)
{
    char path[SERVER_PATH_ROOM];
    (void)state;
    MYSQL *guest = mysql_guest(&server, NULL);
    mysql_say(guest, "DROP DATABASE IF EXISTS site");
    mysql_say(guest, "CREATE DATABASE site");
    mysql_say(guest, "CREATE OR REPLACE USER app@localhost IDENTIFIED BY 'x'");
    mysql_say(guest, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON site.* TO app@localhost");
    mysql_guest_end(guest);
    (void)snprintf(dsn, sizeof dsn, "app:x@unix(%s)/site", mysql_socket(&server, path));
    return 0;
}

/* ---- bytes ---- */

static void bytes_are_never_read_as_sql_in_any_charset(void **state)
{
    (void)state;
    for (size_t c = 0; c < CHARSETS; c++) {
        (void)set_up(NULL);
        preset(charsets[c]);
        assert_ok(mysql_shop_open(&shop, dsn, NULL));
        assert_texts_are_bytes(&shop);
        sql_shop_close(&shop);
    }
}

/* A value that does not fit is an error, whatever mode the server's sessions begin in. */
static void nothing_is_cut_off_to_fit(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    preset("gbk");
    mysql_command(&server, "SET GLOBAL sql_mode = ''");
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    mysql_command(&server, "ALTER TABLE sesame_sessions MODIFY record VARBINARY(10) NOT NULL");
    const uint64_t version = put(&shop.f, &key, "0123456789");
    assert_code(save_as(&shop.f, &key, version, "0123456789a", SES_KIND_SESSION),
                SES_ERR_TOO_LARGE);
    assert_loads(&shop.f, &key, "0123456789", version, shop.f.now + LIFE_MS);
    sql_shop_close(&shop);
    mysql_command(&server, "SET GLOBAL sql_mode = DEFAULT");
}

/* ---- names ---- */

static void users_of_any_name_have_their_own_sessions(void **state)
{
    char json[DSN_ROOM + 100];
    size_t logged_in = 0;
    (void)state;
    preset("gbk");
    (void)snprintf(json, sizeof json, "{\"providerConfig\": \"%s\", \"createTable\": true}", dsn);
    struct scene *scene = scene_new("mysql", json);
    for (size_t i = 0; i < CORPUS; i++) {
        if (strpbrk(corpus[i], "\n\t\xff\xbf\xc0") || strchr("\x81\x83\x95\xa1", corpus[i][0]))
            continue; /* refused before it comes to a store */
        (void)guest_of(scene, corpus[i], 0);
        logged_in++;
        assert_int_equal(listed_count(scene, corpus[i]), 1);
    }
    assert_int_equal(mysql_question(&server, "SELECT COUNT(DISTINCT `user`) FROM sesame_sessions"),
                     logged_in);
    scene_free(scene);
}

/* As a user, a password and a database that do not exist; each is one name. */
static void parts_of_a_dsn_are_names_and_nothing_else(void **state)
{
    char path[SERVER_PATH_ROOM], text[DSN_ROOM];
    (void)state;
    preset("gbk");
    (void)mysql_socket(&server, path);
    for (size_t i = 0; i < CORPUS; i++) {
        if (strpbrk(corpus[i], "?%"))
            continue;
        (void)snprintf(text, sizeof text, "app%s:x@unix(%s)/site", corpus[i], path);
        assert_true(mysql_shop_open(&shop, text, NULL) < 0);
        assert_int_equal(shop.lines, 1);
        (void)snprintf(text, sizeof text, "app:x%s@unix(%s)/site", corpus[i], path);
        assert_code(mysql_shop_open(&shop, text, NULL), SES_ERR_INVALID);
        (void)snprintf(text, sizeof text, "app:x@unix(%s)/site%s", path,
                       corpus[i][0] == '/' ? "x" : corpus[i]);
        assert_true(mysql_shop_open(&shop, text, NULL) < 0);
        assert_int_equal(shop.lines, 1);
    }
    /* And as one that does. */
    MYSQL *guest = mysql_guest(&server, NULL);
    mysql_say(guest, "CREATE OR REPLACE DATABASE `it's \"a\\b`");
    mysql_say(guest, "GRANT ALL ON `it's \"a\\\\b`.* TO app@localhost");
    mysql_say(guest, "GRANT ALL ON `it's \"a\\b`.* TO app@localhost");
    (void)snprintf(text, sizeof text, "app:x@unix(%s)/it's \"a\\b", path);
    const struct ses_key key = new_key();
    if (mysql_shop_open(&shop, text, NULL) != SES_OK)
        fail_msg("%s", shop.told);
    (void)put(&shop.f, &key, "alpha");
    assert_int_equal(mysql_number(guest, "SELECT COUNT(*) FROM `it's \"a\\b`.sesame_sessions"), 1);
    sql_shop_close(&shop);
    mysql_say(guest, "DROP DATABASE `it's \"a\\b`");
    mysql_guest_end(guest);
}

/* ---- what the server gets ---- */

/* As the server's own log has it: what comes as a text has no value in it. */
static void every_value_is_bound_to_a_prepared_statement(void **state)
{
    (void)state;
    preset("utf8mb4");
    assert_ok(mysql_shop_open(&shop, dsn, NULL));
    MYSQL *guest = mysql_guest(&server, "site");
    mysql_say(guest, "SET GLOBAL log_output = 'TABLE'");
    mysql_say(guest, "TRUNCATE mysql.general_log");
    mysql_say(guest, "SET GLOBAL general_log = 1");
    use_texts(&shop);
    mysql_say(guest, "SET GLOBAL general_log = 0");
    assert_int_equal(mysql_number(guest, "SELECT COUNT(*) FROM mysql.general_log WHERE user_host "
                                         "LIKE 'app%' AND command_type = 'Query' AND argument NOT "
                                         "IN ('START TRANSACTION', 'COMMIT', 'ROLLBACK', "
                                         "'DO RELEASE_ALL_LOCKS()')"),
                     0);
    assert_true(mysql_number(guest, "SELECT COUNT(*) FROM mysql.general_log WHERE user_host "
                                    "LIKE 'app%' AND command_type = 'Execute'") > 9 * CORPUS);
    assert_true(mysql_number(guest, "SELECT COUNT(*) FROM mysql.general_log WHERE user_host "
                                    "LIKE 'app%' AND command_type = 'Prepare'") < 40);
    mysql_guest_end(guest);
    sql_shop_close(&shop);
}

static int start(void **state)
{
    (void)state;
    mysql_start(&server, (const char *const[]){ "--character-set-server=gbk", NULL });
    sql_subject = (struct sql_subject){ .ops = &ses_provider_mysql, .config = dsn };
    return ses_provider_register(&ses_provider_mysql);
}

#define CASE_IN_A_DATABASE(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_DATABASE(bytes_are_never_read_as_sql_in_any_charset),
        CASE_IN_A_DATABASE(nothing_is_cut_off_to_fit),
        CASE_IN_A_DATABASE(users_of_any_name_have_their_own_sessions),
        CASE_IN_A_DATABASE(prefix_of_anything_but_a_name_is_refused),
        CASE_IN_A_DATABASE(parts_of_a_dsn_are_names_and_nothing_else),
        CASE_IN_A_DATABASE(every_value_is_bound_to_a_prepared_statement),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
