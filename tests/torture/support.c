/* SPDX-License-Identifier: MIT */
#include "torture/torture.h"

#include <err.h>

void must(int code, const char *what)
{
    if (code != SES_OK)
        errx(2, "%s: %s", what, ses_strerror(code));
}

ses_manager *manager_with(const char *json, const struct ses_manager_options *options)
{
    struct ses_error error;
    ses_manager *manager = ses_manager_new("memory", json, options, &error);
    if (!manager)
        errx(2, "%s", error.message);
    return manager;
}

uint64_t count_sessions(ses_manager *manager)
{
    uint64_t count = 0;
    must(ses_count(manager, &count), "count");
    return count;
}

void new_session(ses_manager *manager, char id[256])
{
    ses_session *session;
    must(ses_open(manager, NULL, &session), "open");
    must(ses_set_int(session, "n", 0), "set");
    must(ses_commit(session, NULL), "commit");
    (void)snprintf(id, 256, "%s", ses_session_id(session));
    ses_release(session);
}

uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- the stage ---- */

static int64_t read_clock(void *arg)
{
    const struct stage *stage = arg;
    return atomic_load(&stage->now_ms);
}

static void count_event(void *arg, const struct ses_event *event)
{
    struct stage *stage = arg;
    if (event->type == SES_EVENT_THEFT)
        atomic_fetch_add(&stage->thefts, 1);
    if (event->type != SES_EVENT_REJECTED)
        return;
    atomic_fetch_add(&stage->rejected, 1);
    if (event->reason == SES_REASON_UNKNOWN)
        atomic_fetch_add(&stage->unknown, 1);
    if (event->reason == SES_REASON_STOLEN)
        atomic_fetch_add(&stage->stolen, 1);
}

void stage_open(struct stage *stage, const char *json)
{
    *stage = (struct stage){ .now_ms = INT64_C(1893456000000) }; /* 2030-01-01 */
    const struct ses_manager_options options = {
        .size = sizeof options,
        .event = count_event,
        .event_arg = stage,
        .clock = read_clock,
        .clock_arg = stage,
    };
    stage->manager = manager_with(json, &options);
}

void stage_close(struct stage *stage)
{
    ses_manager_unref(stage->manager);
}

void stage_pass(struct stage *stage, int64_t ms)
{
    enum { GC_EVERY_MS = 16 * 3600 * 1000 };
    const int64_t before = atomic_fetch_add(&stage->now_ms, ms);
    if (before / GC_EVERY_MS != (before + ms) / GC_EVERY_MS)
        must(ses_gc(stage->manager, 0, NULL), "gc");
}

/* ---- the browser ---- */

ses_session *visit(const struct stage *stage, const struct browser *browser)
{
    const struct ses_slice field = { browser->cookie, strlen(browser->cookie) };
    const struct ses_request request = {
        .size = sizeof request,
        .cookies = &field,
        .cookie_count = field.len > 0,
    };
    ses_session *session;
    must(ses_start(stage->manager, &request, &session), "start");
    return session;
}

void finish(ses_session *session, struct browser *browser)
{
    const struct ses_headers *headers;
    must(ses_commit(session, &headers), "commit");
    for (size_t i = 0; i < headers->cookie_count; i++) {
        const struct ses_cookie *cookie = &headers->cookies[i];
        browser->cookie[0] = '\0';
        if (cookie->max_age_s != 0)
            (void)snprintf(browser->cookie, sizeof browser->cookie, "%s=%s", cookie->name,
                           cookie->value);
    }
    ses_release(session);
}

const char *id_of(const struct browser *browser)
{
    const char *equals = strchr(browser->cookie, '=');
    if (!equals)
        errx(2, "a browser without a cookie");
    return equals + 1;
}

bool is_stored(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    must(ses_info(session, &info), "info");
    return !info.is_new;
}

bool is_known(const struct stage *stage, const struct browser *browser)
{
    ses_session *session = visit(stage, browser);
    const bool known = is_stored(session);
    ses_release(session);
    return known;
}
