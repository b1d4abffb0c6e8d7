/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include "base/slice.h"

#include <stdio.h>

/* Two requests of one visitor at the same time. */
struct pair_of_requests {
    struct scene *scene;
    struct visitor visitor;
    ses_session *a;
    ses_session *b;
};

static int set_up(void **state)
{
    struct pair_of_requests *p = calloc(1, sizeof *p);
    p->scene = scene_new("fake", "{\"maxReplays\":3}");
    p->visitor = scene_visitor(p->scene, 10);
    p->a = scene_visit(p->scene, &p->visitor);
    p->b = scene_visit(p->scene, &p->visitor);
    scene_forget(p->scene);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct pair_of_requests *p = *state;
    ses_release(p->a);
    ses_release(p->b);
    scene_free(p->scene);
    free(p);
    return 0;
}

static int64_t stored(const struct pair_of_requests *p, const char *key)
{
    return stored_int(p->scene, &p->visitor, key);
}

static int64_t shown(ses_session *session, const char *key)
{
    int64_t n = -1;
    (void)ses_get_int(session, key, &n);
    return n;
}

/* Another request that sets one value, from start to end. */
static void set_meanwhile(const struct pair_of_requests *p, const char *key, int64_t n)
{
    ses_session *session = scene_visit(p->scene, &p->visitor);
    assert_ok(ses_set_int(session, key, n));
    scene_finish(session, NULL);
}

/* ---- set and delete ---- */

static void sets_of_different_keys_are_all_kept(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_set_int(p->a, "a", 1));
    assert_ok(ses_set_int(p->b, "b", 2));
    assert_ok(ses_commit(p->a, NULL));
    assert_ok(ses_commit(p->b, NULL));
    assert_int_equal(stored(p, "a"), 1);
    assert_int_equal(stored(p, "b"), 2);
    assert_int_equal(stored(p, "n"), 10);
    assert_int_equal(shown(p->b, "a"), 1);
    assert_int_equal(scene_told(p->scene, SES_EVENT_REPLAYED), 1);
    assert_int_equal(scene_last(p->scene, SES_EVENT_REPLAYED)->replays, 1);
}

static void of_two_sets_the_last_commit_wins(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_set_int(p->b, "n", 2));
    assert_ok(ses_set_int(p->a, "n", 1));
    assert_ok(ses_commit(p->b, NULL));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), 1);
}

static void a_delete_and_a_set_go_by_the_order_of_commits(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_delete(p->a, "n"));
    assert_ok(ses_set_int(p->b, "n", 5));
    assert_ok(ses_commit(p->a, NULL));
    assert_ok(ses_commit(p->b, NULL));
    assert_int_equal(stored(p, "n"), 5);

    assert_ok(ses_reload(p->a));
    assert_ok(ses_reload(p->b));
    assert_ok(ses_set_int(p->b, "n", 6));
    assert_ok(ses_delete(p->a, "n"));
    assert_ok(ses_commit(p->b, NULL));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), -1);
}

static void clear_empties_what_was_committed_before_it_and_not_what_comes_after(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_clear(p->a));
    assert_ok(ses_set_int(p->b, "b", 2));
    assert_ok(ses_commit(p->a, NULL));
    assert_ok(ses_commit(p->b, NULL));
    assert_int_equal(stored(p, "n"), -1);
    assert_int_equal(stored(p, "b"), 2);

    assert_ok(ses_reload(p->a));
    assert_ok(ses_reload(p->b));
    assert_ok(ses_clear(p->a));
    assert_ok(ses_set_int(p->a, "mine", 1));
    assert_ok(ses_set_int(p->b, "c", 3));
    assert_ok(ses_commit(p->b, NULL));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "b"), -1);
    assert_int_equal(stored(p, "c"), -1);
    assert_int_equal(stored(p, "mine"), 1);
}

/* ---- increment ---- */

static void increments_add_up(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_increment(p->a, "n", 1));
    assert_ok(ses_increment(p->a, "n", 2));
    assert_ok(ses_increment(p->b, "n", 100));
    assert_int_equal(shown(p->a, "n"), 13);
    assert_ok(ses_commit(p->b, NULL));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(shown(p->a, "n"), 113);
    assert_int_equal(stored(p, "n"), 113);
}

static void an_increment_of_nothing_starts_at_zero_also_after_a_delete_meanwhile(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_increment(p->a, "n", 5));
    assert_ok(ses_increment(p->a, "new", -5));
    assert_ok(ses_delete(p->b, "n"));
    assert_ok(ses_commit(p->b, NULL));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), 5);
    assert_int_equal(stored(p, "new"), -5);
}

