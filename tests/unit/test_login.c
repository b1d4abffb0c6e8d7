/* SPDX-License-Identifier: MIT */
#include "support/logins.h"

#include <sesame/login.h>

#include <stdio.h>

/* What a log-in changes, and what it refuses. A store that fails meanwhile: test_login_outage.c. */

static void pass_s(struct scene *scene, int64_t seconds)
{
    atomic_fetch_add(&scene->now_ms, seconds * 1000);
}

static void copy_id(ses_session *session, char id[COOKIE_TEXT_MAX])
{
    (void)snprintf(id, COOKIE_TEXT_MAX, "%s", ses_session_id(session));
}

/* ---- what is new ---- */

static void a_log_in_gives_a_new_id_at_once_and_the_old_one_is_dead(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    const struct guest before = guest;
    ses_session *session = guest_visit(scene, &guest);
    char old_id[COOKIE_TEXT_MAX];
    copy_id(session, old_id);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    assert_string_not_equal(ses_session_id(session), old_id);
    assert_ok(ses_exists(scene->manager, ses_session_id(session))); /* before the commit */
    assert_code(ses_exists(scene->manager, old_id), SES_ERR_NOT_FOUND);
    guest_finish(session, &guest);

    assert_true(guest_is(scene, &guest, "alice"));
    scene_forget(scene);
    assert_true(guest_is(scene, &before, NULL));
    assert_int_equal(scene_rejected(scene, SES_REASON_CUT), 1);
    assert_int_equal(scene_count(scene), 1);
}

static void id_handle_and_csrf_token_all_differ_from_the_old_ones(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session = guest_visit(scene, &guest);
    struct ses_csrf_token old_token, new_token;
    const struct ses_info before = info_of_session(session);
    assert_ok(ses_csrf_token(session, &old_token));
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA));
    const struct ses_info after = info_of_session(session);
    assert_int_equal(strlen(after.handle), 32);
    assert_string_not_equal(after.handle, before.handle);
    assert_code(ses_csrf_check(session, old_token.text), SES_ERR_DENIED);
    assert_ok(ses_csrf_token(session, &new_token));
    assert_ok(ses_csrf_check(session, new_token.text));
    guest_finish(session, &guest);
    session = guest_visit(scene, &guest);
    assert_ok(ses_csrf_check(session, new_token.text));
    assert_code(ses_csrf_check(session, old_token.text), SES_ERR_DENIED);
    ses_release(session);
}

/* The token of a form that was handed out before anything was stored. */
static void a_csrf_token_of_the_same_request_does_not_outlive_the_log_in(void **state)
{
    struct scene *scene = *state;
    struct guest guest = { "", "" };
    ses_session *session = guest_visit(scene, &guest);
    struct ses_csrf_token token;
    assert_ok(ses_csrf_token(session, &token));
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    assert_code(ses_csrf_check(session, token.text), SES_ERR_DENIED);
    guest_finish(session, &guest);
}

static void the_info_tells_who_when_how_and_from_where(void **state)
{
    struct scene *scene = *state;
    struct guest guest = { "", "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    guest_finish(session, &guest);
    pass_s(scene, 600);
    struct ses_slice field = { guest.session, strlen(guest.session) };
    struct ses_request request = {
        .cookies = &field, .cookie_count = 1, .peer = "2001:db8::9", .user_agent = "other/2.0"
    };
    assert_ok(scene_try(scene, &request, &session));
    assert_ok(ses_login(session, "J\xc3\xb6rg", SES_LEVEL_PARTIAL, 0));
    guest_finish(session, &guest);
    pass_s(scene, 5);

    const struct ses_info info = guest_info(scene, &guest, &session);
    assert_string_equal(info.user, "J\xc3\xb6rg");
    assert_int_equal(info.level, SES_LEVEL_PARTIAL);
    assert_string_equal(info.peer, "2001:db8::9");
    assert_string_equal(info.user_agent, "other/2.0");
    assert_true(info.auth_ms == SCENE_START_MS + 600 * 1000);
    assert_true(info.created_ms == info.auth_ms);
    assert_false(info.is_new);
    assert_false(info.remembered);
    assert_true(info.suspected_ms == 0);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_LOGIN), 1);
    assert_int_equal(scene_stats(scene).logins, 1);
}

