/* SPDX-License-Identifier: MIT */
#include "core/record.h"

#include "support/session_fixture.h"

#include "base/slice.h"

#include <stdio.h>
#include <sys/random.h>

/* ---- a kernel that repeats itself (T-31) ---- */

static bool repeats;
static int repeated_ids; /* so many ids are the same once more */
static bool fails;

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    if (fails)
        return -1;
    const bool is_repeated_id = size == 32 && repeated_ids > 0;
    repeated_ids -= is_repeated_id;
    if (!repeats && !is_repeated_id)
        return __real_getrandom(buffer, size, flags);
    memset(buffer, 0x5a, size);
    return (ssize_t)size;
}

static int set_up(void **state)
{
    *state = scene_new("fake", "{\"maxReplays\":3}");
    return 0;
}

static int tear_down(void **state)
{
    repeats = fails = false;
    repeated_ids = 0;
    scene_free(*state);
    return 0;
}

/* ---- what a new id means ---- */

/* The header's member 16 is of a later release. */
static void what_a_later_release_stored_survives_commits_and_a_new_id(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor =
        scene_plant(scene, SLICE("\x82\xa4\x00\x01\x01\x1b\x00\x00\x01\xb8\xda\xc5\xb4\x00"
                                 "\x02\x1b\x00\x00\x01\xb8\xda\xc5\xb4\x00\x10\x63new\xa0"));
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_set_lifetime(session, 60, 0)); /* writes the header anew */
    assert_ok(ses_regenerate(session));
    assert_ok(ses_set_int(session, "m", 2));
    scene_finish(session, &visitor);

    struct ses_record stored = scene_record(scene, &visitor);
    struct record record;
    assert_ok(record_decode(ses_blob_bytes(stored.data), &record));
    assert_int_equal(record.header.unknown_count, 1);
    assert_true(slice_equal(record.header.unknown, SLICE("\x10\x63new")));
    assert_int_equal(record.header.idle_s, 60);
    (void)ses_blob_unref(stored.data);
}

static void the_new_id_has_the_values_and_the_pending_changes_at_once(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor before = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    char old_id[COOKIE_TEXT_MAX];
    (void)snprintf(old_id, sizeof old_id, "%s", ses_session_id(session));
    assert_ok(ses_increment(session, "n", 1));
    assert_ok(ses_set_int(session, "m", 5));
    assert_ok(ses_regenerate(session));
    assert_string_not_equal(ses_session_id(session), old_id);
    struct visitor now;
    (void)snprintf(now.cookie, sizeof now.cookie, "id=%s", ses_session_id(session));
    assert_int_equal(stored_int(scene, &now, "n"), 2);
    assert_int_equal(stored_int(scene, &now, "m"), 5);
    assert_code(scene_exists(scene, &before), SES_ERR_NOT_FOUND);

    assert_ok(ses_increment(session, "n", 1));
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
    assert_string_equal(visitor.cookie, now.cookie);
    assert_int_equal(stored_int(scene, &visitor, "n"), 3);
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_REGENERATED), 1);
}

static void the_header_survives_and_names_the_record_before(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    struct ses_info before = { .size = sizeof before }, after = { .size = sizeof after };
    assert_ok(ses_info(session, &before));
    atomic_store(&scene->now_ms, SCENE_START_MS + 1000);
    assert_ok(ses_regenerate(session));
    assert_ok(ses_info(session, &after));
    assert_string_equal(after.handle, before.handle);
    assert_true(after.created_ms == before.created_ms);
    assert_true(after.expires_ms == before.expires_ms + 1000);
    assert_false(after.is_new);
    scene_finish(session, NULL);
}

static void a_session_that_is_not_stored_just_gets_another_id(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    char old_id[COOKIE_TEXT_MAX];
    (void)snprintf(old_id, sizeof old_id, "%s", ses_session_id(session));
    assert_ok(ses_regenerate(session));
    assert_string_not_equal(ses_session_id(session), old_id);
    assert_null(scene_commit(session, NULL));
    assert_int_equal(fake_calls_all(), 0);
    ses_release(session);
}

static void twice_in_one_request_leaves_one_session(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_regenerate(session));
    assert_ok(ses_increment(session, "n", 1));
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
    assert_int_equal(scene_count(scene), 1);
}

/* What was not handed out yet is still due. */
static void a_reload_after_it_does_not_lose_the_new_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_regenerate(session));
    assert_ok(ses_reload(session));
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
}

/* ---- requests in flight ---- */

