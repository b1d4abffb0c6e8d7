/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "process.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void report(const char *line, size_t rows)
{
    char name[64];
    struct report_row row = { .name = name, .sessions = rows, .kind = REPORT_TIMES };
    struct bench_result *result = &row.result;
    /* NOLINTNEXTLINE(cert-err34-c): what a program of ours has printed */
    if (sscanf(line, "%u %lf %lf %lf %lf %lf%*c%63[^\n]", &row.threads, &result->floor,
               &result->ours, &result->ratio, &result->spread, &row.aim, name) != 7)
        bench_fail("the bench of a database said \"%s\"", line);
    report_row(&row);
}

/* @return false: that was the last. */
static bool take_line(const struct process *process, size_t rows)
{
    char line[200];
    process_read_line(process, line, sizeof line);
    if (line[0] == '=')
        puts(line + 2);
    else if (line[0] != '#')
        report(line, rows);
    return strcmp(line, "# end") != 0;
}

static void measure(const char *program, const struct options *options, size_t rows)
{
    char count[32];
    (void)snprintf(count, sizeof count, "%zu", rows);
    const char *const argv[] = { program, count, options->quick ? "--quick" : NULL, NULL };
    struct process process = process_start(argv, -1);
    while (take_line(&process, rows))
        ;
    free(process_rest(&process, 0));
}

void row_sql(const struct options *options, const char *provider, size_t rows)
{
    char name[64];
    (void)snprintf(name, sizeof name, "sesame-bench-%s", provider);
    char *program = process_beside(name);
    if (access(program, X_OK) == 0)
        measure(program, options, rows);
    else
        printf("%s: left out, the provider was not built\n", provider);
    free(program);
}
