/* SPDX-License-Identifier: MIT */
#include "support/logins.h"

#include <sesame/login.h>

#include <stdio.h>

/* Remembered log-ins: a second cookie, which outlives the session. Many at once:
 * test_user_threads.c. */

enum { IDLE_S = 1800, REMEMBER_S = 30 * 86400 };

static int set_up(void **state)
{
    *state = scene_new("fake", "{\"rememberLifetime\":2592000,\"absoluteTimeout\":86400}");
    return 0;
}

static void pass_s(struct scene *scene, int64_t seconds)
{
    atomic_fetch_add(&scene->now_ms, seconds * 1000);
}

static struct guest alice_of(struct scene *scene)
{
    const struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
    assert_true(guest.token[0] != '\0');
    return guest;
}

/* ---- the cookie ---- */

static void it_sets_a_second_cookie_that_lasts(void **state)
{
    struct scene *scene = *state;
    struct guest guest = { "", "" };
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
    const struct ses_headers *headers = guest_commit(session, &guest);
    assert_int_equal(header_count(headers, "Set-Cookie"), 2);
    assert_int_equal(headers->cookie_count, 2);
    const char *field = set_cookie_of(headers, "id-remember");
    assert_non_null(field);
    assert_non_null(strstr(field, "; Max-Age=2592000"));
    assert_non_null(strstr(field, "; HttpOnly"));
    assert_null(strstr(field, "; Secure"));
    assert_non_null(strstr(field, "; Path=/"));
    assert_null(strstr(set_cookie_of(headers, "id"), "Max-Age"));
    assert_string_not_equal(cookie_value(guest.token), cookie_value(guest.session));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    ses_release(session);
    assert_int_equal(scene_count(scene), 1);
}

static void it_is_marked_and_named_as_the_sessions_is(void **state)
{
    struct scene *scene = scene_with(state, "{\"rememberLifetime\":60,\"secure\":true,"
                                            "\"rememberCookieName\":\"stay\"}");
    struct ses_request request = { .tls = true };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
    const struct ses_headers *headers = guest_commit(session, NULL);
    const char *own = header_value(headers, "Set-Cookie", 0);
    const char *field = header_value(headers, "Set-Cookie", 1);
    assert_non_null(own);
    assert_non_null(field);
    assert_non_null(strstr(own, "; Secure"));
    assert_non_null(strstr(field, "; Secure"));
    assert_non_null(strstr(field, "; Max-Age=60"));
    const char *name = strncmp(own, "__Host-", 7) == 0 ? "__Host-stay=" : "stay=";
    assert_int_equal(strncmp(field, name, strlen(name)), 0);
    ses_release(session);
}

static void without_the_flag_there_is_no_token(void **state)
{
    struct scene *scene = *state;
    const struct guest guest = guest_of(scene, "alice", 0);
    assert_string_equal(guest.token, "");
    assert_int_equal(list_of(scene, "alice").remembered, 0);
    assert_int_equal(listed_count(scene, "alice"), 1);
    pass_s(scene, IDLE_S);
    assert_int_equal(listed_count(scene, "alice"), 0);
}

/* ---- using it ---- */

static void after_the_session_expired_it_logs_in_at_the_lowest_level(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    const struct guest before = guest;
    struct listing lines = list_of(scene, "alice");
    assert_int_equal(lines.count, 1);
    assert_false(lines.lines[0].info.remembered);
    pass_s(scene, IDLE_S);
    lines = list_of(scene, "alice");
    assert_int_equal(lines.count, 1);
    assert_true(lines.lines[0].info.remembered);

    ses_session *session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    const struct ses_info info = info_of_session(session);
    assert_int_equal(info.level, SES_LEVEL_REMEMBERED);
    assert_true(info.auth_ms == SCENE_START_MS);
    assert_true(info.created_ms == SCENE_START_MS + IDLE_S * 1000);
    assert_string_equal(info.handle, lines.lines[0].info.handle);
    assert_ok(ses_require(session, SES_LEVEL_REMEMBERED, 0));
    assert_code(ses_require(session, SES_LEVEL_REMEMBERED, IDLE_S - 1), SES_ERR_DENIED);
    assert_code(ses_require(session, SES_LEVEL_PARTIAL, 0), SES_ERR_DENIED);
    guest_finish(session, &guest);
    assert_string_not_equal(guest.session, before.session);
    assert_string_not_equal(guest.token, before.token); /* rotated */
    assert_true(guest_is(scene, &guest, "alice"));
    assert_int_equal(scene_told(scene, SES_EVENT_LOGIN), 2);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    lines = list_of(scene, "alice");
    assert_int_equal(lines.count, 1); /* one browser */
    assert_int_equal(scene_count(scene), 1);
}

