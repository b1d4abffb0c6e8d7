/* SPDX-License-Identifier: MIT */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

/*
 * Measures two pieces of work beside one another: floor, ours, floor, ours, … so that a machine
 * whose speed drifts slows both alike. What is reported is the median over the rounds, and of the
 * ratio the median of the rounds' own ratios.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BENCH_THREADS_MAX = 32,
    BENCH_ROUNDS_MIN = 7,
    BENCH_ROUNDS_MAX = 21,
    BENCH_NOISY_PERCENT = 10, /* a spread over it is worth a warning */
};

/* One thread's share of one run. */
struct bench_share {
    unsigned thread; /* from 0, pinned on the core of that number */
    unsigned round;
    uint64_t operations;
};

/* Does it. @return how many operations did not do what they should: any ends the program. */
typedef uint64_t bench_work_fn(void *arg, const struct bench_share *share);

struct bench_plan {
    bench_work_fn *floor;
    bench_work_fn *ours;
    void *arg;
    unsigned threads;
    uint64_t operations; /* of each thread in each run; 0: as many as fit run_s */
    double run_s;        /* how long one run is meant to last */
    double budget_s;     /* after the least number of rounds it stops here, noisy or not */
};

/* What the rounds came to. */
struct bench_result {
    double floor; /* median */
    double ours;
    double ratio;       /* median of ours / floor, round by round */
    double more;        /* median of ours - floor, round by round */
    double spread;      /* interquartile range of those ratios over their median */
    double more_spread; /* the same of those differences */
    unsigned rounds;
};

/* One round's two figures, of whatever was measured. */
struct bench_round {
    double floor;
    double ours;
};

/* Runs the plan. The figures are wall nanoseconds per operation over all threads. */
struct bench_result bench_measure(const struct bench_plan *plan);

/* The same for rounds that were measured otherwise. */
struct bench_result bench_summarise(const struct bench_round *rounds, unsigned count);

/* The value below which @p share of them lie. Sorts. */
double bench_quantile(double *values, size_t count, double share);

uint64_t bench_now_ns(void);
unsigned bench_cores(void);
/* Binds the calling thread to the core, counted among those that this process may use. */
void bench_pin(unsigned core);

/* Ends the program, at once but for what was printed. */
_Noreturn void bench_exit(int status);
/* The same with a line: a bench has nobody to hand an error to. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with what errno says of @p what. */
_Noreturn void bench_fail_errno(const char *what);

/* Allocates or ends the program; zeroed, on a cache line. */
void *bench_alloc(size_t bytes);

#endif
