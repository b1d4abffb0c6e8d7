/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "harness.h"
#include "report.h"

#include <sesame/sesame.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What log-ins cost, and what the defences do. There is no floor for them; each stands beside the
 * nearest thing without.
 */

enum { COOKIE_MAX = 96, USER_SESSIONS = 10, PROTECTED_SESSIONS = 100000 };

static const char agent[] =
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/* Everything that looks at a request is off, or on. */
static const char unprotected[] =
    "{\"idleTimeout\":604800,\"touchThreshold\":86400,\"renewalInterval\":0,\"scanLimit\":0}";
static const char protected[] =
    "{\"idleTimeout\":604800,\"touchThreshold\":86400,\"bindUserAgent\":\"demand\","
    "\"bindNetwork\":\"demand\",\"scanAction\":\"refuse\",\"maxSessionsPerUser\":100000,"
    "\"rememberLifetime\":2592000,\"backgroundHeader\":\"X-Background\","
    "\"evictPaths\":[\"/app\"],\"idKey\":\"a bench has no secret to keep but its length\"}";

struct cookie {
    char text[COOKIE_MAX];
};

static ses_manager *make_manager(const char *json)
{
    struct ses_error error;
    ses_manager *manager = ses_manager_new("memory", json, NULL, &error);
    if (!manager)
        bench_fail("%s", error.message);
    return manager;
}

static const char *no_header(void *arg, const char *name, size_t nth)
{
    (void)arg, (void)name, (void)nth;
    return NULL;
}

static ses_session *start(ses_manager *manager, const char *cookie)
{
    const struct ses_slice field = { cookie, cookie ? strlen(cookie) : 0 };
    const struct ses_request request = {
        .size = sizeof request,
        .cookies = &field,
        .cookie_count = cookie ? 1 : 0,
        .header = no_header,
        .peer = "192.0.2.7",
        .user_agent = agent,
    };
    ses_session *session;
    if (ses_start(manager, &request, &session) != SES_OK)
        bench_fail("cannot start a session");
    return session;
}

/* A session of @p user, or of nobody. */
static uint64_t visit(ses_manager *manager, const char *user, struct cookie *ret_cookie)
{
    const struct ses_headers *headers;
    ses_session *session = start(manager, NULL);
    int r = user ? ses_login(session, user, SES_LEVEL_FULL, 0) : SES_OK;
    if (r == SES_OK)
        r = ses_set_text(session, "lang", "de");
    if (r == SES_OK)
        r = ses_commit(session, &headers);
    if (r == SES_OK && ret_cookie)
        (void)snprintf(ret_cookie->text, sizeof ret_cookie->text, "id=%s", ses_session_id(session));
    ses_release(session);
    return r != SES_OK;
}

/* ---- a log-in beside a session of nobody ---- */

static uint64_t enter(void *arg, const struct bench_share *share, bool with_user)
{
    uint64_t failures = 0;
    char user[32];
    for (uint64_t i = 0; i < share->operations; i++) {
        (void)snprintf(user, sizeof user, "u%u-%llu", share->round, (unsigned long long)i);
        failures += visit(arg, with_user ? user : NULL, NULL);
    }
    return failures;
}

static uint64_t enter_as_nobody(void *arg, const struct bench_share *share)
{
    return enter(arg, share, false);
}

static uint64_t enter_as_user(void *arg, const struct bench_share *share)
{
    return enter(arg, share, true);
}

static void measure_login(const struct options *options)
{
    ses_manager *manager = make_manager(unprotected);
    const struct bench_plan plan = {
        .floor = enter_as_nobody,
        .ours = enter_as_user,
        .arg = manager,
        .threads = 1,
        .operations = options->quick ? 5000 : 20000,
        .budget_s = options->quick ? 3 : 12,
    };
    struct report_row row = { .name = "login", .threads = 1, .kind = REPORT_TIMES };
    row.result = bench_measure(&plan);
    report_row(&row);
    ses_manager_unref(manager);
}

/* ---- a read with and without the defences ---- */

struct side {
    ses_manager *manager;
    struct cookie *cookies;
};

struct sides {
    struct side off, on;
};

static struct side make_side(const char *json)
{
    struct side side = {
        .manager = make_manager(json),
        .cookies = bench_alloc(PROTECTED_SESSIONS * sizeof(struct cookie)),
    };
    for (size_t i = 0; i < PROTECTED_SESSIONS; i++) {
        if (visit(side.manager, "ada", &side.cookies[i]) != 0)
            bench_fail("cannot log in");
    }
    return side;
}

static void free_side(struct side *side)
{
    ses_manager_unref(side->manager);
    free(side->cookies);
}

static uint64_t read_some(const struct side *side, const struct bench_share *share)
{
    uint64_t state = share->round * 64 + share->thread + 1, failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        const struct ses_headers *headers;
        const char *text;
        state = state * 6364136223846793005u + 1442695040888963407u;
        ses_session *session =
            start(side->manager, side->cookies[(state >> 33) % PROTECTED_SESSIONS].text);
        failures += ses_get_text(session, "lang", &text) != SES_OK ||
                    ses_commit(session, &headers) != SES_OK;
        ses_release(session);
    }
    return failures;
}