static void it_rotates_with_each_use_until_its_own_end(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    for (int64_t s = 86400; s < REMEMBER_S; s += 86400) {
        const struct guest before = guest;
        atomic_store(&scene->now_ms, SCENE_START_MS + s * 1000);
        ses_session *session = guest_visit(scene, &guest);
        assert_true(is_user(session, "alice"));
        const struct ses_headers *headers = guest_commit(session, &guest);
        char age[32];
        (void)snprintf(age, sizeof age, "; Max-Age=%lld;", (long long)(REMEMBER_S - s));
        assert_non_null(strstr(set_cookie_of(headers, "id-remember"), age));
        ses_release(session);
        assert_string_not_equal(guest.token, before.token);
    }
    atomic_store(&scene->now_ms, SCENE_START_MS + INT64_C(1000) * REMEMBER_S);
    ses_session *session = guest_visit(scene, &guest);
    assert_true(is_user(session, NULL));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_int_equal(listed_count(scene, "alice"), 0);
}

static void a_request_with_its_session_leaves_the_token_alone(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    const struct guest before = guest;
    scene_forget(scene);
    guest_finish(guest_visit(scene, &guest), &guest);
    assert_string_equal(guest.token, before.token);
    assert_int_equal(fake_calls_all(), 1);
}

static void values_do_not_survive(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_set_int(session, "n", 1));
    guest_finish(session, &guest);
    pass_s(scene, IDLE_S);
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    guest_finish(session, &guest);
}

static void a_remembered_user_steps_up_and_stays_remembered(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    pass_s(scene, IDLE_S);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL));
    guest_finish(session, &guest);
    session = guest_visit(scene, &guest);
    assert_ok(ses_require(session, SES_LEVEL_FULL, 1));
    ses_release(session);
    pass_s(scene, IDLE_S);
    session = guest_visit(scene, &guest);
    assert_int_equal(info_of_session(session).level, SES_LEVEL_REMEMBERED);
    guest_finish(session, &guest);
}

static void a_token_is_no_session_id_and_no_id_is_a_token(void **state)
{
    struct scene *scene = *state;
    const struct guest guest = alice_of(scene);
    struct guest swapped = { "", "" };
    (void)snprintf(swapped.session, COOKIE_TEXT_MAX, "id=%.*s", COOKIE_TEXT_MAX - 4,
                   cookie_value(guest.token));
    ses_session *session = guest_visit(scene, &swapped);
    assert_true(is_user(session, NULL));
    ses_release(session);
    assert_code(ses_exists(scene->manager, cookie_value(guest.token)), SES_ERR_NOT_FOUND);
    assert_code(ses_destroy_id(scene->manager, cookie_value(guest.token)), SES_ERR_NOT_FOUND);

    swapped = (struct guest){ "", "" };
    const int room = COOKIE_TEXT_MAX - 13;
    (void)snprintf(swapped.token, COOKIE_TEXT_MAX, "id-remember=%.*s", room,
                   cookie_value(guest.session));
    session = guest_visit(scene, &swapped);
    assert_true(is_user(session, NULL));
    ses_release(session);
    assert_int_equal(scene_rejected(scene, SES_REASON_UNKNOWN), 3);
    assert_int_equal(listed_count(scene, "alice"), 1);
}

/* ---- the same one again ---- */

static void six_requests_side_by_side_are_all_logged_in_without_alarm(void **state)
{
    enum { SIDE_BY_SIDE = 6 };
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    ses_session *sessions[SIDE_BY_SIDE];
    struct guest after[SIDE_BY_SIDE];
    pass_s(scene, IDLE_S);
    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        sessions[i] = guest_visit(scene, &guest);
        assert_true(is_user(sessions[i], "alice"));
    }
    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        after[i] = guest;
        guest_finish(sessions[i], &after[i]);
        assert_true(guest_is(scene, &after[i], "alice"));
        assert_string_equal(after[i].token, after[0].token);
    }
    assert_string_not_equal(after[0].token, guest.token);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_int_equal(listed_count(scene, "alice"), 1); /* one browser */
    pass_s(scene, IDLE_S);
    guest = after[5];
    assert_true(is_user(sessions[0] = guest_visit(scene, &guest), "alice"));
    ses_release(sessions[0]);
}

