/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQLITE_FIXTURE_H
#define SES_TEST_PROVIDER_SQLITE_FIXTURE_H

#include "provider/fixture.h"
#include "provider/folder.h"
#include "sqlite/state.h"

#include <sqlite3.h>

/* Files of SQLite for the tests of its provider. */

extern const struct ses_provider_ops ses_provider_sqlite;

/* The settings as they are without any, but that a missing table is made. */
void sqlite_settings_of(void *instance);

/* A file of that name in the program's own folder. */
enum { DB_PATH_ROOM = 200 };
char *db_path(const char *name, char path[DB_PATH_ROOM]);

#endif
