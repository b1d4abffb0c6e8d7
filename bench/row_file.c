/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "file_rows.h"
#include "process.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

struct column {
    const char *name;
    double aim;
};

static const struct column columns[FILE_ROWS] = {
    [FILE_READ] = { "file: read", 1.3 },
    [FILE_READ_LEAST] = { "  to no access time", 0 },
    [FILE_WRITE] = { "file: write", 1.3 },
    [FILE_WRITE_LEAST] = { "  to no access time", 0 },
    [FILE_WRITE_TIME] = { "  to the expiry set", 0 },
    [FILE_WRITE_RENAMED] = { "  to a rename", 1 },
    [FILE_CREATE] = { "file: create", 0 },
    [FILE_GC] = { "file: gc, each ended", 0 },
};

static bool report(const char *line, size_t sessions)
{
    int number = -1;
    struct report_row row = { .sessions = sessions, .kind = REPORT_TIMES };
    struct bench_result *result = &row.result;
    /* NOLINTNEXTLINE(cert-err34-c): what a program of ours has printed */
    if (sscanf(line, "%d %u %lf %lf %lf %lf", &number, &row.threads, &result->floor, &result->ours,
               &result->ratio, &result->spread) != 6 ||
        number < 0 || number >= FILE_ROWS)
        return false;
    row.name = columns[number].name;
    row.aim = columns[number].aim;
    report_row(&row);
    return number == FILE_GC;
}

void row_file(const struct options *options, size_t sessions)
{
    char *program = process_beside("sesame-bench-file");
    char count[32], line[256];
    (void)snprintf(count, sizeof count, "%zu", sessions);
    const char *const argv[] = { program, count, options->quick ? "--quick" : NULL, NULL };
    struct process process = process_start(argv, -1);
    do
        process_read_line(&process, line, sizeof line);
    while (!report(line, sessions));
    free(process_rest(&process, 0));
    free(program);
}
