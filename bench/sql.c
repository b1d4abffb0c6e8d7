/* SPDX-License-Identifier: MIT */

/*
 * A provider over SQL beside the bare prepared statements on as many connections, in a database
 * that this program starts for itself. Linked with the library's inside: it is the provider alone
 * that is measured here. Prints what it does after a "#", what is to be shown as it is after a "=",
 * and a line for each figure, as soon as it is known:
 *
 *     NUMBER-OF-THREADS FLOOR OURS RATIO SPREAD AIM NAME
 */

#include "folder.h"
#include "sql_gc.h"
#include "sql_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0.9 of the cycles per second that the bare statements do; and how much later a reader's answer
 * may come beside gc. */
#define CYCLE_AIM  (1 / 0.9)
#define READER_AIM 1.5

static void tell(const char *name, unsigned threads, const struct bench_result *result, double aim)
{
    printf("%u %.1f %.1f %.4f %.4f %.4f %s\n", threads, result->floor, result->ours, result->ratio,
           result->spread, aim, name);
    (void)fflush(stdout);
}

static void tell_of(const char *what, unsigned threads, const struct bench_result *result,
                    double aim)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s: %s", sql_engine.name, what);
    tell(name, threads, result, aim);
}

/* ---- cycles ---- */

static struct bench_result measure(struct sql_site *site, bench_work_fn *floor, bench_work_fn *ours,
                                   unsigned threads, bool quick)
{
    const struct bench_plan plan = {
        .floor = floor,
        .ours = ours,
        .arg = site,
        .threads = threads,
        .run_s = quick ? 0.1 : 0.3,
        .budget_s = quick ? 2 : 8,
    };
    site->threads = threads;
    return bench_measure(&plan);
}

static void tell_longest(struct sql_site *site, unsigned threads)
{
    const struct bench_round longest = sql_longest_saves(site);
    const struct bench_result result = bench_summarise(&longest, 1);
    tell("  longest save", threads, &result, 0);
}

/* The aim is for as many connections as ours. */
static void measure_saves(struct sql_site *site, unsigned threads, bool quick)
{
    const bool one = sql_engine.one_writer;
    struct bench_result result =
        measure(site, one ? sql_bare_save_in_turn : sql_bare_save, sql_ours_save, threads, quick);
    tell_of("load, save", threads, &result, CYCLE_AIM);
    tell_longest(site, threads);
    if (!one)
        return;
    result = measure(site, sql_bare_save, sql_ours_save, threads, quick);
    tell("  to one each", threads, &result, 0);
    tell_longest(site, threads);
}

static void measure_cycles(struct sql_site *site, bool quick)
{
    static const unsigned threads[] = { 1, 2, 8 };
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        const struct bench_result loads =
            measure(site, sql_bare_load, sql_ours_load, threads[i], quick);
        tell_of("load", threads[i], &loads, CYCLE_AIM);
    }
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        measure_saves(site, threads[i], quick);
}

/* ---- gc ---- */

static void measure_gc(struct sql_site *site)
{
    const struct sql_gc_figures figures = sql_gc_measure(site);
    tell_of("gc, each row", 1, &figures.removed, 0);
    tell("  a reader's p99", 1, &figures.reader, READER_AIM);
    tell("  beside bare gc", 1, &figures.reader_bare, 0);
    printf("= %s: gc removes %.0f rows a second, the bare statement %.0f\n", sql_engine.name,
           1e9 / figures.removed.ours, 1e9 / figures.removed.floor);
}

/* ---- all ---- */

struct work {
    uint64_t rows;
    bool quick;
};

static void run(const char *folder, void *arg)
{
    const struct work *work = arg;
    static struct sql_site site;
    printf("= %s: %s\n", sql_engine.name, sql_engine.set);
    sql_site_open(&site, folder, work->rows);
    measure_cycles(&site, work->quick);
    measure_gc(&site);
    sql_site_close(&site);
    printf("# end\n");
}

int main(int argc, char **argv)
{
    struct work work = {
        .rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 0,
        .quick = argc > 2 && strcmp(argv[2], "--quick") == 0,
    };
    if (work.rows < 1000)
        bench_fail("usage: sesame-bench-%s ROWS [--quick]", sql_engine.name);
    (void)bench_cores(); /* known before anything is bound */
    return folder_with(sql_engine.name, run, &work);
}
