/* SPDX-License-Identifier: MIT */
#ifndef SESAME_EXT_CONFORMANCE_H
#define SESAME_EXT_CONFORMANCE_H

/**
 * @file
 * The contract of a provider as tests, for those who write one.
 *
 * sesame's own providers pass the same suite. It is a static library of its own, on cmocka;
 * pkg-config knows it as sesame-conformance. The whole of a test program:
 *
 * @code
 * extern const struct ses_provider_ops ses_provider_shelf;
 *
 * int main(void)
 * {
 *     const struct ses_conformance subject = { .size = sizeof subject,
 *                                              .ops = &ses_provider_shelf };
 *     return ses_conformance_run(&subject);
 * }
 * @endcode
 *
 * CMOCKA_MESSAGE_OUTPUT=TAP in the environment makes it speak TAP, as for all of cmocka.
 *
 * Lifetimes are of seconds and start at the present, because that is what a store with a clock of
 * its own can keep. Keys are new in each test and each run, so a shared store need not be emptied.
 */

#include <sesame/ext/provider.h>

/* Of a library of its own: SES_API and its companions stand for what libsesame exports. */
#ifdef __cplusplus
extern "C" {
#endif

/** A provider, and what the suite has to know to test it. Zero means "the default". */
struct ses_conformance {
    size_t size;                        /**< sizeof(struct ses_conformance) */
    const struct ses_provider_ops *ops; /**< the provider; required */
    const char *provider_config;        /**< "ProviderConfig", handed to open(); NULL: "" */

    /** Writes the provider's own settings before open(). The presets are not applied here: what
     *  this does not write is zero. May be NULL. */
    void (*settings)(void *instance);

    /** Two stores that are opened with this configuration see each other's records. */
    bool shared;

    /** 0: time is what now_ms says, and the tests move it. Otherwise the store reads a clock of
     *  its own, and shows an expiry with up to so many milliseconds of delay: then the tests
     *  really wait. */
    int64_t own_clock_ms;

    /** The largest record that it takes, if that is less than the suite's largest of 1 MiB;
     *  0: it is not. */
    size_t max_record_bytes;

    /** Rounds of the races; 0: the default. The environment's SESAME_TORTURE_ROUNDS wins. */
    uint32_t rounds;
};

/** Runs the suite and prints its results. Not from two threads. @return what main() returns: 0
 *  if all tests passed, else how many failed; 1 also for an unusable @p subject. */
int ses_conformance_run(const struct ses_conformance *subject);

#ifdef __cplusplus
}
#endif

#endif
