/* SPDX-License-Identifier: MIT */
/* Processes that die in the middle of writing, a thousand times. */
#include "provider/mysql_fixture.h"
#include "provider/sql_storm.h"

static struct server server;
static MYSQL *guest;

/* Its own and the store's stay. */
static void wait_for_the_end_of_others(void)
{
    while (mysql_number(guest, "SELECT variable_value FROM information_schema.global_status "
                               "WHERE variable_name = 'THREADS_CONNECTED'") > 2)
        ;
}

int main(void)
{
    static char dsn[DSN_ROOM];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writer_loses_nothing_tears_nothing_and_brings_nothing_back),
    };
    mysql_start(&server, NULL);
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_mysql,
        .config = mysql_unix_dsn(&server, "", dsn),
        .settle = wait_for_the_end_of_others,
    };
    guest = mysql_guest(&server, "site");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mysql_guest_end(guest);
    return failed;
}
