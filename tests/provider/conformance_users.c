/* SPDX-License-Identifier: MIT */
#include "provider/fixture.h"

/* The index by owner, the limit of parallel sessions, and the walks over all sessions. */

static struct sighting listed(struct fixture *f, const struct ses_key *user,
                              const struct ses_key *key)
{
    struct sighting sighting = { .key = key };
    assert_ok(store_list(f->store, user, f->now, note_sighting, &sighting));
    return sighting;
}

static void assert_listed(struct fixture *f, const struct ses_key *user, const struct ses_key *key,
                          uint32_t others)
{
    const struct sighting sighting = listed(f, user, key);
    assert_int_equal(sighting.seen, 1);
    assert_int_equal(sighting.others, others);
}

static uint64_t version_of(struct fixture *f, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    assert_ok(store_load(f->store, key, f->now, &record));
    drop_record(&record);
    return record.version;
}

static int create_owned_until(struct fixture *f, const struct ses_key *key,
                              const struct ses_key *user, uint32_t limit, int64_t expires_ms)
{
    const struct ses_owner owner = { *user, limit };
    struct ses_record record = make_record(SLICE("brief"), expires_ms);
    int r = store_create(f->store, key, f->now, &owner, &record);
    drop_record(&record);
    return r;
}

/* ---- list ---- */

static void list_shows_a_users_sessions_and_no_others(void **state)
{
    struct fixture *f = *state;
    const struct ses_key ann = new_key(), bob = new_key();
    const struct ses_key keys[] = { new_key(), new_key(), new_key() };
    const struct ses_key his = new_key(), nobodys = new_key();
    for (int i = 0; i < 3; i++)
        assert_ok(create_owned(f, &keys[i], &ann, 0));
    assert_ok(create_owned(f, &his, &bob, 0));
    (void)put(f, &nobodys, "anonymous");

    for (int i = 0; i < 3; i++)
        assert_listed(f, &ann, &keys[i], 2);
    assert_listed(f, &bob, &his, 0);
}

static int note_bytes(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    struct ses_record *copy = arg;
    (void)key;
    *copy = *record;
    (void)ses_blob_ref(copy->data);
    return 0;
}

static void list_shows_the_records_as_they_stand(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), key = new_key();
    assert_ok(create_owned(f, &key, &user, 0));
    assert_ok(save_as(f, &key, version_of(f, &key), "changed", SES_KIND_SESSION));

    struct ses_record shown = { 0 };
    assert_ok(store_list(f->store, &user, f->now, note_bytes, &shown));
    assert_non_null(shown.data);
    assert_int_equal(shown.kind, SES_KIND_SESSION);
    assert_int_equal(shown.version, version_of(f, &key));
    assert_memory_equal(ses_blob_bytes(shown.data).data, "changed", strlen("changed"));
    drop_record(&shown);
}

static void list_of_an_unknown_user_is_empty(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key();
    const struct sighting sighting = listed(f, &user, &user);
    assert_int_equal(sighting.seen + sighting.others, 0);
}

static void list_shows_neither_destroyed_nor_expired_sessions(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), destroyed = new_key(), brief = new_key(),
                         alive = new_key();
    const int64_t end = f->now + 2000;
    assert_ok(create_owned(f, &destroyed, &user, 0));
    assert_ok(create_owned_until(f, &brief, &user, 0, end));
    assert_ok(create_owned(f, &alive, &user, 0));
    assert_listed(f, &user, &brief, 2);
    assert_ok(store_destroy(f->store, &destroyed, f->now));
    pass_until(f, end);
    assert_listed(f, &user, &alive, 0);
}

static void recreated_key_belongs_to_its_new_user_only(void **state)
{
    struct fixture *f = *state;
    const struct ses_key ann = new_key(), bob = new_key(), key = new_key(), other = new_key();
    assert_ok(create_owned(f, &key, &ann, 0));
    assert_ok(create_owned(f, &other, &ann, 0));
    assert_ok(store_destroy(f->store, &key, f->now));
    assert_ok(create_owned(f, &key, &bob, 0));
    assert_listed(f, &ann, &other, 0);
    assert_listed(f, &bob, &key, 0);
}

