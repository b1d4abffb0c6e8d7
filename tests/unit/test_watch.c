/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include <stdio.h>
#include <strings.h>

/* Where a request comes from, and how often in vain. */

static const char firefox[] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0";

struct from {
    const char *cookie;
    const char *peer;
    const char *agent;
    const char *header; /* that the request has, or NULL */
};

static const char *one_header(void *arg, const char *name, size_t nth)
{
    const struct from *from = arg;
    return from->header && nth == 0 && strcasecmp(from->header, name) == 0 ? "1" : NULL;
}

static ses_session *come(struct scene *scene, const struct from *from)
{
    const struct ses_slice field = { from->cookie, from->cookie ? strlen(from->cookie) : 0 };
    struct from copy = *from;
    struct ses_request request = {
        .size = sizeof request,
        .cookies = &field,
        .cookie_count = from->cookie ? 1 : 0,
        .header = one_header,
        .header_arg = &copy,
        .peer = from->peer,
        .user_agent = from->agent,
    };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    return session;
}

static struct visitor arrive(struct scene *scene, const char *peer, const char *agent)
{
    struct visitor visitor = { "" };
    const struct from from = { .peer = peer, .agent = agent };
    ses_session *session = come(scene, &from);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, 0));
    scene_finish(session, &visitor);
    scene_forget(scene);
    return visitor;
}

static bool is_found(struct scene *scene, const struct visitor *visitor, const char *peer,
                     const char *agent)
{
    const struct from from = { .cookie = visitor->cookie, .peer = peer, .agent = agent };
    ses_session *session = come(scene, &from);
    const bool found = !session_is_new(session);
    scene_finish(session, NULL);
    return found;
}

/* ---- binding ---- */

static void another_browser_is_a_signal(void **state)
{
    struct scene *scene = scene_with(state, "{\"bindUserAgent\":\"signal\"}");
    const struct visitor visitor = arrive(scene, "192.0.2.7", firefox);
    assert_true(is_found(scene, &visitor, "192.0.2.7", firefox));
    assert_int_equal(scene_told(scene, SES_EVENT_BINDING), 0);
    assert_true(is_found(scene, &visitor, "192.0.2.7", "curl/8"));
    const struct ses_event *event = scene_last(scene, SES_EVENT_BINDING);
    assert_non_null(event);
    assert_int_equal(event->reason, SES_REASON_AGENT);
    assert_string_equal(event->user, "ada");
    assert_true(is_found(scene, &visitor, "198.51.100.1", firefox)); /* not what was asked for */
    assert_int_equal(scene_stats(scene).bindings, 1);
}

static void another_browser_is_a_stranger_where_that_is_demanded(void **state)
{
    struct scene *scene = scene_with(state, "{\"bindUserAgent\":\"demand\"}");
    const struct visitor visitor = arrive(scene, "192.0.2.7", firefox);
    assert_false(is_found(scene, &visitor, "192.0.2.7", "curl/8"));
    assert_false(is_found(scene, &visitor, "192.0.2.7", NULL));
    assert_int_equal(scene_rejected(scene, SES_REASON_AGENT), 2);
    assert_true(is_found(scene, &visitor, "192.0.2.7", firefox)); /* it is still there */
}

static void another_network_is_judged_by_its_prefix(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"bindNetwork\":\"demand\",\"bindPrefix4\":24,\"bindPrefix6\":48}");
    const struct visitor v4 = arrive(scene, "192.0.2.7", NULL);
    assert_true(is_found(scene, &v4, "192.0.2.250", NULL));
    assert_true(is_found(scene, &v4, "::ffff:192.0.2.9", NULL));
    assert_false(is_found(scene, &v4, "192.0.3.7", NULL));
    assert_false(is_found(scene, &v4, "2001:db8::1", NULL));
    assert_int_equal(scene_rejected(scene, SES_REASON_NETWORK), 2);
    const struct visitor v6 = arrive(scene, "2001:db8:1:2::3", NULL);
    assert_true(is_found(scene, &v6, "2001:db8:1:9::1", NULL));
    assert_false(is_found(scene, &v6, "2001:db8:2::1", NULL));
}