static void an_increment_that_meets_another_type_fails_the_whole_commit(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_increment(p->a, "n", 1));
    assert_ok(ses_set_int(p->a, "z", 1));
    assert_ok(ses_set_text(p->b, "n", "text"));
    assert_ok(ses_commit(p->b, NULL));
    assert_code(ses_commit(p->a, NULL), SES_ERR_WRONG_TYPE);
    assert_int_equal(stored(p, "z"), -1);
    assert_code(ses_commit(p->a, NULL), SES_ERR_WRONG_TYPE);
    assert_code(ses_increment(p->b, "n", 1), SES_ERR_INVALID);
    assert_ok(ses_reload(p->b));
    assert_code(ses_increment(p->b, "n", 1), SES_ERR_WRONG_TYPE);
}

static void an_increment_over_the_edge_fails_the_whole_commit(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_increment(p->a, "n", 1));
    assert_ok(ses_set_int(p->a, "z", 1));
    assert_ok(ses_set_int(p->b, "n", INT64_MAX));
    assert_ok(ses_commit(p->b, NULL));
    assert_code(ses_commit(p->a, NULL), SES_ERR_TOO_LARGE);
    assert_int_equal(stored(p, "z"), -1);
    assert_true(stored(p, "n") == INT64_MAX);

    ses_session *session = scene_visit(p->scene, &p->visitor);
    assert_code(ses_increment(session, "n", 1), SES_ERR_TOO_LARGE);
    assert_true(shown(session, "n") == INT64_MAX);
    assert_ok(ses_increment(session, "n", -1));
    scene_finish(session, NULL);
    assert_true(stored(p, "n") == INT64_MAX - 1);
}

/* ---- update ---- */

struct appending {
    char item;
    char text[64];
    unsigned runs;
    size_t items; /* after the last run */
};

static int append(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    struct appending *appending = arg;
    char *text = appending->text;
    assert_true(current->type == SES_TYPE_TEXT || current->type == SES_TYPE_ABSENT);
    if (current->bytes.len > 0)
        memcpy(text, current->bytes.data, current->bytes.len);
    text[current->bytes.len] = appending->item;
    appending->runs++;
    appending->items = current->bytes.len + 1;
    *ret_next = (struct ses_value){ .type = SES_TYPE_TEXT, .bytes = { text, appending->items } };
    return 0;
}

static void a_cart_kept_in_one_value_loses_nothing(void **state)
{
    struct pair_of_requests *p = *state;
    struct appending a = { .item = 'a' }, b = { .item = 'b' };
    assert_ok(ses_update(p->a, "cart", append, &a));
    assert_ok(ses_update(p->b, "cart", append, &b));
    assert_ok(ses_commit(p->b, NULL));
    assert_ok(ses_commit(p->a, NULL));
    const char *text;
    assert_ok(ses_get_text(p->a, "cart", &text));
    assert_string_equal(text, "ba");
    ses_session *session = scene_visit(p->scene, &p->visitor);
    assert_ok(ses_get_text(session, "cart", &text));
    assert_string_equal(text, "ba");
    ses_release(session);
}

/* What its argument remembers is of the value that was stored, not of one more run on top. */
static void the_last_run_of_an_update_is_the_one_that_was_stored(void **state)
{
    struct pair_of_requests *p = *state;
    struct appending a = { .item = 'a' }, b = { .item = 'b' };
    assert_ok(ses_update(p->a, "cart", append, &a));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(a.items, 1);
    assert_ok(ses_update(p->b, "cart", append, &b));
    assert_ok(ses_commit(p->b, NULL));
    assert_int_equal(b.items, 2);

    struct appending first = { .item = 'c' };
    ses_session *session = scene_start(p->scene, NULL);
    assert_ok(ses_update(session, "cart", append, &first));
    assert_ok(ses_commit(session, NULL));
    assert_int_equal(first.items, 1);
    ses_release(session);
}

static int refuse(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    (void)ret_next;
    const int64_t limit = *(const int64_t *)arg;
    if (current->integer > limit)
        return SES_ERR_DENIED;
    ret_next->type = SES_TYPE_INT;
    ret_next->integer = current->integer + 1;
    return 0;
}