static void a_commit_under_the_old_id_is_gone_and_sets_no_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *slow = scene_visit(scene, &visitor), *reading = scene_visit(scene, &visitor);
    ses_session *late = scene_visit(scene, &visitor);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(slow, "n", 99));
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);

    const struct ses_headers *headers = NULL;
    assert_code(ses_commit(slow, &headers), SES_ERR_GONE);
    assert_null(headers);
    assert_null(scene_commit(reading, NULL));
    assert_code(ses_regenerate(late), SES_ERR_GONE);
    assert_code(ses_reload(slow), SES_ERR_GONE);
    ses_release(slow);
    ses_release(reading);
    ses_release(late);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    assert_int_equal(scene_count(scene), 1);
}

static void a_log_out_in_flight_does_not_undo_a_log_in(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor old = visitor;
    ses_session *late = scene_visit(scene, &visitor);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);

    assert_ok(ses_destroy(late));
    assert_null(scene_commit(late, NULL)); /* no Set-Cookie: the browser keeps the new one */
    ses_release(late);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 0);

    session = scene_visit(scene, &old); /* the marker stands yet */
    assert_ok(ses_destroy(session));
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    assert_int_equal(scene_rejected(scene, SES_REASON_CUT), 1);
}

static void a_request_with_the_dead_id_gets_an_empty_session_without_a_cookie(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor dead = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);

    session = scene_visit(scene, &dead);
    assert_int_equal(scene_rejected(scene, SES_REASON_CUT), 1);
    assert_true(session_is_new(session));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    assert_null(scene_commit(session, NULL));
    ses_release(session);

    session = scene_visit(scene, &dead);
    assert_ok(ses_set_int(session, "n", 5));
    const struct ses_headers *headers = NULL;
    assert_code(ses_commit(session, &headers), SES_ERR_GONE);
    assert_null(headers);
    assert_code(ses_regenerate(session), SES_ERR_GONE);
    ses_release(session);

    session = scene_visit(scene, &dead);
    assert_ok(ses_destroy(session));
    assert_null(scene_commit(session, NULL));
    ses_release(session);
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
}

static void a_dead_id_does_not_hide_the_new_one_behind_it(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor dead = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);
    char both[2 * COOKIE_TEXT_MAX + 2];
    (void)snprintf(both, sizeof both, "%s; %s", dead.cookie, visitor.cookie);
    session = scene_start(scene, both);
    assert_false(session_is_new(session));
    assert_ok(ses_set_int(session, "n", 2));
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
}

static void after_a_minute_a_dead_id_is_as_unknown_as_any(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor dead = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);
    atomic_store(&scene->now_ms, SCENE_START_MS + 60 * 1000 - 1);
    ses_release(scene_visit(scene, &dead));
    assert_int_equal(scene_rejected(scene, SES_REASON_CUT), 1);
    atomic_store(&scene->now_ms, SCENE_START_MS + 60 * 1000);
    session = scene_visit(scene, &dead);
    assert_int_equal(scene_rejected(scene, SES_REASON_CUT), 1);
    assert_int_equal(
        scene_rejected(scene, SES_REASON_UNKNOWN) + scene_rejected(scene, SES_REASON_EXPIRED), 1);
    assert_ok(ses_set_int(session, "n", 7));
    assert_non_null(scene_commit(session, NULL));
    ses_release(session);
    uint64_t removed;
    assert_ok(ses_gc(scene->manager, 0, &removed));
    assert_int_equal(removed, 1);
}

/* ---- others at the same moment ---- */

/* Does something once, just before the nth call of an operation. */
struct meddler {
    struct scene *scene;
    struct visitor visitor;
    enum fake_op op;
    unsigned countdown;
    enum { MEDDLE_ADD, MEDDLE_DESTROY, MEDDLE_REGENERATE } act;
    unsigned repeat;
};

static void do_meddle(struct meddler *meddler)
{
    ses_session *session = scene_visit(meddler->scene, &meddler->visitor);
    if (meddler->act == MEDDLE_ADD)
        assert_ok(ses_increment(session, "n", 100));
    else if (meddler->act == MEDDLE_DESTROY)
        assert_ok(ses_destroy(session));
    else
        assert_ok(ses_regenerate(session));
    scene_finish(session, &meddler->visitor);
}

static void meddle(void *arg, enum fake_op op, const struct ses_key *key)
{
    (void)key;
    struct meddler *meddler = arg;
    if (op != meddler->op || meddler->countdown == 0 || --meddler->countdown > 0)
        return;
    do_meddle(meddler);
    if (meddler->repeat > 0) {
        meddler->repeat--;
        meddler->countdown = 1;
    }
}

static void set_meddler(struct meddler *meddler)
{
    fake_provider_control()->before_arg = meddler;
    fake_provider_control()->before = meddle;
}