static void create_that_fails_leaves_nothing_in_the_list(void **state)
{
    struct fixture *f = *state;
    const struct ses_key ann = new_key(), bob = new_key(), key = new_key(), other = new_key();
    assert_ok(create_owned(f, &key, &ann, 0));
    assert_code(create_owned(f, &key, &bob, 1), SES_ERR_EXISTS);
    assert_int_equal(listed(f, &bob, &key).seen, 0);
    assert_listed(f, &ann, &key, 0);
    assert_ok(create_owned(f, &other, &bob, 1)); /* the attempt was not counted */
}

/* ---- the limit ---- */

static void limit_denies_one_session_more_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), first = new_key(), second = new_key(), third = new_key();
    assert_ok(create_owned(f, &first, &user, 2));
    assert_ok(create_owned(f, &second, &user, 2));
    assert_code(create_owned(f, &third, &user, 2), SES_ERR_DENIED);
    assert_absent(f, &third);
    assert_listed(f, &user, &first, 1);
    assert_ok(create_owned(f, &third, &user, 3));
    assert_code(create_owned(f, &third, &user, 4), SES_ERR_EXISTS);
}

static void limit_is_each_users_own_and_zero_is_none(void **state)
{
    struct fixture *f = *state;
    const struct ses_key ann = new_key(), bob = new_key();
    for (int i = 0; i < 20; i++) {
        const struct ses_key key = new_key();
        assert_ok(create_owned(f, &key, &ann, 0));
    }
    const struct ses_key key = new_key();
    assert_ok(create_owned(f, &key, &bob, 1));
}

static void sessions_that_ended_do_not_count_for_the_limit(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key();
    for (int round = 0; round < 6; round++) {
        const struct ses_key key = new_key(), denied = new_key();
        assert_ok(create_owned(f, &key, &user, 1));
        assert_code(create_owned(f, &denied, &user, 1), SES_ERR_DENIED);
        if (round % 3 == 0)
            assert_ok(store_destroy(f->store, &key, f->now));
        else
            assert_ok(save_as(f, &key, version_of(f, &key), "marker",
                              round % 3 == 1 ? SES_KIND_DEAD : SES_KIND_MOVED));
    }
}

static void expired_sessions_do_not_count_for_the_limit(void **state)
{
    enum { MANY = 40 };
    struct fixture *f = *state;
    const struct ses_key user = new_key();
    const int64_t end = f->now + 2000;
    for (int i = 0; i < MANY; i++) {
        const struct ses_key key = new_key();
        assert_ok(create_owned_until(f, &key, &user, 0, end));
    }
    pass_until(f, end);
    const struct ses_key first = new_key(), second = new_key(), third = new_key();
    assert_ok(create_owned(f, &first, &user, 2));
    assert_ok(create_owned(f, &second, &user, 2));
    assert_code(create_owned(f, &third, &user, 2), SES_ERR_DENIED);
    assert_listed(f, &user, &first, 1);
}

static void gc_takes_expired_sessions_out_of_the_list_too(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), alive = new_key();
    const int64_t end = f->now + 2000;
    struct ses_gc_step step;
    for (int i = 0; i < 30; i++) {
        const struct ses_key key = new_key();
        assert_ok(create_owned_until(f, &key, &user, 0, end));
    }
    assert_ok(create_owned(f, &alive, &user, 0));
    pass_until(f, end);
    do {
        assert_ok(store_gc(f->store, f->now, 7, &step));
    } while (step.more);
    assert_listed(f, &user, &alive, 0);
}

/* ---- tokens: shown as sessions are, and counted by their own owner only ---- */

static uint64_t counted(struct fixture *f)
{
    uint64_t count = 0;
    assert_ok(store_count(f->store, f->now, &count));
    return count;
}

