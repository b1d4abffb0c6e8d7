/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_FIXTURE_H
#define SES_TEST_PROVIDER_FIXTURE_H

/* What the tests of providers share: a store, the time, and records to put in. */

#include "core/store.h"
#include "support/test.h"

#include <sesame/ext/conformance.h>

#include <pthread.h>
#include <stdatomic.h>

enum { LIFE_MS = 60000 }; /* longer than any test */

struct fixture {
    const struct ses_conformance *subject;
    struct store *store;
    int64_t now; /* handed to each operation; moved by pass_until() */
};

/* The subject of the running program. */
extern const struct ses_conformance *fixture_subject;

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Another store, opened like the fixture's. */
struct store *open_store(const struct ses_conformance *subject);

/* The present, by the real clock. */
int64_t present_ms(void);

/* Makes now at least @p time_ms, by moving the number or, if the store has its own clock, by
 * waiting. */
void pass_until(struct fixture *f, int64_t time_ms);

/* Random, never the same twice. Any thread. */
struct ses_key new_key(void);
uint64_t new_version(void);

/* A record with a reference of its own, of a new version. */
struct ses_record make_record(struct ses_slice bytes, int64_t expires_ms);
void drop_record(struct ses_record *record);

/* Creates a session of these bytes that lives LIFE_MS, or until @p expires_ms. @return its version.
 */
uint64_t put(struct fixture *f, const struct ses_key *key, const char *text);
uint64_t put_until(struct fixture *f, const struct ses_key *key, const char *text,
                   int64_t expires_ms);
int create_owned(struct fixture *f, const struct ses_key *key, const struct ses_key *user,
                 uint32_t limit);
int create_kind(struct fixture *f, const struct ses_key *key, const struct ses_key *user,
                uint32_t limit, enum ses_kind kind);

/* Replaces the record of that version by another of a new one. @return the code. */
int save_as(struct fixture *f, const struct ses_key *key, uint64_t expected, const char *text,
            enum ses_kind kind);

void assert_loads(struct fixture *f, const struct ses_key *key, const char *text, uint64_t version,
                  int64_t expires_ms);
void assert_absent(struct fixture *f, const struct ses_key *key);

/* How often the visited records have this key; see store_iterate() and store_list(). */
struct sighting {
    const struct ses_key *key;
    uint32_t seen;
    uint32_t others;
};
int note_sighting(void *arg, const struct ses_key *key, const struct ses_record *record);

/* Runs @p body in so many threads at once; they start together. @p arg[i] is the i-th one's. */
enum { THREADS_MAX = 8 };
void run_together(void *(*body)(void *), void *args, size_t arg_size, size_t count);

uint32_t torture_rounds(const struct fixture *f, uint32_t preset);

/* What a test asks of its subject. One without it is not tested for it: cmocka's skip() would say
 * "not ok". */
enum {
    NEEDS_LIST = 1 << 0,
    NEEDS_COUNT = 1 << 1,
    NEEDS_ITERATE = 1 << 2,
    NEEDS_GC = 1 << 3,        /* the store does not expire records by itself */
    NEEDS_OUR_CLOCK = 1 << 4, /* and by the time that it is told */
    NEEDS_ALONE = 1 << 5,     /* nobody else's sessions are in it */
};

#define CASE_FOR(name, needs)                                                                      \
 {                                                                                                 \
#  name, name, fixture_setup, fixture_teardown, (void *)(uintptr_t)(needs)                         \
 }
#define CASE(name) CASE_FOR(name, 0)

/* The parts of the suite; each array ends with an empty test. */
extern const struct CMUnitTest conformance_records[];
extern const struct CMUnitTest conformance_users[];
extern const struct CMUnitTest conformance_threads[];

#endif
