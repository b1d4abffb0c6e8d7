/* SPDX-License-Identifier: MIT */
#include "support/renewals.h"

#include <strings.h>

/* Ids that change by time, where it is easy to be wrong: every order of requests side by side, what
 * was under way for hours, ways without cookies, and a store that fails at each call. */

/* ---- when, and by which way ---- */

static void an_hour_is_the_default(void **state)
{
    struct scene *scene = scene_with(state, "{\"idleTimeout\":7200}");
    struct visitor visitor = log_in(scene, "ada");
    pass(scene, 3600 * 1000 - 1);
    assert_false(add(scene, &visitor));
    pass(scene, 1);
    assert_true(add(scene, &visitor));
}

static const char *id_header(void *arg, const char *name, size_t nth)
{
    return nth == 0 && strcasecmp(name, "X-Session") == 0 ? arg : NULL;
}

static ses_session *come_by_header(struct scene *scene, const char *id)
{
    char copy[COOKIE_TEXT_MAX];
    (void)snprintf(copy, sizeof copy, "%s", id);
    struct ses_request request = {
        .size = sizeof request, .header = id_header, .header_arg = copy, .peer = "192.0.2.7"
    };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    return session;
}

static void without_cookies_only_an_id_that_came_in_the_header_is_renewed(void **state)
{
    struct scene *scene = scene_with(
        state, "{\"renewalInterval\":600,\"idleTimeout\":7200,\"enableSetCookie\":false,"
               "\"enableSidInHTTPHeader\":true,\"sessionNameInHTTPHeader\":\"X-Session\"}");
    struct visitor visitor = { "id=" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 0));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    const char *first = header_value(headers, "X-Session", 0);
    assert_non_null(first);
    (void)strncat(visitor.cookie, first, sizeof visitor.cookie - 4);
    ses_release(session);

    pass(scene, INTERVAL_S * 1000);
    assert_false(add(scene, &visitor)); /* a cookie of another's making: nobody could tell it */
    assert_int_equal(scene_told(scene, SES_EVENT_RENEWED), 0);

    session = come_by_header(scene, cookie_value(visitor.cookie));
    assert_ok(ses_commit(session, &headers));
    assert_null(header_value(headers, "Set-Cookie", 0));
    const char *second = header_value(headers, "X-Session", 0);
    assert_non_null(second);
    assert_string_not_equal(second, cookie_value(visitor.cookie));
    ses_session *next = come_by_header(scene, second);
    assert_false(session_is_new(next));
    ses_release(next);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_RENEWED), 1);
}

static void what_is_left_lives_until_the_absolute_end(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    assert_true(add(scene, &fresh));
    ses_session *session = scene_visit(scene, &fresh);
    const int64_t end_ms = info_of(session).end_ms;
    ses_release(session);
    struct ses_record record = scene_record(scene, &old);
    assert_int_equal(record.kind, SES_KIND_MOVED);
    assert_int_equal(record.expires_ms, end_ms);
    (void)ses_blob_unref(record.data);
}

static void whoever_only_read_has_lost_nothing(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    assert_true(add(scene, &visitor));
    ses_release(scene_visit(scene, &visitor)); /* the first use of the new id, without a commit */
    assert_int_equal(scene_told(scene, SES_EVENT_UNCOMMITTED), 0);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_UNCOMMITTED), 1);
}

/* ---- side by side ---- */

enum { SIDE_BY_SIDE = 4, STEPS = 2 * SIDE_BY_SIDE };

/* A page's requests: each starts with what the browser has then, and ends some time later. */
struct page {
    struct scene *scene;
    struct visitor visitor;
    ses_session *open[SIDE_BY_SIDE];
    bool reads[SIDE_BY_SIDE]; /* it changes nothing */
};