static void tokens_are_listed_and_iterated_and_not_counted(void **state)
{
    struct fixture *f = *state;
    const bool counts = f->subject->ops->count && !f->subject->shared;
    const struct ses_key user = new_key(), token = new_key(), session = new_key();
    const uint64_t before = counts ? counted(f) : 0;
    assert_ok(create_kind(f, &token, &user, 0, SES_KIND_TOKEN));
    if (counts)
        assert_int_equal(counted(f), before);
    assert_ok(create_owned(f, &session, &user, 0));
    if (counts)
        assert_int_equal(counted(f), before + 1);
    assert_listed(f, &user, &token, 1);
    struct ses_record shown = { 0 };
    assert_ok(store_destroy(f->store, &session, f->now));
    assert_ok(store_list(f->store, &user, f->now, note_bytes, &shown));
    assert_non_null(shown.data);
    assert_int_equal(shown.kind, SES_KIND_TOKEN);
    drop_record(&shown);
    if (f->subject->ops->iterate) {
        struct sighting sighting = { .key = &token };
        assert_ok(store_iterate(f->store, f->now, note_sighting, &sighting));
        assert_int_equal(sighting.seen, 1);
    }
    if (counts)
        assert_int_equal(counted(f), before);
    assert_ok(store_destroy(f->store, &token, f->now));
    assert_int_equal(listed(f, &user, &token).seen, 0);
}

static void saved_token_is_listed_until_it_becomes_a_marker(void **state)
{
    struct fixture *f = *state;
    const bool counts = f->subject->ops->count && !f->subject->shared;
    const struct ses_key user = new_key();
    for (enum ses_kind kind = SES_KIND_MOVED; kind <= SES_KIND_DEAD; kind++) {
        const struct ses_key token = new_key(), next = new_key();
        const uint64_t before = counts ? counted(f) : 0;
        assert_ok(create_kind(f, &token, &user, 1, SES_KIND_TOKEN));
        assert_ok(save_as(f, &token, version_of(f, &token), "marked", SES_KIND_TOKEN));
        assert_listed(f, &user, &token, 0);
        assert_code(create_kind(f, &next, &user, 1, SES_KIND_TOKEN), SES_ERR_DENIED);
        const uint64_t last = version_of(f, &token);
        assert_ok(save_as(f, &token, last, "marker", kind));
        assert_code(save_as(f, &token, last, "back", SES_KIND_TOKEN), SES_ERR_CONFLICT);
        assert_code(create_kind(f, &token, &user, 1, SES_KIND_TOKEN), SES_ERR_EXISTS);
        assert_int_equal(listed(f, &user, &token).seen, 0);
        if (counts)
            assert_int_equal(counted(f), before);
        assert_ok(create_kind(f, &next, &user, 1, SES_KIND_TOKEN)); /* the place is free */
        assert_listed(f, &user, &next, 0);
        assert_ok(store_destroy(f->store, &next, f->now));
    }
}

static void limit_counts_tokens_under_their_own_owner(void **state)
{
    struct fixture *f = *state;
    const struct ses_key sessions = new_key(), tokens = new_key();
    struct ses_key keys[6];
    for (int i = 0; i < 6; i++)
        keys[i] = new_key();
    assert_ok(create_owned(f, &keys[0], &sessions, 2));
    assert_ok(create_kind(f, &keys[1], &tokens, 2, SES_KIND_TOKEN));
    assert_ok(create_kind(f, &keys[2], &tokens, 2, SES_KIND_TOKEN));
    assert_code(create_kind(f, &keys[3], &tokens, 2, SES_KIND_TOKEN), SES_ERR_DENIED);
    assert_absent(f, &keys[3]);
    assert_ok(create_owned(f, &keys[4], &sessions, 2));
    assert_code(create_owned(f, &keys[5], &sessions, 2), SES_ERR_DENIED);
    assert_listed(f, &tokens, &keys[1], 1);
    assert_listed(f, &sessions, &keys[0], 1);
}

static void expired_tokens_are_neither_shown_nor_counted_for_the_limit(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), brief = new_key(), next = new_key();
    const struct ses_owner owner = { user, 1 };
    const int64_t end = f->now + 2000;
    struct ses_record record = make_record(SLICE("brief"), end);
    record.kind = SES_KIND_TOKEN;
    assert_ok(store_create(f->store, &brief, f->now, &owner, &record));
    drop_record(&record);
    pass_until(f, end);
    assert_int_equal(listed(f, &user, &brief).seen, 0);
    assert_absent(f, &brief);
    assert_ok(create_kind(f, &next, &user, 1, SES_KIND_TOKEN));
}

/* ---- count and iterate ---- */

