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
    return sql_decode(finding->job, finding->key, row, &finding->record);
}

static int find(struct sql_job *job, const struct ses_key *key, struct ses_record *ret_record)
{
    struct finding finding = { .job = job, .key = key };
    const struct sql_value value = sql_key(key);
    struct sql_call call = {
        .statement = SQL_LOAD,
        .values = &value,
        .count = 1,
        .fn = take_record,
        .arg = &finding,
        .one_row = true,
    };
    const int r = sql_job_run(job, &call);
    if (r < 0)
        return r;
    if (!finding.record.data)
        return SES_ERR_NOT_FOUND;
    *ret_record = finding.record;
    return SES_OK;
}

/* What has expired is handed over, too: the caller tells it from what never was. */
int sql_load(void *self, const struct ses_key *key, int64_t now_ms, struct ses_record *ret_record)
{
    struct sql *sql = self;
    struct sql_job job;
    (void)now_ms;
    const int r = sql_job_begin(sql, sql->readers, &job);
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

static int insert(struct sql_job *job, const void *arg)
{
    const struct creating *creating = arg;
    const struct ses_record *record = creating->record;
    const int r = SQL_RUN(job, SQL_INSERT, NULL, NULL, sql_key(creating->key),
                          sql_number((int64_t)record->version), sql_number(record->expires_ms),
                          sql_number(record->kind), sql_number(creating->checksum),
                          sql_bytes(ses_blob_bytes(record->data)),
                          creating->owner ? sql_key(&creating->owner->user) : sql_nothing(),
                          sql_number(creating->now_ms));
    return r == SES_OK && job->changed == 0 ? SES_ERR_EXISTS : r;
}

static int insert_if_allowed(struct sql_job *job, const void *arg)
{
    const struct creating *creating = arg;
    int64_t count = 0;
    int r = SQL_RUN(job, SQL_LOCK_USER, NULL, NULL, sql_key(&creating->owner->user));
    if (r == SES_OK)
        r = SQL_RUN(job, SQL_COUNT_USER, sql_take_number, &count, sql_key(&creating->owner->user),
                    sql_number(creating->now_ms));
    if (r < 0)
        return r;
    return count < creating->owner->limit ? insert(job, arg) : SES_ERR_DENIED;
}

int sql_create(void *self, const struct ses_key *key, int64_t now_ms, const struct ses_owner *owner,
               const struct ses_record *record)
{
    struct sql *sql = self;
    const struct creating creating = {
        .key = key,
        .now_ms = now_ms,
        .owner = ses_kind_is_live(record->kind) ? owner : NULL,
        .record = record,
        .checksum =
            sql_checksum(sql, key, record->version, record->kind, ses_blob_bytes(record->data)),
    };
    if (creating.owner && owner->limit > 0)
        return sql_job_transact(sql, insert_if_allowed, &creating);
    return sql_job_write(sql, insert, &creating);
}

/* ---- save and touch ---- */

struct saving {
    const struct ses_key *key;
    int64_t now_ms;
    uint64_t expected;
    const struct ses_record *record;
    struct ses_record *ret_winner;
};

struct changing {
    const struct saving *saving; /* record: NULL, or */
    int64_t expires_ms;          /* a touch up to then */
    uint32_t checksum;
};

static int save_row(struct sql_job *job, const struct changing *changing)
{
    const struct saving *saving = changing->saving;
    const struct ses_record *record = saving->record;
    return SQL_RUN(job, ses_kind_is_live(record->kind) ? SQL_SAVE : SQL_END, NULL, NULL,
                   sql_number((int64_t)record->version), sql_number(record->expires_ms),
                   sql_number(record->kind), sql_number(changing->checksum),
                   sql_bytes(ses_blob_bytes(record->data)), sql_key(saving->key),
                   sql_number((int64_t)saving->expected), sql_number(saving->now_ms));
}

static int touch_row(struct sql_job *job, const struct changing *changing)
{
    const struct saving *saving = changing->saving;
    return SQL_RUN(job, SQL_TOUCH, NULL, NULL, sql_number(changing->expires_ms),
                   sql_key(saving->key), sql_number((int64_t)saving->expected),
                   sql_number(saving->now_ms));
}

static int change_row(struct sql_job *job, const struct changing *changing)
{
    return changing->saving->record ? save_row(job, changing) : touch_row(job, changing);
}

/* Why there was nothing to change: SES_ERR_CONFLICT with what is there, or not found. */
static int explain(struct sql_job *job, const struct saving *saving)
{
    struct ses_record there = { 0 };
    const int r = find(job, saving->key, &there);
    if (r < 0)
        return r;
    if (there.expires_ms > saving->now_ms && saving->ret_winner) {
        *saving->ret_winner = there;
        return SES_ERR_CONFLICT;
    }
    (void)ses_blob_unref(there.data);
    return there.expires_ms > saving->now_ms ? SES_ERR_CONFLICT : SES_ERR_NOT_FOUND;
}

static int change(struct sql_job *job, const void *arg)
{
    const struct changing *changing = arg;
    const int r = change_row(job, changing);
    return r < 0 || job->changed > 0 ? r : explain(job, changing->saving);
}

int sql_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
             const struct ses_record *record, struct ses_record *ret_winner)
{
    struct sql *sql = self;
    const struct saving saving = { key, now_ms, expected, record, ret_winner };
    const struct changing changing = {
        .saving = &saving,
        .checksum =
            sql_checksum(sql, key, record->version, record->kind, ses_blob_bytes(record->data)),
    };
    return sql_job_write(sql, change, &changing);
}

int sql_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
              int64_t expires_ms)
{
    const struct saving saving = { .key = key, .now_ms = now_ms, .expected = expected };
    const struct changing changing = { .saving = &saving, .expires_ms = expires_ms };
    return sql_job_write(self, change, &changing);
}

/* ---- destroy ---- */

static int remove_row(struct sql_job *job, const void *arg)
{
    return SQL_RUN(job, SQL_DESTROY, NULL, NULL, sql_key(arg));
}

int sql_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    (void)now_ms; /* what has expired may go as well */
    return sql_job_write(self, remove_row, key);
}
