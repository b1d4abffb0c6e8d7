/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "process.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MAX = 32 };

static unsigned read_rounds(const char *text, const char *name, struct bench_round *rounds)
{
    unsigned count = 0;
    char word[16];
    for (const char *line = text; line && *line && count < ROUNDS_MAX;) {
        struct bench_round round;
        if (sscanf(line, "%15s %lf %lf", word, &round.floor, &round.ours) == 3 &&
            strcmp(word, name) == 0)
            rounds[count++] = round;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return count;
}

static void report(const char *text, const char *name)
{
    struct bench_round rounds[ROUNDS_MAX];
    const unsigned count = read_rounds(text, name, rounds);
    struct report_row row = { .name = name, .threads = 1, .kind = REPORT_TIMES, .aim = 1.25 };
    if (count == 0)
        bench_fail("sesame-bench-seal told nothing of \"%s\"", name);
    row.result = bench_summarise(rounds, count);
    report_row(&row);
}

void row_seal(void)
{
    char *program = process_beside("sesame-bench-seal");
    const char *const argv[] = { program, NULL };
    char *text = process_output(argv, 0);
    report(text, "seal");
    report(text, "open");
    free(text);
    free(program);
}