static void an_update_that_refuses_fails_the_call_or_the_commit_with_its_code(void **state)
{
    struct pair_of_requests *p = *state;
    int64_t limit = 9;
    assert_code(ses_update(p->a, "n", refuse, &limit), SES_ERR_DENIED);
    limit = 10;
    assert_ok(ses_update(p->a, "n", refuse, &limit));
    assert_ok(ses_set_int(p->a, "z", 1));
    assert_ok(ses_set_int(p->b, "n", 11));
    assert_ok(ses_commit(p->b, NULL));
    assert_code(ses_commit(p->a, NULL), SES_ERR_DENIED);
    assert_int_equal(stored(p, "n"), 11);
    assert_int_equal(stored(p, "z"), -1);
}

static int remove_it(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    (void)arg, (void)current, (void)ret_next;
    return 0;
}

static int twice(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    (void)arg;
    *ret_next = (struct ses_value){ .type = SES_TYPE_INT, .integer = 2 * current->integer };
    return 0;
}

static void an_update_to_absent_removes_the_value(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_update(p->a, "n", remove_it, NULL));
    assert_int_equal(ses_type_of(p->a, "n"), SES_TYPE_ABSENT);
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), -1);
}

static void chains_of_steps_are_replayed_in_their_order(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_increment(p->a, "n", 1));
    assert_ok(ses_update(p->a, "n", twice, NULL));
    assert_ok(ses_increment(p->a, "n", 3));
    assert_ok(ses_increment(p->a, "n", 4)); /* 2 (n + 1) + 7 */
    assert_int_equal(shown(p->a, "n"), 29);
    assert_ok(ses_increment(p->a, "m", 1));
    assert_ok(ses_set_int(p->a, "m", 5)); /* forgets what was before */
    assert_ok(ses_increment(p->a, "m", 1));
    assert_ok(ses_update(p->a, "m", twice, NULL)); /* 12, whatever is stored */
    assert_ok(ses_delete(p->a, "o"));
    assert_ok(ses_increment(p->a, "o", 1)); /* 1, whatever is stored */
    set_meanwhile(p, "n", 100);
    set_meanwhile(p, "m", 1000);
    set_meanwhile(p, "o", 1000);
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), 209);
    assert_int_equal(stored(p, "m"), 12);
    assert_int_equal(stored(p, "o"), 1);
}

/* ---- take ---- */

static void exactly_one_of_two_takes_a_value(void **state)
{
    struct pair_of_requests *p = *state;
    struct ses_value value = { .integer = 77 };
    assert_ok(ses_take(p->a, "n", &value));
    assert_int_equal(value.type, SES_TYPE_INT);
    assert_int_equal(value.integer, 10);
    value.integer = 77;
    assert_code(ses_take(p->b, "n", &value), SES_ERR_NOT_FOUND);
    assert_int_equal(value.integer, 77);
    assert_code(ses_take(p->a, "n", &value), SES_ERR_NOT_FOUND);
    assert_int_equal(stored(p, "n"), -1); /* at once, without a commit */
}

/* A step on top of the value does not make it this request's own. */
static void an_increment_before_does_not_let_two_take_one_value(void **state)
{
    struct pair_of_requests *p = *state;
    struct ses_value value;
    assert_ok(ses_increment(p->a, "n", 1));
    assert_ok(ses_increment(p->b, "n", 5));
    assert_ok(ses_take(p->a, "n", &value));
    assert_int_equal(value.integer, 11);
    assert_ok(ses_take(p->b, "n", &value));
    assert_int_equal(value.integer, 5); /* what was stored went to the other */
    assert_ok(ses_commit(p->a, NULL));
    assert_ok(ses_commit(p->b, NULL));
    assert_int_equal(stored(p, "n"), -1);
}

static void a_pending_value_is_taken_without_a_store_call(void **state)
{
    struct pair_of_requests *p = *state;
    struct ses_value value;
    assert_ok(ses_set_int(p->a, "mine", 3));
    assert_ok(ses_take(p->a, "mine", &value));
    assert_int_equal(value.integer, 3);
    assert_code(ses_take(p->a, "mine", &value), SES_ERR_NOT_FOUND);
    assert_ok(ses_set_int(p->a, "n", 4)); /* hides what is stored */
    assert_ok(ses_take(p->a, "n", &value));
    assert_int_equal(value.integer, 4);
    assert_ok(ses_delete(p->a, "n"));
    assert_code(ses_take(p->a, "n", &value), SES_ERR_NOT_FOUND);
    assert_int_equal(fake_calls_all(), 0);
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), -1);
}

static void a_take_leaves_the_other_changes_pending(void **state)
{
    struct pair_of_requests *p = *state;
    struct ses_value value;
    assert_ok(ses_set_int(p->a, "z", 1));
    set_meanwhile(p, "y", 2);
    assert_ok(ses_take(p->a, "n", &value));
    assert_int_equal(shown(p->a, "z"), 1);
    assert_int_equal(shown(p->a, "y"), 2);
    assert_int_equal(stored(p, "z"), -1);
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "z"), 1);
    assert_code(ses_take(p->a, "z", &value), SES_ERR_INVALID);
}

