/* SPDX-License-Identifier: MIT */
#include "provider/mysql_fixture.h"

#include <sesame/ext/conformance.h>

int main(void)
{
    static struct server server;
    char dsn[DSN_ROOM];
    mysql_start(&server, NULL);
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_mysql,
        .provider_config = mysql_unix_dsn(&server, "", dsn),
        .settings = sql_patient_settings,
        .shared = true,
    };
    return ses_conformance_run(&subject);
}
