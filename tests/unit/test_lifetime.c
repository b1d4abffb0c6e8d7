/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include "base/slice.h"
#include "core/manager.h"

/* When a session ends, and what reading it costs the store. */

enum { IDLE_S = 1800, TOUCH_S = 60, ABSOLUTE_S = 86400 };

/* ---- timeouts ---- */

static void the_idle_timeout_ends_a_session_to_the_millisecond(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + IDLE_S * 1000 - 1);
    assert_ok(scene_exists(scene, &visitor));
    atomic_store(&scene->now_ms, SCENE_START_MS + IDLE_S * 1000);
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    ses_session *session = scene_visit(scene, &visitor);
    assert_true(session_is_new(session));
    ses_release(session);
}

static void the_absolute_timeout_ends_a_session_in_use(void **state)
{
    struct scene *scene = scene_with(state, "{\"idleTimeout\":600,\"absoluteTimeout\":3600}");
    struct visitor visitor = scene_visitor(scene, 1);
    for (int64_t at = 300; at < 3600; at += 300) {
        atomic_store(&scene->now_ms, SCENE_START_MS + at * 1000);
        ses_session *session = scene_visit(scene, &visitor);
        assert_false(session_is_new(session));
        assert_ok(ses_set_int(session, "n", at));
        scene_finish(session, NULL);
    }
    atomic_store(&scene->now_ms, SCENE_START_MS + 3600 * 1000 - 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_true(session_expires_ms(session) == SCENE_START_MS + 3600 * 1000);
    assert_ok(ses_regenerate(session)); /* does not start the count anew */
    scene_finish(session, &visitor);
    assert_ok(scene_exists(scene, &visitor));
    atomic_store(&scene->now_ms, SCENE_START_MS + 3600 * 1000);
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
}

/* The store's expiry is not believed alone. */
static void a_shorter_absolute_timeout_acts_at_once(void **state)
{
    struct scene *scene = scene_with(state, "{\"absoluteTimeout\":7200}");
    /* Created and based two hours ago, says the header; the store would keep it. */
    struct visitor visitor = scene_plant(scene, SLICE("\x82\xa2\x00\x01\x02\x01\xa0"));
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    assert_int_equal(scene_rejected(scene, SES_REASON_EXPIRED), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_EXPIRED), 1);
    assert_int_equal(scene_count(scene), 0);
    assert_int_equal(scene_stats(scene).expired, 1);
}

static void an_expiry_beyond_the_policy_is_moved_back_by_the_first_use(void **state)
{
    struct scene *scene = scene_with(state, "{\"idleTimeout\":10,\"absoluteTimeout\":0,"
                                            "\"renewalInterval\":0}");
    const struct visitor visitor = scene_plant(scene, SLICE("\x82\xa1\x00\x01\xa0"));
    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_key key = key_of_session(session);
    const int64_t now_ms = scene->now_ms, hour_ms = INT64_C(3600) * 1000;
    struct ses_record record = scene_record(scene, &visitor);
    /* Stored when an hour was allowed. */
    assert_ok(store_touch(scene->manager->store, &key, now_ms, record.version, now_ms + hour_ms));
    (void)ses_blob_unref(record.data);
    ses_release(session);

    scene_finish(scene_visit(scene, &visitor), NULL);
    record = scene_record(scene, &visitor);
    assert_int_equal(record.expires_ms, now_ms + 10000);
    (void)ses_blob_unref(record.data);
}

static void the_absolute_end_is_checked_to_the_millisecond_whatever_the_store_keeps(void **state)
{
    struct scene *scene = *state;
    /* Based at SCENE_START_MS less a day, which is the default. */
    const int64_t base_ms = SCENE_START_MS - (int64_t)ABSOLUTE_S * 1000;
    unsigned char bytes[] = "\x82\xa2\x00\x01\x02\x1b........\xa0";
    for (int i = 0; i < 8; i++)
        bytes[6 + i] = (unsigned char)(base_ms >> (56 - 8 * i));
    const struct visitor visitor = scene_plant(scene, (struct ses_slice){ bytes, 15 });
    atomic_store(&scene->now_ms, SCENE_START_MS - 1);
    assert_ok(scene_exists(scene, &visitor));
    atomic_store(&scene->now_ms, SCENE_START_MS);
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    assert_int_equal(scene_rejected(scene, SES_REASON_EXPIRED), 1);
}

