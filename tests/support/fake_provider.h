/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_FAKE_PROVIDER_H
#define SES_TEST_FAKE_PROVIDER_H

/*
 * The smallest complete provider: a list and one lock. It passes the conformance suite, and does
 * what no real store does on demand: it counts its calls, fails the n-th of them, loses a reply,
 * and lets a test act just before one.
 */

#include <sesame/ext/provider.h>

#include <stdatomic.h>

extern const struct ses_provider_ops ses_provider_fake;

enum fake_op {
    FAKE_LOAD,
    FAKE_CREATE,
    FAKE_SAVE,
    FAKE_TOUCH,
    FAKE_DESTROY,
    FAKE_GC,
    FAKE_COUNT,
    FAKE_ITERATE,
    FAKE_LIST,
    FAKE_PING,
    FAKE_OPS
};

enum fake_when {
    FAKE_BEFORE_ACT, /* the request never reached the store */
    FAKE_AFTER_ACT   /* it took place, but the reply was lost */
};

/* One for the process, for all stores of this provider. */
struct fake_provider_control {
    atomic_uint calls[FAKE_OPS];
    struct fake_failure {
        atomic_uint countdown; /* 1: the next call fails; 0: none does */
        int code;
        enum fake_when when;
    } failures[FAKE_OPS];
    int open_code; /* what open() answers; SES_OK */
    /* Called before each operation, without a lock. What it does to the store itself is neither
     * counted nor failed, nor does it come here again. */
    void (*before)(void *arg, enum fake_op op, const struct ses_key *key);
    void *before_arg;
};

struct fake_provider_control *fake_provider_control(void);

/* As at the start: counts of 0, nothing fails, no hook. */
void fake_provider_reset(void);

/* The @p nth call of @p op from now on answers @p code. */
void fake_provider_fail_call(enum fake_op op, unsigned nth, int code, enum fake_when when);

#endif
