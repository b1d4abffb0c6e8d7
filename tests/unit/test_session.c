/* SPDX-License-Identifier: MIT */
#include "support/browser.h"
#include "support/session_fixture.h"

#include "base/slice.h"
#include "core/manager.h"

#include <stdio.h>

enum { IDLE_S = 1800, TOUCH_S = 60, ABSOLUTE_S = 86400 };

static int set_up(void **state)
{
    *state = scene_new("fake", NULL);
    return 0;
}

static int tear_down(void **state)
{
    scene_free(*state);
    return 0;
}

/* The test's scene, made anew with this configuration. */
static struct scene *with(void **state, const char *json)
{
    scene_free(*state);
    return *state = scene_new("fake", json);
}

static bool is_new(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    assert_ok(ses_info(session, &info));
    return info.is_new;
}

static int64_t expires_of(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    assert_ok(ses_info(session, &info));
    return info.expires_ms;
}

/* ---- nothing brought, nothing stored (T-28) ---- */

static void without_a_cookie_there_is_no_store_call(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 10000; i++) {
        ses_session *session = scene_start(scene, NULL);
        assert_true(is_new(session));
        assert_null(scene_commit(session, NULL));
        const struct ses_headers *headers;
        assert_ok(ses_commit(session, &headers));
        assert_int_equal(headers->count, 0);
        assert_string_equal(headers->text, "");
        ses_release(session);
    }
    assert_int_equal(fake_calls_all(), 0);
    assert_int_equal(scene_count(scene), 0);
    assert_int_equal(scene->told_count, 0);
    assert_int_equal(scene_stats(scene).started, 10000);
}

static void the_first_value_makes_the_record_and_the_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_null(session, "k"));
    assert_int_equal(fake_calls_all(), 0);
    assert_non_null(scene_commit(session, &visitor));
    assert_int_equal(fake_calls_all(), 1);
    assert_int_equal(fake_calls(FAKE_CREATE), 1);
    assert_true(is_new(session));
    assert_string_equal(cookie_value(visitor.cookie), ses_session_id(session));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_CREATED), 1);

    session = scene_visit(scene, &visitor);
    assert_false(is_new(session));
    struct ses_info info = { .size = sizeof info };
    assert_ok(ses_info(session, &info));
    assert_string_equal(info.peer, "192.0.2.7");
    assert_string_equal(info.user_agent, "test/1.0");
    assert_int_equal(strlen(info.handle), 32);
    assert_true(info.created_ms == SCENE_START_MS);
    assert_true(info.expires_ms == SCENE_START_MS + IDLE_S * 1000);
    assert_null(scene_commit(session, NULL)); /* the visitor has it already */
    ses_release(session);
}

static void changes_that_leave_nothing_make_no_record(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "k", 1));
    assert_ok(ses_delete(session, "k"));
    assert_ok(ses_clear(session));
    assert_ok(ses_set_lifetime(session, 5, 5));
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    session = scene_start(scene, NULL);
    assert_ok(ses_destroy(session)); /* log-out of nobody */
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    assert_int_equal(fake_calls_all(), 0);
}

static void eager_creation_stores_every_visitor(void **state)
{
    struct scene *scene = with(state, "{\"creation\":\"eager\"}");
    struct visitor visitor = { "" };
    scene_finish(scene_start(scene, NULL), &visitor);
    assert_int_equal(scene_count(scene), 1);
    scene_finish(scene_visit(scene, &visitor), &visitor);
    assert_int_equal(scene_count(scene), 1);
}

/* ---- ids that are not ours (T-1, T-2, T-3, T-5) ---- */

