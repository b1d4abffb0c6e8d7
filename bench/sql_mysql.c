/* SPDX-License-Identifier: MIT */
#include "sql_server.h"

#include "sql/dialect.h"

#include <mysql.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct ses_provider_ops ses_provider_mysql;

enum { VALUES_MOST = 8, COLUMNS = 5, FILL_ROWS = 1000, FILL_ROW_ROOM = 2400 };

struct statement {
    MYSQL_STMT *handle;
    MYSQL_BIND values[VALUES_MOST];
    int64_t numbers[VALUES_MOST];
};

struct sql_bare {
    MYSQL *db;
    struct statement load, save, collect;
    struct ses_key key;
    struct sql_row row; /* what a load finds and what a save takes */
    unsigned long record_len;
    MYSQL_BIND columns[COLUMNS];
    char *text; /* a statement that inserts many */
    size_t text_len;
    unsigned filled;
};

/* ---- the server ---- */

static const char *socket_of(const struct sql_place *place)
{
    static char path[SQL_PATH + 8];
    (void)snprintf(path, sizeof path, "%s/sock", place->folder);
    return path;
}

static MYSQL *try_connect(const struct sql_place *place)
{
    MYSQL *db = mysql_init(NULL);
    if (db && mysql_real_connect(db, NULL, "root", NULL, NULL, 0, socket_of(place), 0))
        return db;
    mysql_close(db);
    return NULL;
}

static bool answers(const struct sql_place *place)
{
    MYSQL *db = try_connect(place);
    const bool made = db && mysql_query(db, "CREATE DATABASE IF NOT EXISTS test") == 0;
    mysql_close(db);
    return made;
}

static void start(struct sql_place *place)
{
    char data[SQL_PATH + 16], socket[SQL_PATH + 16], log[SQL_PATH + 16], temporary[SQL_PATH + 16];
    struct sql_words init = { 0 }, run = { 0 };
    (void)snprintf(place->config, sizeof place->config, "root@unix(%s)/test", socket_of(place));
    (void)snprintf(data, sizeof data, "--datadir=%s/data", place->folder);
    (void)snprintf(socket, sizeof socket, "--socket=%s", socket_of(place));
    (void)snprintf(log, sizeof log, "--log-error=%s/log", place->folder);
    (void)snprintf(temporary, sizeof temporary, "--tmpdir=%s", place->folder);
    sql_words_add(&init, "mariadb-install-db", "--no-defaults", data, temporary,
                  "--auth-root-authentication-method=normal", "--skip-test-db", NULL);
    sql_words_add(&run, "/usr/sbin/mariadbd", "--no-defaults", data, temporary, socket, log,
                  "--skip-networking", "--innodb-flush-log-at-trx-commit=2",
                  "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G",
                  "--innodb-log-file-buffering=ON", "--innodb-fast-shutdown=2",
                  "--table-open-cache=200", NULL);
    if (getuid() == 0) {
        sql_words_add(&init, "--user=root", NULL);
        sql_words_add(&run, "--user=root", NULL);
    }
    sql_server_prepare(&init);
    sql_server_start(&run, place, answers);
}

static void stop(void)
{
    sql_server_stop(SIGTERM);
}

/* ---- a connection ---- */

static void say(const struct sql_bare *bare, const char *text, size_t len)
{
    if (mysql_real_query(bare->db, text, len) != 0)
        bench_fail("mysql: %s", mysql_error(bare->db));
}

static void bind_number(MYSQL_BIND *bind, int64_t *number)
{
    *bind = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = number };
}

static void bind_bytes(MYSQL_BIND *bind, void *bytes, size_t size, unsigned long *len)
{
    *bind = (MYSQL_BIND){
        .buffer_type = MYSQL_TYPE_BLOB,
        .buffer = bytes,
        .buffer_length = size,
        .length = len,
    };
}

static void prepare(const struct sql_bare *bare, struct statement *statement, const char *text)
{
    statement->handle = mysql_stmt_init(bare->db);
    if (!statement->handle || mysql_stmt_prepare(statement->handle, text, strlen(text)) != 0)
        bench_fail("mysql: %s: %s", text, mysql_error(bare->db));
    if (mysql_stmt_bind_param(statement->handle, statement->values))
        bench_fail("mysql: %s", mysql_stmt_error(statement->handle));
}

static unsigned long key_len = SES_KEY_BYTES;

static void prepare_load(struct sql_bare *bare, const char *text)
{
    struct statement *load = &bare->load;
    int64_t *numbers[] = { &bare->row.version, &bare->row.expires_ms, &bare->row.kind,
                           &bare->row.checksum };
    bind_bytes(&load->values[0], bare->key.bytes, SES_KEY_BYTES, &key_len);
    prepare(bare, load, text);
    for (int i = 0; i < COLUMNS - 1; i++)
        bind_number(&bare->columns[i], numbers[i]);
    bind_bytes(&bare->columns[COLUMNS - 1], bare->row.record, sizeof bare->row.record,
               &bare->record_len);
    if (mysql_stmt_bind_result(load->handle, bare->columns))
        bench_fail("mysql: %s", mysql_stmt_error(load->handle));
}