static void the_absolute_timeout_starts_anew(void **state)
{
    struct scene *scene = scene_with(state, "{\"idleTimeout\":3600,\"absoluteTimeout\":3600}");
    struct guest guest = guest_anonymous(scene, 1);
    pass_s(scene, 3000);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    guest_finish(session, &guest);
    const struct ses_info info = guest_info(scene, &guest, &session);
    assert_true(info.end_ms == SCENE_START_MS + (3000 + 3600) * 1000);
    assert_true(info.expires_ms == info.end_ms);
    ses_release(session);
    atomic_store(&scene->now_ms, SCENE_START_MS + (3000 + 3600) * 1000 - 1);
    assert_true(guest_is(scene, &guest, "alice"));
    atomic_fetch_add(&scene->now_ms, 1);
    assert_true(guest_is(scene, &guest, NULL));
}

/* What the anonymous visitor was granted is not the user's. */
static void a_lifetime_of_the_anonymous_session_ends_with_it(void **state)
{
    struct scene *scene = *state;
    struct guest guest = { "", "" };
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_set_lifetime(session, 100000, 200000));
    guest_finish(session, &guest);
    session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA));
    assert_true(session_expires_ms(session) == SCENE_START_MS + 1800 * 1000);
    guest_finish(session, &guest);

    session = guest_visit(scene, &guest); /* but one that is asked for now counts */
    assert_ok(ses_set_lifetime(session, 500, 600));
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    assert_true(session_expires_ms(session) == SCENE_START_MS + 500 * 1000);
    guest_finish(session, &guest);
}

/* ---- values ---- */

static int64_t int_in(ses_session *session, const char *key)
{
    int64_t n = -1;
    (void)ses_get_int(session, key, &n);
    return n;
}

/* "n" is stored, "m" is pending. */
static ses_session *log_in_with_data(struct scene *scene, struct guest *guest, const char *user,
                                     unsigned flags)
{
    ses_session *session = guest_visit(scene, guest);
    assert_ok(ses_set_int(session, "m", 2));
    assert_ok(ses_login(session, user, SES_LEVEL_FULL, flags));
    return session;
}

static void anonymous_data_and_pending_changes_are_dropped(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session = log_in_with_data(scene, &guest, "alice", 0);
    assert_int_equal(int_in(session, "n"), -1);
    assert_int_equal(int_in(session, "m"), -1);
    assert_ok(ses_set_int(session, "after", 3));
    guest_finish(session, &guest);
    session = guest_visit(scene, &guest);
    assert_int_equal(int_in(session, "n"), -1);
    assert_int_equal(int_in(session, "m"), -1);
    assert_int_equal(int_in(session, "after"), 3);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_UNCOMMITTED), 0);
}

static void anonymous_data_and_pending_changes_go_along_when_asked(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session = log_in_with_data(scene, &guest, "alice", SES_LOGIN_KEEP_DATA);
    assert_int_equal(int_in(session, "n"), 1);
    assert_int_equal(int_in(session, "m"), 2);
    guest_finish(session, &guest);
    session = guest_visit(scene, &guest);
    assert_int_equal(int_in(session, "n"), 1);
    assert_int_equal(int_in(session, "m"), 2);
    ses_release(session);
}

static void data_of_another_user_is_dropped_even_when_asked_to_keep_it(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    guest_finish(log_in_with_data(scene, &guest, "alice", SES_LOGIN_KEEP_DATA), &guest);
    ses_session *session = log_in_with_data(scene, &guest, "bob", SES_LOGIN_KEEP_DATA);
    assert_int_equal(int_in(session, "n"), -1);
    assert_int_equal(int_in(session, "m"), -1);
    guest_finish(session, &guest);
    assert_true(guest_is(scene, &guest, "bob"));
    assert_int_equal(listed_count(scene, "alice"), 0);
    assert_int_equal(listed_count(scene, "bob"), 1);
}