static uint64_t read_unprotected(void *arg, const struct bench_share *share)
{
    return read_some(&((const struct sides *)arg)->off, share);
}

static uint64_t read_protected(void *arg, const struct bench_share *share)
{
    return read_some(&((const struct sides *)arg)->on, share);
}

static void measure_protection(const struct options *options)
{
    struct sides sides = { make_side(unprotected), make_side(protected) };
    const struct bench_plan plan = {
        .floor = read_unprotected,
        .ours = read_protected,
        .arg = &sides,
        .threads = 1,
        .run_s = options->quick ? 0.1 : 0.4,
        .budget_s = options->quick ? 3 : 12,
    };
    struct report_row row = {
        .name = "protected",
        .sessions = PROTECTED_SESSIONS,
        .threads = 1,
        .kind = REPORT_TIMES,
        .aim = 1.15,
    };
    row.result = bench_measure(&plan);
    report_row(&row);
    free_side(&sides.off);
    free_side(&sides.on);
}

/* ---- one user's sessions among few and among many ---- */

struct crowds {
    ses_manager *few, *many;
};

static ses_manager *make_crowd(size_t sessions)
{
    ses_manager *manager = make_manager(unprotected);
    char user[32];
    for (size_t i = 0; i < sessions; i++) {
        (void)snprintf(user, sizeof user, "u%zu", i / USER_SESSIONS);
        if (visit(manager, user, NULL) != 0)
            bench_fail("cannot log in");
    }
    return manager;
}

static int count_one(void *arg, const struct ses_info *info)
{
    (void)info;
    ++*(unsigned *)arg;
    return 0;
}

static uint64_t list_some(ses_manager *manager, size_t users, const struct bench_share *share)
{
    uint64_t failures = 0, state = share->round + 1;
    for (uint64_t i = 0; i < share->operations; i++) {
        unsigned shown = 0;
        char user[32];
        state = state * 6364136223846793005u + 1442695040888963407u;
        (void)snprintf(user, sizeof user, "u%zu", (size_t)((state >> 33) % users));
        failures += ses_list(manager, user, count_one, &shown) != SES_OK || shown != USER_SESSIONS;
    }
    return failures;
}

enum { FEW = 100000, MANY = 1000000 };

static uint64_t list_few(void *arg, const struct bench_share *share)
{
    return list_some(((const struct crowds *)arg)->few, FEW / USER_SESSIONS, share);
}

static uint64_t list_many(void *arg, const struct bench_share *share)
{
    return list_some(((const struct crowds *)arg)->many, MANY / USER_SESSIONS, share);
}

static void measure_list(const struct options *options)
{
    struct crowds crowds = { make_crowd(FEW), make_crowd(MANY) };
    const struct bench_plan plan = {
        .floor = list_few,
        .ours = list_many,
        .arg = &crowds,
        .threads = 1,
        .run_s = options->quick ? 0.1 : 0.4,
        .budget_s = options->quick ? 3 : 12,
    };
    struct report_row row = {
        .name = "list", .sessions = MANY, .threads = 1, .kind = REPORT_TIMES
    };
    row.result = bench_measure(&plan);
    report_row(&row);
    ses_manager_unref(crowds.few);
    ses_manager_unref(crowds.many);
}

/* ---- a made-up id beside none ---- */

static uint64_t come_with(ses_manager *manager, const struct bench_share *share, bool made_up)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    /* Of our form, from the version byte to the length: only its check is not ours. */
    char cookie[] = "id=AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (uint64_t i = 0; i < share->operations; i++) {
        uint64_t number = ((uint64_t)share->round << 40) + i;
        for (size_t at = 6; made_up && at < 16; at++, number >>= 6)
            cookie[at] = alphabet[number & 63];
        ses_release(start(manager, made_up ? cookie : NULL));
    }
    return 0;
}

static uint64_t come_without(void *arg, const struct bench_share *share)
{
    return come_with(arg, share, false);
}

static uint64_t come_made_up(void *arg, const struct bench_share *share)
{
    return come_with(arg, share, true);
}

/* "No store call" is what the counters say: none of them was looked up, and found to be unknown. */
static void measure_reject(const struct options *options)
{
    ses_manager *manager = make_manager(protected);
    const struct bench_plan plan = {
        .floor = come_without,
        .ours = come_made_up,
        .arg = manager,
        .threads = 1,
        .operations = options->quick ? 50000 : 1000000 / BENCH_ROUNDS_MIN + 1,
        .budget_s = options->quick ? 3 : 12,
    };
    struct report_row row = { .name = "reject", .threads = 1, .kind = REPORT_MORE, .aim = 1000 };
    row.result = bench_measure(&plan);
    report_row(&row);
    struct ses_stats stats = { .size = sizeof stats };
    if (ses_manager_stats(manager, &stats) != SES_OK || stats.unknown + stats.loaded != 0 ||
        stats.malformed < plan.operations * BENCH_ROUNDS_MIN)
        bench_fail("a made-up id has reached the store");
    ses_manager_unref(manager);
}

void row_logins(const struct options *options)
{
    measure_login(options);
    measure_protection(options);
    measure_list(options);
    measure_reject(options);
}
