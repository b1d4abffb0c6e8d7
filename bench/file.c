/* SPDX-License-Identifier: MIT */

/*
 * The provider "file" beside the bare calls on the same files. Linked with the library's inside:
 * it is the provider alone that is measured here, without cookies and records around it. Prints a
 * line for each row as soon as it is known:
 *
 *     ROW NUMBER-OF-THREADS FLOOR OURS RATIO SPREAD
 */

#include "file_rows.h"
#include "file_work.h"
#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CREATES = 2000, RENAMES = 1000, GC_ROUNDS = 8, GC_ROUNDS_MIN = 3, GC_PATIENCE_S = 60 };

static void tell(enum file_row row, unsigned threads, const struct bench_result *result)
{
    printf("%d %u %.2f %.2f %.4f %.4f\n", row, threads, result->floor, result->ours, result->ratio,
           result->spread);
    (void)fflush(stdout);
}

struct pair {
    enum file_row row;
    bench_work_fn *floor, *ours;
    uint64_t operations;
};

static const struct pair pairs[] = {
    { FILE_READ, bare_read, ours_read, 0 },
    { FILE_READ_LEAST, bare_read_least, ours_read, 0 },
    { FILE_WRITE, bare_write, ours_write, 0 },
    { FILE_WRITE_LEAST, bare_write_least, ours_write, 0 },
    { FILE_WRITE_TIME, bare_write_time, ours_write, 0 },
    { FILE_WRITE_RENAMED, renamed_write, ours_write, RENAMES },
    { FILE_CREATE, bare_create, ours_create, CREATES },
};

static void measure(struct site *site, const struct pair *pair, unsigned threads, bool quick)
{
    const struct bench_plan plan = {
        .floor = pair->floor,
        .ours = pair->ours,
        .arg = site,
        .threads = threads,
        .operations = pair->operations / threads,
        .run_s = quick ? 0.05 : 0.2,
        .budget_s = quick ? 2 : 5,
    };
    site->threads = threads;
    const struct bench_result result = bench_measure(&plan);
    site->made += UINT64_C(1) << 40;
    tell(pair->row, threads, &result);
}

/* The two work from both ends of the same folders towards each other. What a slow disk leaves goes
 * with the folder. */
static void collect(struct site *site)
{
    struct bench_round rounds[GC_ROUNDS];
    unsigned folder = 256, count = 0;
    const uint64_t deadline = bench_now_ns() + UINT64_C(1000000000) * GC_PATIENCE_S;
    const uint64_t wanted = site->count / 2 / GC_ROUNDS;
    while (count < GC_ROUNDS && (count < GC_ROUNDS_MIN || bench_now_ns() < deadline)) {
        const uint64_t start = bench_now_ns();
        const uint64_t bare = bare_collect(site, &folder, wanted), middle = bench_now_ns();
        const uint64_t ours = ours_collect(site, wanted), end = bench_now_ns();
        if (bare < wanted / 2 || ours < wanted / 2)
            bench_fail("gc left what has ended");
        rounds[count++] = (struct bench_round){
            .floor = (double)(middle - start) / (double)bare,
            .ours = (double)(end - middle) / (double)ours,
        };
    }
    const struct bench_result result = bench_summarise(rounds, count);
    tell(FILE_GC, 1, &result);
}

struct work {
    uint64_t sessions;
    bool quick;
};

static void run(const char *folder, void *arg)
{
    const struct work *work = arg;
    static struct site site;
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/store", folder);
    site_open(&site, path, work->sessions);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        for (unsigned threads = 1; threads <= 2 && threads <= bench_cores(); threads++)
            measure(&site, &pairs[i], threads, work->quick);
    }
    bench_pin(0);
    collect(&site);
    site_close(&site);
}

int main(int argc, char **argv)
{
    struct work work = {
        .sessions = argc > 1 ? strtoull(argv[1], NULL, 10) : 0,
        .quick = argc > 2 && strcmp(argv[2], "--quick") == 0,
    };
    if (work.sessions < 1000)
        bench_fail("usage: sesame-bench-file SESSIONS [--quick]");
    (void)bench_cores(); /* known before anything is bound */
    return folder_with("file", run, &work);
}
