/* SPDX-License-Identifier: MIT */
#ifndef SES_TORTURE_TIMING_H
#define SES_TORTURE_TIMING_H

/*
 * Can two classes of inputs be told apart by how long something takes? As dudect does it (Reparaz,
 * Balasch, Verbauwhede: "Dude, is my code constant time?", 2017): a class is drawn for each
 * measurement, the slow tail is cropped at several places, and Welch's t-test says whether the
 * means differ. A leak's t grows with the root of the samples; where there is none it stays about
 * 0, and is beyond 4.5 once in 150,000 times.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMING_LIMIT 4.5

enum {
    TIMING_BATCH = 4096,
    TIMING_CROPS = 7,
    TIMING_JUDGED = 100000, /* fewer samples show that it runs, and nothing else */
};

/* Of one class: mean and sum of squared distances from it (Welford). */
struct moments {
    double count;
    double mean;
    double squares;
};

struct timing {
    struct moments moments[TIMING_CROPS][2];
    uint64_t samples;
};

struct timing_subject {
    void (*prepare)(void *arg, unsigned which); /* class 0 or 1: nothing else may differ */
    void (*run)(void *arg);                     /* what is measured */
    void (*clear)(void *arg);                   /* NULL: nothing to do */
    void *arg;
};

/* Takes a batch of measurements: their ticks, and of which class (0 or 1) each is. */
void timing_add(struct timing *timing, const double *ticks, const unsigned char *classes,
                size_t count);

/* The t of greatest size, and the share of measurements that it was found in. */
double timing_t(const struct timing *timing, double *ret_share);

/* The mean of a class, as a distance from the batches' medians, without the slowest hundredth. */
double timing_mean(const struct timing *timing, unsigned which);

bool timing_differs(const struct timing *timing);

/* So many measurements more. Before the first ones it warms up. */
void timing_run(struct timing *timing, const struct timing_subject *subject, uint64_t samples);

#endif
