/* SPDX-License-Identifier: MIT */
#include "support/sweep.h"

#include <stdio.h>

/* As test_oom.c: the calls that concern log-ins and users, and the requests that log in by a token
 * or get a new id by time. */

#define SETTINGS "{\"rememberLifetime\":864000,\"renewalInterval\":60,\"maxSessionsPerUser\":100}"

/* ---- log-ins ---- */

static void pend(struct stage *stage)
{
    assert_ok(ses_increment(stage->session, "n", 1));
    fill_arena(stage->session, stage->left);
}

static int log_in(struct stage *stage)
{
    return ses_login(stage->session, "alice", SES_LEVEL_FULL, 0);
}

static int log_in_and_keep(struct stage *stage)
{
    return ses_login(stage->session, "alice", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA);
}

static int log_in_and_remember(struct stage *stage)
{
    return ses_login(stage->session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER);
}

/* Commits, and the visitor has what the response set. @return the session of the next request. */
static struct guest take_response(struct stage *stage)
{
    struct guest guest = { "", "" };
    (void)guest_commit(stage->session, &guest);
    (void)snprintf(stage->visitor.cookie, sizeof stage->visitor.cookie, "%s", guest.session);
    return guest;
}

static void check_log_in(struct stage *stage)
{
    const struct guest guest = take_response(stage);
    const struct listing lines = list_of(stage->scene, "alice");
    assert_true(guest_is(stage->scene, &guest, "alice"));
    assert_int_equal(lines.count, 1); /* of one that failed nothing is left */
    assert_int_equal(scene_count(stage->scene), 1);
    assert_ok(ses_end_user(stage->scene->manager, "alice", NULL));
}

static void check_values(struct stage *stage)
{
    const struct guest guest = take_response(stage);
    assert_true(guest_is(stage->scene, &guest, "alice"));
    assert_int_equal(stored_int(stage->scene, &stage->visitor, "n"), 11);
}

static void be_cut(struct stage *stage)
{
    assert_ok(ses_login(stage->rival, "bob", SES_LEVEL_FULL, 0));
    assert_ok(ses_logout(stage->rival, 0));
    pend(stage);
}

static void a_log_in_survives(void **state)
{
    SWEEP(pend, log_in, check_log_in);
    SWEEP(pend, log_in_and_keep, check_values);
    SWEEP(pend, log_in_and_remember, check_log_in);
    SWEEP(be_cut, log_in_and_remember, check_log_in);
}

/* ---- a session with alice in it, who is remembered ---- */

static void be_alice(struct stage *stage)
{
    ses_session *session = stage_visit(stage);
    struct guest guest = { "", "" };
    assert_ok(
        ses_login(session, "alice", SES_LEVEL_PARTIAL, SES_LOGIN_REMEMBER | SES_LOGIN_KEEP_DATA));
    guest_finish(session, &guest);
    (void)snprintf(stage->visitor.cookie, sizeof stage->visitor.cookie, "%s", guest.session);
    stage_visit_again(stage);
}

static int log_in_as_bob(struct stage *stage)
{
    return ses_login(stage->session, "bob", SES_LEVEL_FULL, SES_LOGIN_REMEMBER);
}

static void check_bob(struct stage *stage)
{
    const struct guest guest = take_response(stage);
    assert_true(guest_is(stage->scene, &guest, "bob"));
    assert_int_equal(listed_count(stage->scene, "bob"), 1);
    assert_ok(ses_end_user(stage->scene->manager, NULL, NULL));
}

static int elevate(struct stage *stage)
{
    return ses_elevate(stage->session, SES_LEVEL_STRONG);
}

static void check_strong(struct stage *stage)
{
    (void)guest_commit(stage->session, NULL);
    assert_ok(ses_require(stage->session, SES_LEVEL_STRONG, 1));
    assert_ok(ses_end_user(stage->scene->manager, NULL, NULL));
}

static int require(struct stage *stage)
{
    return ses_require(stage->session, SES_LEVEL_PARTIAL, 300);
}

static int log_out(struct stage *stage)
{
    const int r = ses_logout(stage->session, SES_LOGOUT_CLEAR_SITE_DATA);
    const struct ses_headers *headers;
    return r < 0 ? r : ses_commit(stage->session, &headers);
}

static void check_nobody(struct stage *stage)
{
    assert_int_equal(listed_count(stage->scene, "alice"), 0);
    assert_int_equal(scene_count(stage->scene), 0);
}

static void end_everybody(struct stage *stage)
{
    assert_ok(ses_end_user(stage->scene->manager, NULL, NULL));
}

static void a_log_in_over_another_survives(void **state)
{
    SWEEP(be_alice, log_in_as_bob, check_bob);
}

static void a_step_up_and_a_question_survive(void **state)
{
    SWEEP(be_alice, elevate, check_strong);
    SWEEP(be_alice, require, end_everybody);
}

static void a_log_out_survives(void **state)
{
    SWEEP(be_alice, log_out, check_nobody);
}

/* ---- CSRF tokens ---- */

static struct ses_csrf_token csrf;

static int make_csrf(struct stage *stage)
{
    return ses_csrf_token(stage->session, &csrf);
}

static void be_new(struct stage *stage)
{
    ses_release(stage->session);
    stage->session = scene_start(stage->scene, NULL);
    fill_arena(stage->session, stage->left);
}

