/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "cycles.h"
#include "report.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/*
 * What a reader waits for at worst while half of all sessions end at one instant and are collected
 * as fast as it goes, against the same reader in the same store a moment before. The reader is on
 * one core, the collector on another; each request is timed on its own.
 */

enum { MORTALS = 500000, LIVING = 500000, MORTAL_IDLE_S = 10, SAMPLES_MAX = 2000000 };

struct scene {
    struct population living;
    _Atomic int64_t now_ms;
    _Atomic bool done;
    unsigned round;
    double *samples; /* nanoseconds, of each request */
    size_t count;
    uint64_t collected;
    uint64_t window_ns; /* how long the collection took, and so how long it is read without one */
};

static int64_t scene_clock(void *arg)
{
    struct scene *scene = arg;
    return atomic_load_explicit(&scene->now_ms, memory_order_relaxed);
}

static void *read_on(void *arg)
{
    struct scene *scene = arg;
    bench_pin(0);
    struct walk walk = walk_start(&scene->living, 0, scene->round);
    uint64_t result = 0, before = bench_now_ns();
    scene->count = 0;
    while (!atomic_load_explicit(&scene->done, memory_order_relaxed)) {
        const struct visitor *visitor = &scene->living.visitors[walk_next(&walk, result)];
        if (cycles_read_one(scene->living.manager, visitor, &result) != SES_OK)
            bench_fail("a living session was not found");
        const uint64_t now = bench_now_ns();
        if (scene->count < SAMPLES_MAX)
            scene->samples[scene->count++] = (double)(now - before);
        before = now;
    }
    return NULL;
}

static void collect(struct scene *scene)
{
    const uint64_t from = bench_now_ns();
    if (ses_gc(scene->living.manager, 0, &scene->collected) != SES_OK)
        bench_fail("gc failed");
    scene->window_ns = bench_now_ns() - from;
}

static void idle(const struct scene *scene)
{
    const struct timespec window = {
        .tv_sec = (time_t)(scene->window_ns / 1000000000u),
        .tv_nsec = (long)(scene->window_ns % 1000000000u),
    };
    (void)nanosleep(&window, NULL);
}

static double reader_p999(struct scene *scene, bool expiring)
{
    pthread_t reader;
    atomic_store(&scene->done, false);
    if (pthread_create(&reader, NULL, read_on, scene) != 0)
        bench_fail("cannot make a thread");
    bench_pin(1);
    if (expiring) {
        atomic_fetch_add(&scene->now_ms, INT64_C(1000) * (MORTAL_IDLE_S + 1));
        collect(scene);
    } else {
        idle(scene);
    }
    atomic_store(&scene->done, true);
    (void)pthread_join(reader, NULL);
    return bench_quantile(scene->samples, scene->count, 0.999);
}

static struct bench_round run_round(struct scene *scene, unsigned round)
{
    scene->round = round;
    for (size_t i = 0; i < MORTALS; i++) {
        if (cycles_create(scene->living.manager, MORTAL_IDLE_S, NULL) != SES_OK)
            bench_fail("cannot create a session");
    }
    struct bench_round figures;
    figures.floor = reader_p999(scene, false);
    figures.ours = reader_p999(scene, true);
    if (scene->collected != MORTALS)
        bench_fail("%llu sessions were collected, not %d", (unsigned long long)scene->collected,
                   MORTALS);
    return figures;
}

static void populate(struct scene *scene)
{
    struct population *living = &scene->living;
    atomic_init(&scene->now_ms, 1000000000000);
    living->manager = cycles_manager("memory", scene_clock, scene);
    living->count = LIVING;
    living->visitors = bench_alloc(LIVING * sizeof *living->visitors);
    for (size_t i = 0; i < LIVING; i++) {
        if (cycles_create(living->manager, 0, &living->visitors[i]) != SES_OK)
            bench_fail("cannot create a session");
    }
}

void row_expiry(const struct options *options)
{
    (void)options;
    struct bench_round rounds[BENCH_ROUNDS_MIN];
    struct scene *scene = bench_alloc(sizeof *scene);
    scene->samples = bench_alloc(SAMPLES_MAX * sizeof *scene->samples);
    scene->window_ns = 100000000;
    populate(scene);
    (void)run_round(scene, 0); /* tells how long a collection takes */
    for (unsigned i = 0; i < BENCH_ROUNDS_MIN; i++)
        rounds[i] = run_round(scene, i + 1);
    const struct report_row row = {
        .name = "expiry (p99.9)",
        .sessions = LIVING + MORTALS,
        .threads = 1,
        .kind = REPORT_TIMES,
        .aim = 1.5,
        .digits = 0,
        .result = bench_summarise(rounds, BENCH_ROUNDS_MIN),
    };
    report_row(&row);
    population_free(&scene->living);
    free(scene->samples);
    free(scene);
}
