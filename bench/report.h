/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

/* The table: one line per figure, printed as soon as it is known. */

#include "harness.h"

enum report_kind {
    REPORT_TIMES,    /* ours is so many times the floor */
    REPORT_MORE,     /* ours is so much more than the floor */
    REPORT_AT_LEAST, /* as TIMES, but more is better */
};

struct report_row {
    const char *name;
    size_t sessions;
    unsigned threads;
    enum report_kind kind;
    double aim; /* 0: none was set */
    int digits; /* after the point, of floor and ours */
    struct bench_result result;
};

void report_head(void);
void report_row(const struct report_row *row);
/* What the table's reader has to know; false when an aim was missed. */
bool report_foot(void);

#endif
