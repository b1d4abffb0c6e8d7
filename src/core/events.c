/* SPDX-License-Identifier: MIT */
#include "core/events.h"

#include "base/digest.h"

#include <sesame/login.h>

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

/* COUNTERS: counted in another way. */
static enum counter counter_of_reason(enum ses_reason reason)
{
    static const enum counter counters[] = {
        [SES_REASON_NONE] = COUNT_MALFORMED,
        [SES_REASON_MALFORMED] = COUNT_MALFORMED,
        [SES_REASON_UNKNOWN] = COUNT_UNKNOWN,
        [SES_REASON_EXPIRED] = COUNT_EXPIRED,
        [SES_REASON_CUT] = COUNT_CUT,
        [SES_REASON_CORRUPT] = COUNT_CORRUPT,
        [SES_REASON_TOO_MANY] = COUNT_MALFORMED,
        [SES_REASON_ENDED] = COUNT_ENDED,
        [SES_REASON_STOLEN] = COUNT_ENDED,
        [SES_REASON_SCANNING] = COUNT_SCANNING,
        [SES_REASON_AGENT] = COUNTERS, /* by the event that goes before */
        [SES_REASON_NETWORK] = COUNTERS,
    };
    return counters[reason];
}

static enum counter counter_of_event(enum ses_event_type type)
{
    static const enum counter counters[] = {
        [SES_EVENT_CREATED] = COUNT_CREATED,
        [SES_EVENT_LOADED] = COUNT_LOADED,
        [SES_EVENT_REJECTED] = COUNTERS, /* by its reason */
        [SES_EVENT_REGENERATED] = COUNT_REGENERATED,
        [SES_EVENT_DESTROYED] = COUNT_DESTROYED,
        [SES_EVENT_EXPIRED] = COUNTERS,  /* by the rejection that comes with it */
        [SES_EVENT_REPLAYED] = COUNTERS, /* by how often */
        [SES_EVENT_UNCOMMITTED] = COUNT_UNCOMMITTED,
        [SES_EVENT_STORE_ERROR] = COUNT_STORE_ERRORS,
        [SES_EVENT_LOGIN] = COUNT_LOGINS,
        [SES_EVENT_RENEWED] = COUNT_RENEWED,
        [SES_EVENT_THEFT] = COUNT_THEFTS,
        [SES_EVENT_BINDING] = COUNT_BINDINGS,
        [SES_EVENT_CSRF] = COUNT_CSRF,
        [SES_EVENT_SCAN] = COUNT_SCANS,
        [SES_EVENT_STORE_LOST] = COUNT_STORES_LOST,
        [SES_EVENT_STORE_BACK] = COUNTERS,
    };
    return counters[type];
}

static void count_happening(struct events *events, const struct happening *h)
{
    const enum counter counter =
        h->type == SES_EVENT_REJECTED ? counter_of_reason(h->reason) : counter_of_event(h->type);
    if (counter != COUNTERS)
        events_add(events, counter, 1);
    else if (h->type == SES_EVENT_REPLAYED)
        events_add(events, COUNT_REPLAYED, h->replays);
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

/* A record of another program may hold a longer name: that one is not told. */
static const char *user_text(struct ses_slice user, char out[SES_USER_MAX + 1])
{
    if (user.len == 0 || user.len > SES_USER_MAX)
        return NULL;
    memcpy(out, user.data, user.len);
    out[user.len] = '\0';
    return out;
}

void events_tell(struct events *events, const struct happening *h)
{
    count_happening(events, h);
    char user[SES_USER_MAX + 1];
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
        .user = user_text(h->user, user),
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
