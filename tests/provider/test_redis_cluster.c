/* SPDX-License-Identifier: MIT */
#include "provider/cluster_fixture.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    static struct redis_cluster cluster;
    char url[URL_ROOM];
    cluster_start(&cluster, CLUSTER_PATIENT_MS);
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_redis,
        .provider_config = cluster_url(&cluster, 0, "", url),
        .settings = redis_patient_settings,
        .shared = true,
        .rounds = 2000,
    };
    return ses_conformance_run(&subject);
}
