/* SPDX-License-Identifier: MIT */
#include "core/manager.h"
#include "core/preset.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = 512 };

struct report {
    const ses_manager *manager;
    ses_line_fn *fn;
    void *arg;
    int preset;
};

static void say(const struct report *report, const char *format, ...) SES_PRINTF(2, 3);

static void say(const struct report *report, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    report->fn(report->arg, line);
}

/* "name: 10 s", or what 0 means. */
static void say_seconds(const struct report *report, const char *name, int64_t seconds,
                        const char *none)
{
    if (seconds > 0)
        say(report, "%s: %lld s", name, (long long)seconds);
    else
        say(report, "%s: %s", name, none);
}

static void say_lifetimes(const struct report *report)
{
    const struct config *c = &report->manager->config;
    say_seconds(report, "idle timeout", c->idle_s, "");
    say_seconds(report, "absolute timeout", c->absolute_s, "none");
    say_seconds(report, "ids are renewed after", c->renewal_s, "never");
    say_seconds(report, "grace of a renewed id", c->grace_s, "");
    say(report, "an id that comes back later: %s",
        c->when_stolen == STOLEN_END ? "ends the session" : "is reported");
    say_seconds(report, "a log-in is remembered for", c->remember_s, "not at all");
    say_seconds(report, "the cookie outlives the browser for", c->cookie_lifetime_s, "not at all");
}

static void say_users(const struct report *report)
{
    static const char *const answers[] = {
        [USER_FULL_REFUSE] = "the next log-in is refused",
        [USER_FULL_END_OLDEST] = "the oldest one is ended",
        [USER_FULL_END_LEAST_RECENT] = "the least recently used one is ended",
    };
    const struct config *c = &report->manager->config;
    if (c->max_user_sessions > 0)
        say(report, "sessions of one user: %lld, then %s", (long long)c->max_user_sessions,
            answers[c->when_user_full]);
    else
        say(report, "sessions of one user: no limit");
}

static void say_cookie(const struct report *report, bool tls)
{
    const struct config *c = &report->manager->config;
    const struct cookie_face *face = &c->faces[tls];
    say(report, "cookie %s TLS: %s%s%s; Path=%s; SameSite=%s%s%s", tls ? "with" : "without",
        face->name, face->secure ? "; Secure" : "", c->no_http_only ? "" : "; HttpOnly",
        c->cookie_path, config_same_site(c), c->domain ? "; Domain=" : "",
        c->domain ? c->domain : "");
}

static void say_defences(const struct report *report)
{
    static const char *const bindings[] = {
        [BINDING_OFF] = "off", [BINDING_SIGNAL] = "a signal", [BINDING_DEMAND] = "demanded"
    };
    const struct config *c = &report->manager->config;
    say(report, "ids: %lld random bits, %s", (long long)c->id_bytes * 8,
        c->id_key_count > 0 ? "with a keyed check" : "without a keyed check");
    say(report, "same browser: %s", bindings[c->bind_user_agent]);
    say(report, "same network: %s", bindings[c->bind_network]);
    if (c->scan_limit > 0)
        say(report, "refused ids of one peer in a minute: %lld, then it is %s",
            (long long)c->scan_limit, c->scan_action == SCAN_REFUSE ? "shut out" : "reported");
    else
        say(report, "refused ids of one peer in a minute: not counted");
    say(report, "requests in the background: %s",
        c->background_header ? c->background_header : "by the application's flag");
}

static void say_shortfall(void *arg, const char *line)
{
    const struct report *report = arg;
    say(report, "short of %s: %s", preset_words[report->preset], line);
}

int ses_manager_policy(ses_manager *manager, const char *preset, ses_line_fn *fn, void *arg)
{
    struct report report = { .manager = manager, .fn = fn, .arg = arg };
    report.preset = preset ? preset_find(preset) : manager->config.preset;
    if (report.preset < 0)
        return SES_ERR_INVALID;
    say_lifetimes(&report);
    say_users(&report);
    say_cookie(&report, true);
    say_cookie(&report, false);
    say_defences(&report);
    if (report.preset == 0)
        return SES_OK;
    if (preset_duty(report.preset))
        say(&report, "beyond %s: %s", preset_words[report.preset], preset_duty(report.preset));
    preset_shortfalls(&manager->config, report.preset, say_shortfall, &report);
    return SES_OK;
}
