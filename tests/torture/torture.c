/* SPDX-License-Identifier: MIT */

/*
 * The counts that are too long for every run: script/torture [NAME ...] on the memory provider,
 * through the public API. One line per target: rounds, findings, seconds; of those that measure
 * time, one per comparison as well, and so many rounds each. Exit status 1 if there was a finding.
 * The suite runs each at a thousandth: sesame-torture -d 1000 [NAME ...].
 */

#include "torture/torture.h"

#include <err.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct target {
    const char *name;
    uint64_t (*run)(uint64_t rounds);
    uint64_t rounds;
} targets[] = {
    { "fixation", fixation, 1000000 },
    { "replay", replay, 1000000 },
    { "unknown", unknown, 100000 },
    { "made-up", made_up, 1000000 },
    { "empty", empty, 1000000 },
    { "renewal", renewal, 1000000 },
    { "theft", theft, 100000 },
    { "login", login, 100000 },
    { "destroy", destroy, 1000000 },
    { "regenerate", regenerate, 1000000 },
    { "end", end, 100000 },
    { "increments", increments, 1000000 },
    { "ids", ids, 100000000 },
    { "time-sealed", time_sealed, 10000000 },
    { "time-ids", time_ids, 10000000 },
    { "time-checks", time_checks, 10000000 },
    { "time-csrf", time_csrf, 10000000 },
};

enum { TARGETS = sizeof targets / sizeof targets[0] };

static bool wanted(const char *name, int count, char **names)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return count == 0;
}

static uint64_t run_target(const struct target *target, uint64_t rounds)
{
    struct timespec start, stop;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    const uint64_t findings = target->run(rounds);
    (void)clock_gettime(CLOCK_MONOTONIC, &stop);
    const double seconds =
        (double)(stop.tv_sec - start.tv_sec) + (double)(stop.tv_nsec - start.tv_nsec) / 1e9;
    (void)printf("%-12s %10llu rounds %6llu findings %7.1f s\n", target->name,
                 (unsigned long long)rounds, (unsigned long long)findings, seconds);
    (void)fflush(stdout);
    return findings;
}

static bool known(const char *name)
{
    for (size_t i = 0; i < TARGETS; i++) {
        if (strcmp(targets[i].name, name) == 0)
            return true;
    }
    return false;
}

static _Noreturn void refuse(const char *name)
{
    (void)fprintf(stderr, "unknown target \"%s\"; known are:", name);
    for (size_t i = 0; i < TARGETS; i++)
        (void)fprintf(stderr, "%s %s", i > 0 ? "," : "", targets[i].name);
    (void)fprintf(stderr, ".\n");
    exit(2);
}

/* What -d says; 1 without it. */
static uint64_t divisor_of(int argc, char **argv)
{
    uint64_t divisor = 1;
    for (int option; (option = getopt(argc, argv, "d:")) != -1;) {
        divisor = option == 'd' ? strtoull(optarg, NULL, 10) : 0;
        if (divisor == 0)
            errx(2, "usage: sesame-torture [-d DIVISOR] [NAME ...]");
    }
    return divisor;
}

int main(int argc, char **argv)
{
    const uint64_t divisor = divisor_of(argc, argv);
    uint64_t findings = 0;
    argc -= optind;
    argv += optind;
    for (int i = 0; i < argc; i++) {
        if (!known(argv[i]))
            refuse(argv[i]);
    }
    for (size_t i = 0; i < TARGETS; i++) {
        if (wanted(targets[i].name, argc, argv))
            findings += run_target(&targets[i], targets[i].rounds / divisor);
    }
    return findings > 0;
}
