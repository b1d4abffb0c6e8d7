/* SPDX-License-Identifier: MIT */
#ifndef BENCH_CYCLES_H
#define BENCH_CYCLES_H

/* The same work as the floor's as an application does it: through the public API, in full. */

#include "harness.h"
#include "population.h"

/* A manager of the memory provider, whose sessions neither end nor move their expiry by themselves
 * while it is measured. @p clock may be NULL: the system's. */
ses_manager *cycles_manager(const char *provider, ses_clock_fn *clock, void *clock_arg);

/* A session of five short values; @p idle_s 0: the manager's. Writes the visitor's Cookie field;
 * @p ret_visitor may be NULL. */
int cycles_create(ses_manager *manager, uint32_t idle_s, struct visitor *ret_visitor);

/* One request that reads one value; @p ret_result is 0, but see struct walk. */
int cycles_read_one(ses_manager *manager, const struct visitor *visitor, uint64_t *ret_result);

/* Work over a struct population. */
bench_work_fn cycles_read, cycles_write, cycles_fresh;

#endif