static void an_id_that_a_client_made_up_is_never_adopted(void **state)
{
    struct scene *scene = *state;
    uint64_t random = 1;
    for (int i = 0; i < 10000; i++) {
        unsigned char bytes[33] = { 1 };
        static const char digits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for (size_t b = 1; b < sizeof bytes; b++)
            bytes[b] = (unsigned char)next_random(&random);
        char cookie[64] = "id=";
        for (size_t b = 0; b < 33; b += 3) {
            const unsigned long three =
                (unsigned long)bytes[b] << 16 | (unsigned long)bytes[b + 1] << 8 | bytes[b + 2];
            for (size_t d = 0; d < 4; d++)
                cookie[3 + b / 3 * 4 + d] = digits[three >> (18 - 6 * d) & 63];
        }
        ses_session *session = scene_start(scene, cookie);
        assert_true(is_new(session));
        assert_ok(ses_set_int(session, "mine", i));
        struct visitor visitor;
        assert_non_null(scene_commit(session, &visitor));
        assert_string_not_equal(visitor.cookie, cookie);
        ses_release(session);
        assert_code(ses_exists(scene->manager, cookie + 3), SES_ERR_NOT_FOUND);
        assert_ok(scene_exists(scene, &visitor));
        assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
    }
    assert_int_equal(scene_count(scene), 0);
    assert_int_equal(scene_stats(scene).unknown, 20000);
}

static void an_ended_id_is_refused_and_its_visitor_gets_another(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1), next = { "" };
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_destroy(session));
    ses_release(session);
    session = scene_visit(scene, &visitor);
    assert_true(is_new(session));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    assert_ok(ses_set_int(session, "m", 1));
    scene_finish(session, &next);
    assert_string_not_equal(next.cookie, visitor.cookie);
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
}

static void malformed_ids_cost_no_store_call(void **state)
{
    struct scene *scene = *state;
    char longest[300] = "id=";
    memset(longest + 3, 'A', 290);
    const char *const cookies[] = {
        "id=",     "id=a", "id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "id=../../etc/passwd",
        "id=\"\"", longest
    };
    for (size_t i = 0; i < sizeof cookies / sizeof cookies[0]; i++) {
        ses_session *session = scene_start(scene, cookies[i]);
        assert_true(is_new(session));
        scene_finish(session, NULL);
    }
    struct ses_slice nuls = {
        "id=\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 47 - 10
    };
    struct ses_request request = { .cookies = &nuls, .cookie_count = 1 };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    scene_finish(session, NULL);
    assert_int_equal(fake_calls_all(), 0);
    assert_int_equal(scene_rejected(scene, SES_REASON_MALFORMED), 7);
    assert_code(ses_exists(scene->manager, ""), SES_ERR_NOT_FOUND);
    assert_code(ses_open(scene->manager, "", &session), SES_ERR_NOT_FOUND);
}

static void an_unknown_id_never_causes_a_removal_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
    ses_session *session = scene_visit(scene, &visitor);
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_destroy(session));
    assert_null(scene_commit(session, NULL));
    ses_release(session);
}

/* ---- several candidates ---- */

static ses_session *start_fields(struct scene *scene, const char *const *texts, size_t count)
{
    struct ses_slice fields[8];
    for (size_t i = 0; i < count; i++)
        fields[i] = slice_of_text(texts[i]);
    struct ses_request request = { .cookies = fields, .cookie_count = count };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    return session;
}

static void the_first_good_candidate_of_several_fields_is_taken(void **state)
{
    struct scene *scene = *state;
    const struct visitor dead = scene_visitor(scene, 1), first = scene_visitor(scene, 2),
                         second = scene_visitor(scene, 3);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(dead.cookie)));
    scene_forget(scene);
    char crowd[1200];
    (void)snprintf(crowd, sizeof crowd, "lang=de; id=bad; %s;  ID=x", dead.cookie);
    const char *const fields[] = { crowd, "x", first.cookie, second.cookie };
    ses_session *session = start_fields(scene, fields, 4);
    int64_t n;
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 2);
    assert_int_equal(fake_calls(FAKE_LOAD), 2);
    assert_int_equal(scene_rejected(scene, SES_REASON_MALFORMED), 1);
    assert_int_equal(scene_rejected(scene, SES_REASON_UNKNOWN), 1);
    scene_finish(session, NULL);
}

