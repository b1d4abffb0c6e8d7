/* SPDX-License-Identifier: MIT */
#include "sql_server.h"

#include "sql/dialect.h"

#include <endian.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct ses_provider_ops ses_provider_postgres;

enum { BINARY = 1, VALUES_MOST = 8, COPY_ROOM = 1 << 16, COPY_COLUMNS = 6 };

struct sql_bare {
    PGconn *pg;
    size_t copied;
    unsigned char copy[COPY_ROOM];
};

/* ---- the server ---- */

/* It refuses to run as root. */
static void add_user(struct sql_words *words, const char *folder)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
    const struct passwd *user = getuid() == 0 ? getpwnam("postgres") : NULL;
    if (!user)
        return;
    if (chown(folder, user->pw_uid, user->pw_gid) != 0)
        bench_fail_errno(folder);
    sql_words_add(words, "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                  "--pdeathsig=QUIT", NULL);
}

/* Of the newest, or by PATH. */
static const char *program(const char *name, char path[SQL_PATH])
{
    glob_t found;
    char pattern[64];
    (void)snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
    const bool any = glob(pattern, 0, NULL, &found) == 0;
    (void)snprintf(path, SQL_PATH, "%s", any ? found.gl_pathv[found.gl_pathc - 1] : name);
    if (any)
        globfree(&found);
    return path;
}

static bool answers(const struct sql_place *place)
{
    return PQping(place->config) == PQPING_OK;
}

static void start(struct sql_place *place)
{
    char path[SQL_PATH], data[SQL_PATH + 8];
    struct sql_words init = { 0 }, run = { 0 };
    (void)snprintf(place->config, sizeof place->config, "host=%s dbname=postgres user=postgres",
                   place->folder);
    (void)snprintf(data, sizeof data, "%s/data", place->folder);
    add_user(&init, place->folder);
    sql_words_add(&init, program("initdb", path), "-D", data, "-U", "postgres", "-E", "UTF8", "-A",
                  "trust", "--no-locale", "--no-sync", NULL);
    sql_server_prepare(&init);
    add_user(&run, place->folder);
    sql_words_add(&run, program("postgres", path), "-D", data, "-k", place->folder, "-h", "", "-c",
                  "synchronous_commit=off", "-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB",
                  "-c", "dynamic_shared_memory_type=mmap", "-c", "log_min_messages=panic", NULL);
    sql_server_start(&run, place, answers);
}

static void stop(void)
{
    sql_server_stop(SIGINT);
}

/* ---- a connection ---- */

static void check(const struct sql_bare *bare, PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN)
        bench_fail("postgres: %s", PQerrorMessage(bare->pg));
}

static void say(const struct sql_bare *bare, const char *text)
{
    PGresult *result = PQexec(bare->pg, text);
    check(bare, result);
    PQclear(result);
}

static void prepare(const struct sql_bare *bare, const char *name, const char *text)
{
    PGresult *result = PQprepare(bare->pg, name, text, 0, NULL);
    check(bare, result);
    PQclear(result);
}

static struct sql_bare *bare_connect(const struct sql_place *place, char *const *texts)
{
    struct sql_bare *bare = bench_alloc(sizeof *bare);
    bare->pg = PQconnectdb(place->config);
    if (PQstatus(bare->pg) != CONNECTION_OK)
        bench_fail("postgres: %s", PQerrorMessage(bare->pg));
    prepare(bare, "load", texts[SQL_LOAD]);
    prepare(bare, "save", texts[SQL_SAVE]);
    prepare(bare, "collect", texts[SQL_COLLECT]);
    return bare;
}

static void bare_close(struct sql_bare *bare)
{
    PQfinish(bare->pg);
    free(bare);
}

/* ---- statements ---- */

struct values {
    const char *bytes[VALUES_MOST];
    int lens[VALUES_MOST];
    uint64_t numbers[VALUES_MOST];
    int count;
};

static void add_bytes(struct values *values, const void *bytes, size_t len)
{
    values->bytes[values->count] = bytes;
    values->lens[values->count++] = (int)len;
}

static void add_number(struct values *values, int64_t number)
{
    uint64_t *at = &values->numbers[values->count];
    *at = htobe64((uint64_t)number);
    add_bytes(values, at, sizeof *at);
}

static PGresult *run(const struct sql_bare *bare, const char *name, const struct values *values)
{
    static const int binary[VALUES_MOST] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    PGresult *result =
        PQexecPrepared(bare->pg, name, values->count, values->bytes, values->lens, binary, BINARY);
    check(bare, result);
    return result;
}

