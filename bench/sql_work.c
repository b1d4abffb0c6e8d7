/* SPDX-License-Identifier: MIT */
#include "sql_work.h"

#include <string.h>

static void note_time(uint64_t *longest_ns, uint64_t from_ns)
{
    const uint64_t took_ns = bench_now_ns() - from_ns;
    if (took_ns > *longest_ns)
        *longest_ns = took_ns;
}

struct bench_round sql_longest_saves(struct sql_site *site)
{
    struct bench_round longest = { 0 };
    for (unsigned i = 0; i < SQL_THREADS_MOST; i++) {
        struct sql_thread *thread = &site->of_thread[i];
        const double bare = (double)thread->longest_bare_ns, ours = (double)thread->longest_ours_ns;
        longest.floor = bare > longest.floor ? bare : longest.floor;
        longest.ours = ours > longest.ours ? ours : longest.ours;
        thread->longest_bare_ns = thread->longest_ours_ns = 0;
    }
    return longest;
}

/* ---- ours ---- */

uint64_t sql_ours_load(void *arg, const struct bench_share *share)
{
    const struct sql_site *site = arg;
    struct sql_walk walk = sql_walk_start(site, share, true);
    uint64_t failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        struct ses_record record = { 0 };
        sql_walk_next(&walk, &key);
        failures += store_load(site->store, &key, site->now_ms, &record) != SES_OK ||
                    ses_blob_bytes(record.data).len != SQL_RECORD;
        (void)ses_blob_unref(record.data);
    }
    return failures;
}

/* 0: saved. */
static uint64_t change_ours(const struct sql_site *site, struct sql_thread *thread,
                            const struct ses_key *key, int64_t expires_ms)
{
    struct ses_record old = { 0 }, winner = { 0 };
    if (store_load(site->store, key, site->now_ms, &old) != SES_OK)
        return 1;
    const struct ses_record record = {
        .data = site->blobs[old.version % SQL_BLOBS],
        .version = old.version + 1,
        .expires_ms = expires_ms,
        .kind = old.kind,
    };
    const uint64_t from_ns = bench_now_ns();
    const int r = store_save(site->store, key, site->now_ms, old.version, &record, &winner);
    note_time(&thread->longest_ours_ns, from_ns);
    (void)ses_blob_unref(old.data);
    (void)ses_blob_unref(winner.data);
    return r != SES_OK;
}

uint64_t sql_ours_save(void *arg, const struct bench_share *share)
{
    const struct sql_site *site = arg;
    struct sql_walk walk = sql_walk_start(site, share, true);
    uint64_t failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        sql_walk_next(&walk, &key);
        failures += change_ours(site, &site->of_thread[share->thread], &key,
                                sql_site_expiry(site, share, i));
    }
    return failures;
}

/* ---- bare ---- */

uint64_t sql_bare_load(void *arg, const struct bench_share *share)
{
    const struct sql_site *site = arg;
    struct sql_thread *thread = &site->of_thread[share->thread];
    struct sql_walk walk = sql_walk_start(site, share, false);
    uint64_t failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        sql_walk_next(&walk, &key);
        failures +=
            !sql_engine.load(thread->bare, &key, &thread->row) || thread->row.len != SQL_RECORD;
    }
    return failures;
}

typedef bool save_fn(struct sql_site *site, struct sql_thread *thread, const struct ses_key *key);

static bool save_alone(struct sql_site *site, struct sql_thread *thread, const struct ses_key *key)
{
    return sql_engine.save(thread->bare, key, &thread->row, thread->row.version - 1, site->now_ms);
}

static bool save_in_turn(struct sql_site *site, struct sql_thread *thread,
                         const struct ses_key *key)
{
    (void)pthread_mutex_lock(&site->mutex);
    const bool saved =
        sql_engine.save(site->writer, key, &thread->row, thread->row.version - 1, site->now_ms);
    (void)pthread_mutex_unlock(&site->mutex);
    return saved;
}

static uint64_t change_bare(struct sql_site *site, struct sql_thread *thread,
                            const struct ses_key *key, int64_t expires_ms, save_fn *save)
{
    struct sql_row *row = &thread->row;
    if (!sql_engine.load(thread->bare, key, row))
        return 1;
    const struct ses_slice bytes = ses_blob_bytes(site->blobs[row->version % SQL_BLOBS]);
    memcpy(row->record, bytes.data, bytes.len);
    row->version++;
    row->expires_ms = expires_ms;
    const uint64_t from_ns = bench_now_ns();
    const bool saved = save(site, thread, key);
    note_time(&thread->longest_bare_ns, from_ns);
    return !saved;
}

static uint64_t change_all_bare(struct sql_site *site, const struct bench_share *share,
                                save_fn *save)
{
    struct sql_walk walk = sql_walk_start(site, share, false);
    uint64_t failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        sql_walk_next(&walk, &key);
        failures += change_bare(site, &site->of_thread[share->thread], &key,
                                sql_site_expiry(site, share, i), save);
    }
    return failures;
}

uint64_t sql_bare_save(void *arg, const struct bench_share *share)
{
    return change_all_bare(arg, share, save_alone);
}

uint64_t sql_bare_save_in_turn(void *arg, const struct bench_share *share)
{
    return change_all_bare(arg, share, save_in_turn);
}