/* The thief's request changes nothing, and gives him no cookie that matters. */
static void a_refused_request_leaves_the_session_as_it_was(void **state)
{
    struct scene *scene = scene_with(state, "{\"bindUserAgent\":\"demand\"}");
    const struct visitor visitor = arrive(scene, "192.0.2.7", firefox);
    const struct from thief = { visitor.cookie, "192.0.2.7", "curl/8", NULL };
    ses_session *session = come(scene, &thief);
    struct visitor his = { "" };
    assert_ok(ses_set_int(session, "n", 9));
    scene_finish(session, &his);
    assert_string_not_equal(his.cookie, visitor.cookie);
    const struct from owner = { visitor.cookie, "192.0.2.7", firefox, NULL };
    session = come(scene, &owner);
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    ses_release(session);
}

/* It would log the visitor out, or tell the thief that he was found out. */
static void a_refused_request_leaves_its_cookie_alone(void **state)
{
    struct scene *scene = scene_with(state, "{\"bindNetwork\":\"demand\"}");
    const struct visitor visitor = arrive(scene, "2001:db8:1:2::3", NULL);
    const struct from elsewhere = { .cookie = visitor.cookie, .peer = "2001:db9::1" };
    ses_session *session = come(scene, &elsewhere);
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    session = come(scene, &elsewhere);
    assert_ok(ses_logout(session, 0)); /* of nobody */
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    assert_true(is_found(scene, &visitor, "2001:db8:1:2::4", NULL));
    const struct ses_event *event = scene_last(scene, SES_EVENT_BINDING);
    assert_int_equal(event->reason, SES_REASON_NETWORK);
    assert_string_equal(event->peer, "2001:db9::1");
    assert_string_equal(event->user, "ada");
}

/* A renewed id is no way around it, and the refused one does not use it up. */
static void a_former_id_is_bound_as_well(void **state)
{
    struct scene *scene = scene_with(state, "{\"bindUserAgent\":\"demand\",\"idleTimeout\":7200}");
    struct visitor visitor = arrive(scene, "192.0.2.7", firefox);
    const struct visitor old = visitor;
    atomic_fetch_add(&scene->now_ms, 3600 * 1000);
    const struct from owner = { visitor.cookie, "192.0.2.7", firefox, NULL };
    scene_finish(come(scene, &owner), &visitor);
    assert_string_not_equal(visitor.cookie, old.cookie);
    assert_false(is_found(scene, &old, "192.0.2.7", "curl/8"));
    assert_false(is_found(scene, &visitor, "192.0.2.7", "curl/8"));
    atomic_fetch_add(&scene->now_ms, 60 * 1000);
    assert_true(is_found(scene, &old, "192.0.2.7", firefox));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

/* ---- background ---- */

static void a_request_of_the_configured_header_does_not_extend(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"backgroundHeader\":\"X-Background\",\"idleTimeout\":600,"
                          "\"touchThreshold\":0}");
    const struct visitor visitor = arrive(scene, "192.0.2.7", NULL);
    const struct from poll = { .cookie = visitor.cookie, .header = "x-background" };
    const struct from click = { .cookie = visitor.cookie };
    atomic_fetch_add(&scene->now_ms, 300 * 1000);
    ses_session *session = come(scene, &poll);
    const int64_t before = session_expires_ms(session);
    assert_ok(ses_increment(session, "n", 1));
    scene_finish(session, NULL);
    session = come(scene, &click);
    assert_int_equal(session_expires_ms(session), before);
    scene_finish(session, NULL);
    session = come(scene, &poll);
    assert_int_equal(session_expires_ms(session), before + 300 * 1000);
    ses_release(session);
}

/* ---- scans ---- */

static void try_made_up(struct scene *scene, unsigned number, const char *peer)
{
    char cookie[80] = "id=AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
    for (size_t at = 8; at < 16; at++, number /= 16)
        cookie[at] = "ABCDEFGHIJKLMNOP"[number % 16];
    const struct from from = { .cookie = cookie, .peer = peer };
    ses_release(come(scene, &from));
}

