/* SPDX-License-Identifier: MIT */
#include "torture/timing.h"
#include "torture/torture.h"

#include "support/test.h"

#include <math.h>

/* What measures must find what there is, and nothing else: on numbers that are made up, so that it
 * comes out the same each time, and once on a clock, with a leak that nothing hides. */

static double uniform(uint64_t *random)
{
    return (double)(next_random(random) >> 11) / 0x1p53;
}

/* About 1000 ticks; one in 100 is interrupted, and takes up to a hundred times as long. */
static double usual(uint64_t *random)
{
    const double spread = uniform(random) + uniform(random) + uniform(random);
    const bool interrupted = uniform(random) < 0.01;
    return 1000 + 20 * spread + (interrupted ? 100000 * uniform(random) : 0);
}

/* Class 1 takes so many ticks more. */
static struct timing timing_of(double more, size_t batches)
{
    struct timing timing = { 0 };
    uint64_t random = 7;
    for (size_t batch = 0; batch < batches; batch++) {
        double ticks[TIMING_BATCH];
        unsigned char classes[TIMING_BATCH];
        for (size_t i = 0; i < TIMING_BATCH; i++) {
            classes[i] = (unsigned char)(next_random(&random) >> 63);
            ticks[i] = usual(&random) + (classes[i] ? more : 0);
        }
        timing_add(&timing, ticks, classes, TIMING_BATCH);
    }
    return timing;
}

static void two_classes_that_are_alike_do_not_differ(void **state)
{
    (void)state;
    const struct timing timing = timing_of(0, 100);
    assert_false(timing_differs(&timing));
    assert_int_equal(timing.samples, 100 * TIMING_BATCH);
}

/* Half a tick among a thousand, which the interruptions bury unless they are cropped. */
static void a_small_difference_is_found_below_a_slow_tail(void **state)
{
    (void)state;
    const struct timing timing = timing_of(0.5, 100);
    double share;
    assert_true(timing_t(&timing, &share) < -TIMING_LIMIT);
    assert_true(share < 1);
    assert_true(timing_differs(&timing));
}

static void a_difference_in_the_slow_tail_alone_is_found(void **state)
{
    (void)state;
    struct timing timing = { 0 };
    uint64_t random = 7;
    double ticks[TIMING_BATCH];
    unsigned char classes[TIMING_BATCH];
    for (size_t i = 0; i < TIMING_BATCH; i++) {
        classes[i] = (unsigned char)(next_random(&random) >> 63);
        ticks[i] = 1000 + uniform(&random) + (classes[i] && i % 10 == 0 ? 500 : 0);
    }
    timing_add(&timing, ticks, classes, TIMING_BATCH);
    assert_true(timing_differs(&timing));
}

/* By hand: means 2 and 5, variances 1 and 4 (of 100 each, times 100/99). */
static void t_is_as_welch_has_it(void **state)
{
    (void)state;
    struct timing timing = { 0 };
    double ticks[200], share;
    unsigned char classes[200];
    for (size_t i = 0; i < 200; i++) {
        classes[i] = i % 2;
        ticks[i] = i % 2 == 0 ? (i % 4 == 0 ? 1 : 3) : (i % 4 == 1 ? 3 : 7);
    }
    timing_add(&timing, ticks, classes, 200);
    const double expected = (2 - 5) / sqrt((1 + 4) * 100.0 / 99 / 100);
    assert_true(fabs(timing_t(&timing, &share) - expected) < 1e-9);
}

static void two_constants_differ_and_equal_ones_do_not(void **state)
{
    (void)state;
    double ticks[400];
    unsigned char classes[400];
    for (unsigned more = 0; more < 2; more++) {
        struct timing timing = { 0 };
        for (size_t i = 0; i < 400; i++) {
            classes[i] = i % 2;
            ticks[i] = 100 + more * classes[i];
        }
        timing_add(&timing, ticks, classes, 400);
        assert_true(timing_differs(&timing) == (more > 0));
    }
}

/* ---- on a clock ---- */

enum { SECRET_BYTES = 16384, SAMPLES = 2 * TIMING_BATCH };

struct planted {
    unsigned char secret[SECRET_BYTES];
    unsigned char guess[SECRET_BYTES];
    bool (*equal)(const unsigned char *a, const unsigned char *b, size_t len);
    volatile bool taken;
};

static bool equal_at_once(const unsigned char *a, const unsigned char *b, size_t len)
{
    const volatile unsigned char *guess = b; /* byte by byte, whatever the compiler knows */
    for (size_t i = 0; i < len; i++) {
        if (a[i] != guess[i])
            return false;
    }
    return true;
}

/* Class 1 is wrong at its end only. */
static void guess(void *arg, unsigned which)
{
    struct planted *planted = arg;
    memcpy(planted->guess, planted->secret, SECRET_BYTES);
    planted->guess[0] ^= (unsigned char)(1 - which);
    planted->guess[SECRET_BYTES - 1] ^= (unsigned char)which;
}

static void try_guess(void *arg)
{
    struct planted *planted = arg;
    planted->taken = planted->equal(planted->secret, planted->guess, SECRET_BYTES);
}

/* Ten thousand steps more or less show on any machine, however busy. */
static void a_comparison_that_stops_early_is_found(void **state)
{
    (void)state;
    struct planted planted = { .secret = { 1, 2, 3 }, .equal = equal_at_once };
    const struct timing_subject subject = { .prepare = guess, .run = try_guess, .arg = &planted };
    struct timing timing = { 0 };
    timing_run(&timing, &subject, SAMPLES);
    assert_int_equal(timing.samples, SAMPLES);
    assert_true(timing_differs(&timing));
    assert_true(timing_mean(&timing, 1) > timing_mean(&timing, 0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_classes_that_are_alike_do_not_differ),
        cmocka_unit_test(a_small_difference_is_found_below_a_slow_tail),
        cmocka_unit_test(a_difference_in_the_slow_tail_alone_is_found),
        cmocka_unit_test(t_is_as_welch_has_it),
        cmocka_unit_test(two_constants_differ_and_equal_ones_do_not),
        cmocka_unit_test(a_comparison_that_stops_early_is_found),
    };
    return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
