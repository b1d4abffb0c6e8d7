/* SPDX-License-Identifier: MIT */
/* One record: load, create, save, touch, destroy. */
#include "sql/job.h"

/* ---- load ---- */

struct finding {
    struct sql_job *job;
    const struct ses_key *key;
    struct ses_record record; /* without data: there is none */
};

static int take_record(void *arg, const struct sql_value *row)
{
    struct finding *finding = arg;
    if (finding->record.data)
        return SES_ERR_CORRUPT; /* two rows of one key */
    return sql_decode(finding->job, finding->key, row, &finding->record);
}

static int find(struct sql_job *job, const struct ses_key *key, struct ses_record *ret_record)
{
    struct finding finding = { .job = job, .key = key };
    int r = SQL_RUN(job, SQL_LOAD, take_record, &finding, sql_key(key));
    if (r == SES_OK && !finding.record.data)
        r = SES_ERR_NOT_FOUND;
    if (r == SES_OK)
        *ret_record = finding.record;
    else
        (void)ses_blob_unref(finding.record.data);
    return r;
}

int sql_load(struct sql *sql, const struct ses_key *key, struct ses_record *ret_record)
{
    struct sql_job job;
    const int r = sql_job_begin(sql, &sql->readers, &job);
    return r < 0 ? r : sql_job_end(&job, find(&job, key, ret_record));
}

/* ---- create ---- */

struct creating {
    const struct ses_key *key;
    int64_t now_ms;
    const struct ses_owner *owner; /* NULL: nobody's */
    const struct ses_record *record;
    uint32_t checksum;
};

static int check_limit(struct sql_job *job, const struct creating *creating)
{
    int64_t count = 0;
    if (!creating->owner || creating->owner->limit == 0)
        return SES_OK;
    const int r = SQL_RUN(job, SQL_COUNT_USER, sql_take_number, &count,
                          sql_key(&creating->owner->user), sql_number(creating->now_ms));
    if (r < 0)
        return r;
    return count < creating->owner->limit ? SES_OK : SES_ERR_DENIED;
}

static int insert(struct sql_job *job, const void *arg)
{
    const struct creating *creating = arg;
    const struct ses_record *record = creating->record;
    int r = check_limit(job, creating);
    if (r < 0)
        return r;
    r = SQL_RUN(job, SQL_INSERT, NULL, NULL, sql_key(creating->key),
                sql_number((int64_t)record->version), sql_number(record->expires_ms),
                sql_number(record->kind), sql_number(creating->checksum),
                sql_bytes(ses_blob_bytes(record->data)),
                creating->owner ? sql_key(&creating->owner->user) : sql_nothing(),
                sql_number(creating->now_ms));
    return r == SES_OK && job->changed == 0 ? SES_ERR_EXISTS : r;
}

int sql_create(struct sql *sql, const struct ses_key *key, int64_t now_ms,
               const struct ses_owner *owner, const struct ses_record *record)
{
    const struct creating creating = {
        .key = key,
        .now_ms = now_ms,
        .owner = ses_kind_is_live(record->kind) ? owner : NULL,
        .record = record,
        .checksum =
            sql_checksum(sql, key, record->version, record->kind, ses_blob_bytes(record->data)),
    };
    return sql_job_write(sql, insert, &creating);
}

/* ---- save and touch ---- */

/* Why an update found nothing to change: SES_ERR_CONFLICT with what is there, or not found. */
static int explain(struct sql_job *job, const struct ses_key *key, int64_t now_ms,
                   struct ses_record *ret_there)
{
    struct ses_record there = { 0 };
    const int r = find(job, key, &there);
    if (r < 0)
        return r;
    if (there.expires_ms <= now_ms) {
        (void)ses_blob_unref(there.data);
        return SES_ERR_NOT_FOUND;
    }
    *ret_there = there;
    return SES_ERR_CONFLICT;
}

static int update(struct sql_job *job, const void *arg)
{
    const struct sql_saving *saving = arg;
    const struct ses_record *record = saving->record;
    const struct ses_slice bytes = ses_blob_bytes(record->data);
    const uint32_t checksum =
        sql_checksum(job->sql, saving->key, record->version, record->kind, bytes);
    const int r = SQL_RUN(job, ses_kind_is_live(record->kind) ? SQL_SAVE : SQL_END, NULL, NULL,
                          sql_number((int64_t)record->version), sql_number(record->expires_ms),
                          sql_number(record->kind), sql_number(checksum), sql_bytes(bytes),
                          sql_key(saving->key), sql_number((int64_t)saving->expected),
                          sql_number(saving->now_ms));
    if (r < 0 || job->changed > 0)
        return r;
    return explain(job, saving->key, saving->now_ms, saving->ret_winner);
}

int sql_save(struct sql *sql, const struct sql_saving *saving)
{
    return sql_job_write(sql, update, saving);
}

struct touching {
    const struct ses_key *key;
    int64_t now_ms;
    uint64_t expected;
    int64_t expires_ms;
};

static int move_expiry(struct sql_job *job, const void *arg)
{
    const struct touching *touching = arg;
    struct ses_record there = { 0 };
    int r = SQL_RUN(job, SQL_TOUCH, NULL, NULL, sql_number(touching->expires_ms),
                    sql_key(touching->key), sql_number((int64_t)touching->expected),
                    sql_number(touching->now_ms));
    if (r < 0 || job->changed > 0)
        return r;
    r = explain(job, touching->key, touching->now_ms, &there);
    (void)ses_blob_unref(there.data);
    return r;
}

int sql_touch(struct sql *sql, const struct ses_key *key, int64_t now_ms, uint64_t expected,
              int64_t expires_ms)
{
    const struct touching touching = { key, now_ms, expected, expires_ms };
    return sql_job_write(sql, move_expiry, &touching);
}

/* ---- destroy ---- */

static int remove_row(struct sql_job *job, const void *arg)
{
    return SQL_RUN(job, SQL_DESTROY, NULL, NULL, sql_key(arg));
}

int sql_destroy(struct sql *sql, const struct ses_key *key)
{
    return sql_job_write(sql, remove_row, key);
}
