/* SPDX-License-Identifier: MIT */
/* Sessions within transactions of an application that uses libmariadb. */
#include "provider/mysql_fixture.h"
#include "provider/sql_within.h"

#include <sesame/sesame.h>

#include <stdio.h>

static struct server server;

static void *connect_guest(void)
{
    return mysql_guest(&server, "site");
}

static void say(void *connection, const char *text)
{
    mysql_say(connection, text);
}

static int64_t number(void *connection, const char *text)
{
    return mysql_number(connection, text);
}

static void cut(void *connection)
{
    char text[80];
    (void)snprintf(text, sizeof text, "KILL %lu", mysql_thread_id(connection));
    mysql_command(&server, text);
}

static void close_guest(void *connection)
{
    mysql_guest_end(connection);
}

static void without_autocommit_a_transaction_is_always_open(void **state)
{
    struct within *within = *state;
    say(within->connection, "SET autocommit = 0");
    assert_code(load_within(within), SES_ERR_NOT_FOUND);
}

static void result_that_was_not_read_is_refused_and_can_still_be_read(void **state)
{
    struct within *within = *state;
    MYSQL *guest = within->connection;
    say(guest, "BEGIN");
    assert_int_equal(mysql_query(guest, "SELECT 7"), 0);
    assert_code(load_within(within), SES_ERR_INVALID);
    assert_non_null(strstr(within->shop.told, "not read"));
    MYSQL_RES *result = mysql_store_result(guest);
    assert_string_equal(mysql_fetch_row(result)[0], "7");
    mysql_free_result(result);
    assert_code(load_within(within), SES_ERR_NOT_FOUND);
    say(guest, "COMMIT");
}

int main(void)
{
    static char dsn[DSN_ROOM];
    const struct CMUnitTest tests[] = {
        SQL_WITHIN_TESTS,
        CASE_WITHIN(without_autocommit_a_transaction_is_always_open),
        CASE_WITHIN(result_that_was_not_read_is_refused_and_can_still_be_read),
    };
    mysql_start(&server, NULL);
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_mysql,
        .config = mysql_unix_dsn(&server, "", dsn),
    };
    application = (struct sql_application){
        .connect = connect_guest,
        .say = say,
        .number = number,
        .cut = cut,
        .close = close_guest,
        .snapshot = "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    };
    if (ses_provider_register(&ses_provider_mysql) != SES_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
