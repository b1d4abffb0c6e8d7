/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SQL_GC_H
#define BENCH_SQL_GC_H

#include "sql_site.h"

/* What gc and a reader beside it came to; of ours and of the bare statements in batches as large.
 */
struct sql_gc_figures {
    struct bench_result removed;     /* nanoseconds for each, with no reader beside it */
    struct bench_result reader;      /* its p99 without gc (floor) and beside it */
    struct bench_result reader_bare; /* the same beside the bare statements */
};

struct sql_gc_figures sql_gc_measure(struct sql_site *site);

#endif
