/* SPDX-License-Identifier: MIT */
/* T-32: what reaches SQL, and the file system. */
#include "provider/sql_texts.h"
#include "provider/sqlite_fixture.h"

#include <stdio.h>
#include <sys/stat.h>

static char path[DB_PATH_ROOM];
static struct sql_shop shop;

static int new_path(void **state)
{
    (void)state;
    (void)db_new_path(path);
    return 0;
}

static void path_is_a_name_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < CORPUS; i++) {
        const struct ses_key key = new_key();
        char name[100];
        (void)snprintf(name, sizeof name, "%s", corpus[i]);
        for (char *at = name; *at; at++)
            *at = *at == '/' ? '_' : *at;
        (void)db_path(name, path);
        assert_ok(db_open(&shop, path, NULL));
        (void)put(&shop.f, &key, "alpha");
        sql_shop_close(&shop);
        struct stat stat;
        assert_int_equal(lstat(path, &stat), 0);
        assert_true(stat.st_size > 0);
    }
}

static void bytes_of_keys_users_and_records_are_never_read_as_sql(void **state)
{
    (void)state;
    assert_ok(db_open(&shop, path, NULL));
    assert_texts_are_bytes(&shop);
    sql_shop_close(&shop);
}

#define CASE_IN_A_FILE(name) cmocka_unit_test_setup(name, new_path)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_FILE(prefix_of_anything_but_a_name_is_refused),
        CASE_IN_A_FILE(path_is_a_name_and_nothing_else),
        CASE_IN_A_FILE(bytes_of_keys_users_and_records_are_never_read_as_sql),
    };
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_sqlite,
        .config = path,
        .settings = sqlite_settings_of,
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