static void a_take_from_an_ended_session_is_gone(void **state)
{
    struct pair_of_requests *p = *state;
    struct ses_value value;
    assert_ok(ses_destroy(p->a));
    assert_code(ses_take(p->a, "n", &value), SES_ERR_GONE);
    assert_code(ses_take(p->b, "n", &value), SES_ERR_GONE);
}

/* ---- calls that are spared, and bounds ---- */

static void a_commit_that_changes_nothing_makes_no_store_call(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(fake_calls_all(), 0);
    assert_int_equal(scene_stats(p->scene).saved, 0);
}

/* A value that is set as it was read is a change like any other: the last commit wins. */
static void a_set_to_what_was_read_wins_over_an_earlier_commit(void **state)
{
    struct pair_of_requests *p = *state;
    int64_t n = 0;
    assert_ok(ses_set_int(p->b, "n", 10)); /* as it is */
    assert_ok(ses_set_int(p->a, "n", 11));
    assert_ok(ses_commit(p->a, NULL));
    assert_ok(ses_commit(p->b, NULL));
    assert_ok(ses_get_int(p->b, "n", &n));
    assert_int_equal(n, 10);
    assert_ok(ses_reload(p->a));
    assert_ok(ses_get_int(p->a, "n", &n));
    assert_int_equal(n, 10);
}

static void a_commit_is_one_call_and_a_replay_one_more(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_set_int(p->a, "a", 1));
    assert_ok(ses_set_int(p->b, "b", 1));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(fake_calls_all(), 1);
    assert_ok(ses_commit(p->b, NULL));
    assert_int_equal(fake_calls(FAKE_SAVE), 3);
    assert_int_equal(fake_calls_all(), 3);
}

/* Somebody is faster, so many times. */
struct rival {
    struct pair_of_requests *p;
    enum fake_op op;
    unsigned times;
    unsigned done;
};

static void be_faster(void *arg, enum fake_op op, const struct ses_key *key)
{
    (void)key;
    struct rival *rival = arg;
    if (op == rival->op && rival->done < rival->times)
        set_meanwhile(rival->p, "rival", ++rival->done);
}

static void more_replays_than_allowed_are_a_conflict_that_changes_nothing(void **state)
{
    struct pair_of_requests *p = *state;
    struct rival rival = { p, FAKE_SAVE, 4, 0 };
    fake_provider_control()->before_arg = &rival;
    fake_provider_control()->before = be_faster;
    assert_ok(ses_increment(p->a, "n", 1));
    assert_code(ses_commit(p->a, NULL), SES_ERR_CONFLICT);
    assert_int_equal(fake_calls(FAKE_SAVE), 4);
    assert_int_equal(stored(p, "n"), 10);
    assert_int_equal(scene_stats(p->scene).conflicts, 1);
    assert_int_equal(scene_stats(p->scene).replayed, 3);

    assert_ok(ses_commit(p->a, NULL)); /* the rival has done: nothing was lost */
    assert_int_equal(stored(p, "n"), 11);
}

static void as_many_replays_as_allowed_succeed(void **state)
{
    struct pair_of_requests *p = *state;
    struct rival rival = { p, FAKE_SAVE, 3, 0 };
    fake_provider_control()->before_arg = &rival;
    fake_provider_control()->before = be_faster;
    assert_ok(ses_increment(p->a, "n", 1));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), 11);
    assert_int_equal(stored(p, "rival"), 3);
    assert_int_equal(scene_last(p->scene, SES_EVENT_REPLAYED)->replays, 3);
}

/* ---- lost replies ---- */

static void a_write_whose_reply_was_lost_is_recognised_by_its_tag(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_increment(p->a, "n", 1));
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), 11);
    assert_int_equal(scene_told(p->scene, SES_EVENT_STORE_ERROR), 1);
    assert_int_equal(scene_last(p->scene, SES_EVENT_STORE_ERROR)->code, SES_ERR_UNAVAILABLE);
}

