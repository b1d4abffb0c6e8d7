/* SPDX-License-Identifier: MIT */
#include "core/preset.h"

#include "base/slice.h"

#include <stdio.h>

#define MINUTE_S INT64_C(60)
#define HOUR_S   (60 * MINUTE_S)
#define DAY_S    (24 * HOUR_S)

enum { LINE_MAX_BYTES = 160 };

/* Zero: nothing is asked. */
struct preset {
    int64_t idle_s; /* at most */
    int64_t absolute_s;
    int64_t renewal_s;
    bool counts_users; /* how many sessions a user may have is decided */
    bool forgets;      /* nothing outlives the browser */
    const char *limits_source;
};

const char *const preset_words[] = {
    "", "asvs-l1", "asvs-l2", "asvs-l3", "aal1", "aal2", "aal3", NULL,
};

#define ASVS_LIMITS "ASVS 4.0 3.3.2"

/* In the order of the words. */
static const struct preset presets[] = {
    { 0 },
    { .absolute_s = 30 * DAY_S, .limits_source = ASVS_LIMITS },
    { .idle_s = 30 * MINUTE_S,
      .absolute_s = 12 * HOUR_S,
      .renewal_s = HOUR_S,
      .counts_users = true,
      .limits_source = ASVS_LIMITS },
    { .idle_s = 15 * MINUTE_S,
      .absolute_s = 12 * HOUR_S,
      .renewal_s = HOUR_S,
      .counts_users = true,
      .limits_source = ASVS_LIMITS },
    { .absolute_s = 30 * DAY_S, .forgets = true, .limits_source = "NIST SP 800-63B 4.1.3" },
    { .idle_s = 30 * MINUTE_S,
      .absolute_s = 12 * HOUR_S,
      .forgets = true,
      .limits_source = "NIST SP 800-63B 4.2.3" },
    { .idle_s = 15 * MINUTE_S,
      .absolute_s = 12 * HOUR_S,
      .forgets = true,
      .limits_source = "NIST SP 800-63B 4.3.3" },
};

_Static_assert(sizeof preset_words / sizeof preset_words[0] ==
                   sizeof presets / sizeof presets[0] + 1,
               "each preset has a word");

int preset_find(const char *name)
{
    for (int i = 1; preset_words[i]; i++) {
        if (ascii_same(preset_words[i], name))
            return i;
    }
    return -1;
}

void preset_fill(struct config *config)
{
    const struct preset *preset = &presets[config->preset];
    if (preset->absolute_s > 0 && config->absolute_s < 0)
        config->absolute_s = preset->absolute_s;
    if (preset->idle_s > 0 && config->idle_s == 0)
        config->idle_s = preset->idle_s;
    if (config->preset > 0 && config->secure < 0)
        config->secure = SECURE_TRUE;
}

const char *preset_duty(int preset)
{
    const char *name = preset_words[preset];
    if (name[0] == '\0' || name[strlen(name) - 1] != '3')
        return NULL;
    return "several factors are the application's to ask for: ses_login() and ses_require() at "
           "SES_LEVEL_STRONG";
}

/* ---- where it falls short ---- */

/* Of a limit: writes what is wrong, or nothing. */
typedef void rule_fn(const struct config *c, const struct preset *p, char line[LINE_MAX_BYTES]);

static void judge_idle(const struct config *c, const struct preset *p, char line[LINE_MAX_BYTES])
{
    if (p->idle_s > 0 && c->idle_s > p->idle_s)
        (void)snprintf(line, LINE_MAX_BYTES, "the idle timeout of %lld s is over %lld s (%s)",
                       (long long)c->idle_s, (long long)p->idle_s, p->limits_source);
}

static void judge_absolute(const struct config *c, const struct preset *p,
                           char line[LINE_MAX_BYTES])
{
    if (c->absolute_s == 0)
        (void)snprintf(line, LINE_MAX_BYTES, "there is no absolute timeout, of %lld s at most (%s)",
                       (long long)p->absolute_s, p->limits_source);
    else if (c->absolute_s > p->absolute_s)
        (void)snprintf(line, LINE_MAX_BYTES, "the absolute timeout of %lld s is over %lld s (%s)",
                       (long long)c->absolute_s, (long long)p->absolute_s, p->limits_source);
}

static void judge_renewal(const struct config *c, const struct preset *p, char line[LINE_MAX_BYTES])
{
    if (p->renewal_s > 0 && (c->renewal_s == 0 || c->renewal_s > p->renewal_s))
        (void)snprintf(
            line, LINE_MAX_BYTES,
            "ids are not renewed each %lld s (OWASP Session Management, renewal timeout)",
            (long long)p->renewal_s);
}

static void judge_yes_and_no(const struct config *c, const struct preset *p, ses_line_fn *fn,
                             void *arg)
{
    const struct {
        bool falls_short;
        const char *sentence;
    } rules[] = {
        { !c->faces[false].secure,
          "the cookie is not Secure on requests without TLS (ASVS 4.0 3.4.1)" },
        { c->no_http_only, "the cookie is not HttpOnly (ASVS 4.0 3.4.2)" },
        { strcmp(config_same_site(c), "None") == 0,
          "the cookie is SameSite=None (ASVS 4.0 3.4.3)" },
        { !ascii_starts(c->faces[true].name, "__Host-"),
          "the cookie's name has no __Host- prefix (ASVS 4.0 3.4.4)" },
        { c->cache != CACHE_NO_STORE, "responses of a session may be kept (ASVS 5.0 14.3.2)" },
        { p->renewal_s > 0 && c->when_stolen != STOLEN_END,
          "an id that comes back after its renewal does not end the session (OWASP Session "
          "Management)" },
        { p->counts_users && c->max_user_sessions == 0,
          "no limit of sessions per user is set (ASVS 5.0 7.1.2)" },
        { p->forgets && c->remember_s > 0,
          "a log-in is remembered beyond its session (NIST SP 800-63B 7.1)" },
        { p->forgets && c->cookie_lifetime_s > 0,
          "the cookie outlives the browser (NIST SP 800-63B 7.1)" },
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].falls_short)
            fn(arg, rules[i].sentence);
    }
}

void preset_shortfalls(const struct config *config, int preset, ses_line_fn *fn, void *arg)
{
    static rule_fn *const limits[] = { judge_idle, judge_absolute, judge_renewal };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char line[LINE_MAX_BYTES] = "";
        limits[i](config, &presets[preset], line);
        if (line[0] != '\0')
            fn(arg, line);
    }
    judge_yes_and_no(config, &presets[preset], fn, arg);
}
