/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CACHE_LINE = 64, CALIBRATION_OPERATIONS = 2000 };

/* ---- small services ---- */

void bench_exit(int status)
{
    (void)fflush(NULL);
    _exit(status);
}

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    bench_exit(1);
}

void bench_fail_errno(const char *what)
{
    perror(what);
    bench_exit(1);
}

void *bench_alloc(size_t bytes)
{
    const size_t rounded = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *memory = aligned_alloc(CACHE_LINE, rounded);
    if (!memory)
        bench_fail("out of memory");
    return memset(memory, 0, rounded);
}

uint64_t bench_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Asked once, before any thread was bound. */
static const cpu_set_t *usable_cores(void)
{
    static cpu_set_t cores;
    static bool asked;
    if (!asked && sched_getaffinity(0, sizeof cores, &cores) != 0)
        bench_fail("cannot ask for the cores");
    asked = true;
    return &cores;
}

unsigned bench_cores(void)
{
    return (unsigned)CPU_COUNT(usable_cores());
}

void bench_pin(unsigned core)
{
    const cpu_set_t *usable = usable_cores();
    unsigned left = core % (unsigned)CPU_COUNT(usable);
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, usable) || left-- > 0)
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        (void)sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

/* ---- figures ---- */

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double bench_quantile(double *values, size_t count, double share)
{
    qsort(values, count, sizeof *values, compare_doubles);
    const double place = share * (double)(count - 1);
    const size_t below = (size_t)place, above = below + 1 < count ? below + 1 : below;
    return values[below] + (values[above] - values[below]) * (place - (double)below);
}

static double spread_of(double *values, unsigned count)
{
    const double median = bench_quantile(values, count, 0.5);
    const double range = bench_quantile(values, count, 0.75) - bench_quantile(values, count, 0.25);
    return median != 0 ? fabs(range / median) : 0;
}

struct bench_result bench_summarise(const struct bench_round *rounds, unsigned count)
{
    double floor[BENCH_ROUNDS_MAX], ours[BENCH_ROUNDS_MAX];
    double ratio[BENCH_ROUNDS_MAX], more[BENCH_ROUNDS_MAX];
    for (unsigned i = 0; i < count; i++) {
        floor[i] = rounds[i].floor;
        ours[i] = rounds[i].ours;
        ratio[i] = rounds[i].ours / rounds[i].floor;
        more[i] = rounds[i].ours - rounds[i].floor;
    }
    return (struct bench_result){
        .floor = bench_quantile(floor, count, 0.5),
        .ours = bench_quantile(ours, count, 0.5),
        .ratio = bench_quantile(ratio, count, 0.5),
        .more = bench_quantile(more, count, 0.5),
        .spread = spread_of(ratio, count),
        .more_spread = spread_of(more, count),
        .rounds = count,
    };
}

/* ---- one run ---- */

struct worker {
    bench_work_fn *work;
    void *arg;
    pthread_barrier_t *start;
    struct bench_share share;
    uint64_t from_ns, to_ns, failures;
};

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    bench_pin(worker->share.thread);
    (void)pthread_barrier_wait(worker->start);
    worker->from_ns = bench_now_ns();
    worker->failures = worker->work(worker->arg, &worker->share);
    worker->to_ns = bench_now_ns();
    return NULL;
}

/* From the first that starts to the last that ends. */
static uint64_t wall_ns(const struct worker *workers, unsigned count)
{
    uint64_t from = workers[0].from_ns, to = workers[0].to_ns;
    for (unsigned i = 0; i < count; i++) {
        if (workers[i].failures > 0)
            bench_fail("%llu operations failed", (unsigned long long)workers[i].failures);
        from = workers[i].from_ns < from ? workers[i].from_ns : from;
        to = workers[i].to_ns > to ? workers[i].to_ns : to;
    }
    return to - from;
}

/* Threads are made anew for each run: none of them holds on to what another run left behind. */
static double run_ns_per_operation(bench_work_fn *work, void *arg, unsigned threads,
                                   const struct bench_share *share)
{
    pthread_barrier_t start;
    pthread_t ids[BENCH_THREADS_MAX];
    struct worker workers[BENCH_THREADS_MAX] = { 0 };
    (void)pthread_barrier_init(&start, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){ work, arg, &start, *share, 0, 0, 0 };
        workers[i].share.thread = i;
        if (pthread_create(&ids[i], NULL, run_worker, &workers[i]) != 0)
            bench_fail("cannot make a thread");
    }
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(ids[i], NULL);
    (void)pthread_barrier_destroy(&start);
    return (double)wall_ns(workers, threads) / ((double)share->operations * threads);
}

static struct bench_round run_round(const struct bench_plan *plan, unsigned round,
                                    uint64_t operations)
{
    const struct bench_share share = { .round = round, .operations = operations };
    struct bench_round figures;
    figures.floor = run_ns_per_operation(plan->floor, plan->arg, plan->threads, &share);
    figures.ours = run_ns_per_operation(plan->ours, plan->arg, plan->threads, &share);
    return figures;
}

/* ---- all of them ---- */

/* Warms up, and finds how many operations make a run of the wanted length. */
static uint64_t warm_up(const struct bench_plan *plan)
{
    if (plan->operations > 0) {
        (void)run_round(plan, 0, plan->operations);
        return plan->operations;
    }
    uint64_t operations = CALIBRATION_OPERATIONS;
    for (unsigned i = 0; i < 3; i++) {
        const struct bench_round figures = run_round(plan, 0, operations);
        const double each = (figures.floor + figures.ours) / 2 * plan->threads;
        const double fitting = plan->run_s * 1e9 / each;
        operations = fitting > CALIBRATION_OPERATIONS ? (uint64_t)fitting : CALIBRATION_OPERATIONS;
    }
    return operations;
}

struct bench_result bench_measure(const struct bench_plan *plan)
{
    struct bench_round rounds[BENCH_ROUNDS_MAX];
    struct bench_result result = { 0 };
    const uint64_t operations = warm_up(plan);
    const uint64_t deadline = bench_now_ns() + (uint64_t)(plan->budget_s * 1e9);
    for (unsigned i = 0; i < BENCH_ROUNDS_MAX; i++) {
        rounds[i] = run_round(plan, i + 1, operations);
        if (i + 1 < BENCH_ROUNDS_MIN)
            continue;
        result = bench_summarise(rounds, i + 1);
        if (result.spread * 100 <= BENCH_NOISY_PERCENT / 2.0 || bench_now_ns() > deadline)
            break;
    }
    return result;
}
