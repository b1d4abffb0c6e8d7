/* SPDX-License-Identifier: MIT */
#include "shared/circuit.h"

bool circuit_allows(struct circuit *circuit, int64_t now_ms)
{
    if (!circuit->open)
        return true;
    if (circuit->probing || now_ms < circuit->probe_at_ms)
        return false;
    circuit->probing = true;
    return true;
}

static enum circuit_change pause_longer(struct circuit *circuit, int64_t now_ms)
{
    const bool opens = !circuit->open;
    const int64_t doubled = circuit->pause_ms * 2;
    const int64_t next = doubled < CIRCUIT_PAUSE_MOST_MS ? doubled : CIRCUIT_PAUSE_MOST_MS;
    circuit->pause_ms = opens ? CIRCUIT_PAUSE_MS : next;
    circuit->probe_at_ms = now_ms + circuit->pause_ms;
    circuit->open = true;
    circuit->probing = false;
    return opens ? CIRCUIT_OPENED : CIRCUIT_SAME;
}

enum circuit_change circuit_report(struct circuit *circuit, bool answered, int64_t now_ms)
{
    if (answered) {
        const bool closes = circuit->open;
        *circuit = (struct circuit){ 0 };
        return closes ? CIRCUIT_CLOSED : CIRCUIT_SAME;
    }
    circuit->failures++;
    /* Calls that began before it opened say nothing new. */
    if (circuit->open ? circuit->probing : circuit->failures >= CIRCUIT_FAILURES)
        return pause_longer(circuit, now_ms);
    return CIRCUIT_SAME;
}

void circuit_forget(struct circuit *circuit)
{
    circuit->probing = false;
}
