/* SPDX-License-Identifier: MIT */
#include "provider/sqlite_fixture.h"

#include <stdio.h>

void sqlite_settings_of(void *instance)
{
    struct sqlite_store *store = instance;
    sql_shop_settings(instance);
    store->durability = SQLITE_DURABLE_NORMAL;
}

void sqlite_patient_settings(void *instance)
{
    struct sqlite_store *store = instance;
    sqlite_settings_of(instance);
    store->sql.budget_ms = 20000;
}

char *db_path(const char *name, char path[DB_PATH_ROOM])
{
    (void)snprintf(path, DB_PATH_ROOM, "%s/%s", own_folder(), name);
    return path;
}

char *db_new_path(char path[DB_PATH_ROOM])
{
    static int number;
    char name[16];
    (void)snprintf(name, sizeof name, "%d.db", number++);
    return db_path(name, path);
}

int db_open_as(struct sql_shop *shop, const struct ses_provider_ops *ops, const char *path,
               void (*settings)(void *instance))
{
    return sql_shop_open(shop, ops, path, settings ? settings : sqlite_settings_of);
}

int db_open(struct sql_shop *shop, const char *path, void (*settings)(void *instance))
{
    return db_open_as(shop, &ses_provider_sqlite, path, settings);
}

sqlite3 *db_guest(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 10000);
    return db;
}

void db_say(sqlite3 *db, const char *text)
{
    const int r = sqlite3_exec(db, text, NULL, NULL, NULL);
    if (r != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
}

int64_t db_number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

void db_check(const char *path)
{
    sqlite3 *db = db_guest(path);
    assert_int_equal(db_number(db, "SELECT count(*) FROM pragma_integrity_check "
                                   "WHERE integrity_check <> 'ok'"),
                     0);
    sqlite3_close(db);
}
