/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SITE_H
#define BENCH_SITE_H

/* The page server (page.c) as seen by the bench: started, asked, ended. */

#include "process.h"

#include <stdbool.h>
#include <stdint.h>

struct site {
    struct process process;
    int port;
};

/* What the server has answered so far, and the processor time that it has taken. */
struct site_counts {
    uint64_t requests;
    uint64_t cpu_ns;
};

struct site_plan {
    char *page;          /* the server's path */
    const char *cookies; /* a file that the server with sessions fills with its visitors */
    size_t sessions;
    bool callgrind;
};

struct site site_start(const struct site_plan *plan, bool with_session);
struct site_counts site_ask(const struct site *site);
/* @return its last words, to be freed: what callgrind has to say. */
char *site_end(struct site *site);

#endif
