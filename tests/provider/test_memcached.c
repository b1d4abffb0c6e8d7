/* SPDX-License-Identifier: MIT */
#include "provider/memcached_fixture.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    static const char *const larger[] = { "-I", "2m", NULL };
    static struct server server;
    char config[CONFIG_ROOM];
    memcached_start(&server, larger);
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_memcached,
        .provider_config = memcached_config_of(&server, config),
        .settings = memcached_patient_settings,
        .shared = true,
        .rounds = 2000,
    };
    return ses_conformance_run(&subject);
}
