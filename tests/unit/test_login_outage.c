/* SPDX-License-Identifier: MIT */
#include "support/logins.h"

#include <sesame/login.h>

#include <stdio.h>

/* Log-ins and log-outs while the store fails, and log-outs of all kinds. */

#define SETTINGS "{\"rememberLifetime\":2592000}"

enum { IDLE_S = 1800, CALLS_MAX = 12 };

static int set_up(void **state)
{
    *state = scene_new("fake", SETTINGS);
    return 0;
}

static void fail_next(enum fake_op op, unsigned nth, enum fake_when when)
{
    fake_provider_fail_call(op, nth, SES_ERR_UNAVAILABLE, when);
}

static bool failure_is_over(enum fake_op op)
{
    return atomic_load(&fake_provider_control()->failures[op].countdown) == 0;
}

static void no_failures(void)
{
    for (int op = 0; op < FAKE_OPS; op++)
        fake_provider_fail_call((enum fake_op)op, 0, SES_OK, FAKE_BEFORE_ACT);
}

/* ---- the store fails at one call of a log-in ---- */

struct trial {
    const char *before; /* NULL: anonymous */
    unsigned flags;
    bool step_up;
};

static int act(const struct trial *trial, ses_session *session)
{
    return trial->step_up ? ses_elevate(session, SES_LEVEL_STRONG)
                          : ses_login(session, "bob", SES_LEVEL_FULL, trial->flags);
}

/* Nobody new is logged in: what the browser has is what it had. */
static void assert_as_before(struct scene *scene, const struct guest *guest,
                             const struct trial *trial)
{
    assert_true(guest_is(scene, guest, trial->before));
    assert_int_equal(listed_count(scene, "bob"), 0);
    assert_int_equal(scene_count(scene), 1);
    if (guest->token[0] == '\0')
        return;
    struct guest bare = *guest;
    bare.session[0] = '\0';
    ses_session *session = guest_visit(scene, &bare);
    assert_true(is_user(session, trial->before));
    ses_release(session);
}

static void assert_logged_in(struct scene *scene, const struct guest *guest,
                             const struct guest *before, const struct trial *trial)
{
    assert_true(guest_is(scene, guest, trial->step_up ? trial->before : "bob"));
    assert_true(guest_is(scene, before, NULL));
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(guest->token[0] != '\0', trial->step_up
                                                  ? before->token[0] != '\0'
                                                  : (trial->flags & SES_LOGIN_REMEMBER) != 0);
}

static struct guest trial_guest(struct scene *scene, const struct trial *trial)
{
    return trial->before ? guest_of(scene, trial->before, SES_LOGIN_REMEMBER)
                         : guest_anonymous(scene, 1);
}

/* @return false: there was no such call. */
static bool run_trial(void **state, const struct trial *trial, enum fake_op op, unsigned nth,
                      enum fake_when when)
{
    struct scene *scene = scene_with(state, SETTINGS);
    struct guest guest = trial_guest(scene, trial);
    const struct guest before = guest;
    ses_session *session = guest_visit(scene, &guest);
    fail_next(op, nth, when);
    int r = act(trial, session);
    const bool failed = failure_is_over(op);
    no_failures();
    if (r == SES_OK) {
        guest_finish(session, &guest);
        assert_logged_in(scene, &guest, &before, trial);
        return failed;
    }
    assert_true(failed);
    assert_code(r, SES_ERR_UNAVAILABLE);
    const struct ses_headers *headers = NULL;
    if (ses_commit(session, &headers) == SES_OK)
        guest_take(&guest, headers);
    ses_release(session);
    assert_string_equal(guest.session, before.session);
    assert_string_equal(guest.token, before.token);
    assert_as_before(scene, &guest, trial);
    return true;
}

static unsigned run_trials(void **state, const struct trial *trial)
{
    unsigned met = 0;
    for (int op = FAKE_LOAD; op <= FAKE_LIST; op++) {
        for (int when = FAKE_BEFORE_ACT; when <= FAKE_AFTER_ACT; when++) {
            unsigned nth = 1;
            while (run_trial(state, trial, (enum fake_op)op, nth, (enum fake_when)when))
                assert_true(++nth < CALLS_MAX);
            met += nth - 1;
        }
    }
    return met;
}

static void a_log_in_is_never_half_done_whichever_call_fails(void **state)
{
    const struct trial anonymous = { NULL, 0, false }, remembered = { NULL, SES_LOGIN_REMEMBER, 0 };
    assert_in_range(run_trials(state, &anonymous), 4, 100);
    assert_in_range(run_trials(state, &remembered), 6, 100);
}

