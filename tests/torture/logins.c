/* SPDX-License-Identifier: MIT */
#include "torture/torture.h"

#include <stdlib.h>

enum { INTERVAL_MS = 600 * 1000, GRACE_MS = 10 * 1000 };

/* ---- renewal: pages of six requests, while the id changes under them ---- */

enum { REQUESTS = 6 };

/* Starts and commits in any order. A browser sends the cookie that it has at the start; some are
 * sent before the answer to another. @return how many were counted. */
static uint64_t run_page(struct stage *stage, uint64_t *random, struct browser *browser)
{
    ses_session *open[REQUESTS] = { NULL };
    const struct browser sent = *browser;
    bool done[REQUESTS] = { false };
    for (int left = REQUESTS; left > 0;) {
        const size_t i = next_random(random) % REQUESTS;
        if (done[i])
            continue;
        if (!open[i]) {
            open[i] = visit(stage, next_random(random) % 2 ? browser : &sent);
            continue;
        }
        must(ses_increment(open[i], "n", 1), "increment");
        finish(open[i], browser);
        done[i] = true;
        left--;
        stage_pass(stage, (int64_t)(next_random(random) % 1000));
    }
    return REQUESTS;
}

static int64_t stored_count(const struct stage *stage, const struct browser *browser)
{
    int64_t n = -1;
    ses_session *session = visit(stage, browser);
    if (ses_get_int(session, "n", &n) != SES_OK)
        n = -1;
    ses_release(session);
    return n;
}

uint64_t renewal(uint64_t rounds)
{
    struct stage stage;
    struct browser browser = { "" };
    struct ses_stats stats = { .size = sizeof stats };
    uint64_t random = 5, requests = 0;
    stage_open(&stage, "{\"renewalInterval\":600,\"idleTimeout\":7200,\"absoluteTimeout\":0}");
    ses_session *session = visit(&stage, &browser);
    must(ses_login(session, "ada", SES_LEVEL_FULL, 0), "log-in");
    finish(session, &browser);
    while (requests < rounds) {
        requests += run_page(&stage, &random, &browser);
        stage_pass(&stage, (int64_t)(next_random(&random) % (2 * INTERVAL_MS)));
    }
    must(ses_manager_stats(stage.manager, &stats), "stats");
    uint64_t findings = stage.thefts + stage.rejected + (stats.renewed < rounds / 20);
    findings += (uint64_t)llabs((int64_t)requests - stored_count(&stage, &browser));
    findings += count_sessions(stage.manager) != 1;
    stage_close(&stage);
    return findings;
}

/* ---- theft: an old id that comes back ends the session, and is told ---- */

static void start_session(const struct stage *stage, uint64_t n, struct browser *browser)
{
    char user[32];
    browser->cookie[0] = '\0';
    ses_session *session = visit(stage, browser);
    (void)snprintf(user, sizeof user, "user %u", (unsigned)(n % 97));
    if (n % 2)
        must(ses_login(session, user, SES_LEVEL_FULL, 0), "log-in");
    must(ses_set_int(session, "n", 1), "set");
    finish(session, browser);
}

/* One to three changes of the id lie between the old one and the present one. */
static uint64_t try_theft(struct stage *stage, uint64_t n)
{
    struct browser browser, stolen;
    start_session(stage, n, &browser);
    stolen = browser;
    for (uint64_t i = 0; i <= n % 3; i++) {
        stage_pass(stage, INTERVAL_MS);
        finish(visit(stage, &browser), &browser); /* brings the new id */
        finish(visit(stage, &browser), &browser); /* has used it */
    }
    stage_pass(stage, GRACE_MS);
    const uint64_t thefts = stage->thefts, rejected = stage->stolen;
    uint64_t findings = strcmp(browser.cookie, stolen.cookie) == 0;
    findings += is_known(stage, &stolen);
    findings += stage->thefts != thefts + 1 || stage->stolen != rejected + 1;
    findings += is_known(stage, &browser) || is_known(stage, &stolen);
    return findings + (stage->thefts != thefts + 1);
}

uint64_t theft(uint64_t rounds)
{
    struct stage stage;
    uint64_t findings = 0;
    stage_open(&stage, "{\"renewalInterval\":600,\"idleTimeout\":7200}");
    for (uint64_t i = 0; i < rounds; i++)
        findings += try_theft(&stage, i);
    findings += stage.thefts != rounds;
    findings += count_sessions(stage.manager);
    stage_close(&stage);
    return findings;
}

/* ---- login: whoever planted the id has nothing of the log-in (T-4) ---- */

static bool passes(const struct stage *stage, const struct browser *browser,
                   const struct ses_csrf_token *token)
{
    ses_session *session = visit(stage, browser);
    const bool passed = ses_csrf_check(session, token->text) == SES_OK;
    ses_release(session);
    return passed;
}

/* @p planted is a session that its sender holds the id and a CSRF token of. */
static struct ses_csrf_token plant(const struct stage *stage, struct browser *planted)
{
    struct ses_csrf_token token;
    planted->cookie[0] = '\0';
    ses_session *session = visit(stage, planted);
    must(ses_set_int(session, "planted", 1), "set");
    must(ses_csrf_token(session, &token), "token");
    finish(session, planted);
    return token;
}

static uint64_t try_log_in(struct stage *stage, uint64_t n)
{
    const unsigned flags = n % 2 ? SES_LOGIN_KEEP_DATA : 0;
    struct browser planted, victim;
    const struct ses_csrf_token token = plant(stage, &planted);
    victim = planted;
    ses_session *session = visit(stage, &victim);
    uint64_t findings = ses_csrf_check(session, token.text) != SES_OK;
    must(ses_login(session, "ada", SES_LEVEL_FULL, flags), "log-in");
    findings += (ses_type_of(session, "planted") != SES_TYPE_ABSENT) != (flags != 0);
    findings += ses_csrf_check(session, token.text) == SES_OK;
    finish(session, &victim);

    findings += strcmp(victim.cookie, planted.cookie) == 0;
    findings += is_known(stage, &planted) || !is_known(stage, &victim);
    findings += ses_exists(stage->manager, id_of(&planted)) != SES_ERR_NOT_FOUND;
    findings += passes(stage, &planted, &token) || passes(stage, &victim, &token);
    must(ses_destroy_id(stage->manager, id_of(&victim)), "end");
    stage_pass(stage, 60 * 1000);
    return findings;
}

uint64_t login(uint64_t rounds)
{
    struct stage stage;
    uint64_t findings = 0;
    stage_open(&stage, NULL);
    for (uint64_t i = 0; i < rounds; i++)
        findings += try_log_in(&stage, i);
    findings += count_sessions(stage.manager);
    stage_close(&stage);
    return findings;
}
