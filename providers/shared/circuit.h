/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_CIRCUIT_H
#define SES_SHARED_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A circuit breaker: after some failures in a row a server counts as lost, and calls fail at once
 * instead of each waiting for its deadline. One call at a time then probes whether it is back, at
 * first soon, then ever more rarely. Its user holds a lock around it.
 */
enum {
    CIRCUIT_FAILURES = 5,   /* in a row, that open it */
    CIRCUIT_PAUSE_MS = 100, /* until the first probe; doubled by each that fails */
    CIRCUIT_PAUSE_MOST_MS = 2000,
};

struct circuit {
    uint32_t failures; /* in a row */
    bool open;
    bool probing; /* one call is under way to find out */
    int64_t pause_ms;
    int64_t probe_at_ms;
};

/* May a call go ahead? It has to be reported then. */
bool circuit_allows(struct circuit *circuit, int64_t now_ms);

enum circuit_change { CIRCUIT_SAME, CIRCUIT_OPENED, CIRCUIT_CLOSED };

/* How a call went, once the server had to answer. */
enum circuit_change circuit_report(struct circuit *circuit, bool answered, int64_t now_ms);

/* A call that found out nothing, because it did not come to asking. */
void circuit_forget(struct circuit *circuit);

#endif