static void a_log_in_over_another_users_is_never_half_done(void **state)
{
    const struct trial plain = { "alice", 0, false };
    const struct trial remembered = { "alice", SES_LOGIN_REMEMBER, false };
    assert_in_range(run_trials(state, &plain), 8, 100);
    assert_in_range(run_trials(state, &remembered), 10, 100);
}

static void a_step_up_is_never_half_done(void **state)
{
    const struct trial step_up = { "alice", 0, true };
    assert_in_range(run_trials(state, &step_up), 4, 100);
}

/* ---- a token is redeemed ---- */

/* Whatever fails once, the next request with the same token is logged in. */
static bool redeem_with_failure(void **state, enum fake_op op, unsigned nth, enum fake_when when)
{
    struct scene *scene = scene_with(state, SETTINGS);
    struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
    atomic_fetch_add(&scene->now_ms, IDLE_S * 1000);
    ses_session *session = NULL;
    fail_next(op, nth, when);
    int r = guest_try(scene, &guest, &session);
    const bool failed = failure_is_over(op);
    no_failures();
    if (r == SES_OK) {
        assert_true(is_user(session, "alice"));
        guest_finish(session, &guest);
    } else {
        assert_code(r, SES_ERR_UNAVAILABLE);
        assert_null(session);
        assert_true(failed);
        session = guest_visit(scene, &guest);
        assert_true(is_user(session, "alice"));
        guest_finish(session, &guest);
    }
    assert_true(guest_is(scene, &guest, "alice"));
    assert_int_equal(listed_count(scene, "alice"), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    atomic_fetch_add(&scene->now_ms, IDLE_S * 1000);
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    guest_finish(session, &guest);
    return failed;
}

static void a_store_that_fails_at_a_token_is_an_error_and_loses_nothing(void **state)
{
    unsigned met = 0;
    for (int op = FAKE_LOAD; op <= FAKE_LIST; op++) {
        for (int when = FAKE_BEFORE_ACT; when <= FAKE_AFTER_ACT; when++) {
            unsigned nth = 1;
            while (redeem_with_failure(state, (enum fake_op)op, nth, (enum fake_when)when))
                assert_true(++nth < CALLS_MAX);
            met += nth - 1;
        }
    }
    assert_in_range(met, 10, 100);
}

/* The token was changed, but nobody could tell. */
static void a_token_whose_change_is_of_unknown_outcome_is_not_lost(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
    ses_session *session = NULL;
    guest.session[0] = '\0';
    fail_next(FAKE_SAVE, 1, FAKE_AFTER_ACT);
    fail_next(FAKE_LOAD, 2, FAKE_BEFORE_ACT);
    assert_code(guest_try(scene, &guest, &session), SES_ERR_UNAVAILABLE);
    assert_true(failure_is_over(FAKE_SAVE) && failure_is_over(FAKE_LOAD));
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    guest_finish(session, &guest);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

/* Nothing is known of the token: it is neither nobody nor alice. */
static void an_outage_is_not_an_empty_session(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
    guest.session[0] = '\0';
    ses_session *session = NULL;
    fail_next(FAKE_LOAD, 1, FAKE_BEFORE_ACT);
    assert_code(guest_try(scene, &guest, &session), SES_ERR_UNAVAILABLE);
    assert_null(session);
}

/* ---- log-outs ---- */

static void a_log_out_ends_the_session_and_removes_its_cookie(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    const struct guest before = guest;
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_logout(session, SES_LOGOUT_CLEAR_SITE_DATA));
    assert_true(is_user(session, NULL));
    assert_code(ses_exists(scene->manager, cookie_value(before.session)), SES_ERR_NOT_FOUND);
    assert_code(ses_set_int(session, "n", 2), SES_ERR_GONE);
    const struct ses_headers *headers = guest_commit(session, &guest);
    assert_string_equal(header_value(headers, "Clear-Site-Data", 0),
                        "\"cache\", \"cookies\", \"storage\"");
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_string_equal(guest.session, "");
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 1);
    assert_int_equal(scene_count(scene), 0);
}

static void nothing_is_cleared_unless_asked(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    ses_session *session = guest_visit(scene, &guest);
    assert_code(ses_logout(session, 2), SES_ERR_INVALID);
    assert_true(is_user(session, "alice"));
    assert_ok(ses_logout(session, 0));
    assert_null(header_value(guest_commit(session, &guest), "Clear-Site-Data", 0));
    ses_release(session);
}