static void prepare_save(struct sql_bare *bare, const char *text)
{
    struct statement *save = &bare->save;
    bind_number(&save->values[0], &bare->row.version);
    bind_number(&save->values[1], &bare->row.expires_ms);
    bind_number(&save->values[2], &bare->row.kind);
    bind_number(&save->values[3], &bare->row.checksum);
    bind_bytes(&save->values[4], bare->row.record, sizeof bare->row.record, &bare->record_len);
    bind_bytes(&save->values[5], bare->key.bytes, SES_KEY_BYTES, &key_len);
    bind_number(&save->values[6], &save->numbers[6]);
    bind_number(&save->values[7], &save->numbers[7]);
    prepare(bare, save, text);
}

/* The provider's own, too. */
static const char isolation[] = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

static struct sql_bare *bare_connect(const struct sql_place *place, char *const *texts)
{
    struct sql_bare *bare = bench_alloc(sizeof *bare);
    bare->db = try_connect(place);
    if (!bare->db || mysql_select_db(bare->db, "test") != 0)
        bench_fail("mysql: cannot connect");
    say(bare, isolation, sizeof isolation - 1);
    prepare_load(bare, texts[SQL_LOAD]);
    prepare_save(bare, texts[SQL_SAVE]);
    bind_number(&bare->collect.values[0], &bare->collect.numbers[0]);
    bind_number(&bare->collect.values[1], &bare->collect.numbers[1]);
    prepare(bare, &bare->collect, texts[SQL_COLLECT]);
    return bare;
}

static void bare_close(struct sql_bare *bare)
{
    (void)mysql_stmt_close(bare->load.handle);
    (void)mysql_stmt_close(bare->save.handle);
    (void)mysql_stmt_close(bare->collect.handle);
    mysql_close(bare->db);
    free(bare);
}

/* ---- statements ---- */

static void run(const struct statement *statement)
{
    if (mysql_stmt_execute(statement->handle) != 0)
        bench_fail("mysql: %s", mysql_stmt_error(statement->handle));
}

static bool bare_load(struct sql_bare *bare, const struct ses_key *key, struct sql_row *ret_row)
{
    bare->key = *key;
    run(&bare->load);
    const bool found = mysql_stmt_fetch(bare->load.handle) == 0;
    (void)mysql_stmt_free_result(bare->load.handle);
    if (found) {
        *ret_row = (struct sql_row){ .len = bare->record_len };
        ret_row->version = bare->row.version;
        ret_row->expires_ms = bare->row.expires_ms;
        ret_row->kind = bare->row.kind;
        ret_row->checksum = bare->row.checksum;
        memcpy(ret_row->record, bare->row.record, bare->record_len);
    }
    return found;
}

static bool bare_save(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row,
                      int64_t expected, int64_t now_ms)
{
    bare->key = *key;
    bare->row.version = row->version;
    bare->row.expires_ms = row->expires_ms;
    bare->row.kind = row->kind;
    bare->row.checksum = row->checksum;
    bare->record_len = row->len;
    memcpy(bare->row.record, row->record, row->len);
    bare->save.numbers[6] = expected;
    bare->save.numbers[7] = now_ms;
    run(&bare->save);
    return mysql_stmt_affected_rows(bare->save.handle) == 1;
}

static uint64_t bare_collect(struct sql_bare *bare, int64_t now_ms, int64_t most)
{
    bare->collect.numbers[0] = now_ms;
    bare->collect.numbers[1] = most;
    run(&bare->collect);
    return mysql_stmt_affected_rows(bare->collect.handle);
}

/* ---- filling: many rows in one statement ---- */

static void fill_begin(struct sql_bare *bare)
{
    bare->text = bench_alloc((size_t)FILL_ROWS * FILL_ROW_ROOM);
}

static void add_text(struct sql_bare *bare, const char *text)
{
    const size_t len = strlen(text);
    memcpy(bare->text + bare->text_len, text, len);
    bare->text_len += len;
}

static void add_hex(struct sql_bare *bare, const unsigned char *bytes, size_t len)
{
    bare->text_len += mysql_hex_string(bare->text + bare->text_len, (const char *)bytes, len);
}

static void flush(struct sql_bare *bare)
{
    if (bare->text_len > 0)
        say(bare, bare->text, bare->text_len);
    bare->text_len = 0;
}

static void fill_add(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row)
{
    char numbers[128];
    add_text(bare, bare->text_len > 0 ? ", (x'"
                                      : "INSERT INTO sesame_sessions (`key`, version, expires, "
                                        "kind, checksum, record) VALUES (x'");
    add_hex(bare, key->bytes, sizeof key->bytes);
    (void)snprintf(numbers, sizeof numbers, "', %lld, %lld, %lld, %lld, x'",
                   (long long)row->version, (long long)row->expires_ms, (long long)row->kind,
                   (long long)row->checksum);
    add_text(bare, numbers);
    add_hex(bare, row->record, row->len);
    add_text(bare, "')");
    if (++bare->filled % FILL_ROWS == 0)
        flush(bare);
}

static void fill_end(struct sql_bare *bare)
{
    static const char analyze[] = "ANALYZE TABLE sesame_sessions";
    flush(bare);
    say(bare, analyze, sizeof analyze - 1);
    mysql_free_result(mysql_store_result(bare->db));
    free(bare->text);
}

const struct sql_engine sql_engine = {
    .name = "mysql",
    .set = "MariaDB, unix socket, innodb_flush_log_at_trx_commit 2, innodb_log_file_buffering ON, "
           "buffer pool 1 GB, READ COMMITTED",
    .ops = &ses_provider_mysql,
    .collected = 1000,
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
