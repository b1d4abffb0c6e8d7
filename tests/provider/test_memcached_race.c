/* SPDX-License-Identifier: MIT */
#include "provider/memcached_fixture.h"

#include <sesame/ext/conformance.h>

/* Destroy against save and touch, raced a hundred thousand times on a real server. */
int main(void)
{
    static struct server server;
    char config[CONFIG_ROOM];
    memcached_start(&server, NULL);
    cmocka_set_test_filter("destroy_wins_*");
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_memcached,
        .provider_config = memcached_config_of(&server, config),
        .settings = memcached_patient_settings,
        .shared = true,
        .rounds = 100000,
    };
    return ses_conformance_run(&subject);
}
