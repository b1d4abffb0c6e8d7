/* SPDX-License-Identifier: MIT */

/*
 * A reader of ours on one core, gc on the other. Each run removes one group; where there is none to
 * remove, the reader reads on for as long as gc took.
 */

#include "sql_gc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUNDS = BENCH_ROUNDS_MIN,
    SAMPLES_MOST = 1000000,
    BUDGET = 65536,
    PAUSE_NS = 200000000, /* databases clear up behind a statement: before each run */
};

/* ---- gc ---- */

typedef uint64_t collect_fn(struct sql_site *site, int64_t now_ms);

static uint64_t collect_ours(struct sql_site *site, int64_t now_ms)
{
    struct ses_gc_step step = { .more = true };
    uint64_t removed = 0;
    while (step.more) {
        if (store_gc(site->store, now_ms, BUDGET, &step) != SES_OK)
            bench_fail("gc failed");
        removed += step.removed;
    }
    return removed;
}

static uint64_t collect_bare(struct sql_site *site, int64_t now_ms)
{
    const uint64_t most = (uint64_t)sql_engine.collected;
    uint64_t removed = 0, last = most;
    while (last == most) {
        last = sql_engine.collect(site->writer, now_ms, sql_engine.collected);
        removed += last;
    }
    return removed;
}

/* @return nanoseconds for all of the group. */
static uint64_t collect(struct sql_site *site, collect_fn *fn)
{
    const int64_t now_ms = sql_site_end_group(site);
    const uint64_t from_ns = bench_now_ns();
    if (fn(site, now_ms) < sql_site_group_rows(site))
        bench_fail("gc left what has ended");
    return bench_now_ns() - from_ns;
}

/* ---- the reader ---- */

struct reader {
    const struct sql_site *site;
    struct bench_share share;
    _Atomic bool done;
    double *samples;
    size_t count;
};

static void *read_on(void *arg)
{
    struct reader *reader = arg;
    const struct sql_site *site = reader->site;
    struct sql_walk walk = sql_walk_start(site, &reader->share, true);
    bench_pin(0);
    while (!atomic_load_explicit(&reader->done, memory_order_relaxed)) {
        struct ses_key key;
        struct ses_record record;
        sql_walk_next(&walk, &key);
        const uint64_t from_ns = bench_now_ns();
        if (store_load(site->store, &key, site->now_ms, &record) != SES_OK)
            bench_fail("a living session was not found");
        if (reader->count < SAMPLES_MOST)
            reader->samples[reader->count++] = (double)(bench_now_ns() - from_ns);
        (void)ses_blob_unref(record.data);
    }
    return NULL;
}

static void nap(uint64_t ns)
{
    const struct timespec time = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    (void)nanosleep(&time, NULL);
}

/* The reader's p99 beside gc, or without for as long as the last took. */
static double p99_beside(struct sql_site *site, struct reader *reader, collect_fn *fn)
{
    static uint64_t took_ns = 100000000;
    pthread_t id;
    nap(PAUSE_NS);
    reader->count = 0;
    reader->share.round++;
    atomic_store(&reader->done, false);
    if (pthread_create(&id, NULL, read_on, reader) != 0)
        bench_fail("cannot make a thread");
    if (fn)
        took_ns = collect(site, fn);
    else
        nap(took_ns);
    atomic_store(&reader->done, true);
    (void)pthread_join(id, NULL);
    return bench_quantile(reader->samples, reader->count, 0.99);
}

/* ---- the figures ---- */

static double each(struct sql_site *site, collect_fn *fn)
{
    nap(PAUSE_NS);
    return (double)collect(site, fn) / (double)sql_site_group_rows(site);
}

struct sql_gc_figures sql_gc_measure(struct sql_site *site)
{
    struct bench_round removed[ROUNDS], ours[ROUNDS], bare[ROUNDS];
    struct reader reader = { .site = site };
    reader.samples = bench_alloc(SAMPLES_MOST * sizeof *reader.samples);
    site->threads = 1;
    bench_pin(1);
    (void)p99_beside(site, &reader, collect_ours); /* tells how long it takes */
    (void)p99_beside(site, &reader, collect_bare);
    for (unsigned i = 0; i < ROUNDS; i++) {
        /* Each comes after the other as often as before it. */
        const bool first = i % 2 == 0;
        if (first)
            removed[i].ours = each(site, collect_ours);
        removed[i].floor = each(site, collect_bare);
        if (!first)
            removed[i].ours = each(site, collect_ours);
        ours[i].floor = bare[i].floor = p99_beside(site, &reader, NULL);
        bare[i].ours = p99_beside(site, &reader, collect_bare);
        ours[i].ours = p99_beside(site, &reader, collect_ours);
    }
    free(reader.samples);
    return (struct sql_gc_figures){
        .removed = bench_summarise(removed, ROUNDS),
        .reader = bench_summarise(ours, ROUNDS),
        .reader_bare = bench_summarise(bare, ROUNDS),
    };
}