static void count_and_iterate_show_the_sessions_alive(void **state)
{
    struct fixture *f = *state;
    const struct ses_key alive = new_key(), destroyed = new_key(), brief = new_key();
    const int64_t end = f->now + 2000;
    uint64_t before = 0, now = 0;
    assert_ok(store_count(f->store, f->now, &before));
    (void)put(f, &alive, "alpha");
    (void)put(f, &destroyed, "beta");
    (void)put_until(f, &brief, "gamma", end);
    assert_ok(store_count(f->store, f->now, &now));
    if (!f->subject->shared)
        assert_int_equal(now - before, 3);
    assert_ok(store_destroy(f->store, &destroyed, f->now));
    pass_until(f, end);

    const struct ses_key *const keys[] = { &alive, &destroyed, &brief };
    for (int i = 0; i < 3; i++) {
        struct sighting sighting = { .key = keys[i] };
        assert_ok(store_iterate(f->store, f->now, note_sighting, &sighting));
        assert_int_equal(sighting.seen, i == 0 ? 1 : 0);
        assert_ok(store_count(f->store, f->now, &now));
        if (!f->subject->shared)
            assert_int_equal(now, sighting.seen + sighting.others);
    }
}

static void markers_are_not_shown(void **state)
{
    struct fixture *f = *state;
    const struct ses_provider_ops *ops = f->subject->ops;
    const struct ses_key user = new_key();
    for (enum ses_kind kind = SES_KIND_MOVED; kind <= SES_KIND_DEAD; kind++) {
        const struct ses_key key = new_key();
        struct sighting sighting = { .key = &key };
        uint64_t before = 0, after = 0;
        assert_ok(create_owned(f, &key, &user, 0));
        if (ops->count)
            assert_ok(store_count(f->store, f->now, &before));
        assert_ok(save_as(f, &key, version_of(f, &key), "marker", kind));
        if (ops->count)
            assert_ok(store_count(f->store, f->now, &after));
        if (!f->subject->shared && ops->count)
            assert_int_equal(after, before - 1);
        if (ops->iterate)
            assert_ok(store_iterate(f->store, f->now, note_sighting, &sighting));
        if (ops->list)
            assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
        assert_int_equal(sighting.seen, 0);
    }
}

static void many_sessions_are_each_shown_once(void **state)
{
    enum { MANY = 2000 };
    struct fixture *f = *state;
    const struct ses_key user = new_key();
    struct ses_key last = { { 0 } };
    for (int i = 0; i < MANY; i++) {
        last = new_key();
        assert_ok(create_owned(f, &last, &user, 0));
    }
    assert_listed(f, &user, &last, MANY - 1);
    struct sighting sighting = { .key = &last };
    assert_ok(store_iterate(f->store, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.seen, 1);
    if (!f->subject->shared)
        assert_int_equal(sighting.others, MANY - 1);
}

static int stop_at_third(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    int *calls = arg;
    (void)key;
    (void)record;
    return ++*calls == 3 ? 4711 : 0;
}

static void first_result_that_is_not_zero_ends_a_walk_and_is_returned(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key();
    for (int i = 0; i < 10; i++) {
        const struct ses_key key = new_key();
        assert_ok(create_owned(f, &key, &user, 0));
    }
    int calls = 0;
    if (f->subject->ops->iterate)
        assert_int_equal(store_iterate(f->store, f->now, stop_at_third, &calls), 4711);
    assert_int_equal(calls, f->subject->ops->iterate ? 3 : 0);
    calls = 0;
    if (f->subject->ops->list)
        assert_int_equal(store_list(f->store, &user, f->now, stop_at_third, &calls), 4711);
    assert_int_equal(calls, f->subject->ops->list ? 3 : 0);
}

struct walk {
    struct fixture *f;
    const struct ses_key *user;
    uint32_t destroyed;
};

/* Would wait for ever if a lock were held. */
static int destroy_while_walking(void *arg, const struct ses_key *key,
                                 const struct ses_record *record)
{
    struct walk *walk = arg;
    const struct ses_key fresh = new_key();
    if (memcmp(ses_blob_bytes(record->data).data, "owned", 5) != 0)
        return 0;
    assert_ok(store_destroy(walk->f->store, key, walk->f->now));
    assert_ok(create_owned(walk->f, &fresh, walk->user, 0));
    assert_ok(store_destroy(walk->f->store, &fresh, walk->f->now));
    assert_int_equal(ses_blob_bytes(record->data).len, 5);
    walk->destroyed++;
    return 0;
}

static void walks_may_use_the_store_meanwhile(void **state)
{
    enum { MANY = 200 };
    struct fixture *f = *state;
    const struct ses_key user = new_key();
    for (int iterates = 0; iterates < 2; iterates++) {
        struct walk walk = { f, &user, 0 };
        for (int i = 0; i < MANY; i++) {
            const struct ses_key key = new_key();
            assert_ok(create_owned(f, &key, &user, 0));
        }
        int r = iterates ? store_iterate(f->store, f->now, destroy_while_walking, &walk)
                         : store_list(f->store, &user, f->now, destroy_while_walking, &walk);
        if (r == SES_ERR_UNSUPPORTED)
            continue;
        assert_ok(r);
        assert_int_equal(walk.destroyed, MANY);
    }
}

/* The other of two sessions gets a new key while the first is shown. */
struct move {
    struct fixture *f;
    const struct ses_key *user;
    const struct ses_key *keys; /* two, and the new one of whichever moves */
    bool moved;
    uint32_t seen[3];
};

static int move_the_other(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    struct move *move = arg;
    (void)record;
    for (int i = 0; i < 3; i++)
        move->seen[i] += ses_key_equal(key, &move->keys[i]);
    if (move->moved)
        return 0;
    move->moved = true;
    const struct ses_key *other = &move->keys[ses_key_equal(key, &move->keys[0])];
    assert_ok(create_owned(move->f, &move->keys[2], move->user, 0));
    assert_ok(save_as(move->f, other, version_of(move->f, other), "marker", SES_KIND_DEAD));
    return 0;
}

/* Or whoever ends a user's sessions would miss it. */
static void session_that_gets_a_new_key_is_listed_under_one_of_them(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), keys[] = { new_key(), new_key(), new_key() };
    struct move move = { .f = f, .user = &user, .keys = keys };
    assert_ok(create_owned(f, &keys[0], &user, 0));
    assert_ok(create_owned(f, &keys[1], &user, 0));
    assert_ok(store_list(f->store, &user, f->now, move_the_other, &move));
    assert_true(move.seen[0] + move.seen[1] + move.seen[2] >= 2);
}