static void more_candidates_than_four_are_not_tried(void **state)
{
    struct scene *scene = *state;
    struct visitor visitors[5];
    const char *fields[5];
    for (int i = 0; i < 5; i++) {
        visitors[i] = scene_visitor(scene, i);
        fields[i] = visitors[i].cookie;
        if (i < 3)
            assert_ok(ses_destroy_id(scene->manager, cookie_value(fields[i])));
    }
    ses_session *session = start_fields(scene, fields, 5);
    assert_false(is_new(session)); /* the fourth */
    ses_release(session);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(fields[3])));
    scene_forget(scene);
    session = start_fields(scene, fields, 5);
    assert_true(is_new(session));
    assert_int_equal(fake_calls(FAKE_LOAD), 4);
    assert_int_equal(scene_rejected(scene, SES_REASON_TOO_MANY), 1);
    scene_finish(session, NULL);
}

/* ---- the store is down ---- */

static void a_store_that_is_down_is_an_error_and_no_empty_session(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    struct ses_slice field = slice_of_text(visitor.cookie);
    struct ses_request request = { .cookies = &field, .cookie_count = 1 };
    ses_session *session = NULL;
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(scene_try(scene, &request, &session), SES_ERR_UNAVAILABLE);
    assert_null(session);
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(scene_exists(scene, &visitor), SES_ERR_UNAVAILABLE);
    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers = NULL;
    assert_code(ses_commit(session, &headers), SES_ERR_UNAVAILABLE);
    assert_null(headers);
    ses_release(session);
    assert_int_equal(scene_count(scene), 1);
}

static void a_full_store_is_told_and_stores_nothing(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_FULL, FAKE_BEFORE_ACT);
    assert_ok(ses_set_int(session, "n", 1));
    assert_code(ses_commit(session, NULL), SES_ERR_FULL);
    assert_non_null(scene_commit(session, NULL)); /* room again */
    ses_release(session);
}

static void a_first_save_whose_reply_was_lost_is_recognised(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_increment(session, "n", 1));
    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    assert_int_equal(scene_count(scene), 1);
}

/* Its id is known to nobody else. */
static void destroying_after_a_first_save_of_unknown_outcome_leaves_no_record(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_commit(session, NULL), SES_ERR_UNAVAILABLE);
    assert_int_equal(scene_count(scene), 1);
    assert_ok(ses_destroy(session));
    assert_null(scene_commit(session, NULL));
    assert_int_equal(scene_count(scene), 0);
    ses_release(session);
}

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
    assert_true(is_new(session));
    ses_release(session);
}

