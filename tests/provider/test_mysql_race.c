/* SPDX-License-Identifier: MIT */
#include "provider/mysql_fixture.h"

#include <sesame/ext/conformance.h>

/* Destroy against save and touch, raced a hundred thousand times on a real server. */
int main(void)
{
    static struct server server;
    char dsn[DSN_ROOM];
    (void)setenv("TMPDIR", "/dev/shm", 0); /* asks nothing of a disk */
    mysql_start(&server, (const char *const[]){ "--innodb-flush-log-at-trx-commit=0",
                                                "--innodb-log-file-size=96M", NULL });
    cmocka_set_test_filter("destroy_wins_*");
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_mysql,
        .provider_config = mysql_unix_dsn(&server, "", dsn),
        .settings = sql_patient_settings,
        .shared = true,
        .rounds = 100000,
    };
    return ses_conformance_run(&subject);
}