static void a_scan_is_told_once_a_minute(void **state)
{
    struct scene *scene = scene_with(state, "{\"scanLimit\":10}");
    for (unsigned i = 0; i < 10; i++)
        try_made_up(scene, i, "192.0.2.66");
    assert_int_equal(scene_told(scene, SES_EVENT_SCAN), 0);
    for (unsigned i = 10; i < 50; i++)
        try_made_up(scene, i, "192.0.2.66");
    assert_int_equal(scene_told(scene, SES_EVENT_SCAN), 1);
    assert_string_equal(scene_last(scene, SES_EVENT_SCAN)->peer, "192.0.2.66");
    atomic_fetch_add(&scene->now_ms, 60 * 1000);
    for (unsigned i = 50; i < 100; i++)
        try_made_up(scene, i, "192.0.2.66");
    assert_int_equal(scene_told(scene, SES_EVENT_SCAN), 2);
    assert_int_equal(fake_calls(FAKE_LOAD), 100);
}

static void whoever_scans_does_not_reach_the_store_any_more(void **state)
{
    struct scene *scene = scene_with(state, "{\"scanLimit\":10,\"scanAction\":\"refuse\"}");
    const struct visitor honest = arrive(scene, "192.0.2.7", NULL);
    for (unsigned i = 0; i < 11; i++)
        try_made_up(scene, i, "192.0.2.66");
    scene_forget(scene);
    for (unsigned i = 11; i < 500; i++)
        try_made_up(scene, i, "192.0.2.66");
    assert_int_equal(fake_calls_all(), 0);
    assert_int_equal(scene_rejected(scene, SES_REASON_SCANNING), 489);
    assert_int_equal(scene_stats(scene).scanning, 489);
    assert_true(is_found(scene, &honest, "192.0.2.7", NULL));
    assert_false(is_found(scene, &honest, "192.0.2.66", NULL));
    atomic_fetch_add(&scene->now_ms, 2 * 60 * 1000);
    assert_true(is_found(scene, &honest, "192.0.2.66", NULL));
}

static void with_a_key_made_up_ids_never_reach_the_store(void **state)
{
    struct scene *scene = scene_with(
        state, "{\"idKey\":\"0123456789abcdef0123456789abcdef\",\"scanAction\":\"refuse\"}");
    const struct visitor honest = arrive(scene, "192.0.2.66", NULL);
    for (unsigned i = 0; i < 1000; i++)
        try_made_up(scene, i, "192.0.2.66");
    assert_int_equal(fake_calls_all(), 0);
    assert_int_equal(scene_told(scene, SES_EVENT_SCAN), 1);
    assert_true(is_found(scene, &honest, "192.0.2.66", NULL)); /* vouched for */
}

static void requests_in_flight_after_a_log_out_are_no_scan(void **state)
{
    struct scene *scene = scene_with(state, "{\"scanLimit\":3}");
    const struct visitor visitor = arrive(scene, "192.0.2.7", NULL);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_logout(session, 0));
    scene_finish(session, NULL);
    for (int i = 0; i < 10; i++)
        assert_false(is_found(scene, &visitor, "192.0.2.7", NULL));
    assert_int_equal(scene_rejected(scene, SES_REASON_ENDED), 10);
    assert_int_equal(scene_told(scene, SES_EVENT_SCAN), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(another_browser_is_a_signal),
        CASE(another_browser_is_a_stranger_where_that_is_demanded),
        CASE(another_network_is_judged_by_its_prefix),
        CASE(a_refused_request_leaves_the_session_as_it_was),
        CASE(a_refused_request_leaves_its_cookie_alone),
        CASE(a_former_id_is_bound_as_well),
        CASE(a_request_of_the_configured_header_does_not_extend),
        CASE(a_scan_is_told_once_a_minute),
        CASE(whoever_scans_does_not_reach_the_store_any_more),
        CASE(with_a_key_made_up_ids_never_reach_the_store),
        CASE(requests_in_flight_after_a_log_out_are_no_scan),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
