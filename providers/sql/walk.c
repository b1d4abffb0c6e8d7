/* SPDX-License-Identifier: MIT */
/* The whole store: gc, count, iterate, list, ping. */
#include "sql/job.h"

#include <stdlib.h>

enum {
    PAGE_MOST = 64,

    /* Rows that gc removes in one transaction. Where there is one writer at a time all others wait
     * for that; elsewhere a few rows wait, and each batch passes again by what the one before has
     * left in the index. */
    COLLECT_ALONE = 100,
    COLLECT_BESIDE = 1000,
};

/* ---- gc ---- */

struct collecting {
    int64_t now_ms;
    uint32_t most;
    uint64_t *ret_removed;
};

static int collect_batch(struct sql_job *job, const struct collecting *collecting)
{
    const int r = SQL_RUN(job, SQL_COLLECT, NULL, NULL, sql_number(collecting->now_ms),
                          sql_number(collecting->most));
    if (r < 0)
        return r == SES_ERR_FULL ? SES_ERR_UNAVAILABLE : r;
    *collecting->ret_removed = job->changed;
    return SES_OK;
}

/* Where another process collects, this one leaves it to it. */
static int collect(struct sql_job *job, const void *arg)
{
    int64_t mine = 1;
    int r = SQL_ASK(job, SQL_COLLECT_LOCK, &mine);
    if (r < 0 || !mine)
        return r;
    r = collect_batch(job, arg);
    const int unlocked = SQL_RUN_PLAIN(job, SQL_COLLECT_UNLOCK);
    return r < 0 ? r : unlocked;
}

/* Between two batches the connection is given back, so whoever waits for it comes first. */
int sql_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    const struct sql *sql = self;
    const uint32_t batch = sql->dialect->one_writer ? COLLECT_ALONE : COLLECT_BESIDE;
    struct ses_gc_step step = { .more = true };
    while (step.more && budget > 0) {
        uint64_t removed = 0;
        const struct collecting collecting = { now_ms, budget < batch ? budget : batch, &removed };
        const int r = sql_job_write(self, collect, &collecting);
        if (r < 0)
            return r;
        step.removed += removed;
        step.more = removed == collecting.most;
        budget -= collecting.most;
    }
    *ret_step = step;
    return SES_OK;
}

/* ---- count and ping ---- */

int sql_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    struct sql *sql = self;
    struct sql_job job;
    int64_t count = 0;
    int r = sql_job_begin(sql, sql->readers, &job);
    if (r < 0)
        return r;
    r = sql_job_end(&job, SQL_RUN(&job, SQL_COUNT, sql_take_number, &count, sql_number(now_ms)));
    if (r == SES_OK)
        *ret_count = (uint64_t)count;
    return r;
}

int sql_ping(void *self)
{
    struct sql *sql = self;
    struct sql_job job;
    int64_t version;
    const int r = sql_job_begin(sql, sql->readers, &job);
    return r < 0 ? r : sql_job_end(&job, SQL_ASK(&job, SQL_PING, &version));
}

/* ---- records to be shown, once the connection is given back ---- */

struct shown {
    struct ses_key key;
    struct ses_record record;
};

struct shelf {
    struct sql_job *job;
    struct shown *all;
    size_t count, room;
};

static void shelf_empty(struct shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++)
        (void)ses_blob_unref(shelf->all[i].record.data);
    shelf->count = 0;
}

static void shelf_free(struct shelf *shelf)
{
    shelf_empty(shelf);
    free(shelf->all);
}

static bool shelf_grow(struct shelf *shelf)
{
    if (shelf->count < shelf->room)
        return true;
    const size_t room = shelf->room ? shelf->room * 2 : PAGE_MOST;
    struct shown *all = reallocarray(shelf->all, room, sizeof *all);
    if (!all)
        return false;
    shelf->all = all;
    shelf->room = room;
    return true;
}

static int put_on_shelf(void *arg, const struct sql_value *row)
{
    enum { KEY = 5 };
    struct shelf *shelf = arg;
    if (!shelf_grow(shelf))
        return SES_ERR_NO_MEMORY;
    struct shown *shown = &shelf->all[shelf->count];
    if (row[KEY].type != SQL_BYTES || row[KEY].bytes.len != SES_KEY_BYTES)
        return SES_ERR_CORRUPT;
    memcpy(shown->key.bytes, row[KEY].bytes.data, SES_KEY_BYTES);
    const int r = sql_decode(shelf->job, &shown->key, row, &shown->record);
    shelf->count += r == SES_OK;
    return r;
}

static int show(const struct shelf *shelf, ses_record_fn *fn, void *arg)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < shelf->count; i++)
        r = fn(arg, &shelf->all[i].key, &shelf->all[i].record);
    return r;
}

/* ---- list and iterate ---- */

/* One statement, so they stand together as they did at one moment. */
int sql_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct sql *sql = self;
    struct sql_job job;
    struct shelf shelf = { .job = &job };
    int r = sql_job_begin(sql, sql->readers, &job);
    if (r < 0)
        return r;
    r = SQL_RUN(&job, SQL_LIST, put_on_shelf, &shelf, sql_key(user), sql_number(now_ms));
    r = sql_job_end(&job, r);
    if (r == SES_OK)
        r = show(&shelf, fn, arg);
    shelf_free(&shelf);
    return r;
}

static int read_page(struct sql *sql, struct ses_slice after, int64_t now_ms, struct shelf *shelf)
{
    int r = sql_job_begin(sql, sql->readers, shelf->job);
    if (r < 0)
        return r;
    r = SQL_RUN(shelf->job, SQL_PAGE, put_on_shelf, shelf, sql_bytes(after), sql_number(now_ms),
                sql_number(PAGE_MOST));
    return sql_job_end(shelf->job, r);
}

int sql_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct sql_job job;
    struct shelf shelf = { .job = &job };
    struct ses_key last = { { 0 } };
    struct ses_slice after = { "", 0 };
    bool more = true;
    int r = SES_OK;
    while (r == SES_OK && more) {
        r = read_page(self, after, now_ms, &shelf);
        if (r == SES_OK)
            r = show(&shelf, fn, arg);
        more = shelf.count == PAGE_MOST;
        if (more)
            last = shelf.all[PAGE_MOST - 1].key;
        after = (struct ses_slice){ last.bytes, sizeof last.bytes };
        shelf_empty(&shelf);
    }
    shelf_free(&shelf);
    return r;
}
