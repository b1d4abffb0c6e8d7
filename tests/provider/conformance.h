/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_CONFORMANCE_H
#define SES_TEST_CONFORMANCE_H

#include <sesame/ext/provider.h>

/*
 * The contract of struct ses_provider_ops as tests. Every provider runs the same ones, through the
 * store, with a file of a few lines: test_memory.c.
 *
 * Lifetimes are of seconds and start at the present, because that is what a store with a clock of
 * its own can keep. Keys are new in each test and each run, so a shared store need not be emptied.
 */
struct conformance_subject {
    const struct ses_provider_ops *ops;
    const char *provider_config;
    void (*settings)(void *instance); /* writes the provider's own settings; may be NULL */

    /* Two stores that are opened with this configuration see each other's records. */
    bool shared;

    /* 0: time is what now_ms says, and the tests move it. Otherwise the store reads a clock of its
     * own, and shows an expiry with up to so many milliseconds of delay: then the tests really
     * wait. */
    int64_t own_clock_ms;

    /* The largest record that it takes, if that is less than the suite's largest of 1 MiB; 0: it is
     * not. */
    size_t max_record_bytes;

    /* Rounds of the races; 0: the default. The environment's SESAME_TORTURE_ROUNDS wins. */
    uint32_t rounds;
};

/* @return what main() returns. */
int conformance_run(const struct conformance_subject *subject);

#endif
