/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdio.h>

static unsigned noisy_rows, missed_rows;

void report_head(void)
{
    printf("%-22s %9s %7s %10s %10s %8s %9s %7s %7s\n", "row", "sessions", "threads", "floor ns",
           "ours ns", "ratio", "aim", "reached", "spread");
    (void)fflush(stdout);
}

static double figure(const struct report_row *row)
{
    return row->kind == REPORT_MORE ? row->result.more : row->result.ratio;
}

static bool is_reached(const struct report_row *row)
{
    return row->kind == REPORT_AT_LEAST ? figure(row) >= row->aim : figure(row) <= row->aim;
}

/* The sign tells that a figure is a difference. */
static void print_aim(const struct report_row *row)
{
    char aim[32] = "-";
    if (row->aim > 0)
        (void)snprintf(aim, sizeof aim, "%s%s%g", row->kind == REPORT_AT_LEAST ? ">= " : "<= ",
                       row->kind == REPORT_MORE ? "+" : "", row->aim);
    printf(" %9s %7s", aim, row->aim > 0 ? (is_reached(row) ? "yes" : "NO") : "-");
}

void report_row(const struct report_row *row)
{
    const struct bench_result *result = &row->result;
    const double spread = (row->kind == REPORT_MORE ? result->more_spread : result->spread) * 100;
    const bool noisy = spread > BENCH_NOISY_PERCENT;
    noisy_rows += noisy;
    missed_rows += row->aim > 0 && !is_reached(row);
    printf("%-22s %9zu %7u %10.*f %10.*f", row->name, row->sessions, row->threads, row->digits,
           result->floor, row->digits, result->ours);
    if (row->kind == REPORT_MORE)
        printf(" %+8.*f", row->digits, figure(row));
    else
        printf(" %8.2f", figure(row));
    print_aim(row);
    printf(" %5.1f %%%s\n", spread, noisy ? " !" : "");
    (void)fflush(stdout);
}

bool report_foot(void)
{
    if (noisy_rows > 0)
        printf(
            "\nwarning: the machine is noisy: %u rows (!) have an interquartile range over %d %% "
            "of their median\n",
            noisy_rows, BENCH_NOISY_PERCENT);
    return missed_rows == 0;
}
