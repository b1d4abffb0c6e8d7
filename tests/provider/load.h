/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_LOAD_H
#define SES_TEST_PROVIDER_LOAD_H

#include "provider/fixture.h"

/*
 * Writers that keep account of what a store acknowledged, while something is done to its servers.
 * Each thread has sessions of its own: it counts each up by compare-and-swap, and from time to time
 * destroys one and begins another.
 */
enum { LOAD_THREADS = 4, LOAD_SESSIONS = 16, LOAD_ENDED_MOST = 4096 };

struct account {
    struct ses_key key;
    uint32_t acknowledged; /* the last number that the store said to have */
    uint32_t attempted;    /* the highest that it may have without having said so */
};

struct loader {
    struct fixture *f;
    struct ses_key (*draw)(void); /* keys that were never used */
    const _Atomic bool *stop;
    struct account accounts[LOAD_SESSIONS];
    struct ses_key ended[LOAD_ENDED_MOST]; /* destroyed, and acknowledged */
    uint32_t ended_count;
    _Atomic uint64_t writes; /* acknowledged */
    uint64_t unavailable;    /* calls that failed */
    int64_t longest_ms;      /* that one call took */
    int64_t silent_ms;       /* the longest time without a write that was acknowledged */
    uint32_t wrong;          /* what no store may answer */
};

/* Begins LOAD_THREADS loaders, whose sessions have keys from @p draw; load_end() stops them and
 * waits. */
struct load {
    struct loader loaders[LOAD_THREADS];
    pthread_t threads[LOAD_THREADS];
    _Atomic bool stop;
};
void load_begin(struct load *load, struct fixture *f, struct ses_key (*draw)(void));

/* Until so many more writes are acknowledged. */
void load_wait(const struct load *load, uint64_t more);
void load_end(struct load *load);

/* What the store has now, against the accounts. */
struct losses {
    uint64_t writes;   /* acknowledged, of all */
    uint64_t lost;     /* acknowledged writes that are not there */
    uint64_t risen;    /* sessions that were destroyed, acknowledged, and are there */
    uint64_t invented; /* more than was ever attempted */
    uint64_t unavailable;
    uint64_t wrong;
    int64_t longest_ms;
    int64_t silent_ms;
};
struct losses load_audit(const struct load *load, struct fixture *f);

/* One line of TAP. */
void losses_print(const char *what, const struct losses *losses);

#endif