static void in_an_outage_the_cookies_go_and_a_second_call_tries_again(void **state)
{
    for (int op = FAKE_SAVE; op <= FAKE_LIST; op += FAKE_LIST - FAKE_SAVE) {
        struct scene *scene = scene_with(state, SETTINGS);
        struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
        const struct guest before = guest;
        ses_session *session = guest_visit(scene, &guest);
        for (int i = 0; i < 2; i++) {
            fail_next((enum fake_op)op, 1, FAKE_BEFORE_ACT);
            if (op == FAKE_SAVE)
                fail_next(FAKE_LOAD, 1, FAKE_BEFORE_ACT);
            assert_code(ses_logout(session, SES_LOGOUT_CLEAR_SITE_DATA), SES_ERR_UNAVAILABLE);
            no_failures();
        }
        const struct ses_headers *headers = guest_commit(session, &guest);
        assert_int_equal(header_count(headers, "Set-Cookie"), 2);
        assert_non_null(header_value(headers, "Clear-Site-Data", 0));
        assert_string_equal(guest.session, "");
        assert_string_equal(guest.token, "");
        assert_ok(ses_logout(session, 0));
        ses_release(session);
        assert_true(guest_is(scene, &before, NULL));
        assert_int_equal(listed_count(scene, "alice"), 0);
    }
}

static void nobody_logs_out_without_a_trace(void **state)
{
    struct scene *scene = scene_with(state, NULL);
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_logout(session, 0));
    assert_int_equal(header_count(guest_commit(session, NULL), "Set-Cookie"), 0);
    assert_int_equal(fake_calls_all(), 0);
    ses_release(session);
}

static void with_a_renewed_id_it_ends_the_session_that_the_id_leads_to(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"renewalInterval\":600,\"rememberLifetime\":2592000}");
    struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER), renewed = guest;
    atomic_fetch_add(&scene->now_ms, 600 * 1000);
    ses_session *slow = guest_visit(scene, &guest);
    guest_finish(guest_visit(scene, &guest), &renewed);
    assert_string_not_equal(renewed.session, guest.session);
    assert_ok(ses_logout(slow, 0));
    guest_finish(slow, &guest);
    assert_string_equal(guest.session, "");
    assert_true(guest_is(scene, &renewed, NULL));
    assert_int_equal(scene_count(scene), 0);

    guest = renewed = guest_of(scene, "alice", 0);
    atomic_fetch_add(&scene->now_ms, 600 * 1000);
    guest_finish(guest_visit(scene, &guest), &renewed);
    slow = guest_visit(scene, &guest); /* in its grace */
    assert_true(is_user(slow, "alice"));
    assert_ok(ses_logout(slow, 0));
    guest_finish(slow, &guest);
    assert_string_equal(guest.session, "");
    assert_true(guest_is(scene, &renewed, NULL));
    assert_int_equal(scene_count(scene), 0);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void a_log_out_that_races_a_log_in_leaves_its_cookie_alone(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *late = guest_visit(scene, &guest), *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
    guest_finish(session, &guest);
    assert_ok(ses_logout(late, 0));
    assert_int_equal(header_count(guest_commit(late, &guest), "Set-Cookie"), 0);
    ses_release(late);
    assert_true(guest_is(scene, &guest, "alice"));
    assert_int_equal(listed_count(scene, "alice"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_log_in_is_never_half_done_whichever_call_fails),
        TEST(a_log_in_over_another_users_is_never_half_done),
        TEST(a_step_up_is_never_half_done),
        TEST(a_store_that_fails_at_a_token_is_an_error_and_loses_nothing),
        TEST(a_token_whose_change_is_of_unknown_outcome_is_not_lost),
        TEST(an_outage_is_not_an_empty_session),
        TEST(a_log_out_ends_the_session_and_removes_its_cookie),
        TEST(nothing_is_cleared_unless_asked),
        TEST(in_an_outage_the_cookies_go_and_a_second_call_tries_again),
        TEST(nobody_logs_out_without_a_trace),
        TEST(with_a_renewed_id_it_ends_the_session_that_the_id_leads_to),
        TEST(a_log_out_that_races_a_log_in_leaves_its_cookie_alone),
    };
    return cmocka_run_group_tests_name("login_outage", tests, NULL, NULL);
}