static void the_absolute_timeout_ends_a_session_in_use(void **state)
{
    struct scene *scene = with(state, "{\"idleTimeout\":600,\"absoluteTimeout\":3600}");
    struct visitor visitor = scene_visitor(scene, 1);
    for (int64_t at = 300; at < 3600; at += 300) {
        atomic_store(&scene->now_ms, SCENE_START_MS + at * 1000);
        ses_session *session = scene_visit(scene, &visitor);
        assert_false(is_new(session));
        assert_ok(ses_set_int(session, "n", at));
        scene_finish(session, NULL);
    }
    atomic_store(&scene->now_ms, SCENE_START_MS + 3600 * 1000 - 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_true(expires_of(session) == SCENE_START_MS + 3600 * 1000);
    assert_ok(ses_regenerate(session)); /* does not start the count anew */
    scene_finish(session, &visitor);
    assert_ok(scene_exists(scene, &visitor));
    atomic_store(&scene->now_ms, SCENE_START_MS + 3600 * 1000);
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
}

/* The store's expiry is not believed alone. */
static void a_shorter_absolute_timeout_acts_at_once(void **state)
{
    struct scene *scene = with(state, "{\"absoluteTimeout\":7200}");
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
    struct scene *scene = with(state, "{\"idleTimeout\":10,\"absoluteTimeout\":0}");
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

static void of_malformed_ids_only_the_first_are_told(void **state)
{
    struct scene *scene = *state;
    char cookies[4096], *at = cookies;
    for (int i = 0; i < 100; i++)
        at = stpcpy(at, "id=x; ");
    ses_release(scene_start(scene, cookies));
    assert_int_equal(scene_rejected(scene, SES_REASON_MALFORMED), 8);
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
    assert_true(is_new(session));
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

static void a_record_of_the_future_is_young_and_not_broken(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    atomic_store(&scene->now_ms, SCENE_START_MS - 60 * 1000); /* another machine's clock */
    ses_session *session = scene_visit(scene, &visitor);
    assert_false(is_new(session));
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
    assert_true(expires_of(session) == SCENE_START_MS + (TOUCH_S + IDLE_S) * 1000);
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
    assert_true(expires_of(session) == SCENE_START_MS + (600 + IDLE_S) * 1000);
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
    assert_true(expires_of(session) == SCENE_START_MS + IDLE_S * 1000);
    ses_release(session);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);

    session = start_background(scene, &visitor);
    assert_ok(ses_set_lifetime(session, 5, 0)); /* shortens, though */
    (void)scene_commit(session, NULL);
    assert_true(expires_of(session) == SCENE_START_MS + 905 * 1000);
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

/* ---- the states of a session ---- */

static void a_commit_is_idempotent_and_a_late_change_is_an_error(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_increment(session, "n", 1));
    const struct ses_headers *first, *second;
    assert_ok(ses_commit(session, &first));
    const char *text = first->text;
    assert_ok(ses_commit(session, &second));
    assert_ptr_equal(first, second);
    assert_ptr_equal(text, second->text);
    assert_int_equal(fake_calls_all(), 1);

    struct ses_value value;
    int64_t n;
    assert_code(ses_set_int(session, "n", 2), SES_ERR_INVALID);
    assert_code(ses_delete(session, "n"), SES_ERR_INVALID);
    assert_code(ses_clear(session), SES_ERR_INVALID);
    assert_code(ses_increment(session, "n", 1), SES_ERR_INVALID);
    assert_code(ses_take(session, "n", &value), SES_ERR_INVALID);
    assert_code(ses_regenerate(session), SES_ERR_INVALID);
    assert_code(ses_set_lifetime(session, 1, 1), SES_ERR_INVALID);
    assert_code(ses_destroy(session), SES_ERR_INVALID);
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 1);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_UNCOMMITTED), 0);
}

static void after_destroy_a_change_is_gone(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "m", 1));
    assert_ok(ses_destroy(session));
    assert_ok(ses_destroy(session));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    assert_int_equal(ses_type_of(session, "m"), SES_TYPE_ABSENT);
    assert_code(ses_set_int(session, "n", 2), SES_ERR_GONE);
    assert_code(ses_clear(session), SES_ERR_GONE);
    assert_code(ses_regenerate(session), SES_ERR_GONE);
    assert_code(ses_reload(session), SES_ERR_GONE);
    assert_code(ses_set_lifetime(session, 1, 1), SES_ERR_GONE);
    (void)scene_commit(session, NULL);
    assert_code(ses_set_int(session, "n", 2), SES_ERR_GONE);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_UNCOMMITTED), 0);
}

static void what_is_released_without_a_commit_is_lost_and_told(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "n", 2));
    ses_release(session);
    ses_release(NULL);
    assert_int_equal(scene_told(scene, SES_EVENT_UNCOMMITTED), 1);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_UNCOMMITTED), 1);
}