static int64_t number_at(const PGresult *result, int column)
{
    uint64_t number;
    memcpy(&number, PQgetvalue(result, 0, column), sizeof number);
    return (int64_t)be64toh(number);
}

static int64_t short_at(const PGresult *result, int column)
{
    uint16_t number;
    memcpy(&number, PQgetvalue(result, 0, column), sizeof number);
    return be16toh(number);
}

static void take_row(const PGresult *result, struct sql_row *ret_row)
{
    ret_row->version = number_at(result, 0);
    ret_row->expires_ms = number_at(result, 1);
    ret_row->kind = short_at(result, 2);
    ret_row->checksum = number_at(result, 3);
    ret_row->len = (size_t)PQgetlength(result, 0, 4);
    memcpy(ret_row->record, PQgetvalue(result, 0, 4), ret_row->len);
}

static bool bare_load(struct sql_bare *bare, const struct ses_key *key, struct sql_row *ret_row)
{
    struct values values = { .count = 0 };
    add_bytes(&values, key->bytes, sizeof key->bytes);
    PGresult *result = run(bare, "load", &values);
    const bool found = PQntuples(result) == 1;
    if (found)
        take_row(result, ret_row);
    PQclear(result);
    return found;
}

static uint64_t rows_changed(PGresult *result)
{
    const uint64_t rows = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return rows;
}

static bool bare_save(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row,
                      int64_t expected, int64_t now_ms)
{
    struct values values = { .count = 0 };
    add_number(&values, row->version);
    add_number(&values, row->expires_ms);
    add_number(&values, row->kind);
    add_number(&values, row->checksum);
    add_bytes(&values, row->record, row->len);
    add_bytes(&values, key->bytes, sizeof key->bytes);
    add_number(&values, expected);
    add_number(&values, now_ms);
    return rows_changed(run(bare, "save", &values)) == 1;
}

static uint64_t bare_collect(struct sql_bare *bare, int64_t now_ms, int64_t most)
{
    struct values values = { .count = 0 };
    add_number(&values, now_ms);
    add_number(&values, most);
    return rows_changed(run(bare, "collect", &values));
}

/* ---- filling: COPY in its binary form ---- */

static void flush(struct sql_bare *bare)
{
    if (PQputCopyData(bare->pg, (const char *)bare->copy, (int)bare->copied) != 1)
        bench_fail("postgres: %s", PQerrorMessage(bare->pg));
    bare->copied = 0;
}

static void put(struct sql_bare *bare, const void *bytes, size_t len)
{
    if (bare->copied + len > COPY_ROOM)
        flush(bare);
    memcpy(bare->copy + bare->copied, bytes, len);
    bare->copied += len;
}

static void put_short(struct sql_bare *bare, int number)
{
    const uint16_t big = htobe16((uint16_t)number);
    put(bare, &big, sizeof big);
}

static void put_field(struct sql_bare *bare, const void *bytes, size_t len)
{
    const uint32_t big = htobe32((uint32_t)len);
    put(bare, &big, sizeof big);
    put(bare, bytes, len);
}

static void put_number(struct sql_bare *bare, int64_t number)
{
    const uint64_t big = htobe64((uint64_t)number);
    put_field(bare, &big, sizeof big);
}

static void fill_begin(struct sql_bare *bare)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* and a NUL as the last */
    say(bare, "COPY sesame_sessions (key, version, expires, kind, checksum, record) "
              "FROM STDIN (FORMAT binary)");
    put(bare, head, sizeof head);
}

static void fill_add(struct sql_bare *bare, const struct ses_key *key, const struct sql_row *row)
{
    const uint16_t kind = htobe16((uint16_t)row->kind);
    put_short(bare, COPY_COLUMNS);
    put_field(bare, key->bytes, sizeof key->bytes);
    put_number(bare, row->version);
    put_number(bare, row->expires_ms);
    put_field(bare, &kind, sizeof kind);
    put_number(bare, row->checksum);
    put_field(bare, row->record, row->len);
}

static void fill_end(struct sql_bare *bare)
{
    put_short(bare, -1);
    flush(bare);
    if (PQputCopyEnd(bare->pg, NULL) != 1)
        bench_fail("postgres: %s", PQerrorMessage(bare->pg));
    for (PGresult *result; (result = PQgetResult(bare->pg)) != NULL; PQclear(result))
        check(bare, result);
    say(bare, "VACUUM ANALYZE sesame_sessions");
    say(bare, "CHECKPOINT");
}

const struct sql_engine sql_engine = {
    .name = "postgres",
    .set = "unix socket, synchronous_commit off, shared_buffers 1 GB, max_wal_size 4 GB",
    .ops = &ses_provider_postgres,
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