static void a_save_during_it_is_replayed_into_the_new_record(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    struct meddler meddler = { scene, visitor, FAKE_SAVE, 1, MEDDLE_ADD, 2 };
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_increment(session, "n", 1));
    set_meddler(&meddler);
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, "n"), 302);
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(scene_stats(scene).replayed, 3);
}

static void more_conflicts_than_allowed_leave_the_old_session_alone(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    struct meddler meddler = { scene, visitor, FAKE_SAVE, 1, MEDDLE_ADD, 10 };
    ses_session *session = scene_visit(scene, &visitor);
    set_meddler(&meddler);
    assert_code(ses_regenerate(session), SES_ERR_CONFLICT);
    fake_provider_control()->before = NULL;
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(stored_int(scene, &visitor, "n"), 401);
    assert_null(scene_commit(session, NULL));
    ses_release(session);
}

static void if_the_old_record_is_gone_the_new_one_goes_too(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    struct meddler meddler = { scene, visitor, FAKE_SAVE, 1, MEDDLE_DESTROY, 0 };
    ses_session *session = scene_visit(scene, &visitor);
    set_meddler(&meddler);
    assert_code(ses_regenerate(session), SES_ERR_GONE);
    assert_int_equal(scene_count(scene), 0);
    assert_code(ses_commit(session, NULL), SES_OK); /* nothing to store, and no cookie */
    assert_null(scene_commit(session, NULL));
    ses_release(session);
}

static void of_two_that_regenerate_one_is_gone(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    struct meddler meddler = { scene, visitor, FAKE_SAVE, 1, MEDDLE_REGENERATE, 0 };
    ses_session *session = scene_visit(scene, &visitor);
    set_meddler(&meddler);
    assert_code(ses_regenerate(session), SES_ERR_GONE);
    ses_release(session);
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(stored_int(scene, &meddler.visitor, "n"), 1);
}

/* One request does one thing, and the session ends just before its nth call of an operation: in
 * whatever place, nothing is alive afterwards (T-7). */
static void destroy_wins_wherever_it_comes_between(void **state)
{
    struct scene *scene = *state;
    size_t met = 0;
    for (int act = MEDDLE_ADD; act <= MEDDLE_REGENERATE; act++) {
        for (int op = FAKE_LOAD; op <= FAKE_DESTROY; op++) {
            struct visitor visitor = scene_visitor(scene, 1);
            struct meddler meddler = { scene, visitor, (enum fake_op)op, 1, MEDDLE_DESTROY, 0 };
            atomic_fetch_add(&scene->now_ms, 61 * 1000); /* a touch is due */
            ses_session *session = scene_visit(scene, &visitor);
            set_meddler(&meddler);
            int r = act == MEDDLE_REGENERATE ? ses_regenerate(session) : SES_OK;
            if (r == SES_OK && act == MEDDLE_DESTROY)
                r = ses_destroy(session);
            else if (r == SES_OK && act == MEDDLE_ADD)
                r = ses_increment(session, "n", 1);
            const bool came_between = meddler.countdown == 0;
            const struct ses_headers *headers = NULL;
            if (r == SES_OK)
                r = ses_commit(session, &headers);
            fake_provider_control()->before = NULL;
            if (meddler.countdown == 0) {
                met++;
                assert_true(act == MEDDLE_DESTROY ? r == SES_OK : r == SES_ERR_GONE);
                assert_int_equal(scene_count(scene), 0);
                assert_true(!came_between || act != MEDDLE_ADD);
            } else if (headers) {
                struct visitor now = visitor;
                (void)scene_commit(session, &now);
                if (now.cookie[0])
                    assert_ok(ses_destroy_id(scene->manager, cookie_value(now.cookie)));
            }
            ses_release(session);
            assert_int_equal(scene_count(scene), 0);
        }
    }
    assert_true(met >= 4);
}

/* ---- a store that fails in the middle ---- */

