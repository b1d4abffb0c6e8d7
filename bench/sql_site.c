/* SPDX-License-Identifier: MIT */
#include "sql_site.h"

#include "core/settings.h"
#include "sql/job.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t start_ms = 1900000000000, life_ms = 1000000000, round_ms = 10000000;

/* ---- names ---- */

static uint64_t scatter(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* In order, so that filling takes seconds and not minutes. */
static void key_of(const struct sql_site *site, uint64_t number, struct ses_key *ret_key)
{
    const uint64_t first = htobe64(UINT64_MAX / site->rows * number);
    memcpy(ret_key->bytes, &first, sizeof first);
    for (uint64_t i = 1; i < SES_KEY_BYTES / 8; i++) {
        const uint64_t word = scatter(number * 4 + i);
        memcpy(ret_key->bytes + 8 * i, &word, sizeof word);
    }
}

/* ---- which ---- */

struct sql_walk sql_walk_start(const struct sql_site *site, const struct bench_share *share,
                               bool ours)
{
    const uint64_t run = ((uint64_t)share->round * 2 + ours) * BENCH_THREADS_MAX + share->thread;
    return (struct sql_walk){
        .site = site,
        .state = scatter(run) | 1,
        .each = site->rows / 4 / site->threads,
        .step = 4 * (uint64_t)site->threads,
        .first = 4 * (uint64_t)share->thread + (ours ? 0 : 2),
    };
}

void sql_walk_next(struct sql_walk *walk, struct ses_key *ret_key)
{
    uint64_t x = walk->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    walk->state = x;
    key_of(walk->site, (((x >> 32) * walk->each) >> 32) * walk->step + walk->first, ret_key);
}

int64_t sql_site_expiry(const struct sql_site *site, const struct bench_share *share, uint64_t i)
{
    return site->now_ms + life_ms + share->round * round_ms + (int64_t)i;
}

int64_t sql_site_end_group(struct sql_site *site)
{
    if (site->groups == SQL_GROUPS)
        bench_fail("no more groups");
    return site->now_ms + ++site->groups;
}

uint64_t sql_site_group_rows(const struct sql_site *site)
{
    return site->rows / 2 / SQL_GROUPS;
}

static int64_t first_expiry(const struct sql_site *site, uint64_t number)
{
    const uint64_t half = (uint64_t)life_ms / 2;
    if (number % 2 == 1)
        return site->now_ms + 1 + (int64_t)(number / 2 % SQL_GROUPS);
    return site->now_ms + (int64_t)(half + scatter(number) % half);
}

/* ---- the provider ---- */

static struct sql *sql_of(const struct sql_site *site)
{
    return store_instance(site->store);
}

static void open_store(struct sql_site *site)
{
    static const struct store_hooks silent;
    const struct ses_provider_ops *ops = sql_engine.ops;
    struct ses_error error;
    if (store_prepare(ops, &silent, &site->store) != SES_OK)
        bench_fail("no provider \"%s\"", ops->name);
    site->settings = json_pack("{s:b, s:i, s:i}", "createTable", 1, "poolSize", SQL_THREADS_MOST,
                               "budgetMs", 60000);
    const struct settings_table table = { ops->settings, store_instance(site->store) };
    if (settings_read(site->settings, &table, 1, &error) != SES_OK)
        bench_fail("%s", error.message);
    if (store_open(site->store, site->place.config) != SES_OK)
        bench_fail("cannot open %s", site->place.config);
}

/* ---- the bare connections ---- */

static void open_bare(struct sql_site *site)
{
    char *const *texts = sql_of(site)->texts;
    site->of_thread = bench_alloc(SQL_THREADS_MOST * sizeof *site->of_thread);
    for (unsigned i = 0; i < SQL_THREADS_MOST; i++)
        site->of_thread[i].bare = sql_engine.connect(&site->place, texts);
    site->writer = sql_engine.connect(&site->place, texts);
    (void)pthread_mutex_init(&site->mutex, NULL);
}

static void close_bare(struct sql_site *site)
{
    for (unsigned i = 0; i < SQL_THREADS_MOST; i++)
        sql_engine.close(site->of_thread[i].bare);
    sql_engine.close(site->writer);
    free(site->of_thread);
    (void)pthread_mutex_destroy(&site->mutex);
}

/* ---- what is in it ---- */

static void make_blobs(struct sql_site *site)
{
    unsigned char bytes[SQL_RECORD];
    for (unsigned b = 0; b < SQL_BLOBS; b++) {
        for (unsigned i = 0; i < SQL_RECORD; i++)
            bytes[i] = (unsigned char)scatter((uint64_t)b * SQL_RECORD + i);
        site->blobs[b] = ses_blob_new((struct ses_slice){ bytes, sizeof bytes });
        if (!site->blobs[b])
            bench_fail("out of memory");
    }
}

static void fill_one(const struct sql_site *site, uint64_t number)
{
    const struct ses_slice bytes = ses_blob_bytes(site->blobs[0]);
    struct ses_key key;
    key_of(site, number, &key);
    struct sql_row row = {
        .version = 1,
        .expires_ms = first_expiry(site, number),
        .kind = SES_KIND_SESSION,
        .checksum = sql_checksum(sql_of(site), &key, 1, SES_KIND_SESSION, bytes),
        .len = bytes.len,
    };
    memcpy(row.record, bytes.data, bytes.len);
    sql_engine.fill_add(site->writer, &key, &row);
}

static void fill(const struct sql_site *site)
{
    sql_engine.fill_begin(site->writer);
    for (uint64_t i = 0; i < site->rows; i++) {
        fill_one(site, i);
        if (i % 100000 == 0) {
            printf("# %llu rows\n", (unsigned long long)i);
            (void)fflush(stdout);
        }
    }
    sql_engine.fill_end(site->writer);
}

void sql_site_open(struct sql_site *site, const char *folder, uint64_t rows)
{
    *site = (struct sql_site){ .now_ms = start_ms, .rows = rows };
    if (snprintf(site->place.folder, SQL_PATH, "%s", folder) >= SQL_PATH)
        bench_fail("the path of %s is too long", folder);
    sql_engine.start(&site->place);
    make_blobs(site);
    open_store(site);
    open_bare(site);
    fill(site);
    sync(); /* so that the disk is not busy with it while others are measured */
}

void sql_site_close(struct sql_site *site)
{
    close_bare(site);
    store_close(site->store);
    json_decref(site->settings);
    for (unsigned i = 0; i < SQL_BLOBS; i++)
        (void)ses_blob_unref(site->blobs[i]);
    sql_engine.stop();
}
