/* SPDX-License-Identifier: MIT */
/* One record: load, create, save, touch, destroy. */
#include "sql/records.h"

static struct sql_value checksum_of(const struct sql_job *job, const struct ses_key *key,
                                    const struct ses_record *record)
{
    return sql_number(
        sql_checksum(job->sql, key, record->version, record->kind, ses_blob_bytes(record->data)));
}

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

int sql_find_row(struct sql_job *job, enum sql_statement statement, const struct ses_key *key,
                 struct ses_record *ret_record)
{
    struct finding finding = { .job = job, .key = key };
    const struct sql_value value = sql_key(key);
    struct sql_call call = {
        .statement = statement,
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
    return r < 0 ? r : sql_job_end(&job, sql_find_row(&job, SQL_LOAD, key, ret_record));
}

/* ---- create ---- */

int sql_insert_row(struct sql_job *job, const struct sql_creating *creating)
{
    const struct ses_record *record = creating->record;
    const int r = SQL_RUN(job, SQL_INSERT, NULL, NULL, sql_key(creating->key),
                          sql_number((int64_t)record->version), sql_number(record->expires_ms),
                          sql_number(record->kind), checksum_of(job, creating->key, record),
                          sql_bytes(ses_blob_bytes(record->data)),
                          creating->owner ? sql_key(&creating->owner->user) : sql_nothing(),
                          sql_number(creating->now_ms));
    return r == SES_OK && job->changed == 0 ? SES_ERR_EXISTS : r;
}

static int insert(struct sql_job *job, const void *arg)
{
    return sql_insert_row(job, arg);
}

static int insert_if_allowed(struct sql_job *job, const void *arg)
{
    const struct sql_creating *creating = arg;
    int64_t count = 0;
    int r = SQL_RUN(job, SQL_LOCK_USER, NULL, NULL, sql_key(&creating->owner->user));
    if (r == SES_OK)
        r = SQL_RUN(job, SQL_COUNT_USER, sql_take_number, &count, sql_key(&creating->owner->user),
                    sql_number(creating->now_ms));
    if (r < 0)
        return r;
    return count < creating->owner->limit ? sql_insert_row(job, creating) : SES_ERR_DENIED;
}

int sql_create(void *self, const struct ses_key *key, int64_t now_ms, const struct ses_owner *owner,
               const struct ses_record *record)
{
    const struct sql_creating creating = {
        .key = key,
        .now_ms = now_ms,
        .owner = ses_kind_is_live(record->kind) ? owner : NULL,
        .record = record,
    };
    if (creating.owner && owner->limit > 0)
        return sql_job_transact(self, insert_if_allowed, &creating);
    return sql_job_write(self, insert, &creating);
}

/* ---- save and touch ---- */

int sql_save_row(struct sql_job *job, const struct sql_saving *saving)
{
    const struct ses_record *record = saving->record;
    return SQL_RUN(job, ses_kind_is_live(record->kind) ? SQL_SAVE : SQL_END, NULL, NULL,
                   sql_number((int64_t)record->version), sql_number(record->expires_ms),
                   sql_number(record->kind), checksum_of(job, saving->key, record),
                   sql_bytes(ses_blob_bytes(record->data)), sql_key(saving->key),
                   sql_number((int64_t)saving->expected), sql_number(saving->now_ms));
}

struct changing {
    struct sql_saving saving; /* record: NULL, or */
    int64_t expires_ms;       /* a touch up to then */
    struct ses_record *ret_winner;
};

static int touch_row(struct sql_job *job, const struct changing *changing)
{
    const struct sql_saving *saving = &changing->saving;
    return SQL_RUN(job, SQL_TOUCH, NULL, NULL, sql_number(changing->expires_ms),
                   sql_key(saving->key), sql_number((int64_t)saving->expected),
                   sql_number(saving->now_ms));
}

/* The very row that was to be changed is not what kept it from being changed: it was about to be
 * removed, and is shown once more, or has come alive by a touch. */
static int judge(const struct changing *changing, const struct ses_record *there)
{
    if (there->expires_ms <= changing->saving.now_ms)
        return SES_ERR_NOT_FOUND;
    return there->version == changing->saving.expected ? SQL_AGAIN : SES_ERR_CONFLICT;
}

/* Why there was nothing to change: SES_ERR_CONFLICT with what is there, or not found. */
static int explain(struct sql_job *job, const struct changing *changing)
{
    struct ses_record there = { 0 };
    int r = sql_find_row(job, SQL_LOAD, changing->saving.key, &there);
    if (r < 0)
        return r;
    r = judge(changing, &there);
    if (r == SES_ERR_CONFLICT && changing->ret_winner)
        *changing->ret_winner = there;
    else
        (void)ses_blob_unref(there.data);
    return r;
}

static int change(struct sql_job *job, const void *arg)
{
    const struct changing *changing = arg;
    const int r =
        changing->saving.record ? sql_save_row(job, &changing->saving) : touch_row(job, changing);
    return r < 0 || job->changed > 0 ? r : explain(job, changing);
}

int sql_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
             const struct ses_record *record, struct ses_record *ret_winner)
{
    const struct changing changing = {
        .saving = { key, now_ms, expected, record },
        .ret_winner = ret_winner,
    };
    return sql_job_write(self, change, &changing);
}

int sql_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
              int64_t expires_ms)
{
    const struct changing changing = {
        .saving = { key, now_ms, expected, NULL },
        .expires_ms = expires_ms,
    };
    return sql_job_write(self, change, &changing);
}

/* ---- destroy ---- */

/* Even that takes room, in a log. */
static int remove_row(struct sql_job *job, const void *arg)
{
    const int r = SQL_RUN(job, SQL_DESTROY, NULL, NULL, sql_key(arg));
    return r == SES_ERR_FULL ? SES_ERR_UNAVAILABLE : r;
}

int sql_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    (void)now_ms; /* what has expired may go as well */
    return sql_job_write(self, remove_row, key);
}
