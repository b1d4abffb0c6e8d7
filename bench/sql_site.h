/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SQL_SITE_H
#define BENCH_SQL_SITE_H

/*
 * The rows. Half of them live; the others end in groups, of which each run of gc removes one, and
 * lie between the living. Of those every second one is written by ours, the rest by bare calls,
 * which do not know how to make a checksum.
 */

#include "sql.h"

#include <jansson.h>
#include <pthread.h>

enum {
    SQL_THREADS_MOST = 8,
    SQL_GROUPS = 30,
    SQL_BLOBS = 64, /* contents that are saved in turn */
};

/* What a thread has of its own, on a cache line of its own. */
struct sql_thread {
    struct sql_bare *bare;
    uint64_t longest_bare_ns, longest_ours_ns; /* saves since they were set to 0 */
    struct sql_row row;
} __attribute__((aligned(64)));

struct sql_site {
    struct sql_place place;
    struct store *store;
    json_t *settings; /* of the store, which borrows texts of it */
    int64_t now_ms;
    uint64_t rows;
    unsigned threads; /* of the runs that come */
    unsigned groups;  /* of those that end: so many are gone */
    struct sql_thread *of_thread;
    struct sql_bare *writer; /* one for all threads, with the mutex */
    pthread_mutex_t mutex;
    ses_blob *blobs[SQL_BLOBS];
};

/* Starts the database in the folder and fills it. */
void sql_site_open(struct sql_site *site, const char *folder, uint64_t rows);
void sql_site_close(struct sql_site *site);

/* A walk over the living that are the thread's own. */
struct sql_walk {
    const struct sql_site *site;
    uint64_t state, each, step, first;
};
struct sql_walk sql_walk_start(const struct sql_site *site, const struct bench_share *share,
                               bool ours);
void sql_walk_next(struct sql_walk *walk, struct ses_key *ret_key);

/* Whoever saves lets a session live from now on. */
int64_t sql_site_expiry(const struct sql_site *site, const struct bench_share *share, uint64_t i);

/* The moment at which the next group has ended. */
int64_t sql_site_end_group(struct sql_site *site);
uint64_t sql_site_group_rows(const struct sql_site *site);

#endif