static void data_of_the_same_user_goes_along_when_asked(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    guest_finish(log_in_with_data(scene, &guest, "alice", SES_LOGIN_KEEP_DATA), &guest);
    ses_session *session = log_in_with_data(scene, &guest, "alice", SES_LOGIN_KEEP_DATA);
    assert_int_equal(int_in(session, "n"), 1);
    guest_finish(session, &guest);
    assert_int_equal(listed_count(scene, "alice"), 1);
}

/* ---- where it is done ---- */

static void a_fresh_session_is_stored_by_its_log_in(void **state)
{
    struct scene *scene = *state;
    struct guest guest = { "", "" };
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_CREATED), 1);
    const struct ses_headers *headers = guest_commit(session, &guest);
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_int_equal(header_count(headers, "Set-Cookie"), 1);
    ses_release(session);
    assert_true(guest_is(scene, &guest, "alice"));
    assert_int_equal(scene_told(scene, SES_EVENT_CREATED), 1);
    assert_int_equal(fake_calls(FAKE_CREATE), 1);
    assert_int_equal(fake_calls(FAKE_SAVE), 0);
}

static void a_session_without_http_logs_in_too(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session;
    assert_ok(ses_open(scene->manager, cookie_value(guest.session), &session));
    assert_code(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER),
                SES_ERR_UNSUPPORTED);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    const struct ses_info info = info_of_session(session);
    assert_string_equal(info.peer, "192.0.2.7"); /* of the one before: nothing better is known */
    assert_ok(ses_commit(session, NULL));
    ses_release(session);
}

/* Both clicks came with the anonymous id. */
static void the_second_of_a_double_click_gets_a_session_of_its_own(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1), other = guest;
    ses_session *first = guest_visit(scene, &guest), *second = guest_visit(scene, &guest);
    assert_ok(ses_login(first, "alice", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA));
    guest_finish(first, &guest);
    assert_ok(ses_set_int(second, "m", 2));
    assert_ok(ses_login(second, "alice", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA));
    assert_ok(ses_set_int(second, "after", 3));
    guest_finish(second, &other);
    assert_string_not_equal(guest.session, other.session);
    assert_true(guest_is(scene, &guest, "alice"));
    assert_true(guest_is(scene, &other, "alice"));
    assert_int_equal(scene_count(scene), 2);
}

static void a_retry_with_the_dead_id_after_a_lost_response_logs_in(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    guest_finish(session, NULL); /* lost on the way */
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, NULL));
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    guest_finish(session, &guest);
    assert_true(guest_is(scene, &guest, "alice"));
}

/* The place that the first one has taken is not the second's to take again. */
static void a_double_click_does_not_exceed_the_limit_of_sessions(void **state)
{
    struct scene *scene = scene_with(state, "{\"maxSessionsPerUser\":1}");
    struct guest guest = guest_of(scene, "alice", 0);
    ses_session *first = guest_visit(scene, &guest), *second = guest_visit(scene, &guest);
    assert_ok(ses_login(first, "alice", SES_LEVEL_FULL, 0));
    guest_finish(first, &guest);
    assert_code(ses_login(second, "alice", SES_LEVEL_FULL, 0), SES_ERR_DENIED);
    assert_true(is_user(second, NULL));
    assert_int_equal(listed_count(scene, "alice"), 1);

    /* And what is left of it does not take the first one's cookie away. */
    assert_ok(ses_set_int(second, "error", 1));
    assert_code(ses_commit(second, NULL), SES_ERR_GONE);
    ses_release(second);
    assert_true(guest_is(scene, &guest, "alice"));
}

