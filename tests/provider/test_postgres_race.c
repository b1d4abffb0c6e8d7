/* SPDX-License-Identifier: MIT */
#include "provider/postgres_fixture.h"

#include <sesame/ext/conformance.h>

static struct server server;

/* A race is about locks, and ends sooner. */
static void make_tables_without_a_log(void)
{
    static struct sql_shop shop;
    char words[WORDS_ROOM];
    assert_ok(postgres_open(&shop, postgres_words(&server, "", words), NULL));
    sql_shop_close(&shop);
    postgres_tell(&server, "ALTER TABLE sesame_sessions SET UNLOGGED");
}

/* Destroy against save and touch, raced a hundred thousand times. */
int main(void)
{
    char words[WORDS_ROOM];
    postgres_start(&server, (const char *const[]){ "-c", "synchronous_commit=off", NULL });
    make_tables_without_a_log();
    cmocka_set_test_filter("destroy_wins_*");
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_postgres,
        .provider_config = postgres_words(&server, "", words),
        .settings = sql_patient_settings,
        .shared = true,
        .rounds = 100000,
    };
    return ses_conformance_run(&subject);
}
