/* SPDX-License-Identifier: MIT */
#include "support/renewals.h"

/* What becomes of the session, its visitor and the thief once an old id has come back. */

static int64_t suspected(struct scene *scene, const struct visitor *visitor)
{
    ses_session *session = scene_visit(scene, visitor);
    const struct ses_info info = info_of(session);
    assert_true(info.is_new);
    ses_release(session);
    return info.suspected_ms;
}

/* Whoever comes first with the old id may as well be the visitor, and the other one the thief. */
static void both_are_told_and_neither_keeps_the_session(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, GRACE_MS);
    const int64_t then_ms = scene->now_ms;
    assert_int_equal(suspected(scene, &old), then_ms);
    pass(scene, 1000);
    assert_int_equal(suspected(scene, &fresh), then_ms);
    assert_int_equal(suspected(scene, &old), then_ms);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
    assert_int_equal(scene_count(scene), 0);
}

static void an_id_several_changes_old_is_told_as_well(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    for (int i = 0; i < 3; i++) {
        renew_and_use(scene, &fresh);
        pass(scene, INTERVAL_S * 1000);
    }
    const int64_t then_ms = scene->now_ms;
    assert_int_equal(suspected(scene, &old), then_ms);
    pass(scene, 1000);
    assert_int_equal(suspected(scene, &old), then_ms);
    assert_int_equal(scene_rejected(scene, SES_REASON_STOLEN), 2);
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
}

/* The visitor comes back after lunch. */
static void the_visitor_is_told_for_as_long_as_the_session_would_have_lived(void **state)
{
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, GRACE_MS);
    const int64_t then_ms = scene->now_ms;
    assert_true(is_stranger(scene, &old));
    pass(scene, 3600 * 1000);
    assert_int_equal(suspected(scene, &fresh), then_ms);
    pass(scene, 3600 * 1000);
    assert_int_equal(suspected(scene, &fresh), 0);
}

static void the_other_browsers_of_the_user_stay(void **state)
{
    struct scene *scene = *state;
    struct visitor other = log_in(scene, "ada");
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, GRACE_MS);
    assert_true(is_stranger(scene, &old));
    assert_true(is_stranger(scene, &fresh));
    assert_false(is_stranger(scene, &other));
}

static void a_session_of_nobody_ends_as_well(void **state)
{
    struct scene *scene = *state;
    struct visitor old = scene_visitor(scene, 0);
    pass(scene, INTERVAL_S * 1000);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, GRACE_MS);
    assert_int_equal(suspected(scene, &old), scene->now_ms);
    assert_int_equal(suspected(scene, &fresh), scene->now_ms);
    assert_null(scene_last(scene, SES_EVENT_THEFT)->user);
}

/* A provider need not remove what has expired, nor hide it from a load. */
static struct ses_provider_ops lazy;

static int load_even_expired(void *self, const struct ses_key *key, int64_t now_ms,
                             struct ses_record *ret_record)
{
    (void)now_ms;
    return ses_provider_fake.load(self, key, 0, ret_record);
}

static struct scene *scene_over(void **state, const struct ses_provider_ops *ops, const char *json)
{
    int r = ses_provider_register(ops);
    assert_true(r == SES_OK || r == SES_ERR_EXISTS);
    scene_free(*state);
    return *state = scene_new(ops->name, json);
}

static void an_old_id_of_an_expired_session_is_no_theft(void **state)
{
    lazy = ses_provider_fake;
    lazy.name = "lazy";
    lazy.load = load_even_expired;
    struct scene *scene = scene_over(
        state, &lazy, "{\"renewalInterval\":600,\"idleTimeout\":7200,\"absoluteTimeout\":0}");
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, 7200 * 1000);
    assert_true(is_stranger(scene, &old));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 0);
    assert_int_equal(scene_rejected(scene, SES_REASON_STOLEN), 0);
}

static void a_provider_without_an_index_ends_the_stolen_session_too(void **state)
{
    static struct ses_provider_ops listless;
    listless = ses_provider_fake;
    listless.name = "listless";
    listless.list = NULL;
    struct scene *scene =
        scene_over(state, &listless, "{\"renewalInterval\":600,\"idleTimeout\":7200}");
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, GRACE_MS);
    assert_true(is_stranger(scene, &old));
    assert_true(is_stranger(scene, &fresh));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
}

/* ---- and the store fails just then ---- */

