/* SPDX-License-Identifier: MIT */
#include "provider/redis_fixture.h"
#include "support/test.h"

#include <sesame/ext/conformance.h>

/* Destroy against save and touch, raced a hundred thousand times on a real server. */
int main(void)
{
    static struct server server;
    char url[URL_ROOM];
    redis_start(&server, NULL);
    cmocka_set_test_filter("destroy_wins_*");
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_redis,
        .provider_config = redis_unix_url(&server, "", url),
        .settings = redis_patient_settings,
        .shared = true,
        .rounds = 100000,
    };
    return ses_conformance_run(&subject);
}
