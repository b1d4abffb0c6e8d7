/* SPDX-License-Identifier: MIT */
#include "sql/schema.h"

#include "sql/job.h"

#include <stdio.h>
#include <stdlib.h>

enum { PREFIX_MOST = 32, LOCK_MOST_MS = 10000, MIGRATION_MOST_MS = 3600000 };

const char *sql_prefix_problem(const char *prefix)
{
    const size_t len = strlen(prefix);
    if (len == 0 || len > PREFIX_MOST ||
        strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_") != len ||
        (prefix[0] >= '0' && prefix[0] <= '9'))
        return "\"tablePrefix\" has to be 1 to 32 of a-z, 0-9 and _, and begin with none of 0-9";
    return NULL;
}

char *sql_text(const struct sql *sql, const char *text)
{
    char *made = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&made, &size);
    if (!to)
        return NULL;
    for (; *text; text++) {
        if (*text == '@')
            (void)fputs(sql->table_prefix, to);
        else
            (void)fputc(*text, to);
    }
    if (fclose(to) == 0)
        return made;
    free(made);
    return NULL;
}

/* ---- asking ---- */

static int ask(struct sql_job *job, const char *template, int64_t *ret_number)
{
    char *text = sql_text(job->sql, template);
    if (!text)
        return SES_ERR_NO_MEMORY;
    const int r = job->sql->dialect->ask(job->connection, text, job->deadline, ret_number);
    free(text);
    return r;
}

/* 0: there are none. */
static int read_version(struct sql_job *job, int64_t *ret_version)
{
    int64_t exists = 0;
    *ret_version = 0;
    int r = ask(job, job->sql->dialect->table_exists, &exists);
    if (r == SES_OK && exists) {
        *ret_version = -1;
        r = ask(job, "SELECT version FROM @schema", ret_version);
    }
    return r;
}

/* ---- making ---- */

static int refuse(struct sql_job *job, int code, const char *what)
{
    (void)snprintf(job->connection->why, SQL_WHY_ROOM, "%s", what);
    return code;
}

static int step_to(struct sql_job *job, int version)
{
    char text[64];
    int64_t ignored;
    int r = SES_OK;
    for (const char *const *at = job->sql->dialect->steps[version - 1].texts; r == SES_OK && *at;
         at++)
        r = ask(job, *at, &ignored);
    (void)snprintf(text, sizeof text, "UPDATE @schema SET version = %d", version);
    return r == SES_OK ? ask(job, text, &ignored) : r;
}

/* Under the lock, so another process may have done it meanwhile. Where a database cannot undo the
 * making of tables, another process may have been killed between @schema and its row. */
static int migrate(struct sql_job *job, const void *arg)
{
    int64_t version;
    (void)arg;
    int r = read_version(job, &version);
    if (version < 0 && job->sql->dialect->steps_by_piece)
        version = 0;
    if (r < 0 || version < 0 || version >= job->sql->dialect->version)
        return r;
    job->deadline = deadline_in(MIGRATION_MOST_MS); /* a large table takes its time */
    for (int next = (int)version + 1; r == SES_OK && next <= job->sql->dialect->version; next++)
        r = step_to(job, next);
    return r;
}

/* Of those that start at once all but one wait, for longer than a request would. */
static int lock_schema(struct sql_job *job, int64_t *ret_mine)
{
    *ret_mine = 1;
    if (!job->sql->dialect->schema_lock)
        return SES_OK;
    job->deadline = deadline_in(LOCK_MOST_MS);
    return ask(job, job->sql->dialect->schema_lock, ret_mine);
}

static int migrate_alone(struct sql_job *job, const void *arg)
{
    const struct sql_dialect *dialect = job->sql->dialect;
    int64_t mine, ignored;
    int r = lock_schema(job, &mine);
    if (r == SES_OK && mine != 1)
        r = refuse(job, SES_ERR_UNAVAILABLE, "another process is making the tables");
    if (r < 0)
        return r;
    job->deadline = sql_deadline(job->sql);
    r = sql_within_transaction(job, migrate, arg);
    const int unlocked =
        dialect->schema_unlock ? ask(job, dialect->schema_unlock, &ignored) : SES_OK;
    return r < 0 ? r : unlocked;
}

/* ---- looking ---- */

static int judge(struct sql_job *job, int64_t version)
{
    const int known = job->sql->dialect->version;
    char what[SQL_WHY_ROOM];
    if (version == known)
        return SES_OK;
    if (version == 0)
        (void)snprintf(what, sizeof what,
                       "there is no table %ssessions: \"createTable\": true makes it",
                       job->sql->table_prefix);
    else if (version > 0 && version < known)
        (void)snprintf(what, sizeof what,
                       "the table %ssessions is of version %lld: \"createTable\": true brings it "
                       "forward to %d",
                       job->sql->table_prefix, (long long)version, known);
    else
        (void)snprintf(what, sizeof what,
                       "the table %ssessions is of version %lld, and this build knows %d",
                       job->sql->table_prefix, (long long)version, known);
    return refuse(job, SES_ERR_INVALID, what);
}

/* A table of another shape is found out by the statements. */
static int prepare_all(struct sql_job *job)
{
    int r = SES_OK;
    for (int i = 0; r == SES_OK && i < SQL_STATEMENTS; i++) {
        if (job->sql->texts[i])
            r = job->sql->dialect->prepare(job->connection, (enum sql_statement)i);
    }
    if (r == SES_ERR_INVALID) {
        char what[SQL_WHY_ROOM];
        (void)snprintf(what, sizeof what, "the table %ssessions cannot be used as it is: %.120s",
                       job->sql->table_prefix, job->connection->why);
        r = refuse(job, SES_ERR_INVALID, what);
    }
    return r;
}

static int look(struct sql *sql)
{
    struct sql_job job;
    int64_t version;
    int r = sql_job_begin(sql, sql->writers, &job);
    if (r < 0)
        return r;
    r = read_version(&job, &version);
    if (r == SES_OK)
        r = judge(&job, version);
    if (r == SES_OK)
        r = prepare_all(&job);
    return sql_job_end(&job, r);
}

int sql_schema_prepare(struct sql *sql)
{
    const int r = sql->create_table ? sql_job_write(sql, migrate_alone, NULL) : SES_OK;
    return r < 0 ? r : look(sql);
}
