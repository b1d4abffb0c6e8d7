/* SPDX-License-Identifier: MIT */
/* Several processes write to the same sessions through managers of their own; nothing is lost. */
#include "provider/postgres_fixture.h"
#include "provider/sql_storm.h"

#include <sesame/sesame.h>

int main(void)
{
    static struct server server;
    static char words[WORDS_ROOM];
    const struct CMUnitTest tests[] = { SQL_STORM_TESTS };
    postgres_start(&server, NULL);
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_postgres,
        .config = postgres_words(&server, "", words),
    };
    if (ses_provider_register(&ses_provider_postgres) != SES_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
