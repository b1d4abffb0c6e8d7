/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SQL_WORK_H
#define BENCH_SQL_WORK_H

#include "sql_site.h"

/* Work over a struct sql_site: a load; a load and the save of what was changed. */
bench_work_fn sql_ours_load, sql_ours_save;
bench_work_fn sql_bare_load, sql_bare_save;

/* The same with one connection for all that write, and a mutex before it. */
bench_work_fn sql_bare_save_in_turn;

/* The longest save of all threads since it was asked last, in nanoseconds. */
struct bench_round sql_longest_saves(struct sql_site *site);

#endif
