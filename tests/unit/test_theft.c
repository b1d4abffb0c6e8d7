/* SPDX-License-Identifier: MIT */
#include "support/renewals.h"

/* Ids that change by themselves, and what comes of an old one. */

static unsigned live_sessions(struct scene *scene)
{
    return (unsigned)scene_count(scene);
}

/* ---- renewal ---- */

static void an_id_changes_after_the_interval_and_not_before(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = log_in(scene, "ada");
    const struct visitor first = visitor;
    pass(scene, INTERVAL_S * 1000 - 1);
    assert_false(add(scene, &visitor));
    pass(scene, 1);
    assert_true(add(scene, &visitor));
    assert_false(same_id(&visitor, &first));
    assert_int_equal(scene_told(scene, SES_EVENT_RENEWED), 1);
    assert_int_equal(scene_stats(scene).renewed, 1);
    assert_false(add(scene, &visitor));
    assert_int_equal(stored_int(scene, &visitor, "n"), 3);
    assert_int_equal(live_sessions(scene), 1);
}

static void everything_but_the_id_stays(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    struct ses_csrf_token token;
    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_info before = info_of(session);
    assert_ok(ses_csrf_token(session, &token));
    assert_ok(ses_set_int(session, "m", 7));
    scene_finish(session, &visitor);

    session = scene_visit(scene, &visitor);
    const struct ses_info after = info_of(session);
    assert_string_equal(after.user, "ada");
    assert_string_equal(after.handle, before.handle);
    assert_int_equal(after.level, before.level);
    assert_int_equal(after.auth_ms, before.auth_ms);
    assert_int_equal(after.created_ms, before.created_ms);
    assert_int_equal(after.end_ms, before.end_ms);
    assert_ok(ses_csrf_check(session, token.text));
    ses_release(session);
    assert_int_equal(stored_int(scene, &visitor, "m"), 7);
}

static void a_read_renews_too(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    const struct visitor before = visitor;
    scene_finish(scene_visit(scene, &visitor), &visitor);
    assert_false(same_id(&visitor, &before));
}

static int try_background(struct scene *scene, const struct visitor *visitor)
{
    const struct ses_slice field = { visitor->cookie, strlen(visitor->cookie) };
    struct ses_request request = {
        .size = sizeof request,
        .cookies = &field,
        .cookie_count = 1,
        .flags = SES_REQUEST_BACKGROUND,
    };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    const bool set = scene_commit(session, NULL) != NULL;
    ses_release(session);
    return set;
}

static void nobody_is_renewed_who_could_not_be_told(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    assert_false(try_background(scene, &visitor));
    ses_session *session;
    assert_ok(ses_open(scene->manager, cookie_value(visitor.cookie), &session));
    assert_ok(ses_commit(session, NULL));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_RENEWED), 0);

    scene = scene_with(state, "{\"renewalInterval\":0}");
    visitor = log_in(scene, "ada");
    pass(scene, 1700 * 1000);
    assert_false(add(scene, &visitor));
}

static void a_full_store_keeps_the_session_under_its_old_id(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_FULL, FAKE_BEFORE_ACT);
    assert_false(add(scene, &visitor));
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    assert_true(add(scene, &visitor));
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
}

/* ---- the response that was lost, and the requests under way ---- */

static void a_lost_response_is_repeated_until_the_new_id_has_been_used(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor lost = old, again = old, late = old;
    assert_true(add(scene, &lost));
    pass(scene, 3600 * 1000); /* the train was in a tunnel */
    assert_true(add(scene, &again));
    assert_true(same_id(&lost, &again));
    assert_true(add(scene, &late));
    assert_true(same_id(&lost, &late));
    assert_false(add(scene, &lost));
    assert_int_equal(stored_int(scene, &lost, "n"), 4);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_int_equal(live_sessions(scene), 1);
}

static void the_grace_runs_from_the_first_use_of_the_new_id(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old, late = old;
    assert_true(add(scene, &fresh));
    assert_false(add(scene, &fresh)); /* used */
    pass(scene, GRACE_MS - 1);
    assert_false(add(scene, &late)); /* as good, and the browser has its cookie */
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    pass(scene, 1);
    assert_true(is_stranger(scene, &old));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
}