/* A store that hands over what has expired, and collects in steps of one record. */
static int lazy_load(void *self, const struct ses_key *key, int64_t now_ms,
                     struct ses_record *ret_record)
{
    (void)now_ms;
    return ses_provider_fake.load(self, key, 0, ret_record);
}

static int lazy_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    (void)budget;
    return ses_provider_fake.gc(self, now_ms, 1, ret_step);
}

static struct scene *with_lazy_store(void **state)
{
    static struct ses_provider_ops lazy;
    if (!lazy.name) {
        lazy = ses_provider_fake;
        lazy.name = "lazy";
        lazy.load = lazy_load;
        lazy.gc = lazy_gc;
        assert_ok(ses_provider_register(&lazy));
    }
    scene_free(*state);
    return *state = scene_new("lazy", NULL);
}

static void the_core_refuses_what_a_store_hands_over_too_late(void **state)
{
    struct scene *scene = with_lazy_store(state);
    const struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + IDLE_S * 1000 - 1);
    assert_ok(scene_exists(scene, &visitor));
    atomic_store(&scene->now_ms, SCENE_START_MS + IDLE_S * 1000);
    ses_session *session = scene_visit(scene, &visitor);
    assert_true(session_is_new(session));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    ses_release(session);
    assert_int_equal(scene_rejected(scene, SES_REASON_EXPIRED), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_EXPIRED), 1);
}

static void gc_goes_on_until_all_is_freed_unless_it_has_a_budget(void **state)
{
    struct scene *scene = with_lazy_store(state);
    for (int i = 0; i < 5; i++)
        (void)scene_visitor(scene, i);
    atomic_store(&scene->now_ms, SCENE_START_MS + IDLE_S * 1000);
    uint64_t removed;
    assert_ok(ses_gc(scene->manager, 1, &removed));
    assert_int_equal(removed, 1);
    assert_ok(ses_gc(scene->manager, 0, &removed));
    assert_int_equal(removed, 4);
    assert_ok(ses_gc(scene->manager, 0, NULL));
    assert_int_equal(scene_stats(scene).collected, 5);
}

/* The shards that the first call has passed are looked at again. */
static void gc_without_a_budget_frees_what_a_round_in_progress_has_passed(void **state)
{
    scene_free(*state);
    struct scene *scene = *state = scene_new("memory", NULL);
    uint64_t removed;
    for (int i = 0; i < 200; i++)
        (void)scene_visitor(scene, i);
    atomic_store(&scene->now_ms, SCENE_START_MS + IDLE_S * 1000);
    assert_ok(ses_gc(scene->manager, 100, &removed));
    assert_int_equal(removed, 100);
    for (int i = 0; i < 200; i++)
        (void)scene_visitor(scene, i);
    atomic_store(&scene->now_ms, SCENE_START_MS + 2 * IDLE_S * 1000);
    assert_ok(ses_gc(scene->manager, 0, &removed));
    assert_int_equal(removed, 300);
}

static void a_record_of_the_future_is_young_and_not_broken(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS - 60 * 1000); /* another machine's clock */
    ses_session *session = scene_visit(scene, &visitor);
    assert_false(session_is_new(session));
    assert_ok(ses_increment(session, "n", 1));
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
}

static void a_session_has_timeouts_of_its_own(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_set_lifetime(session, 10, 15));
    scene_finish(session, NULL);
    atomic_store(&scene->now_ms, SCENE_START_MS + 9999);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "m", 1));
    scene_finish(session, NULL);
    atomic_store(&scene->now_ms, SCENE_START_MS + 14999);
    assert_ok(scene_exists(scene, &visitor));
    atomic_store(&scene->now_ms, SCENE_START_MS + 15000);
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
}

/* ---- touching ---- */

static void reading_is_one_load_until_the_threshold_and_then_two_calls(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + TOUCH_S * 1000 - 1);
    scene_forget(scene);
    scene_finish(scene_visit(scene, &visitor), NULL);
    assert_int_equal(fake_calls(FAKE_LOAD), 1);
    assert_int_equal(fake_calls_all(), 1);

    atomic_store(&scene->now_ms, SCENE_START_MS + TOUCH_S * 1000);
    scene_forget(scene);
    ses_session *session = scene_visit(scene, &visitor);
    assert_null(scene_commit(session, NULL)); /* the cookie has no age */
    assert_true(session_expires_ms(session) == SCENE_START_MS + (TOUCH_S + IDLE_S) * 1000);
    ses_release(session);
    assert_int_equal(fake_calls(FAKE_LOAD), 1);
    assert_int_equal(fake_calls(FAKE_TOUCH), 1);
    assert_int_equal(fake_calls_all(), 2);
    assert_int_equal(scene_stats(scene).touched, 1);

    scene_forget(scene);
    scene_finish(scene_visit(scene, &visitor), NULL);
    assert_int_equal(fake_calls_all(), 1);
}