/* The id was changed by time in another request while this one was reading. */
static void a_log_in_on_a_session_that_was_renewed_meanwhile_ends_the_renewed_one(void **state)
{
    struct scene *scene = scene_with(state, "{\"renewalInterval\":600}");
    struct guest guest = guest_anonymous(scene, 1), renewed = guest;
    pass_s(scene, 600);
    ses_session *slow = guest_visit(scene, &guest);
    guest_finish(guest_visit(scene, &guest), &renewed);
    assert_string_not_equal(renewed.session, guest.session);
    assert_ok(ses_login(slow, "alice", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA));
    guest_finish(slow, &guest);
    assert_true(guest_is(scene, &guest, "alice"));
    assert_true(guest_is(scene, &renewed, NULL));
    assert_int_equal(scene_count(scene), 1);
}

/* ---- what is refused, with nothing changed ---- */

static void assert_refused(struct scene *scene, const struct guest *guest, const char *user,
                           int level, unsigned flags)
{
    ses_session *session = guest_visit(scene, guest);
    scene_forget(scene);
    assert_code(ses_login(session, user, (enum ses_level)level, flags), SES_ERR_INVALID);
    assert_int_equal(fake_calls_all(), 0);
    assert_true(is_user(session, NULL));
    assert_int_equal(int_in(session, "n"), 1);
    assert_int_equal(header_count(guest_commit(session, NULL), "Set-Cookie"), 0);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_LOGIN), 0);
}

static void names_that_are_none_are_invalid_and_change_nothing(void **state)
{
    struct scene *scene = *state;
    const struct guest guest = guest_anonymous(scene, 1);
    static const char *const bad[] = {
        NULL,      "",     "\xff",  "a\xc3", "\xc0\x80",  "\xed\xa0\x80",
        "alice\n", "\x7f", "a\x01", "\ttab", "a\xc2\x80", "\xc2\x9f",
    };
    char long_name[SES_USER_MAX + 2];
    memset(long_name, 'a', sizeof long_name);
    long_name[SES_USER_MAX + 1] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(scene, &guest, bad[i], SES_LEVEL_FULL, 0);
    assert_refused(scene, &guest, long_name, SES_LEVEL_FULL, 0);
}

static void the_longest_and_the_strangest_names_are_names(void **state)
{
    struct scene *scene = *state;
    char long_name[SES_USER_MAX + 1];
    memset(long_name, 'a', sizeof long_name);
    long_name[SES_USER_MAX] = '\0';
    static const char *const good[] = {
        "a", " ", "../../etc", "a;b=c,\"d\"", "\xf0\x9f\x90\xa7", "\xc2\xa0"
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const struct guest guest = guest_of(scene, good[i], 0);
        assert_true(guest_is(scene, &guest, good[i]));
    }
    const struct guest guest = guest_of(scene, long_name, 0);
    assert_true(guest_is(scene, &guest, long_name));
}

static void levels_out_of_range_and_unknown_flags_are_invalid(void **state)
{
    struct scene *scene = *state;
    const struct guest guest = guest_anonymous(scene, 1);
    static const int levels[] = { -1, SES_LEVEL_NONE, SES_LEVEL_REMEMBERED, SES_LEVEL_STRONG + 1 };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        assert_refused(scene, &guest, "alice", levels[i], 0);
    assert_refused(scene, &guest, "alice", SES_LEVEL_FULL, 4);
    assert_refused(scene, &guest, "alice", SES_LEVEL_FULL, 0x80000001u);
}

static void to_remember_needs_its_setting(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session = guest_visit(scene, &guest);
    assert_code(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_REMEMBER),
                SES_ERR_UNSUPPORTED);
    assert_true(is_user(session, NULL));
    guest_finish(session, &guest);
    assert_true(guest_is(scene, &guest, NULL));
}

static void after_the_commit_and_after_an_end_it_is_too_late(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session = guest_visit(scene, &guest);
    (void)guest_commit(session, NULL);
    assert_code(ses_login(session, "alice", SES_LEVEL_FULL, 0), SES_ERR_INVALID);
    assert_code(ses_elevate(session, SES_LEVEL_FULL), SES_ERR_INVALID);
    assert_code(ses_logout(session, 0), SES_ERR_INVALID);
    ses_release(session);
    assert_ok(ses_exists(scene->manager, cookie_value(guest.session)));

    session = guest_visit(scene, &guest);
    assert_ok(ses_destroy(session));
    assert_code(ses_login(session, "alice", SES_LEVEL_FULL, 0), SES_ERR_GONE);
    assert_code(ses_elevate(session, SES_LEVEL_FULL), SES_ERR_GONE);
    assert_code(ses_require(session, SES_LEVEL_FULL, 0), SES_ERR_NOT_FOUND);
    guest_finish(session, &guest);
    assert_int_equal(scene_count(scene), 0);
}