static void a_reload_shows_what_others_stored_under_the_pending_changes(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor), *other = scene_visit(scene, &visitor);
    int64_t n;
    assert_ok(ses_increment(session, "n", 1));
    assert_ok(ses_set_int(other, "n", 10));
    scene_finish(other, NULL);
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 2);
    assert_ok(ses_reload(session));
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 11);
    (void)scene_commit(session, NULL);
    assert_ok(ses_reload(session)); /* and on it goes, as a WebSocket does */
    assert_ok(ses_increment(session, "n", 1));
    (void)scene_commit(session, NULL);
    assert_int_equal(stored_int(scene, &visitor, "n"), 12);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
    assert_code(ses_reload(session), SES_ERR_GONE);
    ses_release(session);
}

static void a_new_session_can_be_committed_reloaded_and_committed_again(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_null(scene_commit(session, NULL));
    assert_ok(ses_reload(session));
    assert_ok(ses_set_int(session, "n", 1));
    assert_non_null(scene_commit(session, &visitor));
    assert_ok(ses_reload(session));
    assert_ok(ses_set_int(session, "n", 2));
    assert_null(scene_commit(session, NULL)); /* the cookie went out before */
    ses_release(session);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
}

/* ---- without HTTP ---- */

static void sessions_are_opened_checked_and_ended_by_id(void **state)
{
    struct scene *scene = *state;
    ses_session *session;
    assert_ok(ses_open(scene->manager, NULL, &session));
    char id[200];
    assert_non_null(ses_session_id(session));
    (void)snprintf(id, sizeof id, "%s", ses_session_id(session));
    assert_code(ses_exists(scene->manager, id), SES_ERR_NOT_FOUND);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_int_equal(headers->count, 0);
    assert_string_equal(headers->text, "");
    assert_string_equal(ses_session_id(session), id);
    ses_release(session);

    assert_ok(ses_exists(scene->manager, id));
    assert_ok(ses_open(scene->manager, id, &session));
    int64_t n;
    assert_ok(ses_get_int(session, "n", &n));
    ses_release(session);
    assert_ok(ses_destroy_id(scene->manager, id));
    assert_code(ses_destroy_id(scene->manager, id), SES_ERR_NOT_FOUND);
    assert_code(ses_exists(scene->manager, id), SES_ERR_NOT_FOUND);
    assert_code(ses_open(scene->manager, id, &session), SES_ERR_NOT_FOUND);
}

static void a_session_outlives_the_last_reference_to_its_manager(void **state)
{
    (void)state;
    ses_manager *manager = ses_manager_new("memory", NULL, NULL, NULL);
    ses_session *session;
    assert_ok(ses_open(manager, NULL, &session));
    ses_manager_unref(manager);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_commit(session, NULL));
    ses_release(session);
}

/* ---- cookies ---- */

static struct browser_cookie set_cookie(ses_session *session)
{
    struct browser_cookie cookie;
    const char *field = scene_commit(session, NULL);
    assert_non_null(field);
    assert_true(browser_reads(slice_of_text(field), &cookie));
    assert_int_equal(cookie.unknown, 0);
    assert_int_equal(cookie.twice, 0);
    return cookie;
}

static bool text_is(struct ses_slice slice, const char *text)
{
    return slice_equal(slice, slice_of_text(text));
}

struct face {
    const char *json;
    bool tls;
    const char *peer;
    const char *proto;
    const char *name;
    bool secure;
};

static const char *forwarded_proto(void *arg, const char *name, size_t nth)
{
    return nth == 0 && strcmp(name, "X-Forwarded-Proto") == 0 ? arg : NULL;
}

