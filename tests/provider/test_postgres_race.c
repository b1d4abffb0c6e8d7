/* SPDX-License-Identifier: MIT */
#include "provider/postgres_fixture.h"

#include <sesame/ext/conformance.h>

/* Destroy against save and touch, raced a hundred thousand times. */
int main(void)
{
    static struct server server;
    char words[WORDS_ROOM];
    postgres_start(&server, (const char *const[]){ "-c", "synchronous_commit=off", NULL });
    cmocka_set_test_filter("destroy_wins_*");
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_postgres,
        .provider_config = postgres_words(&server, "", words),
        .settings = sql_shop_settings,
        .shared = true,
        .rounds = 100000,
    };
    return ses_conformance_run(&subject);
}
