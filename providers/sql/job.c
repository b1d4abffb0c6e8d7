/* SPDX-License-Identifier: MIT */
#include "sql/job.h"

#include <endian.h>
#include <stdio.h>

int sql_job_begin(struct sql *sql, struct pool *pool, struct sql_job *job)
{
    char why[SQL_WHY_ROOM];
    *job = (struct sql_job){ .sql = sql, .pool = pool, .deadline = sql_deadline(sql) };
    job->connection = (struct sql_connection *)pool_take(pool, job->deadline, why, sizeof why);
    return job->connection ? SES_OK : ses_provider_fail(sql->host, SES_ERR_UNAVAILABLE, "%s", why);
}

/* Whoever waits too long for a row that another has locked does not make the server a lost one. */
static enum pool_verdict verdict_of(const struct sql_connection *connection, int code)
{
    if (code == SQL_AGAIN)
        return POOL_SPOILT;
    if (code == SES_ERR_UNAVAILABLE)
        return connection->answered ? POOL_SPOILT : POOL_FAILED;
    return ses_is_failure(code) ? POOL_SPOILT : POOL_ANSWERED;
}

/* The connection is another thread's as soon as it is given back, and a hook may take its time. */
int sql_job_end(struct sql_job *job, int r)
{
    const int code = r == SQL_AGAIN ? SES_ERR_UNAVAILABLE : r;
    char why[SQL_WHY_ROOM] = "";
    if (r != SES_OK && job->connection->why[0] != '\0') {
        (void)snprintf(why, sizeof why, "%s", job->connection->why);
        job->connection->why[0] = '\0';
    }
    pool_give(job->pool, &job->connection->pooled, verdict_of(job->connection, r));
    if (why[0] != '\0')
        (void)ses_provider_fail(job->sql->host, code, "%s", why);
    return code;
}

int sql_job_run(struct sql_job *job, struct sql_call *call)
{
    if (!job->sql->texts[call->statement])
        return SES_OK;
    call->deadline = job->deadline;
    const int r = job->sql->dialect->run(job->connection, call);
    job->changed = call->changed;
    return r;
}

/* ---- writing ---- */

int sql_within_transaction(struct sql_job *job, sql_write_fn *fn, const void *arg)
{
    int r = SQL_RUN_PLAIN(job, SQL_BEGIN);
    if (r < 0)
        return r;
    r = fn(job, arg);
    if (r == SES_OK)
        r = SQL_RUN_PLAIN(job, SQL_COMMIT);
    if (r != SES_OK && SQL_RUN_PLAIN(job, SQL_ROLLBACK) < 0)
        return SES_ERR_UNAVAILABLE; /* no connection for anybody else */
    return r;
}

static int by_itself(struct sql_job *job, sql_write_fn *fn, const void *arg)
{
    return fn(job, arg);
}

typedef int attempt_fn(struct sql_job *job, sql_write_fn *fn, const void *arg);

/* Whoever lost a deadlock had to let the other go first, so the next attempt finds other rows. */
static int write_until_done(struct sql *sql, attempt_fn *attempt, sql_write_fn *fn, const void *arg)
{
    struct sql_job job;
    int r = sql_job_begin(sql, sql->writers, &job);
    if (r < 0)
        return r;
    const struct deadline deadline = job.deadline; /* what is done may set the job's anew */
    do
        r = attempt(&job, fn, arg);
    while (r == SQL_AGAIN && !deadline_passed(deadline));
    return sql_job_end(&job, r);
}

int sql_job_write(struct sql *sql, sql_write_fn *fn, const void *arg)
{
    return write_until_done(sql, by_itself, fn, arg);
}

int sql_job_transact(struct sql *sql, sql_write_fn *fn, const void *arg)
{
    return write_until_done(sql, sql_within_transaction, fn, arg);
}

/* ---- rows ---- */

uint32_t sql_checksum(const struct sql *sql, const struct ses_key *key, uint64_t version,
                      enum ses_kind kind, struct ses_slice bytes)
{
    const uint64_t little = htole64(version);
    unsigned char head[SES_KEY_BYTES + sizeof little + 1];
    memcpy(head, key->bytes, SES_KEY_BYTES);
    memcpy(head + SES_KEY_BYTES, &little, sizeof little);
    head[sizeof head - 1] = (unsigned char)kind;
    return crc_of(&sql->crc, crc_of(&sql->crc, 0, head, sizeof head), bytes.data, bytes.len);
}

enum { VERSION, EXPIRES, KIND, CHECKSUM, RECORD };

static bool row_checks(const struct sql *sql, const struct ses_key *key,
                       const struct sql_value *row)
{
    for (int i = VERSION; i < RECORD; i++) {
        if (row[i].type != SQL_NUMBER)
            return false;
    }
    return row[RECORD].type == SQL_BYTES && row[VERSION].number != 0 &&
           row[KIND].number >= SES_KIND_SESSION && row[KIND].number <= SES_KIND_TOKEN &&
           row[CHECKSUM].number == sql_checksum(sql, key, (uint64_t)row[VERSION].number,
                                                (enum ses_kind)row[KIND].number, row[RECORD].bytes);
}

int sql_decode(struct sql_job *job, const struct ses_key *key, const struct sql_value *row,
               struct ses_record *ret_record)
{
    if (!row_checks(job->sql, key, row)) {
        (void)snprintf(job->connection->why, SQL_WHY_ROOM, "a row does not check");
        return SES_ERR_CORRUPT;
    }
    ses_blob *data = ses_blob_new(row[RECORD].bytes);
    if (!data)
        return SES_ERR_NO_MEMORY;
    *ret_record = (struct ses_record){
        .data = data,
        .version = (uint64_t)row[VERSION].number,
        .expires_ms = row[EXPIRES].number,
        .kind = (enum ses_kind)row[KIND].number,
    };
    return SES_OK;
}

int sql_take_number(void *arg, const struct sql_value *columns)
{
    int64_t *number = arg;
    if (columns[0].type != SQL_NUMBER)
        return SES_ERR_CORRUPT;
    *number = columns[0].number;
    return SES_OK;
}