static void a_lost_response_is_repeated(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene), lost = guest;
    pass_s(scene, IDLE_S);
    guest_finish(guest_visit(scene, &guest), &lost);
    pass_s(scene, 3 * 86400);
    ses_session *session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    guest_finish(session, &guest);
    assert_string_equal(guest.token, lost.token);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void an_old_token_is_a_theft_and_ends_what_that_browser_has(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene), stolen = guest;
    const struct guest elsewhere = guest_of(scene, "alice", 0);
    pass_s(scene, IDLE_S - 1);
    guest_finish(guest_visit(scene, &elsewhere), NULL); /* is used, and lives on */
    pass_s(scene, 1);
    guest_finish(guest_visit(scene, &guest), &guest);
    guest.session[0] = '\0'; /* as if it had expired */
    guest_finish(guest_visit(scene, &guest), &guest);
    assert_true(guest_is(scene, &guest, "alice"));

    scene_forget(scene);
    stolen.session[0] = '\0';
    ses_session *session = guest_visit(scene, &stolen);
    assert_true(is_user(session, NULL));
    guest_finish(session, &stolen);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
    assert_true(guest_is(scene, &guest, NULL));
    guest.session[0] = '\0';
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, NULL)); /* the token is gone, too */
    assert_true(info_of_session(session).suspected_ms > 0);
    ses_release(session);
    assert_true(guest_is(scene, &elsewhere, "alice"));
    assert_int_equal(listed_count(scene, "alice"), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
}

/* ---- forgetting it ---- */

static void assert_forgotten(struct scene *scene, struct guest guest)
{
    guest.session[0] = '\0';
    ses_session *session = guest_visit(scene, &guest);
    assert_true(is_user(session, NULL));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void a_log_out_ends_the_token_too(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    const struct guest before = guest;
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_logout(session, 0));
    guest_finish(session, &guest);
    assert_string_equal(guest.session, "");
    assert_string_equal(guest.token, "");
    assert_forgotten(scene, before);
    assert_int_equal(listed_count(scene, "alice"), 0);
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 2);
}

static void a_log_out_by_a_socket_ends_the_token_too(void **state)
{
    struct scene *scene = *state;
    const struct guest guest = alice_of(scene);
    ses_session *session;
    assert_ok(ses_open(scene->manager, cookie_value(guest.session), &session));
    assert_ok(ses_logout(session, 0));
    assert_ok(ses_commit(session, NULL));
    ses_release(session);
    assert_forgotten(scene, guest);
}

static void an_end_from_elsewhere_ends_the_token_too(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene);
    struct listing lines = list_of(scene, "alice");
    assert_ok(ses_end(scene->manager, "alice", lines.lines[0].info.handle));
    assert_true(guest_is(scene, &guest, NULL));
    assert_forgotten(scene, guest);

    guest = alice_of(scene);
    pass_s(scene, IDLE_S); /* the browser without a session has its line, too */
    lines = list_of(scene, "alice");
    assert_true(lines.lines[0].info.remembered);
    assert_ok(ses_end(scene->manager, "alice", lines.lines[0].info.handle));
    assert_forgotten(scene, guest);

    guest = alice_of(scene);
    assert_ok(ses_end_user(scene->manager, "alice", NULL));
    assert_forgotten(scene, guest);

    guest = alice_of(scene);
    assert_ok(ses_end_user(scene->manager, NULL, NULL));
    assert_forgotten(scene, guest);
}

static void to_log_out_everywhere_else_leaves_this_browser_remembered(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene), other = alice_of(scene);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_end_user(scene->manager, "alice", session));
    guest_finish(session, &guest);
    assert_forgotten(scene, other);
    assert_true(guest_is(scene, &guest, "alice"));
    pass_s(scene, IDLE_S);
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    ses_release(session);
}

