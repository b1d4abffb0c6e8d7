/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_EVENTS_H
#define SES_CORE_EVENTS_H

/*
 * What the outside learns: counters, events, log lines. No id, key, cookie or value is in any of
 * them; a salted fingerprint tells equal ids from others (S-64, T-30).
 */

#include <sesame/ext/provider.h>
#include <sesame/manager.h>

#include <stdatomic.h>

/* In the order of struct ses_stats. */
enum counter {
    COUNT_STARTED,
    COUNT_LOADED,
    COUNT_CREATED,
    COUNT_SAVED,
    COUNT_TOUCHED,
    COUNT_REPLAYED,
    COUNT_CONFLICTS,
    COUNT_REGENERATED,
    COUNT_DESTROYED,
    COUNT_EXPIRED,
    COUNT_COLLECTED,
    COUNT_UNCOMMITTED,
    COUNT_STORE_ERRORS,
    COUNT_MALFORMED,
    COUNT_UNKNOWN,
    COUNT_CUT,
    COUNT_CORRUPT,
    COUNT_ENDED,
    COUNT_LOGINS,
    COUNT_RENEWED,
    COUNT_THEFTS,
    COUNT_BINDINGS,
    COUNT_CSRF,
    COUNT_SCANS,
    COUNT_SCANNING,
    COUNT_STORES_LOST,
    COUNTERS
};

/* Threads count in stripes of their own, so that they do not pass one cache line to and fro. */
enum { COUNTER_STRIPES = 8, SALT_BYTES = 16 };

struct counter_stripe {
    _Alignas(64) atomic_uint_fast64_t counts[COUNTERS];
};

struct events {
    ses_log_fn *log;
    void *log_arg;
    ses_event_fn *hook;
    void *hook_arg;
    unsigned char salt[SALT_BYTES];
    struct counter_stripe stripes[COUNTER_STRIPES];
};

void events_add(struct events *events, enum counter counter, uint64_t n);

/* What an event is about; zero members are left out. */
struct happening {
    enum ses_event_type type;
    enum ses_reason reason;
    int code;
    uint32_t replays;
    const struct ses_key *key;
    const char *peer;
    struct ses_slice user;
};

/* Counts it and calls the hook: last in every act, and without locks, because the hook may do as it
 * likes (T-9). */
void events_tell(struct events *events, const struct happening *happening);

void events_log(const struct events *events, enum ses_log_level level, const char *format, ...)
    SES_PRINTF(3, 4);

void events_read(const struct events *events, struct ses_stats *ret_stats);

#endif
