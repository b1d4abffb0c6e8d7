/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "cycles.h"
#include "process.h"
#include "report.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Resident bytes per session beyond its record. In a process of its own that keeps no ids: the
 * resident set of /proc/self/statm before and after the sessions are made, each after
 * malloc_trim(), so that what the allocator merely holds back does not count; divided, less the
 * record's bytes.
 */

enum { REPEATS = 3 };

static double resident_bytes(void)
{
    char line[128], *pages;
    (void)malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || !fgets(line, sizeof line, file))
        bench_fail_errno("/proc/self/statm");
    (void)fclose(file);
    (void)strtoull(line, &pages, 10); /* the total; what is resident comes next */
    return strtod(pages, NULL) * (double)sysconf(_SC_PAGESIZE);
}

int child_memory(size_t sessions)
{
    ses_manager *manager = cycles_manager("memory", NULL, NULL);
    if (cycles_create(manager, 0, NULL) != SES_OK) /* what is made once is there */
        bench_fail("cannot create a session");
    const double before = resident_bytes();
    for (size_t i = 0; i < sessions; i++) {
        if (cycles_create(manager, 0, NULL) != SES_OK)
            bench_fail("cannot create a session");
    }
    printf("%.2f\n", (resident_bytes() - before) / (double)sessions);
    ses_manager_unref(manager);
    return 0;
}

void row_memory(const struct options *options, size_t sessions)
{
    struct bench_round rounds[REPEATS];
    const unsigned repeats = options->quick ? 1 : REPEATS;
    const double record = (double)record_bytes();
    char count[32];
    (void)snprintf(count, sizeof count, "%zu", sessions);
    for (unsigned i = 0; i < repeats; i++) {
        const char *const argv[] = { process_self(), "--child-memory", count, NULL };
        char *text = process_output(argv, 0);
        rounds[i] = (struct bench_round){ record, strtod(text, NULL) };
        free(text);
    }
    const struct report_row row = {
        .name = "memory (bytes)",
        .sessions = sessions,
        .threads = 1,
        .kind = REPORT_MORE,
        .aim = 100,
        .digits = 1,
        .result = bench_summarise(rounds, repeats),
    };
    report_row(&row);
}