/* Which of two requests acts next: each order of start, change and commit of six of them. */
static void run_page(struct scene *scene, uint64_t *random, struct visitor *visitor)
{
    enum { REQUESTS = 6 };
    ses_session *open[REQUESTS] = { NULL };
    const struct visitor sent = *visitor;
    bool done[REQUESTS] = { false };
    for (int left = REQUESTS; left > 0;) {
        const size_t i = next_random(random) % REQUESTS;
        if (done[i])
            continue;
        if (!open[i]) {
            /* A browser sends what it has when it starts; some are sent before the answer. */
            open[i] = scene_visit(scene, next_random(random) % 2 ? visitor : &sent);
            continue;
        }
        assert_ok(ses_increment(open[i], "n", 1));
        scene_finish(open[i], visitor);
        done[i] = true;
        left--;
        pass(scene, (int64_t)(next_random(random) % 1000));
    }
}

static void pages_of_six_requests_raise_no_alarm_and_lose_nothing(void **state)
{
    enum { PAGES = 2000 };
    struct scene *scene = *state;
    uint64_t random = 7;
    struct visitor visitor = log_in(scene, "ada");
    for (int page = 0; page < PAGES; page++) {
        run_page(scene, &random, &visitor);
        if (page % 60 == 59) { /* the day's absolute end is near */
            assert_int_equal(stored_int(scene, &visitor, "n"), 6 * 60);
            visitor = log_in(scene, "ada");
        }
        pass(scene, INTERVAL_S * 1000);
        assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
        scene_forget(scene);
    }
    assert_true(scene_stats(scene).renewed > PAGES / 2); /* not while the last one is unused */
}

static void a_request_under_way_lands_in_the_renewed_session(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene), slow = visitor;
    ses_session *upload = scene_visit(scene, &visitor);
    assert_true(add(scene, &visitor));
    for (int i = 0; i < 3; i++) { /* and again, while it goes on */
        assert_false(add(scene, &visitor));
        pass(scene, INTERVAL_S * 1000);
        assert_true(add(scene, &visitor));
    }
    assert_ok(ses_increment(upload, "n", 100));
    scene_finish(upload, &slow);
    assert_true(same_id(&slow, &visitor)); /* told again: perhaps that response was lost */
    assert_int_equal(stored_int(scene, &visitor, "n"), 107);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void a_websocket_goes_along_over_many_renewals(void **state)
{
    enum { RENEWALS = 100 };
    struct scene *scene =
        scene_with(state, "{\"renewalInterval\":600,\"idleTimeout\":7200,\"absoluteTimeout\":0}");
    struct visitor visitor = due_visitor(scene);
    const struct visitor first = visitor;
    ses_session *socket = scene_visit(scene, &visitor), *sleeper = scene_visit(scene, &visitor);
    for (int i = 0; i < RENEWALS; i++) {
        assert_true(add(scene, &visitor));
        (void)add(scene, &visitor);
        pass(scene, INTERVAL_S * 1000);
        assert_ok(ses_reload(socket));
    }
    int64_t n;
    assert_ok(ses_reload(sleeper)); /* all of them at once */
    assert_ok(ses_get_int(sleeper, "n", &n));
    assert_int_equal(n, 2 * RENEWALS);
    assert_string_equal(ses_session_id(sleeper), ses_session_id(socket));
    ses_release(socket);
    ses_release(sleeper);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    /* And its first id is a theft, however long the chain is. */
    assert_true(is_stranger(scene, &first));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
    assert_true(is_stranger(scene, &visitor));
}

static void take_regenerate_and_destroy_follow_the_renewal(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    ses_session *taking = scene_visit(scene, &visitor), *changing = scene_visit(scene, &visitor),
                *leaving = scene_visit(scene, &visitor);
    assert_true(add(scene, &visitor));
    struct ses_value value;
    assert_ok(ses_take(taking, "n", &value));
    assert_int_equal(value.integer, 1);
    scene_finish(taking, NULL);
    const struct visitor renewed = visitor;
    assert_ok(ses_regenerate(changing));
    scene_finish(changing, &visitor);
    assert_false(same_id(&visitor, &renewed));
    assert_true(is_stranger(scene, &renewed));
    assert_false(is_stranger(scene, &visitor));
    ses_release(leaving);

    pass(scene, INTERVAL_S * 1000);
    leaving = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(leaving, "x", 1));
    struct visitor last = visitor;
    assert_true(add(scene, &last));
    assert_ok(ses_logout(leaving, 0));
    scene_finish(leaving, &visitor);
    assert_true(is_stranger(scene, &last));
    assert_int_equal(live_sessions(scene), 0);
}