static int check_csrf(struct stage *stage)
{
    return ses_csrf_check(stage->session, csrf.text);
}

static void make_it_new(struct stage *stage)
{
    be_new(stage);
    assert_ok(ses_csrf_token(stage->session, &csrf));
}

static int commit(struct stage *stage)
{
    const struct ses_headers *headers;
    return ses_commit(stage->session, &headers);
}

static void check_stored(struct stage *stage)
{
    struct guest guest = { "", "" };
    (void)guest_commit(stage->session, &guest);
    ses_session *session = guest_visit(stage->scene, &guest);
    assert_ok(ses_csrf_check(session, csrf.text));
    assert_ok(ses_destroy(session));
    ses_release(session);
}

static void a_csrf_token_survives(void **state)
{
    SWEEP(NULL, make_csrf, NULL);
    SWEEP(be_new, make_csrf, check_stored);
    SWEEP(make_it_new, check_csrf, check_stored);
    SWEEP(make_it_new, commit, check_stored);
}

/* ---- all of a user ---- */

static char handle[33];

static int note_handle(void *arg, const struct ses_info *info)
{
    unsigned *lines = arg;
    memcpy(handle, info->handle, sizeof handle);
    ++*lines;
    return 0;
}

static int list_alice(struct stage *stage)
{
    unsigned lines = 0;
    const int r = ses_list(stage->scene->manager, "alice", note_handle, &lines);
    assert_int_equal(lines, r == SES_OK);
    return r;
}

static int list_everybody(struct stage *stage)
{
    unsigned lines = 0;
    return ses_list(stage->scene->manager, NULL, note_handle, &lines);
}

static void be_alice_with_a_handle(struct stage *stage)
{
    be_alice(stage);
    assert_ok(list_alice(stage));
}

/* A second time one may be ended already. */
static int end_handle(struct stage *stage)
{
    const int r = ses_end(stage->scene->manager, "alice", handle);
    return r == SES_ERR_NOT_FOUND ? SES_OK : r;
}

static int end_alice(struct stage *stage)
{
    return ses_end_user(stage->scene->manager, "alice", NULL);
}

static int end_all_users(struct stage *stage)
{
    return ses_end_user(stage->scene->manager, NULL, stage->rival);
}

static void a_list_survives(void **state)
{
    SWEEP(be_alice, list_alice, end_everybody);
    SWEEP(be_alice, list_everybody, end_everybody);
}

static void to_end_one_or_all_survives(void **state)
{
    SWEEP(be_alice_with_a_handle, end_handle, check_nobody);
    SWEEP(be_alice, end_alice, check_nobody);
    SWEEP(be_alice, end_all_users, check_nobody);
}

/* ---- requests ---- */

static struct guest remembered;

static void be_remembered(struct stage *stage)
{
    remembered = guest_of(stage->scene, "alice", SES_LOGIN_REMEMBER);
    assert_ok(ses_destroy_id(stage->scene->manager, cookie_value(remembered.session)));
    remembered.session[0] = '\0';
}

static int redeem(struct stage *stage)
{
    ses_session *session;
    int r = guest_try(stage->scene, &remembered, &session);
    if (r < 0)
        return r;
    r = ses_commit(session, NULL);
    if (r == SES_ERR_NO_MEMORY)
        r = ses_commit(session, NULL);
    failmalloc_disarm();
    assert_true(is_user(session, "alice"));
    ses_release(session);
    return r;
}

/* The visitor's, and what the token has yielded: nothing of a request that failed. */
static void check_redeemed(struct stage *stage)
{
    assert_int_equal(scene_count(stage->scene), 2);
    assert_int_equal(scene_told(stage->scene, SES_EVENT_THEFT), 0);
    assert_ok(ses_end_user(stage->scene->manager, "alice", NULL));
}

static void grow_old(struct stage *stage)
{
    atomic_fetch_add(&stage->scene->now_ms, 61 * 1000);
    pend(stage);
}

static void check_renewed(struct stage *stage)
{
    char before[COOKIE_TEXT_MAX];
    memcpy(before, stage->visitor.cookie, sizeof before);
    (void)take_response(stage);
    assert_string_not_equal(stage->visitor.cookie, before);
    assert_int_equal(stored_int(stage->scene, &stage->visitor, "n"), 11);
    assert_int_equal(scene_count(stage->scene), 1);
}

static void a_request_with_a_token_survives(void **state)
{
    SWEEP(be_remembered, redeem, check_redeemed);
}

static void a_request_that_gets_a_new_id_by_time_survives(void **state)
{
    SWEEP(grow_old, commit, check_renewed);
}

int main(void)
{
    sweep_init(SETTINGS);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_in_survives),
        cmocka_unit_test(a_log_in_over_another_survives),
        cmocka_unit_test(a_step_up_and_a_question_survive),
        cmocka_unit_test(a_log_out_survives),
        cmocka_unit_test(a_csrf_token_survives),
        cmocka_unit_test(a_list_survives),
        cmocka_unit_test(to_end_one_or_all_survives),
        cmocka_unit_test(a_request_with_a_token_survives),
        cmocka_unit_test(a_request_that_gets_a_new_id_by_time_survives),
    };
    return cmocka_run_group_tests_name("oom_logins", tests, NULL, NULL);
}
