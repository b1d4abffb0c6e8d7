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