static void name_and_secure_follow_the_setting_and_the_connection(void **state)
{
    static const struct face faces[] = {
        { "{}", false, NULL, NULL, "id", false },
        { "{}", true, NULL, NULL, "__Host-id", true },
        { "{\"secure\":true}", false, NULL, NULL, "__Host-id", true },
        { "{\"secure\":false}", true, NULL, NULL, "id", false },
        { "{\"secure\":true,\"domain\":\"example.org\"}", true, NULL, NULL, "__Secure-id", true },
        { "{\"cookieName\":\"sid\"}", true, NULL, NULL, "sid", true },
        { "{\"trustedProxies\":[\"10.0.0.1\"]}", false, "10.0.0.1", "https", "__Host-id", true },
        { "{\"trustedProxies\":[\"10.0.0.1\"]}", false, "10.0.0.1", "http", "id", false },
        { "{\"trustedProxies\":[\"10.0.0.1\"]}", false, "10.0.0.2", "https", "id", false },
    };
    for (size_t i = 0; i < sizeof faces / sizeof faces[0]; i++) {
        const struct face *face = &faces[i];
        struct scene *scene = with(state, face->json);
        char proto[8] = "";
        if (face->proto)
            (void)snprintf(proto, sizeof proto, "%s", face->proto);
        struct ses_request request = { .tls = face->tls,
                                       .peer = face->peer,
                                       .header = face->proto ? forwarded_proto : NULL,
                                       .header_arg = proto };
        ses_session *session;
        assert_ok(scene_try(scene, &request, &session));
        assert_ok(ses_set_int(session, "n", 1));
        const struct browser_cookie cookie = set_cookie(session);
        if (!text_is(cookie.name, face->name) || cookie.secure != face->secure)
            fail_msg("face %zu: %.*s", i, (int)cookie.name.len, (const char *)cookie.name.data);
        assert_true(cookie.http_only);
        assert_false(cookie.has_max_age);
        assert_int_equal(cookie.same_site, BROWSER_SAME_SITE_LAX);
        ses_release(session);
    }
}

static const char everything[] =
    "{\"secure\":true,\"domain\":\"example.org\",\"cookiePath\":\"/app\",\"cookieSameSite\":4,"
    "\"cookiePartitioned\":true,\"cookieLifeTime\":3600,\"cookieName\":\"sid\"}";

static void a_removal_carries_the_attributes_of_the_cookie(void **state)
{
    struct scene *scene = with(state, everything);
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct browser_cookie set = set_cookie(session);
    assert_true(set.partitioned && set.secure && text_is(set.domain, "example.org"));
    char cookie[300];
    (void)snprintf(cookie, sizeof cookie, "sid=%s", ses_session_id(session));

    ses_session *again = scene_start(scene, cookie);
    assert_ok(ses_destroy(again));
    const struct browser_cookie removal = set_cookie(again);
    assert_int_equal(removal.value.len, 0);
    assert_true(removal.has_max_age && removal.max_age_s <= 0);
    assert_true(removal.has_expires && removal.expires_s == 0);
    assert_true(slice_equal(removal.name, set.name) && slice_equal(removal.path, set.path) &&
                slice_equal(removal.domain, set.domain));
    assert_true(removal.partitioned && removal.secure && removal.http_only);
    assert_int_equal(removal.same_site, set.same_site);
    ses_release(again);
    ses_release(session);
}

static void the_cookie_goes_also_when_the_store_cannot_be_told(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    fake_provider_fail_call(FAKE_DESTROY, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_destroy(session), SES_ERR_UNAVAILABLE);
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_non_null(strstr(header_value(headers, "Set-Cookie", 0), "Max-Age=0"));
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 0);
    assert_ok(scene_exists(scene, &visitor));

    assert_ok(ses_destroy(session)); /* asked again, it tries again */
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 1);
    ses_release(session);
}