/* ---- stepping up ---- */

static void a_step_up_changes_the_id_and_keeps_values_and_handle(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    const struct guest before = guest;
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_set_int(session, "n", 1));
    guest_finish(session, &guest);
    pass_s(scene, 100);

    session = guest_visit(scene, &guest);
    struct ses_csrf_token token;
    const struct ses_info old = info_of_session(session);
    assert_ok(ses_csrf_token(session, &token));
    assert_ok(ses_set_int(session, "m", 2));
    assert_ok(ses_elevate(session, SES_LEVEL_STRONG));
    const struct ses_info now = info_of_session(session);
    assert_string_equal(now.handle, old.handle);
    assert_string_equal(now.user, "alice");
    assert_int_equal(now.level, SES_LEVEL_STRONG);
    assert_true(now.auth_ms == SCENE_START_MS + 100 * 1000);
    assert_true(now.created_ms == SCENE_START_MS);
    assert_true(now.end_ms == old.end_ms + 100 * 1000);
    assert_code(ses_csrf_check(session, token.text), SES_ERR_DENIED);
    guest_finish(session, &guest);
    assert_string_not_equal(guest.session, before.session);
    assert_true(guest_is(scene, &before, NULL));
    session = guest_visit(scene, &guest);
    assert_int_equal(int_in(session, "n"), 1);
    assert_int_equal(int_in(session, "m"), 2);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_LOGIN), 2);
    assert_int_equal(listed_count(scene, "alice"), 1);
}

static void a_step_up_never_lowers_the_level(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    ses_session *session = guest_visit(scene, &guest);
    scene_forget(scene);
    assert_code(ses_elevate(session, SES_LEVEL_PARTIAL), SES_ERR_INVALID);
    assert_code(ses_elevate(session, SES_LEVEL_NONE), SES_ERR_INVALID);
    assert_code(ses_elevate(session, (enum ses_level)(SES_LEVEL_STRONG + 1)), SES_ERR_INVALID);
    assert_int_equal(fake_calls_all(), 0);
    assert_int_equal(info_of_session(session).level, SES_LEVEL_FULL);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL)); /* the same again is a fresh authentication */
    guest_finish(session, &guest);
}

static void nobody_can_step_up(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    ses_session *session = guest_visit(scene, &guest), *fresh = scene_start(scene, NULL);
    assert_code(ses_elevate(session, SES_LEVEL_FULL), SES_ERR_NOT_FOUND);
    assert_code(ses_elevate(fresh, SES_LEVEL_FULL), SES_ERR_NOT_FOUND);
    ses_release(session);
    ses_release(fresh);
}

/* Unlike a log-in it is no session of its own without the one that it belongs to. */
static void a_step_up_of_a_session_that_ended_meanwhile_is_gone(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_end_user(scene->manager, "alice", NULL));
    assert_code(ses_elevate(session, SES_LEVEL_STRONG), SES_ERR_GONE);
    assert_int_equal(header_count(guest_commit(session, NULL), "Set-Cookie"), 0);
    ses_release(session);
    assert_int_equal(scene_count(scene), 0);
}

/* ---- what may go ahead ---- */