static void a_lost_reply_of_either_write_is_recognised(void **state)
{
    struct scene *scene = *state;
    for (int op = FAKE_CREATE; op <= FAKE_SAVE; op++) {
        struct visitor visitor = scene_visitor(scene, 1);
        ses_session *session = scene_visit(scene, &visitor);
        assert_ok(ses_increment(session, "n", 1));
        fake_provider_fail_call((enum fake_op)op, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
        assert_ok(ses_regenerate(session));
        scene_finish(session, &visitor);
        assert_int_equal(stored_int(scene, &visitor, "n"), 2);
        assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
        assert_int_equal(scene_count(scene), 0);
    }
}

static void a_failure_of_unknown_outcome_leaves_no_record_that_nobody_knows(void **state)
{
    struct scene *scene = *state;
    for (int op = FAKE_CREATE; op <= FAKE_SAVE; op++) {
        for (int when = FAKE_BEFORE_ACT; when <= FAKE_AFTER_ACT; when++) {
            struct visitor visitor = scene_visitor(scene, 1);
            ses_session *session = scene_visit(scene, &visitor);
            assert_ok(ses_increment(session, "n", 1));
            fake_provider_fail_call((enum fake_op)op, 1, SES_ERR_UNAVAILABLE, (enum fake_when)when);
            fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
            assert_code(ses_regenerate(session), SES_ERR_UNAVAILABLE);
            const struct ses_headers *headers = NULL;
            assert_code(ses_commit(session, &headers), SES_ERR_UNAVAILABLE);
            assert_null(headers);
            ses_release(session);
            /* The old one, unless it was cut already. */
            const bool cut = op == FAKE_SAVE && when == FAKE_AFTER_ACT;
            assert_int_equal(scene_count(scene), cut ? 0 : 1);
            if (!cut)
                assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
        }
    }
}

/* ---- randomness ---- */

static void ids_that_repeat_overwrite_nobody(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    repeats = true;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    scene_finish(session, &visitor);

    session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 2));
    const struct ses_headers *headers = NULL;
    assert_code(ses_commit(session, &headers), SES_ERR_NO_RANDOMNESS);
    assert_null(headers);
    ses_release(session);

    repeats = false;
    struct visitor other = scene_visitor(scene, 3);
    session = scene_visit(scene, &other);
    repeats = true;
    assert_code(ses_regenerate(session), SES_ERR_NO_RANDOMNESS);
    repeats = false;
    ses_release(session);
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    assert_int_equal(stored_int(scene, &other, "n"), 3);
    assert_int_equal(scene_count(scene), 2);
}

static void an_id_that_is_taken_is_made_again(void **state)
{
    struct scene *scene = *state;
    repeated_ids = 1;
    struct visitor first = scene_visitor(scene, 1);
    repeated_ids = 2;
    struct visitor second = scene_visitor(scene, 2);
    assert_string_not_equal(first.cookie, second.cookie);
    assert_int_equal(stored_int(scene, &first, "n"), 1);
    assert_int_equal(stored_int(scene, &second, "n"), 2);
}

static void without_randomness_nothing_is_made_up(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor), *fresh = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 2));
    assert_ok(ses_set_int(fresh, "n", 3));
    fails = true;
    assert_null(ses_session_id(fresh));
    assert_code(ses_commit(fresh, NULL), SES_ERR_NO_RANDOMNESS);
    assert_code(ses_regenerate(fresh), SES_ERR_NO_RANDOMNESS);
    assert_code(ses_regenerate(session), SES_ERR_NO_RANDOMNESS);
    fails = false;
    assert_int_equal(stored_int(scene, &visitor, "n"), 1);
    scene_finish(session, NULL); /* nothing was lost */
    scene_finish(fresh, NULL);
    assert_int_equal(stored_int(scene, &visitor, "n"), 2);
    assert_int_equal(scene_count(scene), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_a_later_release_stored_survives_commits_and_a_new_id),
        TEST(the_new_id_has_the_values_and_the_pending_changes_at_once),
        TEST(the_header_survives_and_names_the_record_before),
        TEST(a_session_that_is_not_stored_just_gets_another_id),
        TEST(twice_in_one_request_leaves_one_session),
        TEST(a_reload_after_it_does_not_lose_the_new_cookie),
        TEST(a_commit_under_the_old_id_is_gone_and_sets_no_cookie),
        TEST(a_log_out_in_flight_does_not_undo_a_log_in),
        TEST(a_request_with_the_dead_id_gets_an_empty_session_without_a_cookie),
        TEST(a_dead_id_does_not_hide_the_new_one_behind_it),
        TEST(after_a_minute_a_dead_id_is_as_unknown_as_any),
        TEST(a_save_during_it_is_replayed_into_the_new_record),
        TEST(more_conflicts_than_allowed_leave_the_old_session_alone),
        TEST(if_the_old_record_is_gone_the_new_one_goes_too),
        TEST(of_two_that_regenerate_one_is_gone),
        TEST(destroy_wins_wherever_it_comes_between),
        TEST(a_lost_reply_of_either_write_is_recognised),
        TEST(a_failure_of_unknown_outcome_leaves_no_record_that_nobody_knows),
        TEST(ids_that_repeat_overwrite_nobody),
        TEST(an_id_that_is_taken_is_made_again),
        TEST(without_randomness_nothing_is_made_up),
    };
    return cmocka_run_group_tests_name("renew", tests, NULL, NULL);
}
