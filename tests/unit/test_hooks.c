/* SPDX-License-Identifier: MIT */
#include "support/leave.h"
#include "support/session_fixture.h"

/* Event hooks that do as they like: none keeps a session alive, or makes an act happen twice (T-9).
 */

/* What a call holds while the store fails is lost with it, by whoever leaves through a hook. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:a_hook_that_leaves_while_the_store_fails\n"
           "leak:a_hook_that_leaves_an_alarm\n";
}

static void a_hook_that_never_returns_leaves_the_session_ended(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    scene->hook = jump_out;
    jump_at = SES_EVENT_DESTROYED;
    if (setjmp(way_out) == 0) {
        assert_ok(ses_destroy(session));
        fail_msg("the hook was not called");
    }
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    assert_code(ses_set_int(session, "n", 2), SES_ERR_GONE);
    assert_non_null(scene_commit(session, &visitor));
    assert_string_equal(visitor.cookie, "");
    ses_release(session);
}

static void a_hook_that_leaves_while_the_store_fails_does_not_keep_the_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    scene->hook = jump_out;
    jump_at = SES_EVENT_STORE_ERROR;
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    if (setjmp(way_out) == 0) {
        assert_ok(ses_destroy(session));
        fail_msg("the hook was not called");
    }
    assert_code(ses_set_int(session, "n", 2), SES_ERR_GONE);
    assert_ok(ses_destroy(session));
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
}

static void a_hook_that_leaves_a_commit_does_not_make_it_happen_twice(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_increment(session, "n", 1));
    scene->hook = jump_out;
    jump_at = SES_EVENT_CREATED;
    if (setjmp(way_out) == 0) {
        assert_ok(ses_commit(session, NULL));
        fail_msg("the hook was not called");
    }
    struct visitor visitor = { "" };
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);

    ses_session *first = scene_visit(scene, &visitor), *second = scene_visit(scene, &visitor);
    assert_ok(ses_increment(first, "n", 1));
    assert_ok(ses_increment(second, "n", 1));
    scene_finish(first, NULL);
    jump_at = SES_EVENT_REPLAYED;
    if (setjmp(way_out) == 0) {
        assert_ok(ses_commit(second, NULL));
        fail_msg("the hook was not called");
    }
    scene_finish(second, NULL);
    assert_int_equal(stored_int(scene, &visitor, "n"), 3);
}

static void a_hook_that_leaves_a_regenerate_leaves_one_session_and_its_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    scene->hook = jump_out;
    jump_at = SES_EVENT_REGENERATED;
    if (setjmp(way_out) == 0) {
        assert_ok(ses_regenerate(session));
        fail_msg("the hook was not called");
    }
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
    assert_int_equal(scene_count(scene), 1);
}

/* ---- of attacks: the alarm may go off in the middle of a request ---- */

static struct visitor renew(struct scene *scene, const struct visitor *old)
{
    struct visitor fresh = *old;
    atomic_fetch_add(&scene->now_ms, 3600 * 1000);
    scene_finish(scene_visit(scene, &fresh), &fresh);
    assert_string_not_equal(fresh.cookie, old->cookie);
    return fresh;
}

static void a_hook_that_leaves_a_renewal_leaves_one_session_and_its_cookie(void **state)
{
    struct scene *scene = scene_with(state, "{\"idleTimeout\":7200}");
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor old = visitor;
    atomic_fetch_add(&scene->now_ms, 3600 * 1000);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    scene->hook = jump_out;
    jump_at = SES_EVENT_RENEWED;
    if (setjmp(way_out) == 0) {
        assert_ok(ses_commit(session, NULL));
        fail_msg("the hook was not called");
    }
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
    assert_string_not_equal(visitor.cookie, old.cookie);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
    assert_int_equal(scene_count(scene), 1);
}

static void a_hook_that_leaves_a_log_in_leaves_it_done(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor old = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    scene->hook = jump_out;
    jump_at = SES_EVENT_LOGIN;
    if (setjmp(way_out) == 0) {
        assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, 0));
        fail_msg("the hook was not called");
    }
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
    assert_code(scene_exists(scene, &old), SES_ERR_NOT_FOUND);
    assert_ok(scene_exists(scene, &visitor));
    assert_int_equal(scene_count(scene), 1);
}

/* What the request of the old id holds is lost with it; the session is not to be kept by that. */
static void a_hook_that_leaves_an_alarm_leaves_the_session_ended(void **state)
{
    static const enum ses_event_type alarms[] = { SES_EVENT_DESTROYED, SES_EVENT_THEFT,
                                                  SES_EVENT_REJECTED };
    for (size_t i = 0; i < 3; i++) {
        struct scene *scene = scene_with(state, "{\"idleTimeout\":7200}");
        struct visitor first = { "" };
        ses_session *session = scene_start(scene, NULL);
        assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, 0));
        scene_finish(session, &first);
        const struct visitor old = first, fresh = renew(scene, &old);
        scene_finish(scene_visit(scene, &fresh), NULL);
        atomic_fetch_add(&scene->now_ms, 10 * 1000);
        scene->hook = jump_out;
        jump_at = alarms[i];
        if (setjmp(way_out) == 0) {
            ses_release(scene_visit(scene, &old));
            fail_msg("the hook was not called");
        }
        assert_code(scene_exists(scene, &fresh), SES_ERR_NOT_FOUND);
        assert_int_equal(scene_count(scene), 0);
    }
}

/* Whatever happens, this one logs something else about it, through the same manager. */
static void call_again(void *arg, const struct ses_event *event)
{
    static bool inside;
    struct scene *scene = arg;
    if (inside || event->type == SES_EVENT_STORE_ERROR)
        return;
    inside = true;
    struct visitor visitor = scene_visitor(scene, 9);
    assert_int_equal(stored_int(scene, &visitor, "n"), 9);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
    assert_ok(ses_gc(scene->manager, 0, NULL));
    inside = false;
}

static void a_hook_may_call_into_the_manager(void **state)
{
    struct scene *scene = *state;
    scene->hook = call_again;
    scene->hook_arg = scene;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_destroy(session));
    ses_release(session);
    assert_int_equal(scene_count(scene), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_hook_that_never_returns_leaves_the_session_ended),
        TEST(a_hook_that_leaves_while_the_store_fails_does_not_keep_the_cookie),
        TEST(a_hook_that_leaves_a_commit_does_not_make_it_happen_twice),
        TEST(a_hook_that_leaves_a_regenerate_leaves_one_session_and_its_cookie),
        TEST(a_hook_that_leaves_a_renewal_leaves_one_session_and_its_cookie),
        TEST(a_hook_that_leaves_a_log_in_leaves_it_done),
        TEST(a_hook_that_leaves_an_alarm_leaves_the_session_ended),
        TEST(a_hook_may_call_into_the_manager),
    };
    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
