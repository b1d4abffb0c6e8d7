/* SPDX-License-Identifier: MIT */
/* The statements of MariaDB and MySQL, and their tables. */
#include "mysql/connection.h"

#define ROW   "version, expires, kind, checksum, record"
#define ALIVE "expires > ? AND kind IN (1, 4)"

/* Of the whole server, so the database belongs into them; 64 characters at most. */
#define LOCK_NAME(what) "CONCAT('sesame_', MD5(CONCAT(DATABASE(), '.@', " what ")))"

/* Each may be run once more: a process may be killed between them. The version is there from the
 * start of its table, as one statement. */
static const char *const first[] = {
    "CREATE TABLE IF NOT EXISTS @sessions (\n"
    "  `key`    BINARY(32) NOT NULL PRIMARY KEY,\n"
    "  version  BIGINT     NOT NULL,\n"
    "  expires  BIGINT     NOT NULL,\n"
    "  kind     TINYINT    NOT NULL,\n"
    "  `user`   BINARY(32),\n"
    "  checksum BIGINT     NOT NULL,\n"
    "  record   LONGBLOB   NOT NULL,\n"
    "  KEY (expires),\n"
    "  KEY (`user`)\n"
    ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC",
    "CREATE TABLE IF NOT EXISTS @schema (version INT NOT NULL PRIMARY KEY) ENGINE=InnoDB",
    "INSERT INTO @schema (version) SELECT 0 FROM DUAL WHERE NOT EXISTS (SELECT * FROM @schema)",
    NULL,
};

static const struct sql_step steps[] = { { first } };

const struct sql_dialect mysql_provider_dialect = {
    .texts = {
        [SQL_BEGIN] = "START TRANSACTION",
        [SQL_COMMIT] = "COMMIT",
        [SQL_ROLLBACK] = "ROLLBACK",
        [SQL_LOAD] = ("SELECT " ROW " FROM @sessions WHERE `key` = ?"),
        [SQL_LOAD_LOCKED] = ("SELECT " ROW " FROM @sessions WHERE `key` = ? FOR UPDATE"),
        /* Where one is alive, its version may not be NULL (statement.c). */
        [SQL_INSERT] =
            ("INSERT INTO @sessions (`key`, version, expires, kind, checksum, record, `user`) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE "
            "version = IF(expires <= ?, VALUES(version), NULL), expires = VALUES(expires), "
            "kind = VALUES(kind), checksum = VALUES(checksum), record = VALUES(record), "
            "`user` = VALUES(`user`)"),
        [SQL_SAVE] = ("UPDATE @sessions SET version = ?, expires = ?, kind = ?, checksum = ?, "
                     "record = ? WHERE `key` = ? AND version = ? AND expires > ?"),
        [SQL_END] = ("UPDATE @sessions SET version = ?, expires = ?, kind = ?, checksum = ?, "
                    "record = ?, `user` = NULL WHERE `key` = ? AND version = ? AND expires > ?"),
        [SQL_TOUCH] = ("UPDATE @sessions SET expires = GREATEST(expires, ?) "
                      "WHERE `key` = ? AND version = ? AND expires > ?"),
        [SQL_DESTROY] = "DELETE FROM @sessions WHERE `key` = ?",
        /* Given back once the transaction has ended (connection.c). */
        [SQL_LOCK_USER] = "SELECT COALESCE(GET_LOCK(" LOCK_NAME("HEX(?)") ", 1), 0)",
        [SQL_COUNT_USER] = ("SELECT COUNT(*) FROM @sessions WHERE `user` = ? AND " ALIVE),
        [SQL_LIST] = ("SELECT " ROW ", `key` FROM @sessions WHERE `user` = ? AND " ALIVE),
        [SQL_PAGE] = ("SELECT " ROW ", `key` FROM @sessions WHERE `key` > ? AND " ALIVE
                     " ORDER BY `key` LIMIT ?"),
        [SQL_COUNT] = "SELECT COUNT(*) FROM @sessions WHERE expires > ? AND kind = 1",
        [SQL_COLLECT_LOCK] = "SELECT COALESCE(GET_LOCK(" LOCK_NAME("'gc'") ", 0), 0)",
        [SQL_COLLECT] = "DELETE FROM @sessions WHERE expires <= ? ORDER BY expires LIMIT ?",
        [SQL_COLLECT_UNLOCK] = "SELECT RELEASE_LOCK(" LOCK_NAME("'gc'") ")",
        [SQL_PING] = "SELECT version FROM @schema",
    },
    .table_exists = "SELECT COUNT(*) FROM information_schema.tables "
                    "WHERE table_schema = DATABASE() AND table_name = '@schema'",
    .schema_lock = "SELECT COALESCE(GET_LOCK(" LOCK_NAME("'schema'") ", 9), 0)",
    .schema_unlock = "SELECT RELEASE_LOCK(" LOCK_NAME("'schema'") ")",
    .steps = steps,
    .steps_by_piece = true,
    .version = sizeof steps / sizeof *steps,
    .open = mysql_provider_connect,
    .is_usable = mysql_provider_is_usable,
    .close = mysql_provider_close,
    .close_copy = mysql_provider_close_copy,
    .borrow = mysql_provider_borrow,
    .give_back = mysql_provider_give_back,
    .run = mysql_provider_run,
    .prepare = mysql_provider_prepare,
    .ask = mysql_provider_ask,
};