static void act(struct page *page, size_t i)
{
    if (!page->open[i]) {
        page->open[i] = scene_visit(page->scene, &page->visitor);
        assert_false(session_is_new(page->open[i]));
        return;
    }
    if (!page->reads[i])
        assert_ok(ses_increment(page->open[i], "n", 1));
    scene_finish(page->open[i], &page->visitor);
}

static void run_order(struct scene *scene, const size_t order[STEPS], unsigned readers)
{
    struct page page = { .scene = scene, .visitor = due_visitor(scene) };
    const struct visitor first = page.visitor;
    int64_t writers = 0;
    for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
        page.reads[i] = (readers >> i & 1) != 0;
        writers += !page.reads[i];
    }
    for (size_t step = 0; step < STEPS; step++)
        act(&page, order[step]);
    assert_false(same_id(&page.visitor, &first));
    assert_int_equal(stored_int(scene, &page.visitor, "n"), writers);
    assert_int_equal(scene_told(scene, SES_EVENT_RENEWED), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_int_equal(scene_told(scene, SES_EVENT_REJECTED), 0);
    assert_int_equal(scene_count(scene), 1);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(page.visitor.cookie)));
    pass(scene, INT64_C(86400) * 1000); /* what was left is gone */
    assert_ok(ses_gc(scene->manager, 0, NULL));
}

/* Every way to arrange what is left of the starts and ends. @return how many there were. */
static unsigned run_orders(struct scene *scene, size_t order[STEPS], size_t step,
                           unsigned done[SIDE_BY_SIDE])
{
    unsigned orders = 0;
    if (step == STEPS) {
        run_order(scene, order, 0);
        run_order(scene, order, 5);
        return 1;
    }
    for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
        if (done[i] == 2)
            continue;
        done[i]++;
        order[step] = i;
        orders += run_orders(scene, order, step + 1, done);
        done[i]--;
    }
    return orders;
}

static void every_order_of_four_requests_across_a_renewal_is_harmless(void **state)
{
    size_t order[STEPS];
    unsigned done[SIDE_BY_SIDE] = { 0 };
    assert_int_equal(run_orders(*state, order, 0, done), 2520); /* 8! / 2^4 */
}

/* ---- what was under way ---- */

/* An upload that was the first to use its id, and ends after that has been replaced in turn. */
static ses_session *start_upload(struct scene *scene, struct visitor *visitor)
{
    *visitor = due_visitor(scene);
    assert_true(add(scene, visitor));
    ses_session *upload = scene_visit(scene, visitor);
    assert_false(add(scene, visitor));
    pass(scene, INTERVAL_S * 1000);
    return upload;
}

static void a_late_commit_does_not_use_up_an_id_that_nobody_has_seen(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor;
    ses_session *upload = start_upload(scene, &visitor);
    struct visitor lost = visitor, slow = visitor;
    assert_true(add(scene, &lost)); /* the answer was lost */
    assert_ok(ses_increment(upload, "n", 100));
    scene_finish(upload, NULL);
    pass(scene, 60 * 1000);
    assert_true(add(scene, &slow));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_int_equal(stored_int(scene, &slow, "n"), 104);
}

