/* SPDX-License-Identifier: MIT */
#include "provider/redis_fixture.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    static struct server server;
    char url[URL_ROOM];
    redis_start(&server, NULL);
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_redis,
        .provider_config = redis_unix_url(&server, "", url),
        .settings = redis_patient_settings,
        .shared = true,
        .rounds = 2000,
    };
    return ses_conformance_run(&subject);
}
