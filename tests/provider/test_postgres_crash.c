/* SPDX-License-Identifier: MIT */
/* Processes that die in the middle of writing, a thousand times. */
#include "provider/postgres_fixture.h"
#include "provider/sql_storm.h"

static struct server server;
static PGconn *guest;

/* The store's own connection is the one that stays. */
static void wait_for_the_end_of_others(void)
{
    while (postgres_number(guest,
                           "SELECT count(*) FROM pg_stat_activity WHERE "
                           "backend_type = 'client backend' AND pid <> pg_backend_pid()") > 1)
        ;
}

int main(void)
{
    static char words[WORDS_ROOM];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writer_loses_nothing_tears_nothing_and_brings_nothing_back),
    };
    postgres_start(&server, NULL);
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_postgres,
        .config = postgres_words(&server, "", words),
        .settle = wait_for_the_end_of_others,
    };
    guest = postgres_guest(&server, "");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(guest);
    return failed;
}
