/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FILE_WORK_H
#define BENCH_FILE_WORK_H

#include "file_site.h"

/* Work over a struct site, through the provider. */
bench_work_fn ours_read, ours_write, ours_create;

/* The calls that the same layout needs: open, read, close; and for a write after that open, flock,
 * read, write, close. As they come; "least" without the time of access, "time" with that of change,
 * by which gc knows what has ended. */
bench_work_fn bare_read, bare_read_least;
bench_work_fn bare_write, bare_write_least, bare_write_time;
bench_work_fn bare_create;

/* A read, and a temporary file that takes the place of the old one. */
bench_work_fn renamed_write;

/* Removes what has ended, some @p wanted files, and tells how many. */
uint64_t ours_collect(struct site *site, uint64_t wanted);
/* The same by names only, from the last folder on. @p folder: where it is; begin with 256. */
uint64_t bare_collect(const struct site *site, unsigned *folder, uint64_t wanted);

#endif
