/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include "base/slice.h"

#include <stdio.h>

/* From a request to its session, and the states that it goes through. */

enum { IDLE_S = 1800 };

/* ---- nothing brought, nothing stored (T-28) ---- */

static void without_a_cookie_there_is_no_store_call(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 10000; i++) {
        ses_session *session = scene_start(scene, NULL);
        assert_true(session_is_new(session));
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
    assert_true(session_is_new(session));
    assert_string_equal(cookie_value(visitor.cookie), ses_session_id(session));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_CREATED), 1);

    session = scene_visit(scene, &visitor);
    assert_false(session_is_new(session));
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
    struct scene *scene = scene_with(state, "{\"creation\":\"eager\"}");
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
        assert_true(session_is_new(session));
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
    assert_true(session_is_new(session));
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
        assert_true(session_is_new(session));
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

static void of_malformed_ids_only_the_first_are_told(void **state)
{
    struct scene *scene = *state;
    char cookies[4096], *at = cookies;
    for (int i = 0; i < 100; i++)
        at = stpcpy(at, "id=x; ");
    ses_release(scene_start(scene, cookies));
    assert_int_equal(scene_rejected(scene, SES_REASON_MALFORMED), 8);
}

/* ---- several candidates ---- */

static ses_session *start_fields(struct scene *scene, const char *const *texts, size_t count)
{
    struct ses_slice fields[16];
    assert_true(count <= 16);
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
    assert_int_equal(scene_rejected(scene, SES_REASON_ENDED), 1);
    scene_finish(session, NULL);
}

static void more_candidates_than_eight_are_not_tried(void **state)
{
    struct scene *scene = *state;
    enum { TRIED = 8, SENT = TRIED + 1 };
    struct visitor visitors[SENT];
    const char *fields[SENT];
    for (int i = 0; i < SENT; i++) {
        visitors[i] = scene_visitor(scene, i);
        fields[i] = visitors[i].cookie;
        if (i < TRIED - 1)
            assert_ok(ses_destroy_id(scene->manager, cookie_value(fields[i])));
    }
    ses_session *session = start_fields(scene, fields, SENT);
    assert_false(session_is_new(session)); /* the last that is tried */
    ses_release(session);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(fields[TRIED - 1])));
    scene_forget(scene);
    session = start_fields(scene, fields, SENT);
    assert_true(session_is_new(session));
    assert_int_equal(fake_calls(FAKE_LOAD), TRIED);
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

/* The headers of the commit before are not handed out again. */
static void a_session_that_ends_after_a_reload_removes_its_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    assert_non_null(scene_commit(session, &visitor));
    assert_ok(ses_reload(session));
    assert_ok(ses_destroy(session));
    assert_non_null(scene_commit(session, &visitor));
    assert_string_equal(visitor.cookie, "");
    ses_release(session);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
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
        TEST(more_candidates_than_eight_are_not_tried),
        TEST(a_store_that_is_down_is_an_error_and_no_empty_session),
        TEST(a_full_store_is_told_and_stores_nothing),
        TEST(a_first_save_whose_reply_was_lost_is_recognised),
        TEST(destroying_after_a_first_save_of_unknown_outcome_leaves_no_record),
        TEST(of_malformed_ids_only_the_first_are_told),
        TEST(a_commit_is_idempotent_and_a_late_change_is_an_error),
        TEST(after_destroy_a_change_is_gone),
        TEST(what_is_released_without_a_commit_is_lost_and_told),
        TEST(a_reload_shows_what_others_stored_under_the_pending_changes),
        TEST(a_new_session_can_be_committed_reloaded_and_committed_again),
        TEST(a_session_that_ends_after_a_reload_removes_its_cookie),
        TEST(sessions_are_opened_checked_and_ended_by_id),
        TEST(a_session_outlives_the_last_reference_to_its_manager),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
