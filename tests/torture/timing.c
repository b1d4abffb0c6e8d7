/* SPDX-License-Identifier: MIT */
#include "torture/timing.h"

#include "torture/torture.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

/* How many of a batch stay: interruptions hide a small difference among all, and a difference that
 * is in the slow ones alone is lost among the fast. */
static const double shares[TIMING_CROPS] = { 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 };

enum { CROP_TOLD = 4 };

/* Of a class, before its part in a crop counts. */
enum { COUNT_MIN = 100 };

/* ---- statistics ---- */

static void moments_add(struct moments *moments, double value)
{
    const double from_old = value - moments->mean;
    moments->count++;
    moments->mean += from_old / moments->count;
    moments->squares += from_old * (value - moments->mean);
}

static double error_of(const struct moments *moments)
{
    return moments->squares / (moments->count - 1) / moments->count;
}

/* Welch's. */
static double t_of(const struct moments pair[2])
{
    if (pair[0].count < COUNT_MIN || pair[1].count < COUNT_MIN)
        return 0;
    const double difference = pair[0].mean - pair[1].mean;
    const double error = sqrt(error_of(&pair[0]) + error_of(&pair[1]));
    if (error > 0)
        return difference / error;
    return difference == 0 ? 0 : copysign(INFINITY, difference);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The thresholds, and the median that is taken from each, are the batch's own, of both classes
 * together: so a machine that gets slower meanwhile only adds batches that are alike. */
void timing_add(struct timing *timing, const double *ticks, const unsigned char *classes,
                size_t count)
{
    double sorted[TIMING_BATCH];
    if (count == 0 || count > TIMING_BATCH)
        return;
    memcpy(sorted, ticks, count * sizeof *ticks);
    qsort(sorted, count, sizeof *sorted, compare);
    const double median = sorted[(count - 1) / 2];
    for (size_t crop = 0; crop < TIMING_CROPS; crop++) {
        const double most = sorted[(size_t)((double)(count - 1) * shares[crop])];
        for (size_t i = 0; i < count; i++) {
            if (ticks[i] <= most)
                moments_add(&timing->moments[crop][classes[i]], ticks[i] - median);
        }
    }
    timing->samples += count;
}

double timing_t(const struct timing *timing, double *ret_share)
{
    double worst = 0;
    *ret_share = 1;
    for (size_t crop = 0; crop < TIMING_CROPS; crop++) {
        const double t = t_of(timing->moments[crop]);
        if (fabs(t) > fabs(worst)) {
            worst = t;
            *ret_share = shares[crop];
        }
    }
    return worst;
}

double timing_mean(const struct timing *timing, unsigned which)
{
    return timing->moments[CROP_TOLD][which].mean;
}

bool timing_differs(const struct timing *timing)
{
    double share;
    return fabs(timing_t(timing, &share)) >= TIMING_LIMIT;
}

/* ---- measuring ---- */

#ifdef __x86_64__
static uint64_t read_ticks(void)
{
    __builtin_ia32_lfence();
    const uint64_t now = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return now;
}
#else
static uint64_t read_ticks(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#endif

static double measure(const struct timing_subject *subject, unsigned which)
{
    subject->prepare(subject->arg, which);
    const uint64_t start = read_ticks();
    subject->run(subject->arg);
    const uint64_t stop = read_ticks();
    if (subject->clear)
        subject->clear(subject->arg);
    return (double)(stop - start);
}

static void measure_batch(struct timing *timing, const struct timing_subject *subject,
                          uint64_t *random, size_t count)
{
    double ticks[TIMING_BATCH];
    unsigned char classes[TIMING_BATCH];
    for (size_t i = 0; i < count; i++) {
        classes[i] = (unsigned char)(next_random(random) >> 63);
        ticks[i] = measure(subject, classes[i]);
    }
    timing_add(timing, ticks, classes, count);
}

void timing_run(struct timing *timing, const struct timing_subject *subject, uint64_t samples)
{
    struct timing unjudged = { 0 };
    uint64_t random = timing->samples;
    if (timing->samples == 0)
        measure_batch(&unjudged, subject, &random, TIMING_BATCH);
    while (samples > 0) {
        const size_t count = samples < TIMING_BATCH ? (size_t)samples : TIMING_BATCH;
        measure_batch(timing, subject, &random, count);
        samples -= count;
    }
}
