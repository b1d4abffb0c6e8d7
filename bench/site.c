/* SPDX-License-Identifier: MIT */
#include "site.h"

#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Under callgrind its lines come first. */
static int wait_until_ready(const struct process *process)
{
    char line[256];
    do
        process_read_line(process, line, sizeof line);
    while (strncmp(line, "ready ", 6) != 0);
    return (int)strtol(line + 6, NULL, 10);
}

struct site site_start(const struct site_plan *plan, bool with_session)
{
    char count[32];
    const char *argv[16];
    size_t n = 0;
    (void)snprintf(count, sizeof count, "%zu", plan->sessions);
    if (plan->callgrind) {
        argv[n++] = "valgrind";
        argv[n++] = "--tool=callgrind";
        argv[n++] = "--callgrind-out-file=/dev/null";
        argv[n++] = "--log-fd=1";
    }
    argv[n++] = plan->page;
    if (with_session) {
        argv[n++] = count;
        argv[n++] = plan->cookies;
    } else {
        argv[n++] = "--no-session";
    }
    argv[n] = NULL;
    struct site site = { .process = process_start(argv, 0) };
    site.port = wait_until_ready(&site.process);
    return site;
}

struct site_counts site_ask(const struct site *site)
{
    char line[256];
    struct site_counts counts = { 0 };
    (void)kill(site->process.pid, SIGUSR1);
    process_read_line(&site->process, line, sizeof line);
    char *end = line;
    counts.requests = strtoull(line, &end, 10);
    counts.cpu_ns = strtoull(end, NULL, 10);
    return counts;
}

char *site_end(struct site *site)
{
    return process_rest(&site->process, SIGTERM);
}
