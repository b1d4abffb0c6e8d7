/* SPDX-License-Identifier: MIT */
#include "sql.h"

#include "sql/dialect.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct ses_provider_ops ses_provider_sqlite;

enum { PATIENCE_MS = 60000, FILL_ROWS = 10000 };

struct sql_bare {
    sqlite3 *db;
    sqlite3_stmt *load, *save, *collect, *insert;
    unsigned filled;
};

static void start(struct sql_place *place)
{
    (void)snprintf(place->config, sizeof place->config, "%s/sessions.db", place->folder);
}

static void stop(void)
{
}

/* ---- a connection ---- */

static void say(const struct sql_bare *bare, const char *text)
{
    if (sqlite3_exec(bare->db, text, NULL, NULL, NULL) != SQLITE_OK)
        bench_fail("sqlite: %s: %s", text, sqlite3_errmsg(bare->db));
}

static sqlite3_stmt *prepare(const struct sql_bare *bare, const char *text)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(bare->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK)
        bench_fail("sqlite: %s: %s", text, sqlite3_errmsg(bare->db));
    return statement;
}

static struct sql_bare *bare_connect(const struct sql_place *place, char *const *texts)
{
    struct sql_bare *bare = bench_alloc(sizeof *bare);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(place->config, &bare->db, flags, NULL) != SQLITE_OK)
        bench_fail("sqlite cannot open %s", place->config);
    (void)sqlite3_busy_timeout(bare->db, PATIENCE_MS);
    say(bare, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    bare->load = prepare(bare, texts[SQL_LOAD]);
    bare->save = prepare(bare, texts[SQL_SAVE]);
    bare->collect = prepare(bare, texts[SQL_COLLECT]);
    bare->insert = prepare(bare, texts[SQL_INSERT]);
    return bare;
}

static void bare_close(struct sql_bare *bare)
{
    (void)sqlite3_finalize(bare->load);
    (void)sqlite3_finalize(bare->save);
    (void)sqlite3_finalize(bare->collect);
    (void)sqlite3_finalize(bare->insert);
    (void)sqlite3_close(bare->db);
    free(bare);
}

/* ---- statements ---- */

static void bind_key(sqlite3_stmt *statement, int at, const struct ses_key *key)
{
    (void)sqlite3_bind_blob(statement, at, key->bytes, sizeof key->bytes, SQLITE_STATIC);
}

static void bind_row(sqlite3_stmt *statement, int first, const struct sql_row *row)
{
    (void)sqlite3_bind_int64(statement, first, row->version);
    (void)sqlite3_bind_int64(statement, first + 1, row->expires_ms);
    (void)sqlite3_bind_int64(statement, first + 2, row->kind);
    (void)sqlite3_bind_int64(statement, first + 3, row->checksum);
    (void)sqlite3_bind_blob(statement, first + 4, row->record, (int)row->len, SQLITE_STATIC);
}

static void run(const struct sql_bare *bare, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        bench_fail("sqlite: %s", sqlite3_errmsg(bare->db));
    (void)sqlite3_reset(statement);
}

static bool bare_load(struct sql_bare *bare, const struct ses_key *key, struct sql_row *ret_row)
{
    sqlite3_stmt *statement = bare->load;
    bind_key(statement, 1, key);
    const bool found = sqlite3_step(statement) == SQLITE_ROW;
    if (found) {
        ret_row->version = sqlite3_column_int64(statement, 0);
        ret_row->expires_ms = sqlite3_column_int64(statement, 1);
        ret_row->kind = sqlite3_column_int64(statement, 2);
        ret_row->checksum = sqlite3_column_int64(statement, 3);
        const void *record = sqlite3_column_blob(statement, 4);
        ret_row->len = (size_t)sqlite3_column_bytes(statement, 4);
        memcpy(ret_row->record, record, ret_row->len);
    }
    (void)sqlite3_reset(statement);
    return found;
}

static bool bare_save(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row,
                      int64_t expected, int64_t now_ms)
{
    bind_row(bare->save, 1, row);
    bind_key(bare->save, 6, key);
    (void)sqlite3_bind_int64(bare->save, 7, expected);
    (void)sqlite3_bind_int64(bare->save, 8, now_ms);
    run(bare, bare->save);
    return sqlite3_changes(bare->db) == 1;
}

static uint64_t bare_collect(struct sql_bare *bare, int64_t now_ms, int64_t most)
{
    (void)sqlite3_bind_int64(bare->collect, 1, now_ms);
    (void)sqlite3_bind_int64(bare->collect, 2, most);
    run(bare, bare->collect);
    return (uint64_t)sqlite3_changes(bare->db);
}

/* ---- filling ---- */

static void fill_begin(struct sql_bare *bare)
{
    say(bare, "PRAGMA cache_size = -200000; BEGIN");
}

static void fill_add(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row)
{
    bind_key(bare->insert, 1, key);
    bind_row(bare->insert, 2, row);
    run(bare, bare->insert);
    if (++bare->filled % FILL_ROWS == 0)
        say(bare, "COMMIT; BEGIN");
}

static void fill_end(struct sql_bare *bare)
{
    say(bare, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = -2000");
}

const struct sql_engine sql_engine = {
    .name = "sqlite",
    .set = "write-ahead log, durability normal",
    .ops = &ses_provider_sqlite,
    .one_writer = true,
    .collected = 100,
    .start = start,
    .stop = stop,
    .connect = bare_connect,
    .close = bare_close,
    .fill_begin = fill_begin,
    .fill_add = fill_add,
    .fill_end = fill_end,
    .load = bare_load,
    .save = bare_save,
    .collect = bare_collect,
};