/* ---- theft ---- */

static void an_old_id_that_comes_back_ends_the_session(void **state)
{
    struct scene *scene = *state;
    const struct visitor stolen = due_visitor(scene);
    struct visitor visitor = stolen;
    (void)add(scene, &visitor);
    (void)add(scene, &visitor);
    pass(scene, GRACE_MS);
    scene_forget(scene);
    ses_session *thief = scene_visit(scene, &stolen);
    assert_true(session_is_new(thief));
    ses_release(thief);
    const struct ses_event *theft = scene_last(scene, SES_EVENT_THEFT);
    assert_non_null(theft);
    assert_string_equal(theft->user, "ada");
    assert_string_equal(theft->peer, "192.0.2.7");
    assert_int_equal(scene_rejected(scene, SES_REASON_STOLEN), 1);

    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_info info = info_of(session);
    assert_true(info.is_new);
    assert_null(info.user);
    assert_int_equal(info.suspected_ms, scene->now_ms);
    assert_ok(ses_set_int(session, "n", 1)); /* and may begin anew */
    scene_finish(session, &visitor);
    assert_int_equal(live_sessions(scene), 1);
}

static void a_theft_may_only_be_reported(void **state)
{
    struct scene *scene = scene_with(state, "{\"renewalInterval\":600,\"whenStolen\":\"report\"}");
    const struct visitor stolen = due_visitor(scene);
    struct visitor visitor = stolen;
    (void)add(scene, &visitor);
    (void)add(scene, &visitor);
    pass(scene, GRACE_MS);
    const int64_t then_ms = scene->now_ms;
    assert_true(is_stranger(scene, &stolen));
    pass(scene, 1000);
    assert_true(is_stranger(scene, &stolen));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 2);
    ses_session *session = scene_visit(scene, &visitor);
    assert_string_equal(info_of(session).user, "ada");
    assert_int_equal(info_of(session).suspected_ms, then_ms);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL)); /* it was the right one */
    assert_int_equal(info_of(session).suspected_ms, 0);
    ses_release(session);
}

static void an_old_id_of_a_session_that_has_ended_is_no_theft(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor visitor = old;
    (void)add(scene, &visitor);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_logout(session, 0));
    scene_finish(session, NULL);
    pass(scene, GRACE_MS);
    assert_true(is_stranger(scene, &old));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_int_equal(scene_rejected(scene, SES_REASON_ENDED), 1);
}

static void log_in_and_step_up_leave_no_grace(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor anonymous = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_login(session, "ada", SES_LEVEL_PARTIAL, 0));
    scene_finish(session, &visitor);
    const struct visitor partial = visitor;
    session = scene_visit(scene, &visitor);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL));
    scene_finish(session, &visitor);
    assert_true(is_stranger(scene, &anonymous));
    assert_true(is_stranger(scene, &partial));
    assert_int_equal(scene_rejected(scene, SES_REASON_CUT), 2);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_false(is_stranger(scene, &visitor));
}

/* ---- when the store fails on the way ---- */

/* After a renewing commit that met one failure: whoever has whichever cookie came out of it finds
 * the session, with the change made once or, if the commit failed, perhaps not at all. */
static void check_after_failure(struct scene *scene, struct visitor *visitor, int code)
{
    const int64_t n = stored_int(scene, visitor, "n");
    if (code == SES_OK)
        assert_int_equal(n, 1);
    else
        assert_true(n == 0 || n == 1);
    assert_int_equal(live_sessions(scene), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
}

static void fail_loads(void *arg, enum fake_op op, const struct ses_key *key)
{
    (void)arg, (void)key;
    if (op == FAKE_LOAD)
        fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
}

static void a_failure_anywhere_in_a_renewal_loses_and_doubles_nothing(void **state)
{
    static const enum fake_op ops[] = { FAKE_LOAD, FAKE_CREATE, FAKE_SAVE };
    for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++) {
        for (int after = 0; after < 2; after++) {
            scene_free(*state);
            (void)renewal_set_up(state);
            struct scene *scene = *state;
            struct visitor visitor = due_visitor(scene);
            ses_session *session = scene_visit(scene, &visitor);
            assert_ok(ses_increment(session, "n", 1));
            fake_provider_fail_call(ops[o], 1, SES_ERR_UNAVAILABLE,
                                    after ? FAKE_AFTER_ACT : FAKE_BEFORE_ACT);
            const struct ses_headers *headers;
            int r = ses_commit(session, &headers);
            if (r == SES_OK)
                scene_finish(session, &visitor);
            else
                ses_release(session);
            fake_provider_reset();
            check_after_failure(scene, &visitor, r);
        }
    }
}