static int try_with(struct scene *scene, const struct visitor *visitor)
{
    const struct ses_slice field = { visitor->cookie, strlen(visitor->cookie) };
    struct ses_request request = {
        .size = sizeof request, .cookies = &field, .cookie_count = 1, .peer = "192.0.2.7"
    };
    ses_session *session = NULL;
    int r = scene_try(scene, &request, &session);
    if (r == SES_OK)
        assert_true(session_is_new(session));
    ses_release(session);
    return r;
}

static void check_theft_in_outage(void **state, enum fake_op op, unsigned nth, enum fake_when when)
{
    scene_tear_down(state);
    (void)renewal_set_up(state);
    struct scene *scene = *state;
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, GRACE_MS);
    fake_provider_fail_call(op, nth, SES_ERR_UNAVAILABLE, when);
    int r = try_with(scene, &old);
    fake_provider_reset();
    assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE);
    if (r < 0) /* as the 503 asks for */
        assert_ok(try_with(scene, &old));
    assert_true(is_stranger(scene, &fresh));
    assert_true(scene_told(scene, SES_EVENT_THEFT) >= 1);
    assert_int_equal(scene_count(scene), 0);
}

static void an_outage_during_a_theft_neither_saves_the_thief_nor_swallows_the_alarm(void **state)
{
    static const enum fake_op ops[] = { FAKE_LOAD, FAKE_SAVE, FAKE_LIST, FAKE_DESTROY };
    for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++) {
        for (unsigned nth = 1; nth <= 6; nth++) {
            check_theft_in_outage(state, ops[o], nth, FAKE_BEFORE_ACT);
            check_theft_in_outage(state, ops[o], nth, FAKE_AFTER_ACT);
        }
    }
}

/* ---- only told ---- */

static void what_is_only_told_keeps_the_visitor_and_refuses_the_thief(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"renewalInterval\":600,\"idleTimeout\":7200,\"whenStolen\":"
                          "\"report\"}");
    const struct visitor old = due_visitor(scene);
    struct visitor fresh = old;
    renew_and_use(scene, &fresh);
    pass(scene, GRACE_MS);
    const int64_t then_ms = scene->now_ms;
    for (int i = 0; i < 5; i++) {
        ses_session *thief = scene_visit(scene, &old);
        assert_true(session_is_new(thief));
        assert_null(scene_commit(thief, NULL));
        ses_release(thief);
        pass(scene, 1000);
    }
    ses_session *session = scene_visit(scene, &fresh);
    assert_int_equal(info_of(session).suspected_ms, then_ms); /* set once */
    assert_ok(ses_increment(session, "n", 1));
    scene_finish(session, &fresh);
    assert_int_equal(stored_int(scene, &fresh, "n"), 3);
    assert_int_equal(scene_count(scene), 1);
}

/* A mark must not lose what a request stores at the same time. */
static struct visitor rival;

static void write_before_mark(void *arg, enum fake_op op, const struct ses_key *key)
{
    (void)key;
    if (op != FAKE_SAVE)
        return;
    fake_provider_control()->before = NULL;
    (void)add(arg, &rival);
}

static void a_mark_loses_no_write(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"renewalInterval\":600,\"idleTimeout\":7200,\"whenStolen\":"
                          "\"report\"}");
    const struct visitor old = due_visitor(scene);
    rival = old;
    renew_and_use(scene, &rival);
    pass(scene, GRACE_MS);
    fake_provider_control()->before_arg = scene;
    fake_provider_control()->before = write_before_mark;
    assert_true(is_stranger(scene, &old));
    assert_int_equal(stored_int(scene, &rival, "n"), 3);
    ses_session *session = scene_visit(scene, &rival);
    assert_int_equal(info_of(session).suspected_ms, scene->now_ms);
    ses_release(session);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, renewal_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(both_are_told_and_neither_keeps_the_session),
        CASE(an_id_several_changes_old_is_told_as_well),
        CASE(the_visitor_is_told_for_as_long_as_the_session_would_have_lived),
        CASE(the_other_browsers_of_the_user_stay),
        CASE(a_session_of_nobody_ends_as_well),
        CASE(an_old_id_of_an_expired_session_is_no_theft),
        CASE(a_provider_without_an_index_ends_the_stolen_session_too),
        CASE(an_outage_during_a_theft_neither_saves_the_thief_nor_swallows_the_alarm),
        CASE(what_is_only_told_keeps_the_visitor_and_refuses_the_thief),
        CASE(a_mark_loses_no_write),
    };
    return cmocka_run_group_tests_name("thief", tests, NULL, NULL);
}
