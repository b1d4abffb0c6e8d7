/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQLITE_FIXTURE_H
#define SES_TEST_PROVIDER_SQLITE_FIXTURE_H

#include "provider/folder.h"
#include "provider/sql_shop.h"
#include "sqlite/state.h"

#include <sqlite3.h>

/* Files of SQLite for the tests of its provider. */

extern const struct ses_provider_ops ses_provider_sqlite;

/* The settings as they are without any, but that a missing table is made. */
void sqlite_settings_of(void *instance);
void sqlite_patient_settings(void *instance); /* see sql_patient_settings() */

/* A file of that name in the program's own folder. */
enum { DB_PATH_ROOM = 200 };
char *db_path(const char *name, char path[DB_PATH_ROOM]);
char *db_new_path(char path[DB_PATH_ROOM]); /* of a name that none had before */

/* NULL as settings: sqlite_settings_of. @return the code of opening; on failure no store. */
int db_open(struct sql_shop *shop, const char *path, void (*settings)(void *instance));
int db_open_as(struct sql_shop *shop, const struct ses_provider_ops *ops, const char *path,
               void (*settings)(void *instance));

/* Somebody else's connection to that file, and what it says must succeed. */
sqlite3 *db_guest(const char *path);
void db_say(sqlite3 *db, const char *text);
int64_t db_number(sqlite3 *db, const char *text); /* the first of its answer */
void db_check(const char *path);                  /* the file is sound */

#endif