static void a_cookie_with_an_age_slides_with_the_session(void **state)
{
    struct scene *scene = with(state, "{\"cookieLifeTime\":3600}");
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_set_int(session, "once", 1));
    const struct browser_cookie first = set_cookie(session);
    assert_int_equal(first.max_age_s, 3600);
    assert_true(first.expires_s == SCENE_START_MS / 1000 + 3600);
    (void)scene_commit(session, &visitor);
    ses_release(session);

    session = scene_visit(scene, &visitor);
    assert_null(scene_commit(session, NULL)); /* nothing moved */
    ses_release(session);

    atomic_store(&scene->now_ms, SCENE_START_MS + TOUCH_S * 1000);
    session = scene_visit(scene, &visitor);
    const struct browser_cookie touched = set_cookie(session);
    assert_true(touched.expires_s == SCENE_START_MS / 1000 + TOUCH_S + 3600);
    assert_true(text_is(touched.value, cookie_value(visitor.cookie)));
    ses_release(session);

    atomic_store(&scene->now_ms, SCENE_START_MS + 2 * TOUCH_S * 1000);
    session = scene_visit(scene, &visitor);
    struct ses_value value;
    assert_ok(ses_take(session, "once", &value)); /* moves the expiry at once */
    assert_true(text_is(set_cookie(session).value, cookie_value(visitor.cookie)));
    ses_release(session);
}

static void without_enable_set_cookie_there_is_none_but_no_store_stays(void **state)
{
    struct scene *scene = with(state, "{\"enableSetCookie\":false}");
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_null(header_value(headers, "Set-Cookie", 0));
    assert_int_equal(headers->cookie_count, 0);
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    ses_release(session);
}

static void the_three_forms_of_the_headers_say_the_same(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    char joined[2048] = "";
    for (size_t i = 0; i < headers->count; i++) {
        (void)strcat(strcat(joined, headers->fields[i].name), ": ");
        (void)strcat(strcat(joined, headers->fields[i].value), "\r\n");
    }
    assert_string_equal(joined, headers->text);
    assert_int_equal(headers->cookie_count, 1);
    assert_string_equal(headers->cookies[0].value, ses_session_id(session));
    assert_string_equal(headers->cookies[0].name, "id");
    assert_string_equal(headers->cookies[0].path, "/");
    assert_int_equal(headers->cookies[0].max_age_s, -1);
    ses_release(session);
}

/* ---- the id in a header ---- */

static const char *x_session(void *arg, const char *name, size_t nth)
{
    return nth == 0 && strcmp(name, "X-Session") == 0 ? arg : NULL;
}

static void an_id_that_came_in_the_header_goes_back_there(void **state)
{
    struct scene *scene =
        with(state, "{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"X-Session\"}");
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers)); /* a new visitor: by every way */
    assert_string_equal(header_value(headers, "X-Session", 0), ses_session_id(session));
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
    const struct visitor other = scene_visitor(scene, 2);

    char id[COOKIE_TEXT_MAX];
    (void)snprintf(id, sizeof id, "%s", cookie_value(visitor.cookie));
    struct ses_slice field = slice_of_text(other.cookie);
    struct ses_request request = {
        .cookies = &field, .cookie_count = 1, .header = x_session, .header_arg = id
    };
    assert_ok(scene_try(scene, &request, &session));
    int64_t n;
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 1); /* the header's, not the cookie's */
    assert_ok(ses_regenerate(session));
    assert_ok(ses_commit(session, &headers));
    assert_string_equal(header_value(headers, "X-Session", 0), ses_session_id(session));
    assert_null(header_value(headers, "Set-Cookie", 0));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_string_equal(header_value(headers, "Vary", 0), "X-Session");
    ses_release(session);

    assert_ok(scene_try(scene, &request, &session)); /* cut; the cookie stays unread (S-54) */
    assert_true(is_new(session));
    ses_release(session);
}

/* ---- caching (T-29) ---- */

