/* SPDX-License-Identifier: MIT */
/* Sessions within transactions of an application that uses libpq. */
#include "provider/postgres_fixture.h"
#include "provider/sql_within.h"

#include <sesame/sesame.h>

#include <stdio.h>

static struct server server;

static void *connect_guest(void)
{
    return postgres_guest(&server, "");
}

static void say(void *connection, const char *text)
{
    postgres_say(connection, text);
}

static int64_t number(void *connection, const char *text)
{
    return postgres_number(connection, text);
}

static void cut(void *connection)
{
    char text[80];
    (void)snprintf(text, sizeof text, "SELECT pg_terminate_backend(%d)::int",
                   PQbackendPID(connection));
    postgres_tell(&server, text);
}

static void close_guest(void *connection)
{
    PQfinish(connection);
}

static void nothing_stays_on_the_applications_connection(void **state)
{
    struct within *within = *state;
    PGconn *guest = within->connection;
    say(guest, "BEGIN");
    assert_code(load_within(within), SES_ERR_NOT_FOUND);
    say(guest, "COMMIT");
    assert_int_equal(PQisnonblocking(guest), 0);
    assert_int_equal(number(guest, "SELECT count(*)::int FROM pg_prepared_statements"), 0);
}

static void failed_transaction_is_refused(void **state)
{
    struct within *within = *state;
    say(within->connection, "BEGIN");
    PQclear(PQexec(within->connection, "SELECT 1 / 0"));
    assert_code(load_within(within), SES_ERR_INVALID);
    assert_non_null(strstr(within->shop.told, "can only be rolled back"));
}

int main(void)
{
    static char words[WORDS_ROOM];
    const struct CMUnitTest tests[] = {
        SQL_WITHIN_TESTS,
        CASE_WITHIN(nothing_stays_on_the_applications_connection),
        CASE_WITHIN(failed_transaction_is_refused),
    };
    postgres_start(&server, NULL);
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_postgres,
        .config = postgres_words(&server, "", words),
    };
    application = (struct sql_application){
        .connect = connect_guest,
        .say = say,
        .number = number,
        .cut = cut,
        .close = close_guest,
        .snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ",
    };
    if (ses_provider_register(&ses_provider_postgres) != SES_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