static void a_late_reload_does_not_either(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor;
    ses_session *socket = start_upload(scene, &visitor);
    struct visitor lost = visitor, slow = visitor;
    assert_true(add(scene, &lost));
    assert_ok(ses_reload(socket));
    assert_ok(ses_increment(socket, "n", 100));
    scene_finish(socket, NULL);
    pass(scene, 60 * 1000);
    assert_true(add(scene, &slow));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void an_upload_of_hours_lands_where_the_session_is_by_then(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    ses_session *upload = scene_visit(scene, &visitor);
    for (int i = 0; i < 30; i++) { /* five hours */
        renew_and_use(scene, &visitor);
        pass(scene, INTERVAL_S * 1000);
    }
    assert_ok(ses_set_text(upload, "file", "here"));
    scene_finish(upload, NULL);
    ses_session *session = scene_visit(scene, &visitor);
    const char *file;
    assert_ok(ses_get_text(session, "file", &file));
    assert_string_equal(file, "here");
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void a_socket_of_a_session_that_ended_elsewhere_is_no_scan(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    ses_session *socket = scene_visit(scene, &visitor);
    renew_and_use(scene, &visitor);
    ses_session *later = scene_visit(scene, &visitor);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
    assert_code(ses_reload(socket), SES_ERR_GONE);
    assert_code(ses_reload(later), SES_ERR_GONE);
    pass(scene, 3600 * 1000);
    assert_code(ses_reload(socket), SES_ERR_GONE);
    assert_code(ses_reload(later), SES_ERR_GONE);
    ses_release(socket);
    ses_release(later);
    assert_int_equal(scene_rejected(scene, SES_REASON_UNKNOWN), 0);
    assert_int_equal(scene_rejected(scene, SES_REASON_ENDED), 4);
}

/* ---- the end, by an id that has been replaced ---- */

static void a_log_out_with_the_former_id_ends_the_session(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old, leaving = old;
    assert_true(add(scene, &fresh));
    ses_session *session = scene_visit(scene, &leaving);
    assert_ok(ses_logout(session, 0));
    scene_finish(session, &leaving);
    assert_string_equal(leaving.cookie, "");
    assert_true(is_stranger(scene, &fresh));
    assert_true(is_stranger(scene, &old));
    assert_int_equal(scene_count(scene), 0);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void an_end_by_any_id_that_it_had_ends_the_session(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    for (int i = 0; i < 5; i++) {
        renew_and_use(scene, &fresh);
        pass(scene, INTERVAL_S * 1000);
    }
    assert_ok(ses_destroy_id(scene->manager, cookie_value(old.cookie)));
    assert_true(is_stranger(scene, &fresh));
    assert_int_equal(scene_count(scene), 0);
}

/* ---- when the store says no ---- */

static void a_store_that_takes_no_longer_record_keeps_the_old_id(void **state)
{
    static const int codes[] = { SES_ERR_FULL, SES_ERR_TOO_LARGE };
    for (size_t c = 0; c < 2; c++) {
        scene_tear_down(state);
        (void)renewal_set_up(state);
        struct scene *scene = *state;
        struct visitor visitor = due_visitor(scene);
        for (int i = 1; i <= 3; i++) {
            fake_provider_fail_call(FAKE_CREATE, 1, codes[c], FAKE_BEFORE_ACT);
            assert_false(add(scene, &visitor));
            assert_int_equal(stored_int(scene, &visitor, "n"), i);
        }
        fake_provider_fail_call(FAKE_SAVE, 1, codes[c], FAKE_BEFORE_ACT); /* of the marker */
        assert_false(add(scene, &visitor));
        assert_int_equal(scene_count(scene), 1);
        assert_true(add(scene, &visitor));
        assert_int_equal(stored_int(scene, &visitor, "n"), 5);
        assert_int_equal(scene_count(scene), 1);
    }
}

struct fault {
    enum fake_op op;
    unsigned nth;
    int code;
    enum fake_when when;
};

static int try_add(struct scene *scene, struct visitor *visitor, ses_session *session)
{
    const struct ses_headers *headers;
    assert_ok(ses_increment(session, "n", 1));
    int r = ses_commit(session, &headers);
    if (r == SES_OK)
        (void)scene_commit(session, visitor);
    (void)scene;
    ses_release(session);
    return r;
}

/* A commit that renews meets up to two failures. Whoever has the cookie that came out of it, or the
 * one before, finds the session, with the change made at most once. */
static void check_renewal_under_faults(void **state, const struct fault *faults, size_t count,
                                       bool rival)
{
    scene_tear_down(state);
    (void)renewal_set_up(state);
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor visitor = old, other = old;
    ses_session *session = scene_visit(scene, &visitor);
    int64_t sure = 0;
    if (rival) { /* so that the first try meets a conflict */
        ses_session *faster = scene_visit(scene, &other);
        assert_ok(ses_increment(faster, "n", 10));
        atomic_fetch_add(&scene->now_ms, -1000);
        assert_ok(ses_commit(faster, NULL));
        atomic_fetch_add(&scene->now_ms, 1000);
        ses_release(faster);
        sure = 10;
    }
    for (size_t f = 0; f < count; f++)
        fake_provider_fail_call(faults[f].op, faults[f].nth, faults[f].code, faults[f].when);
    int r = try_add(scene, &visitor, session);
    fake_provider_reset();
    if (r != SES_OK)
        assert_code(r, SES_ERR_UNAVAILABLE);
    const int64_t n = stored_int(scene, &visitor, "n");
    assert_true(n == sure + 1 || (r != SES_OK && n == sure));
    assert_int_equal(stored_int(scene, &old, "n"), n); /* that response may be lost, too */
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);

    /* And it goes on: nobody is left with a session of his own. */
    struct visitor late = old;
    (void)add(scene, &late);
    (void)add(scene, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), n + 2);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static const enum fake_op faulty[] = { FAKE_LOAD, FAKE_CREATE, FAKE_SAVE, FAKE_DESTROY };
enum { FAULTY = sizeof faulty / sizeof faulty[0], NTH_MAX = 3 };

static void no_single_failure_loses_or_doubles_anything(void **state)
{
    for (size_t o = 0; o < FAULTY; o++) {
        for (unsigned nth = 1; nth <= NTH_MAX; nth++) {
            for (int when = 0; when < 2; when++) {
                const struct fault fault = { faulty[o], nth, SES_ERR_UNAVAILABLE,
                                             when ? FAKE_AFTER_ACT : FAKE_BEFORE_ACT };
                check_renewal_under_faults(state, &fault, 1, false);
                check_renewal_under_faults(state, &fault, 1, true);
            }
        }
    }
}

static void no_two_failures_do(void **state)
{
    for (unsigned pair = 0; pair < FAULTY * FAULTY * 4; pair++) {
        const size_t first = pair % FAULTY, second = pair / FAULTY % FAULTY;
        const unsigned when = pair / (FAULTY * FAULTY);
        for (unsigned nth = 1; nth <= NTH_MAX; nth++) {
            const struct fault faults[] = {
                { faulty[first], 1, SES_ERR_UNAVAILABLE,
                  when & 1 ? FAKE_AFTER_ACT : FAKE_BEFORE_ACT },
                { faulty[second], nth, SES_ERR_UNAVAILABLE,
                  when & 2 ? FAKE_AFTER_ACT : FAKE_BEFORE_ACT },
            };
            if (first == second)
                continue;
            check_renewal_under_faults(state, faults, 2, false);
            check_renewal_under_faults(state, faults, 2, true);
        }
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, renewal_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(an_hour_is_the_default),
        CASE(without_cookies_only_an_id_that_came_in_the_header_is_renewed),
        CASE(what_is_left_lives_until_the_absolute_end),
        CASE(whoever_only_read_has_lost_nothing),
        CASE(every_order_of_four_requests_across_a_renewal_is_harmless),
        CASE(a_late_commit_does_not_use_up_an_id_that_nobody_has_seen),
        CASE(a_late_reload_does_not_either),
        CASE(an_upload_of_hours_lands_where_the_session_is_by_then),
        CASE(a_socket_of_a_session_that_ended_elsewhere_is_no_scan),
        CASE(a_log_out_with_the_former_id_ends_the_session),
        CASE(an_end_by_any_id_that_it_had_ends_the_session),
        CASE(a_store_that_takes_no_longer_record_keeps_the_old_id),
        CASE(no_single_failure_loses_or_doubles_anything),
        CASE(no_two_failures_do),
    };
    return cmocka_run_group_tests_name("renewal", tests, NULL, NULL);
}
