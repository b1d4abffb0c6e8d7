/* SPDX-License-Identifier: MIT */
/* Processes that die in the middle of writing, a thousand times. */
#include "provider/sql_storm.h"
#include "provider/sqlite_fixture.h"

static char path[DB_PATH_ROOM];

static void check_file(void)
{
    db_check(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writer_loses_nothing_tears_nothing_and_brings_nothing_back),
    };
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_sqlite,
        .config = db_path("crash.db", path),
        .settings = sqlite_patient_settings,
        .check = check_file,
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
