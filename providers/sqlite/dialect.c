/* SPDX-License-Identifier: MIT */
/* The statements of SQLite, and its tables. */
#include "sqlite/connection.h"

#define ROW   "version, expires, kind, checksum, record"
#define ALIVE "expires > ?2 AND kind IN (1, 4)"

static const char *const first[] = {
    "CREATE TABLE @schema (version INTEGER NOT NULL)",
    "INSERT INTO @schema (version) VALUES (0)",
    "CREATE TABLE @sessions (\n"
    "  key      BLOB    NOT NULL PRIMARY KEY,\n"
    "  version  INTEGER NOT NULL,\n"
    "  expires  INTEGER NOT NULL,\n"
    "  kind     INTEGER NOT NULL,\n"
    "  user     BLOB,\n"
    "  checksum INTEGER NOT NULL,\n"
    "  record   BLOB    NOT NULL\n"
    ")",
    "CREATE INDEX @sessions_expires ON @sessions (expires)",
    "CREATE INDEX @sessions_user ON @sessions (user) WHERE user IS NOT NULL",
    NULL,
};

static const struct sql_step steps[] = { { first } };

const struct sql_dialect sqlite_provider_dialect = {
    .texts = {
        [SQL_BEGIN] = "BEGIN IMMEDIATE",
        [SQL_COMMIT] = "COMMIT",
        [SQL_ROLLBACK] = "ROLLBACK",
        [SQL_LOAD] = ("SELECT " ROW " FROM @sessions WHERE key = ?1"),
        [SQL_INSERT] =
            ("INSERT INTO @sessions (key, version, expires, kind, checksum, record, user) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (key) DO UPDATE SET "
            "version = excluded.version, expires = excluded.expires, kind = excluded.kind, "
            "checksum = excluded.checksum, record = excluded.record, user = excluded.user "
            "WHERE @sessions.expires <= ?8"),
        [SQL_SAVE] = ("UPDATE @sessions SET version = ?1, expires = ?2, kind = ?3, checksum = ?4, "
                     "record = ?5 WHERE key = ?6 AND version = ?7 AND expires > ?8"),
        [SQL_END] = ("UPDATE @sessions SET version = ?1, expires = ?2, kind = ?3, checksum = ?4, "
                    "record = ?5, user = NULL WHERE key = ?6 AND version = ?7 AND expires > ?8"),
        [SQL_TOUCH] = ("UPDATE @sessions SET expires = max(expires, ?1) "
                      "WHERE key = ?2 AND version = ?3 AND expires > ?4"),
        [SQL_DESTROY] = "DELETE FROM @sessions WHERE key = ?1",
        [SQL_COUNT_USER] = ("SELECT count(*) FROM @sessions WHERE user = ?1 AND " ALIVE),
        [SQL_LIST] = ("SELECT " ROW ", key FROM @sessions WHERE user = ?1 AND " ALIVE),
        [SQL_PAGE] = ("SELECT " ROW ", key FROM @sessions WHERE key > ?1 AND " ALIVE
                     " ORDER BY key LIMIT ?3"),
        [SQL_COUNT] = "SELECT count(*) FROM @sessions WHERE expires > ?1 AND kind = 1",
        [SQL_COLLECT] = ("DELETE FROM @sessions WHERE rowid IN (SELECT rowid FROM @sessions "
                        "WHERE expires <= ?1 ORDER BY expires LIMIT ?2)"),
        [SQL_PING] = "SELECT version FROM @schema",
    },
    .one_writer = true,
    .table_exists = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '@schema'",
    .steps = steps,
    .version = sizeof steps / sizeof *steps,
    .open = sqlite_provider_connect,
    .close = sqlite_provider_close,
    .close_before_fork = sqlite_provider_close_before_fork,
    .run = sqlite_provider_run,
    .prepare = sqlite_provider_prepare,
    .ask = sqlite_provider_ask,
};
