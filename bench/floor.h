/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

/*
 * What no design avoids, as bare loops: SHA-256 of the id, one lookup in a
 * table of 64 mutexes, and either a touch of the expiry or a compare-and-swap of a record of 400
 * bytes. Nothing is parsed, counted, checked or encoded, and nothing may fail.
 */

#include "harness.h"
#include "population.h"

struct floor_table;

struct floor_table *floor_new(void);
void floor_free(struct floor_table *table);

/* One thread at a time. */
void floor_insert(struct floor_table *table, const char *id_text, uint64_t version);

/* Work over a struct population. */
bench_work_fn floor_read, floor_write, floor_create;

#endif
