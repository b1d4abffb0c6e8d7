/* SPDX-License-Identifier: MIT */
#include "core/events.h"

#include "base/digest.h"

#include <stdarg.h>
#include <stdio.h>

_Static_assert(sizeof(struct ses_stats) == sizeof(size_t) + COUNTERS * sizeof(uint64_t),
               "enum counter and struct ses_stats name the same counters");

static size_t own_stripe(void)
{
    static _Thread_local char here; /* its address differs from thread to thread */
    return (uint64_t)(uintptr_t)&here * 0x9e3779b97f4a7c15u >> 61;
}

void events_add(struct events *events, enum counter counter, uint64_t n)
{
    atomic_fetch_add_explicit(&events->stripes[own_stripe()].counts[counter], n,
                              memory_order_relaxed);
}

static enum counter counter_of_reason(enum ses_reason reason)
{
    switch (reason) {
    case SES_REASON_UNKNOWN:
        return COUNT_UNKNOWN;
    case SES_REASON_EXPIRED:
        return COUNT_EXPIRED;
    case SES_REASON_CUT:
        return COUNT_CUT;
    case SES_REASON_CORRUPT:
        return COUNT_CORRUPT;
    default:
        return COUNT_MALFORMED;
    }
}

static void count_happening(struct events *events, const struct happening *h)
{
    switch (h->type) {
    case SES_EVENT_CREATED:
        events_add(events, COUNT_CREATED, 1);
        break;
    case SES_EVENT_LOADED:
        events_add(events, COUNT_LOADED, 1);
        break;
    case SES_EVENT_REJECTED:
        events_add(events, counter_of_reason(h->reason), 1);
        break;
    case SES_EVENT_REGENERATED:
        events_add(events, COUNT_REGENERATED, 1);
        break;
    case SES_EVENT_DESTROYED:
        events_add(events, COUNT_DESTROYED, 1);
        break;
    case SES_EVENT_EXPIRED: /* counted by the rejection that comes with it */
        break;
    case SES_EVENT_REPLAYED:
        events_add(events, COUNT_REPLAYED, h->replays);
        break;
    case SES_EVENT_UNCOMMITTED:
        events_add(events, COUNT_UNCOMMITTED, 1);
        break;
    case SES_EVENT_STORE_ERROR:
        events_add(events, COUNT_STORE_ERRORS, 1);
        break;
    }
}

static uint64_t fingerprint(const struct events *events, const struct ses_key *key)
{
    unsigned char digest[SHA256_BYTES];
    const struct ses_slice parts[] = { { events->salt, SALT_BYTES },
                                       { key->bytes, SES_KEY_BYTES } };
    uint64_t print;
    sha256(parts, 2, digest);
    memcpy(&print, digest, sizeof print);
    return print;
}

void events_tell(struct events *events, const struct happening *h)
{
    count_happening(events, h);
    if (!events->hook)
        return;
    const struct ses_event event = {
        .size = sizeof event,
        .type = h->type,
        .reason = h->reason,
        .code = h->code,
        .replays = h->replays,
        .fingerprint = h->key ? fingerprint(events, h->key) : 0,
        .peer = h->peer,
    };
    events->hook(events->hook_arg, &event);
}

void events_log(const struct events *events, enum ses_log_level level, const char *format, ...)
{
    if (!events->log)
        return;
    char line[320];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    events->log(events->log_arg, level, line);
}

void events_read(const struct events *events, struct ses_stats *ret_stats)
{
    uint64_t sums[COUNTERS] = { 0 };
    for (size_t s = 0; s < COUNTER_STRIPES; s++) {
        for (size_t c = 0; c < COUNTERS; c++)
            sums[c] += atomic_load_explicit(&events->stripes[s].counts[c], memory_order_relaxed);
    }
    memcpy((unsigned char *)ret_stats + sizeof(size_t), sums, sizeof sums);
}
