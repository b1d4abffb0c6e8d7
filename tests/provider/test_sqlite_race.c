/* SPDX-License-Identifier: MIT */
#include "provider/sqlite_fixture.h"

#include <sesame/ext/conformance.h>

/* Destroy against save and touch, raced a hundred thousand times. */
int main(void)
{
    char path[DB_PATH_ROOM];
    prefer_memory();
    cmocka_set_test_filter("destroy_wins_*");
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_sqlite,
        .provider_config = db_path("s.db", path),
        .settings = sqlite_patient_settings,
        .shared = true,
        .rounds = 100000,
    };
    return ses_conformance_run(&subject);
}
