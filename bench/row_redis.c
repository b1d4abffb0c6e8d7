/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "process.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void report(const char *line)
{
    char name[32];
    struct report_row row = { .name = name, .kind = REPORT_TIMES };
    struct bench_result *result = &row.result;
    if (sscanf(line, "%31s %u %lf %lf %lf %lf %lf", name, &row.threads, &result->floor,
               &result->ours, &result->ratio, &result->spread, &row.aim) != 7)
        bench_fail("sesame-bench-redis said \"%s\"", line);
    report_row(&row);
}

void row_redis(const struct options *options)
{
    char *program = process_beside("sesame-bench-redis");
    const char *const argv[] = { program, options->quick ? "--quick" : NULL, NULL };
    char line[200];
    if (access(program, X_OK) != 0) {
        printf("redis: left out, the provider was not built\n");
        free(program);
        return;
    }
    const struct process process = process_start(argv, -1);
    for (;;) {
        process_read_line(&process, line, sizeof line);
        if (strcmp(line, "end") == 0)
            break;
        report(line);
    }
    struct process ended = process;
    free(process_rest(&ended, 0));
    free(program);
}