static void a_log_in_as_another_user_forgets_the_first_one(void **state)
{
    struct scene *scene = *state;
    for (unsigned flags = 0; flags <= SES_LOGIN_REMEMBER; flags += SES_LOGIN_REMEMBER) {
        struct guest guest = alice_of(scene);
        const struct guest before = guest;
        ses_session *session = guest_visit(scene, &guest);
        assert_ok(ses_login(session, "bob", SES_LEVEL_FULL, flags));
        guest_finish(session, &guest);
        assert_int_equal(guest.token[0] != '\0', flags != 0);
        assert_string_not_equal(guest.token, before.token);
        assert_forgotten(scene, before);
        assert_int_equal(listed_count(scene, "alice"), 0);
        pass_s(scene, IDLE_S);
        session = guest_visit(scene, &guest);
        assert_true(is_user(session, flags ? "bob" : NULL));
        ses_release(session);
    }
}

static void a_log_in_that_is_refused_forgets_nothing(void **state)
{
    struct scene *scene = scene_with(
        state, "{\"rememberLifetime\":2592000,\"maxSessionsPerUser\":1,\"idleTimeout\":1800}");
    const struct guest other = guest_of(scene, "bob", 0);
    struct guest guest = alice_of(scene);
    const struct guest before = guest;
    for (unsigned flags = 0; flags <= SES_LOGIN_REMEMBER; flags += SES_LOGIN_REMEMBER) {
        ses_session *session = guest_visit(scene, &guest);
        assert_code(ses_login(session, "bob", SES_LEVEL_FULL, flags), SES_ERR_DENIED);
        assert_true(is_user(session, "alice"));
        assert_int_equal(header_count(guest_commit(session, &guest), "Set-Cookie"), 0);
        ses_release(session);
    }
    assert_int_equal(listed_count(scene, "bob"), 1);
    assert_true(guest_is(scene, &other, "bob"));
    guest.session[0] = '\0';
    assert_ok(ses_destroy_id(scene->manager, cookie_value(before.session)));
    ses_session *session = guest_visit(scene, &guest); /* redeems, and has a token to hand out */
    assert_true(is_user(session, "alice"));
    assert_code(ses_login(session, "bob", SES_LEVEL_FULL, SES_LOGIN_REMEMBER), SES_ERR_DENIED);
    guest_finish(session, &guest);
    assert_string_not_equal(guest.token, before.token);
    assert_true(guest_is(scene, &guest, "alice"));
    pass_s(scene, IDLE_S);
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

/* The log-in's cookies reach the browser first. */
static void a_log_out_that_races_a_log_in_leaves_its_cookies_alone(void **state)
{
    struct scene *scene = *state;
    struct guest guest = alice_of(scene), before = guest;
    ses_session *late = guest_visit(scene, &guest), *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
    guest_finish(session, &guest);
    assert_ok(ses_logout(late, 0));
    assert_int_equal(header_count(guest_commit(late, &guest), "Set-Cookie"), 0);
    ses_release(late);
    before.token[0] = '\0';
    session = guest_visit(scene, &before); /* with the dead id */
    assert_ok(ses_logout(session, 0));
    assert_int_equal(header_count(guest_commit(session, &guest), "Set-Cookie"), 0);
    ses_release(session);
    assert_true(guest_is(scene, &guest, "alice"));
    pass_s(scene, IDLE_S);
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    ses_release(session);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_sets_a_second_cookie_that_lasts),
        TEST(it_is_marked_and_named_as_the_sessions_is),
        TEST(without_the_flag_there_is_no_token),
        TEST(after_the_session_expired_it_logs_in_at_the_lowest_level),
        TEST(it_rotates_with_each_use_until_its_own_end),
        TEST(a_request_with_its_session_leaves_the_token_alone),
        TEST(values_do_not_survive),
        TEST(a_remembered_user_steps_up_and_stays_remembered),
        TEST(a_token_is_no_session_id_and_no_id_is_a_token),
        TEST(six_requests_side_by_side_are_all_logged_in_without_alarm),
        TEST(a_lost_response_is_repeated),
        TEST(an_old_token_is_a_theft_and_ends_what_that_browser_has),
        TEST(a_log_out_ends_the_token_too),
        TEST(a_log_out_by_a_socket_ends_the_token_too),
        TEST(an_end_from_elsewhere_ends_the_token_too),
        TEST(to_log_out_everywhere_else_leaves_this_browser_remembered),
        TEST(a_log_in_as_another_user_forgets_the_first_one),
        TEST(a_log_in_that_is_refused_forgets_nothing),
        TEST(a_log_out_that_races_a_log_in_leaves_its_cookies_alone),
    };
    return cmocka_run_group_tests_name("remember", tests, NULL, NULL);
}
