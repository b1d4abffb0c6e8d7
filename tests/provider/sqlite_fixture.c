/* SPDX-License-Identifier: MIT */
#include "provider/sqlite_fixture.h"

#include <stdio.h>

void sqlite_settings_of(void *instance)
{
    struct sqlite_store *store = instance;
    store->sql.create_table = true;
    store->sql.pool_size = 16;
    store->sql.budget_ms = 2000;
    store->durability = SQLITE_DURABLE_NORMAL;
}

char *db_path(const char *name, char path[DB_PATH_ROOM])
{
    (void)snprintf(path, DB_PATH_ROOM, "%s/%s", own_folder(), name);
    return path;
}

static void note_line(void *arg, enum ses_log_level level, const char *line)
{
    struct db_shop *shop = arg;
    (void)level;
    shop->lines++;
    (void)pthread_mutex_lock(&shop->mutex);
    const size_t len = strlen(shop->all);
    (void)snprintf(shop->told, sizeof shop->told, "%s", line);
    (void)snprintf(shop->all + len, sizeof shop->all - len, "%s\n", line);
    (void)pthread_mutex_unlock(&shop->mutex);
}

static void note_reachable(void *arg, bool reachable)
{
    struct db_shop *shop = arg;
    if (reachable)
        shop->back++;
    else
        shop->lost++;
}

int db_open_as(struct db_shop *shop, const struct ses_provider_ops *ops, const char *path,
               void (*settings)(void *instance))
{
    const struct store_hooks hooks = {
        .log = note_line, .log_arg = shop, .reachable = note_reachable, .reachable_arg = shop
    };
    struct store *store = NULL;
    memset(shop, 0, sizeof *shop);
    shop->subject = (struct ses_conformance){ .size = sizeof shop->subject, .ops = ops };
    shop->f.subject = &shop->subject;
    shop->f.now = present_ms();
    (void)pthread_mutex_init(&shop->mutex, NULL);
    assert_ok(store_prepare(ops, &hooks, &store));
    (settings ? settings : sqlite_settings_of)(store_instance(store));
    const int r = store_open(store, path);
    if (r == SES_OK)
        shop->f.store = store;
    else
        store_close(store);
    return r;
}

int db_open(struct db_shop *shop, const char *path, void (*settings)(void *instance))
{
    return db_open_as(shop, &ses_provider_sqlite, path, settings);
}

void db_close(struct db_shop *shop)
{
    store_close(shop->f.store);
    (void)pthread_mutex_destroy(&shop->mutex);
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
