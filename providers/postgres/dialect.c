/* SPDX-License-Identifier: MIT */
/* The statements of PostgreSQL, and its tables. */
#include "postgres/connection.h"

#define ROW   "version, expires, kind, checksum, record"
#define ALIVE "expires > $2 AND kind IN (1, 4)"

/* Locks are the database's, and known by a number only: that of a text with the tables' prefix. */
#define LOCK_OF(what) "hashtextextended('@" what "', 0)"

/* Records are small, and not worth trying to compress. Each save moves the expiry, which is in an
 * index, so there are no HOT updates that a fillfactor could help. */
static const char *const first[] = {
    "CREATE TABLE @schema (version integer NOT NULL)",
    "INSERT INTO @schema (version) VALUES (0)",
    "CREATE TABLE @sessions (\n"
    "  key      bytea    NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32),\n"
    "  version  bigint   NOT NULL,\n"
    "  expires  bigint   NOT NULL,\n"
    "  kind     smallint NOT NULL,\n"
    "  \"user\"   bytea,\n"
    "  checksum bigint   NOT NULL,\n"
    "  record   bytea    NOT NULL\n"
    ")",
    "ALTER TABLE @sessions ALTER COLUMN record SET STORAGE EXTERNAL",
    "CREATE INDEX @sessions_expires ON @sessions (expires)",
    "CREATE INDEX @sessions_user ON @sessions (\"user\") WHERE \"user\" IS NOT NULL",
    NULL,
};

static const struct sql_step steps[] = { { first } };

const struct sql_dialect postgres_provider_dialect = {
    .texts = {
        [SQL_BEGIN] = "BEGIN",
        [SQL_COMMIT] = "COMMIT",
        [SQL_ROLLBACK] = "ROLLBACK",
        [SQL_LOAD] = ("SELECT " ROW " FROM @sessions WHERE key = $1"),
        [SQL_INSERT] =
            ("INSERT INTO @sessions AS s (key, version, expires, kind, checksum, record, \"user\") "
            "VALUES ($1, $2, $3, $4::bigint, $5, $6, $7) ON CONFLICT (key) DO UPDATE SET "
            "version = excluded.version, expires = excluded.expires, kind = excluded.kind, "
            "checksum = excluded.checksum, record = excluded.record, \"user\" = excluded.\"user\" "
            "WHERE s.expires <= $8"),
        [SQL_SAVE] = ("UPDATE @sessions SET version = $1, expires = $2, kind = $3::bigint, "
                     "checksum = $4, record = $5 WHERE key = $6 AND version = $7 AND expires > $8"),
        [SQL_END] = ("UPDATE @sessions SET version = $1, expires = $2, kind = $3::bigint, "
                    "checksum = $4, record = $5, \"user\" = NULL "
                    "WHERE key = $6 AND version = $7 AND expires > $8"),
        [SQL_TOUCH] = ("UPDATE @sessions SET expires = greatest(expires, $1) "
                      "WHERE key = $2 AND version = $3 AND expires > $4"),
        [SQL_DESTROY] = "DELETE FROM @sessions WHERE key = $1",
        [SQL_LOCK_USER] = ("SELECT 1::bigint FROM pg_advisory_xact_lock(hashtextextended("
                          "'@sessions ' || encode($1, 'hex'), 0))"),
        [SQL_COUNT_USER] = ("SELECT count(*) FROM @sessions WHERE \"user\" = $1 AND " ALIVE),
        [SQL_LIST] = ("SELECT " ROW ", key FROM @sessions WHERE \"user\" = $1 AND " ALIVE),
        [SQL_PAGE] = ("SELECT " ROW ", key FROM @sessions WHERE key > $1 AND " ALIVE
                     " ORDER BY key LIMIT $3"),
        [SQL_COUNT] = "SELECT count(*) FROM @sessions WHERE expires > $1 AND kind = 1",
        /* Both inner questions are asked once, before the rows are looked for; whom another
         * process keeps from collecting finds nothing, and whom a save keeps from a row leaves it
         * for the next time (tests/provider/test_postgres_store.c looks at the plan). */
        [SQL_COLLECT] =
            ("DELETE FROM @sessions WHERE expires <= $1 AND key = ANY (ARRAY("
            "SELECT key FROM @sessions "
            "WHERE (SELECT pg_try_advisory_xact_lock(" LOCK_OF("collect") ")) "
            "AND expires <= $1 ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED))"),
        [SQL_PING] = "SELECT version::bigint FROM @schema",
    },
    .table_exists = "SELECT count(to_regclass('@schema'))",
    .schema_lock = "SELECT 1::bigint FROM pg_advisory_lock(" LOCK_OF("schema") ")",
    .schema_unlock = "SELECT 1::bigint FROM pg_advisory_unlock(" LOCK_OF("schema") ")",
    .steps = steps,
    .version = sizeof steps / sizeof *steps,
    .open = postgres_provider_connect,
    .is_usable = postgres_provider_is_usable,
    .close = postgres_provider_close,
    .close_copy = postgres_provider_close_copy,
    .run = postgres_provider_run,
    .prepare = postgres_provider_prepare,
    .ask = postgres_provider_ask,
};