static void what_is_required_is_a_level_and_an_age_to_the_millisecond(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_require(session, SES_LEVEL_REMEMBERED, 0));
    assert_ok(ses_require(session, SES_LEVEL_PARTIAL, 300));
    assert_ok(ses_require(session, SES_LEVEL_FULL, 300));
    assert_code(ses_require(session, SES_LEVEL_STRONG, 0), SES_ERR_DENIED);
    atomic_store(&scene->now_ms, SCENE_START_MS + 300 * 1000);
    assert_ok(ses_require(session, SES_LEVEL_FULL, 300));
    atomic_fetch_add(&scene->now_ms, 1);
    assert_code(ses_require(session, SES_LEVEL_FULL, 300), SES_ERR_DENIED);
    assert_ok(ses_require(session, SES_LEVEL_FULL, 301));
    assert_ok(ses_require(session, SES_LEVEL_FULL, UINT32_MAX));
    assert_ok(ses_require(session, SES_LEVEL_FULL, 0));
    atomic_store(&scene->now_ms, SCENE_START_MS - 5000); /* another machine's clock */
    assert_ok(ses_require(session, SES_LEVEL_FULL, 1));
    assert_code(ses_require(session, SES_LEVEL_STRONG, 1), SES_ERR_DENIED);
    ses_release(session);
}

static void a_step_up_makes_the_age_young_again(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    pass_s(scene, 301);
    ses_session *session = guest_visit(scene, &guest);
    assert_code(ses_require(session, SES_LEVEL_FULL, 300), SES_ERR_DENIED);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL));
    assert_ok(ses_require(session, SES_LEVEL_FULL, 1));
    guest_finish(session, &guest);
}

static void nobody_and_no_level_pass_nothing(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "alice", 0);
    ses_session *session = guest_visit(scene, &guest), *fresh = scene_start(scene, NULL);
    assert_code(ses_require(fresh, SES_LEVEL_REMEMBERED, 0), SES_ERR_NOT_FOUND);
    assert_code(ses_require(session, SES_LEVEL_NONE, 0), SES_ERR_INVALID);
    assert_code(ses_require(session, (enum ses_level)(SES_LEVEL_STRONG + 1), 0), SES_ERR_INVALID);
    assert_ok(ses_logout(session, 0));
    assert_code(ses_require(session, SES_LEVEL_REMEMBERED, 0), SES_ERR_NOT_FOUND);
    ses_release(session);
    ses_release(fresh);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_log_in_gives_a_new_id_at_once_and_the_old_one_is_dead),
        TEST(id_handle_and_csrf_token_all_differ_from_the_old_ones),
        TEST(a_csrf_token_of_the_same_request_does_not_outlive_the_log_in),
        TEST(the_info_tells_who_when_how_and_from_where),
        TEST(the_absolute_timeout_starts_anew),
        TEST(a_lifetime_of_the_anonymous_session_ends_with_it),
        TEST(anonymous_data_and_pending_changes_are_dropped),
        TEST(anonymous_data_and_pending_changes_go_along_when_asked),
        TEST(data_of_another_user_is_dropped_even_when_asked_to_keep_it),
        TEST(data_of_the_same_user_goes_along_when_asked),
        TEST(a_fresh_session_is_stored_by_its_log_in),
        TEST(a_session_without_http_logs_in_too),
        TEST(the_second_of_a_double_click_gets_a_session_of_its_own),
        TEST(a_double_click_does_not_exceed_the_limit_of_sessions),
        TEST(a_retry_with_the_dead_id_after_a_lost_response_logs_in),
        TEST(a_log_in_on_a_session_that_was_renewed_meanwhile_ends_the_renewed_one),
        TEST(names_that_are_none_are_invalid_and_change_nothing),
        TEST(the_longest_and_the_strangest_names_are_names),
        TEST(levels_out_of_range_and_unknown_flags_are_invalid),
        TEST(to_remember_needs_its_setting),
        TEST(after_the_commit_and_after_an_end_it_is_too_late),
        TEST(a_step_up_changes_the_id_and_keeps_values_and_handle),
        TEST(a_step_up_never_lowers_the_level),
        TEST(nobody_can_step_up),
        TEST(a_step_up_of_a_session_that_ended_meanwhile_is_gone),
        TEST(what_is_required_is_a_level_and_an_age_to_the_millisecond),
        TEST(a_step_up_makes_the_age_young_again),
        TEST(nobody_and_no_level_pass_nothing),
    };
    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