static void a_load_alone_never_extends(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    for (int64_t at = 60; at < IDLE_S; at += 60) {
        atomic_store(&scene->now_ms, SCENE_START_MS + at * 1000);
        ses_release(scene_visit(scene, &visitor)); /* no commit */
        assert_ok(scene_exists(scene, &visitor));
    }
    atomic_store(&scene->now_ms, SCENE_START_MS + IDLE_S * 1000);
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
}

static void a_save_extends_and_is_not_touched_as_well(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + 600 * 1000);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    scene_forget(scene);
    (void)scene_commit(session, NULL);
    assert_int_equal(fake_calls_all(), 1);
    assert_true(session_expires_ms(session) == SCENE_START_MS + (600 + IDLE_S) * 1000);
    ses_release(session);
}

static ses_session *start_background(struct scene *scene, const struct visitor *visitor)
{
    struct ses_slice field = slice_of_text(visitor->cookie);
    struct ses_request request = { .cookies = &field,
                                   .cookie_count = 1,
                                   .flags = SES_REQUEST_BACKGROUND };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    return session;
}

static void a_background_request_does_not_extend(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + 900 * 1000);
    scene_forget(scene);
    scene_finish(start_background(scene, &visitor), NULL);
    assert_int_equal(fake_calls_all(), 1);
    ses_session *session = start_background(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    (void)scene_commit(session, NULL);
    assert_true(session_expires_ms(session) == SCENE_START_MS + IDLE_S * 1000);
    ses_release(session);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);

    session = start_background(scene, &visitor);
    assert_ok(ses_set_lifetime(session, 5, 0)); /* shortens, though */
    (void)scene_commit(session, NULL);
    assert_true(session_expires_ms(session) == SCENE_START_MS + 905 * 1000);
    ses_release(session);
}

static void a_touch_that_meets_another_is_no_error(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + TOUCH_S * 1000);
    ses_session *session = scene_visit(scene, &visitor);
    ses_session *other = scene_visit(scene, &visitor);
    assert_ok(ses_increment(other, "n", 1));
    scene_finish(other, NULL);
    scene_finish(session, NULL);

    atomic_store(&scene->now_ms, SCENE_START_MS + 2 * TOUCH_S * 1000);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    assert_int_equal(scene_count(scene), 0);
}

static void a_touch_that_finds_the_store_full_is_no_error(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + TOUCH_S * 1000);
    fake_provider_fail_call(FAKE_TOUCH, 1, SES_ERR_FULL, FAKE_BEFORE_ACT);
    ses_session *session = scene_visit(scene, &visitor);
    scene_finish(session, NULL);
    assert_int_equal(fake_calls(FAKE_TOUCH), 1);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_idle_timeout_ends_a_session_to_the_millisecond),
        TEST(the_absolute_timeout_ends_a_session_in_use),
        TEST(a_shorter_absolute_timeout_acts_at_once),
        TEST(an_expiry_beyond_the_policy_is_moved_back_by_the_first_use),
        TEST(the_absolute_end_is_checked_to_the_millisecond_whatever_the_store_keeps),
        TEST(the_core_refuses_what_a_store_hands_over_too_late),
        TEST(gc_goes_on_until_all_is_freed_unless_it_has_a_budget),
        TEST(gc_without_a_budget_frees_what_a_round_in_progress_has_passed),
        TEST(a_record_of_the_future_is_young_and_not_broken),
        TEST(a_session_has_timeouts_of_its_own),
        TEST(reading_is_one_load_until_the_threshold_and_then_two_calls),
        TEST(a_load_alone_never_extends),
        TEST(a_save_extends_and_is_not_touched_as_well),
        TEST(a_background_request_does_not_extend),
        TEST(a_touch_that_meets_another_is_no_error),
        TEST(a_touch_that_finds_the_store_full_is_no_error),
    };
    return cmocka_run_group_tests_name("lifetime", tests, NULL, NULL);
}