static void a_write_that_may_have_happened_is_not_tried_again(void **state)
{
    struct pair_of_requests *p = *state;
    for (int when = FAKE_BEFORE_ACT; when <= FAKE_AFTER_ACT; when++) {
        ses_session *session = scene_visit(p->scene, &p->visitor);
        assert_ok(ses_increment(session, "n", 1));
        const int64_t before = stored(p, "n");
        fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, (enum fake_when)when);
        fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
        assert_code(ses_commit(session, NULL), SES_ERR_UNAVAILABLE);
        assert_code(ses_commit(session, NULL), SES_ERR_UNAVAILABLE);
        assert_code(ses_set_int(session, "x", 1), SES_ERR_UNAVAILABLE);
        ses_release(session);
        assert_int_equal(stored(p, "n"), before + (when == FAKE_AFTER_ACT));
    }
}

static void a_write_that_another_has_overtaken_is_unknown(void **state)
{
    struct pair_of_requests *p = *state;
    struct rival rival = { p, FAKE_LOAD, 1, 0 };
    fake_provider_control()->before_arg = &rival;
    fake_provider_control()->before = be_faster;
    assert_ok(ses_increment(p->a, "n", 1));
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    assert_code(ses_commit(p->a, NULL), SES_ERR_UNAVAILABLE);
    assert_code(ses_commit(p->a, NULL), SES_ERR_UNAVAILABLE);
    assert_int_equal(stored(p, "n"), 11);
}

/* Whether the change was stored or not, on top of what is read then it would be made twice. */
static void after_an_unknown_outcome_a_reload_does_not_make_the_change_again(void **state)
{
    struct pair_of_requests *p = *state;
    assert_ok(ses_increment(p->a, "n", 1));
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_commit(p->a, NULL), SES_ERR_UNAVAILABLE);
    assert_ok(ses_reload(p->a));
    assert_int_equal(shown(p->a, "n"), 11);
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), 11);
    assert_ok(ses_reload(p->a));
    assert_ok(ses_increment(p->a, "n", 1));
    assert_ok(ses_commit(p->a, NULL));
    assert_int_equal(stored(p, "n"), 12);
}

static void a_take_of_unknown_outcome_hands_out_nothing(void **state)
{
    struct pair_of_requests *p = *state;
    struct ses_value value = { .integer = 77 };
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_take(p->a, "n", &value), SES_ERR_UNAVAILABLE);
    assert_int_equal(value.integer, 77);
    assert_code(ses_take(p->b, "n", &value), SES_ERR_NOT_FOUND);
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    ses_session *session = scene_visit(p->scene, &p->visitor);
    assert_ok(ses_set_int(session, "n", 3));
    scene_finish(session, NULL);
    session = scene_visit(p->scene, &p->visitor);
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    assert_ok(ses_take(session, "n", &value)); /* known by its tag */
    assert_int_equal(value.integer, 3);
    ses_release(session);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sets_of_different_keys_are_all_kept),
        TEST(of_two_sets_the_last_commit_wins),
        TEST(a_delete_and_a_set_go_by_the_order_of_commits),
        TEST(clear_empties_what_was_committed_before_it_and_not_what_comes_after),
        TEST(increments_add_up),
        TEST(an_increment_of_nothing_starts_at_zero_also_after_a_delete_meanwhile),
        TEST(an_increment_that_meets_another_type_fails_the_whole_commit),
        TEST(an_increment_over_the_edge_fails_the_whole_commit),
        TEST(a_cart_kept_in_one_value_loses_nothing),
        TEST(the_last_run_of_an_update_is_the_one_that_was_stored),
        TEST(an_update_that_refuses_fails_the_call_or_the_commit_with_its_code),
        TEST(an_update_to_absent_removes_the_value),
        TEST(chains_of_steps_are_replayed_in_their_order),
        TEST(exactly_one_of_two_takes_a_value),
        TEST(an_increment_before_does_not_let_two_take_one_value),
        TEST(a_pending_value_is_taken_without_a_store_call),
        TEST(a_take_leaves_the_other_changes_pending),
        TEST(a_take_from_an_ended_session_is_gone),
        TEST(a_commit_that_changes_nothing_makes_no_store_call),
        TEST(a_set_to_what_was_read_wins_over_an_earlier_commit),
        TEST(a_commit_is_one_call_and_a_replay_one_more),
        TEST(more_replays_than_allowed_are_a_conflict_that_changes_nothing),
        TEST(as_many_replays_as_allowed_succeed),
        TEST(a_write_whose_reply_was_lost_is_recognised_by_its_tag),
        TEST(a_write_that_may_have_happened_is_not_tried_again),
        TEST(a_write_that_another_has_overtaken_is_unknown),
        TEST(after_an_unknown_outcome_a_reload_does_not_make_the_change_again),
        TEST(a_take_of_unknown_outcome_hands_out_nothing),
    };
    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