static void assert_cache(struct scene *scene, const char *reads, const char *vary)
{
    struct visitor visitor = { "" };
    const struct ses_headers *headers;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_commit(session, &headers));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_string_equal(header_value(headers, "Vary", 0), "Cookie");
    scene_finish(session, &visitor);

    session = scene_visit(scene, &visitor);
    assert_ok(ses_commit(session, &headers));
    const char *cache = header_value(headers, "Cache-Control", 0);
    assert_true(reads ? cache && strcmp(cache, reads) == 0 : !cache);
    assert_int_equal(header_count(headers, "Vary"), vary != NULL);
    ses_release(session);

    session = scene_visit(scene, &visitor);
    assert_ok(ses_destroy(session));
    assert_ok(ses_commit(session, &headers));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_string_equal(header_value(headers, "Vary", 0), "Cookie");
    ses_release(session);
}

static void a_response_that_sets_a_cookie_is_never_cached_and_others_by_policy(void **state)
{
    assert_cache(with(state, "{}"), "no-store", "Cookie");
    assert_cache(with(state, "{\"cacheControl\":\"private\"}"), "private, no-cache", "Cookie");
    assert_cache(with(state, "{\"cacheControl\":\"none\"}"), NULL, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_cookie_there_is_no_store_call),
        TEST(the_first_value_makes_the_record_and_the_cookie),
        TEST(changes_that_leave_nothing_make_no_record),
        TEST(eager_creation_stores_every_visitor),
        TEST(an_id_that_a_client_made_up_is_never_adopted),
        TEST(an_ended_id_is_refused_and_its_visitor_gets_another),
        TEST(malformed_ids_cost_no_store_call),
        TEST(an_unknown_id_never_causes_a_removal_cookie),
        TEST(the_first_good_candidate_of_several_fields_is_taken),
        TEST(more_candidates_than_four_are_not_tried),
        TEST(a_store_that_is_down_is_an_error_and_no_empty_session),
        TEST(a_full_store_is_told_and_stores_nothing),
        TEST(a_first_save_whose_reply_was_lost_is_recognised),
        TEST(destroying_after_a_first_save_of_unknown_outcome_leaves_no_record),
        TEST(the_idle_timeout_ends_a_session_to_the_millisecond),
        TEST(the_absolute_timeout_ends_a_session_in_use),
        TEST(a_shorter_absolute_timeout_acts_at_once),
        TEST(an_expiry_beyond_the_policy_is_moved_back_by_the_first_use),
        TEST(of_malformed_ids_only_the_first_are_told),
        TEST(the_absolute_end_is_checked_to_the_millisecond_whatever_the_store_keeps),
        TEST(the_core_refuses_what_a_store_hands_over_too_late),
        TEST(gc_goes_on_until_all_is_freed_unless_it_has_a_budget),
        TEST(a_record_of_the_future_is_young_and_not_broken),
        TEST(a_session_has_timeouts_of_its_own),
        TEST(reading_is_one_load_until_the_threshold_and_then_two_calls),
        TEST(a_load_alone_never_extends),
        TEST(a_save_extends_and_is_not_touched_as_well),
        TEST(a_background_request_does_not_extend),
        TEST(a_touch_that_meets_another_is_no_error),
        TEST(a_commit_is_idempotent_and_a_late_change_is_an_error),
        TEST(after_destroy_a_change_is_gone),
        TEST(what_is_released_without_a_commit_is_lost_and_told),
        TEST(a_reload_shows_what_others_stored_under_the_pending_changes),
        TEST(a_new_session_can_be_committed_reloaded_and_committed_again),
        TEST(sessions_are_opened_checked_and_ended_by_id),
        TEST(a_session_outlives_the_last_reference_to_its_manager),
        TEST(name_and_secure_follow_the_setting_and_the_connection),
        TEST(a_removal_carries_the_attributes_of_the_cookie),
        TEST(the_cookie_goes_also_when_the_store_cannot_be_told),
        TEST(a_cookie_with_an_age_slides_with_the_session),
        TEST(without_enable_set_cookie_there_is_none_but_no_store_stays),
        TEST(the_three_forms_of_the_headers_say_the_same),
        TEST(an_id_that_came_in_the_header_goes_back_there),
        TEST(a_response_that_sets_a_cookie_is_never_cached_and_others_by_policy),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
