/* SPDX-License-Identifier: MIT */
#include "provider/sqlite_fixture.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    char path[DB_PATH_ROOM];
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_sqlite,
        .provider_config = db_path("s.db", path),
        .settings = sqlite_patient_settings,
        .shared = true,
    };
    return ses_conformance_run(&subject);
}
