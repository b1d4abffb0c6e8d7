/* SPDX-License-Identifier: MIT */
/* One record within a transaction of the application, which begins, ends and repeats it. */
#include "sql/records.h"

static int begin(struct sql *sql, void *connection, struct sql_job *job)
{
    *job = (struct sql_job){ .sql = sql, .deadline = sql_deadline(sql) };
    return sql->dialect->borrow(sql, connection, &job->connection);
}

static int end(struct sql_job *job, int r)
{
    const int code = r == SQL_AGAIN ? SES_ERR_CONFLICT : r;
    if (code != SES_OK && job->connection->why[0] != '\0')
        (void)ses_provider_fail(job->sql->host, code, "%s", job->connection->why);
    job->sql->dialect->give_back(job->connection);
    return code;
}

int sql_load_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                    struct ses_record *ret_record)
{
    struct sql_job job;
    (void)now_ms;
    const int r = begin(self, connection, &job);
    return r < 0 ? r : end(&job, sql_find_row(&job, SQL_LOAD_LOCKED, key, ret_record));
}

int sql_create_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                      const struct ses_record *record)
{
    struct sql_job job;
    const struct sql_creating creating = { .key = key, .now_ms = now_ms, .record = record };
    const int r = begin(self, connection, &job);
    return r < 0 ? r : end(&job, sql_insert_row(&job, &creating));
}

int sql_save_within(void *self, void *connection, const struct ses_key *key, int64_t now_ms,
                    uint64_t expected, const struct ses_record *record)
{
    struct sql_job job;
    const struct sql_saving saving = { key, now_ms, expected, record };
    int r = begin(self, connection, &job);
    if (r < 0)
        return r;
    r = sql_save_row(&job, &saving);
    return end(&job, r == SES_OK && job.changed == 0 ? SES_ERR_NOT_FOUND : r);
}
