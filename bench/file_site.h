/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FILE_SITE_H
#define BENCH_FILE_SITE_H

/*
 * The folder of sessions that the row "file" is measured in: made on a disk, used through the
 * provider and by bare calls alike.
 */

#include "harness.h"

#include "core/store.h"

enum {
    SITE_RECORD = 419, /* bytes: what cycles.c makes */
    SITE_HEAD = 80,    /* of a frame, as providers/file/frame.h lays it out */
    SITE_SEQUENCE_AT = 16,
    SITE_SLOT = 1024,
    SITE_PATH = 80,
};

struct site {
    struct store *store;
    int root;         /* of the provider's folder */
    int64_t now_ms;   /* for the provider: nothing has expired */
    uint64_t count;   /* of sessions at the start: the keys of 0 to count - 1 */
    uint64_t made;    /* the first number whose key no run has made yet */
    unsigned threads; /* of the runs that come */
    unsigned char record[SITE_RECORD];
};

/* Opens the folder and puts @p count sessions into it, with two threads. */
void site_open(struct site *site, const char *folder, uint64_t count);
void site_close(struct site *site);

/* The key of that number, and the path of its file. */
void site_key(uint64_t number, struct ses_key *ret_key);
void site_path(const struct ses_key *key, char out[SITE_PATH]);

/* Where a walk over the sessions begins: elsewhere for ours than for the floor, which would have
 * brought what ours needs into the processor's caches. */
uint64_t site_seed(const struct bench_share *share, bool ours);

/* A session of the thread's own; those of renamed() are written by nobody but it. */
uint64_t site_pick(const struct site *site, const struct bench_share *share, uint64_t *state);
uint64_t site_pick_renamed(const struct site *site, const struct bench_share *share,
                           uint64_t *state);

/* The first number of the thread's own for the run's new sessions. */
uint64_t site_fresh(const struct site *site, const struct bench_share *share, bool ours);

#endif