const struct CMUnitTest conformance_users[] = {
    CASE_FOR(list_shows_a_users_sessions_and_no_others, NEEDS_LIST),
    CASE_FOR(list_shows_the_records_as_they_stand, NEEDS_LIST),
    CASE_FOR(list_of_an_unknown_user_is_empty, NEEDS_LIST),
    CASE_FOR(list_shows_neither_destroyed_nor_expired_sessions, NEEDS_LIST),
    CASE_FOR(recreated_key_belongs_to_its_new_user_only, NEEDS_LIST),
    CASE_FOR(create_that_fails_leaves_nothing_in_the_list, NEEDS_LIST),
    CASE_FOR(limit_denies_one_session_more_and_changes_nothing, NEEDS_LIST),
    CASE_FOR(limit_is_each_users_own_and_zero_is_none, NEEDS_LIST),
    CASE_FOR(sessions_that_ended_do_not_count_for_the_limit, NEEDS_LIST),
    CASE_FOR(expired_sessions_do_not_count_for_the_limit, NEEDS_LIST),
    CASE_FOR(gc_takes_expired_sessions_out_of_the_list_too, NEEDS_LIST),
    CASE_FOR(tokens_are_listed_and_iterated_and_not_counted, NEEDS_LIST),
    CASE_FOR(saved_token_is_listed_until_it_becomes_a_marker, NEEDS_LIST),
    CASE_FOR(limit_counts_tokens_under_their_own_owner, NEEDS_LIST),
    CASE_FOR(expired_tokens_are_neither_shown_nor_counted_for_the_limit, NEEDS_LIST),
    CASE_FOR(count_and_iterate_show_the_sessions_alive, NEEDS_COUNT | NEEDS_ITERATE),
    CASE(markers_are_not_shown),
    CASE_FOR(many_sessions_are_each_shown_once, NEEDS_ITERATE | NEEDS_LIST),
    CASE(first_result_that_is_not_zero_ends_a_walk_and_is_returned),
    CASE_FOR(walks_may_use_the_store_meanwhile, NEEDS_ALONE),
    CASE_FOR(session_that_gets_a_new_key_is_listed_under_one_of_them, NEEDS_LIST),
    { 0 },
};