static void a_renewal_of_which_nobody_knows_keeps_both_records(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = due_visitor(scene);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    /* The reply is lost, and the store cannot be asked what came of it. */
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    fake_provider_control()->before = fail_loads;
    assert_code(ses_commit(session, NULL), SES_ERR_UNAVAILABLE);
    ses_release(session);
    fake_provider_reset();
    assert_int_equal(stored_int(scene, &visitor, "n"), 1); /* by the old id, to the new record */
    assert_true(add(scene, &visitor));
    assert_int_equal(live_sessions(scene), 1);
}

/* ---- threads ---- */

enum { THREADS = 6, ROUNDS = 200 };

struct crowd {
    struct scene *scene;
    struct visitor sent;
    struct visitor got[THREADS];
    pthread_barrier_t barrier;
};

struct one {
    struct crowd *crowd;
    int number;
};

static void *visit_at_once(void *arg)
{
    struct one *one = arg;
    struct crowd *crowd = one->crowd;
    struct visitor *visitor = &crowd->got[one->number];
    *visitor = crowd->sent;
    (void)pthread_barrier_wait(&crowd->barrier);
    (void)add(crowd->scene, visitor);
    return NULL;
}

static struct visitor visit_side_by_side(struct scene *scene, const struct visitor *sent)
{
    struct crowd crowd = { .scene = scene, .sent = *sent };
    pthread_t threads[THREADS];
    struct one ones[THREADS];
    (void)pthread_barrier_init(&crowd.barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        ones[i] = (struct one){ &crowd, i };
        assert_int_equal(pthread_create(&threads[i], NULL, visit_at_once, &ones[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&crowd.barrier);
    struct visitor next = *sent;
    for (int i = 0; i < THREADS; i++) {
        if (same_id(&crowd.got[i], sent))
            continue;
        assert_true(same_id(&next, sent) || same_id(&next, &crowd.got[i]));
        next = crowd.got[i];
    }
    assert_false(same_id(&next, sent));
    return next;
}

static void six_threads_across_a_renewal_get_one_new_id(void **state)
{
    scene_free(*state);
    struct scene *scene = scene_new("memory", "{\"renewalInterval\":600,\"absoluteTimeout\":0}");
    *state = scene;
    struct visitor visitor = due_visitor(scene);
    for (int i = 0; i < ROUNDS; i++) {
        visitor = visit_side_by_side(scene, &visitor);
        (void)add(scene, &visitor);
        pass(scene, INTERVAL_S * 1000);
        assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
        scene_forget(scene);
    }
    assert_int_equal(stored_int(scene, &visitor, "n"), ROUNDS * (THREADS + 1));
    assert_int_equal(live_sessions(scene), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, renewal_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(an_id_changes_after_the_interval_and_not_before),
        CASE(everything_but_the_id_stays),
        CASE(a_read_renews_too),
        CASE(nobody_is_renewed_who_could_not_be_told),
        CASE(a_full_store_keeps_the_session_under_its_old_id),
        CASE(a_lost_response_is_repeated_until_the_new_id_has_been_used),
        CASE(the_grace_runs_from_the_first_use_of_the_new_id),
        CASE(pages_of_six_requests_raise_no_alarm_and_lose_nothing),
        CASE(a_request_under_way_lands_in_the_renewed_session),
        CASE(a_websocket_goes_along_over_many_renewals),
        CASE(take_regenerate_and_destroy_follow_the_renewal),
        CASE(an_old_id_that_comes_back_ends_the_session),
        CASE(a_theft_may_only_be_reported),
        CASE(an_old_id_of_a_session_that_has_ended_is_no_theft),
        CASE(log_in_and_step_up_leave_no_grace),
        CASE(a_failure_anywhere_in_a_renewal_loses_and_doubles_nothing),
        CASE(a_renewal_of_which_nobody_knows_keeps_both_records),
        CASE(six_threads_across_a_renewal_get_one_new_id),
    };
    return cmocka_run_group_tests_name("theft", tests, NULL, NULL);
}
