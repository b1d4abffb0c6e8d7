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
    PGconn *guest = connect_guest();
    struct ses_record record;
    static struct sql_shop shop;
    const struct ses_key key = new_key();
    (void)state;
    assert_ok(sql_shop_open(&shop, storm_subject.ops, storm_subject.config, NULL));
    say(guest, "BEGIN");
    assert_code(store_load_within(shop.f.store, guest, &key, shop.f.now, &record),
                SES_ERR_NOT_FOUND);
    say(guest, "COMMIT");
    assert_int_equal(PQisnonblocking(guest), 0);
    assert_int_equal(number(guest, "SELECT count(*)::int FROM pg_prepared_statements"), 0);
    PQfinish(guest);
    sql_shop_close(&shop);
}

static void failed_transaction_is_refused(void **state)
{
    PGconn *guest = connect_guest();
    struct ses_record record;
    static struct sql_shop shop;
    const struct ses_key key = new_key();
    (void)state;
    assert_ok(sql_shop_open(&shop, storm_subject.ops, storm_subject.config, NULL));
    say(guest, "BEGIN");
    PQclear(PQexec(guest, "SELECT 1 / 0"));
    assert_code(store_load_within(shop.f.store, guest, &key, shop.f.now, &record), SES_ERR_INVALID);
    assert_non_null(strstr(shop.told, "can only be rolled back"));
    PQfinish(guest);
    sql_shop_close(&shop);
}

int main(void)
{
    static char words[WORDS_ROOM];
    const struct CMUnitTest tests[] = {
        SQL_WITHIN_TESTS,
        cmocka_unit_test(nothing_stays_on_the_applications_connection),
        cmocka_unit_test(failed_transaction_is_refused),
    };
    postgres_start(&server, NULL);
    storm_subject = (struct sql_subject){
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
