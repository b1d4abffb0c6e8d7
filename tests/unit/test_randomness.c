/* SPDX-License-Identifier: MIT */
#include "support/renewals.h"

#include <errno.h>
#include <sys/random.h>

/* A kernel without random bytes (T-20), and one that repeats itself (T-31), at each call for some
 * in each act that makes something up. */

static unsigned countdown; /* 1: the next call fails; 0: none does */
static bool dribbles;      /* a byte at a time, and interrupted in between */
static bool repeats;

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    static bool interrupted;
    if (countdown > 0 && --countdown == 0) {
        errno = ENOSYS;
        return -1;
    }
    if (repeats) {
        memset(buffer, 0x5a, size);
        return (ssize_t)size;
    }
    interrupted = dribbles && !interrupted;
    if (interrupted) {
        errno = EINTR;
        return -1;
    }
    return __real_getrandom(buffer, dribbles ? 1 : size, flags);
}

static int tear_down(void **state)
{
    countdown = 0;
    dribbles = repeats = false;
    return scene_tear_down(state);
}

/* ---- acts that make something up ---- */

static int first_commit(ses_session *session)
{
    return ses_set_int(session, "n", 0);
}

static int log_her_in(ses_session *session)
{
    return ses_login(session, "eve", SES_LEVEL_STRONG, SES_LOGIN_KEEP_DATA);
}

static int log_in_and_remember(ses_session *session)
{
    return ses_login(session, "eve", SES_LEVEL_STRONG, SES_LOGIN_REMEMBER);
}

static int step_up(ses_session *session)
{
    return ses_elevate(session, SES_LEVEL_STRONG);
}

static int ask_token(ses_session *session)
{
    struct ses_csrf_token token;
    return ses_csrf_token(session, &token);
}

static int ask_token_twice(ses_session *session)
{
    struct ses_csrf_token one = { "" }, two = { "" };
    int r = ses_csrf_token(session, &one);
    if (r == SES_OK)
        r = ses_csrf_token(session, &two);
    if (r == SES_OK)
        assert_string_not_equal(one.text, two.text);
    return r;
}

static int add_one(ses_session *session)
{
    return ses_increment(session, "n", 1);
}

static const struct act {
    const char *name;
    int (*run)(ses_session *session);
    bool stored; /* in a session that is stored, and whose id is due */
} acts[] = {
    { "first commit", first_commit, false },
    { "first log-in", log_her_in, false },
    { "first token", ask_token, false },
    { "renewal", add_one, true },
    { "regenerate", ses_regenerate, true },
    { "log-in", log_her_in, true },
    { "remembered log-in", log_in_and_remember, false },
    { "step-up", step_up, true },
    { "token", ask_token_twice, true },
};

static const char config[] = "{\"renewalInterval\":600,\"idleTimeout\":7200}";
static const char remembering[] = "{\"rememberLifetime\":86400}";

static struct scene *scene_for(void **state, const struct act *act)
{
    return scene_with(state, act->run == log_in_and_remember ? remembering : config);
}

static int run_act(const struct act *act, ses_session *session, struct visitor *visitor)
{
    const struct ses_headers *headers = NULL;
    int r = act->run(session);
    if (r == SES_OK)
        r = ses_commit(session, &headers);
    const char *cookie = r == SES_OK ? header_value(headers, "Set-Cookie", 0) : NULL;
    if (cookie)
        (void)snprintf(visitor->cookie, sizeof visitor->cookie, "%.*s", (int)strcspn(cookie, ";"),
                       cookie);
    return r;
}

/* With the nth call for random bytes failing. @return whether one did. */
static bool fail_at(void **state, const struct act *act, unsigned nth)
{
    struct scene *scene = scene_for(state, act);
    struct visitor visitor = { "" };
    if (act->stored)
        visitor = due_visitor(scene);
    struct visitor after = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    countdown = nth;
    int r = run_act(act, session, &after);
    const bool failed = countdown == 0;
    countdown = 0;
    if (failed != (r == SES_ERR_NO_RANDOMNESS) || (!failed && r != SES_OK))
        fail_msg("%s, call %u: %s", act->name, nth, ses_strerror(r));
    ses_release(session);

    if (failed && act->stored) { /* nothing has changed for anybody */
        session = scene_visit(scene, &visitor);
        assert_false(session_is_new(session));
        assert_string_equal(info_of(session).user, "ada");
        assert_int_equal(info_of(session).level, SES_LEVEL_FULL);
        ses_release(session);
    }
    assert_int_equal(scene_count(scene), act->stored || !failed);
    return failed;
}

static void without_random_bytes_no_act_makes_anything_up(void **state)
{
    for (size_t a = 0; a < sizeof acts / sizeof acts[0]; a++) {
        unsigned nth = 1;
        while (fail_at(state, &acts[a], nth))
            nth++;
        assert_true(nth > 1);
    }
}

static void random_bytes_that_come_one_by_one_are_as_good(void **state)
{
    for (size_t a = 0; a < sizeof acts / sizeof acts[0]; a++) {
        struct scene *scene = scene_for(state, &acts[a]);
        struct visitor visitor = { "" };
        if (acts[a].stored)
            visitor = due_visitor(scene);
        const struct visitor before = visitor;
        ses_session *session = scene_visit(scene, &visitor);
        dribbles = true;
        assert_ok(run_act(&acts[a], session, &visitor));
        dribbles = false;
        ses_release(session);
        assert_false(same_id(&visitor, &before));
        assert_null(strstr(visitor.cookie, "AAAAAAAA"));
        assert_ok(scene_exists(scene, &visitor));
    }
}

/* Everything that makes an id meets one that is taken: by another visitor's session. */
static void an_id_that_repeats_takes_no_other_session(void **state)
{
    for (size_t a = 0; a < sizeof acts / sizeof acts[0]; a++) {
        if (acts[a].run == ask_token_twice)
            continue; /* makes no id but by the renewal, which is there already */
        struct scene *scene = scene_for(state, &acts[a]);
        repeats = true;
        const struct visitor other = scene_visitor(scene, 7);
        repeats = false;
        struct visitor visitor = { "" };
        if (acts[a].stored)
            visitor = due_visitor(scene);
        ses_session *session = scene_visit(scene, &visitor);
        repeats = true;
        assert_code(run_act(&acts[a], session, &visitor), SES_ERR_NO_RANDOMNESS);
        repeats = false;
        ses_release(session);
        session = scene_visit(scene, &other);
        assert_false(session_is_new(session));
        assert_null(info_of(session).user);
        assert_int_equal(stored_int(scene, &other, "n"), 7);
        ses_release(session);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(without_random_bytes_no_act_makes_anything_up),
        CASE(random_bytes_that_come_one_by_one_are_as_good),
        CASE(an_id_that_repeats_takes_no_other_session),
    };
    return cmocka_run_group_tests_name("randomness", tests, NULL, NULL);
}
