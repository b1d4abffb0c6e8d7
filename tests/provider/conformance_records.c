/* SPDX-License-Identifier: MIT */
#include "provider/fixture.h"

#include <stdio.h>

/* ---- load and create ---- */

static void load_of_an_unknown_key_is_not_found(void **state)
{
    const struct ses_key key = new_key();
    assert_absent(*state, &key);
}

static void created_record_loads_back_with_all_its_members(void **state)
{
    struct fixture *f = *state;
    for (enum ses_kind kind = SES_KIND_SESSION; kind <= SES_KIND_TOKEN; kind++) {
        const struct ses_key key = new_key();
        struct ses_record loaded = { 0 }, record = make_record(SLICE("alpha"), f->now + LIFE_MS);
        record.kind = kind;
        assert_ok(store_create(f->store, &key, f->now, NULL, &record));
        assert_ok(store_load(f->store, &key, f->now, &loaded));
        assert_int_equal(loaded.kind, kind);
        drop_record(&loaded);
        drop_record(&record);
        assert_loads(f, &key, "alpha", record.version, record.expires_ms);
    }
}

static void create_of_a_taken_key_exists_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    struct ses_record second = make_record(SLICE("beta"), f->now + LIFE_MS + 1000);
    assert_code(store_create(f->store, &key, f->now, NULL, &second), SES_ERR_EXISTS);
    drop_record(&second);
    assert_loads(f, &key, "alpha", version, f->now + LIFE_MS);
}

static void create_where_a_marker_is_alive_exists(void **state)
{
    struct fixture *f = *state;
    for (enum ses_kind kind = SES_KIND_MOVED; kind <= SES_KIND_DEAD; kind++) {
        const struct ses_key key = new_key();
        assert_ok(save_as(f, &key, put(f, &key, "alpha"), "marker", kind));
        struct ses_record second = make_record(SLICE("beta"), f->now + LIFE_MS);
        assert_code(store_create(f->store, &key, f->now, NULL, &second), SES_ERR_EXISTS);
        drop_record(&second);
    }
}

static void assert_bytes(const struct ses_record *record, struct ses_slice expected)
{
    const struct ses_slice bytes = ses_blob_bytes(record->data);
    assert_int_equal(bytes.len, expected.len);
    assert_int_equal(memcmp(bytes.data, expected.data, expected.len), 0);
}

/* Created, saved, and handed back as a winner. */
static void assert_round_trip(struct fixture *f, struct ses_slice bytes)
{
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "something else");
    struct ses_record loaded = { 0 }, winner = { 0 };
    struct ses_record record = make_record(bytes, f->now + LIFE_MS);

    assert_ok(store_save(f->store, &key, f->now, version, &record, &winner));
    assert_ok(store_load(f->store, &key, f->now, &loaded));
    assert_bytes(&loaded, bytes);
    drop_record(&loaded);
    assert_code(store_save(f->store, &key, f->now, version, &record, &winner), SES_ERR_CONFLICT);
    assert_bytes(&winner, bytes);
    drop_record(&winner);

    assert_ok(store_destroy(f->store, &key, f->now));
    assert_ok(store_create(f->store, &key, f->now, NULL, &record));
    assert_ok(store_load(f->store, &key, f->now, &loaded));
    assert_bytes(&loaded, bytes);
    drop_record(&loaded);
    drop_record(&record);
    assert_ok(store_destroy(f->store, &key, f->now));
}

static void records_of_any_size_and_bytes_come_back(void **state)
{
    enum { LARGEST = 1048576 };
    static const size_t sizes[] = { 0, 1, 400, 65536, LARGEST };
    static unsigned char bytes[LARGEST];
    const struct fixture *f = *state;
    const size_t most = f->subject->max_record_bytes;

    for (size_t i = 0; i < LARGEST; i++)
        bytes[i] = (unsigned char)(i * 131 >> 3); /* every value, NUL and quotes too */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t len = most > 0 && sizes[i] > most ? most : sizes[i];
        assert_round_trip(*state, (struct ses_slice){ bytes, len });
    }
}

static void many_keys_are_kept_apart(void **state)
{
    enum { KEYS = 3000 };
    struct fixture *f = *state;
    static struct ses_key keys[KEYS];
    static uint64_t versions[KEYS];
    char text[16];

    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        keys[i] = new_key();
        versions[i] = put(f, &keys[i], text);
    }
    for (int i = 0; i < KEYS; i += 3)
        assert_ok(store_destroy(f->store, &keys[i], f->now));
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        if (i % 3 == 0)
            assert_absent(f, &keys[i]);
        else
            assert_loads(f, &keys[i], text, versions[i], f->now + LIFE_MS);
    }
    for (int i = 0; i < KEYS; i++)
        assert_ok(store_destroy(f->store, &keys[i], f->now));
}

static void keys_that_differ_in_one_bit_are_different(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    for (size_t bit = 0; bit < SES_KEY_BYTES * 8; bit++) {
        struct ses_key other = key;
        other.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_absent(f, &other);
        (void)put(f, &other, "beta");
        assert_ok(store_destroy(f->store, &other, f->now));
    }
    assert_loads(f, &key, "alpha", version, f->now + LIFE_MS);
}

static void bytes_that_were_loaded_outlive_record_and_store(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    struct store *second = open_store(f->subject);
    struct ses_record record = { 0 }, other = make_record(SLICE("gamma"), f->now + LIFE_MS);
    assert_ok(store_load(f->store, &key, f->now, &record));

    struct ses_key elsewhere = new_key();
    struct ses_record loaded = { 0 };
    assert_ok(store_create(second, &elsewhere, f->now, NULL, &other));
    assert_ok(store_load(second, &elsewhere, f->now, &loaded));
    store_close(second);
    drop_record(&other);
    assert_memory_equal(ses_blob_bytes(loaded.data).data, "gamma", 5);
    drop_record(&loaded);

    assert_ok(save_as(f, &key, version, "beta", SES_KIND_SESSION));
    assert_ok(store_destroy(f->store, &key, f->now));
    assert_memory_equal(ses_blob_bytes(record.data).data, "alpha", 5);
    drop_record(&record);
}

/* ---- save ---- */

static void save_replaces_bytes_version_expiry_and_kind(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    struct ses_record loaded = { 0 }, winner = { 0 };
    struct ses_record next = make_record(SLICE("a longer text"), f->now + LIFE_MS + 5000);
    next.kind = SES_KIND_MOVED;
    assert_ok(store_save(f->store, &key, f->now, version, &next, &winner));
    assert_null(winner.data);
    assert_loads(f, &key, "a longer text", next.version, next.expires_ms);
    assert_ok(store_load(f->store, &key, f->now, &loaded));
    assert_int_equal(loaded.kind, SES_KIND_MOVED);
    drop_record(&loaded);
    drop_record(&next);
}

static void save_may_move_the_expiry_back(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    struct ses_record winner = { 0 }, next = make_record(SLICE("beta"), f->now + 2000);
    assert_ok(store_save(f->store, &key, f->now, version, &next, &winner));
    drop_record(&next);
    assert_loads(f, &key, "beta", next.version, f->now + 2000);
    pass_until(f, f->now + 2000);
    assert_absent(f, &key);
}

static void stale_save_conflicts_changes_nothing_and_hands_back_the_winner(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t first = put(f, &key, "alpha");
    struct ses_record winner = { 0 },
                      second = make_record(SLICE("the winner"), f->now + LIFE_MS + 1);
    second.kind = SES_KIND_DEAD;
    assert_ok(store_save(f->store, &key, f->now, first, &second, &winner));

    struct ses_record late = make_record(SLICE("late"), f->now + LIFE_MS + 9000);
    assert_code(store_save(f->store, &key, f->now, first, &late, &winner), SES_ERR_CONFLICT);
    assert_int_equal(winner.version, second.version);
    assert_int_equal(winner.expires_ms, second.expires_ms);
    assert_int_equal(winner.kind, SES_KIND_DEAD);
    assert_int_equal(ses_blob_bytes(winner.data).len, strlen("the winner"));
    assert_memory_equal(ses_blob_bytes(winner.data).data, "the winner", strlen("the winner"));
    assert_loads(f, &key, "the winner", second.version, second.expires_ms);
    drop_record(&winner);
    drop_record(&second);
    drop_record(&late);
}

static void save_of_an_unknown_key_is_not_found_and_creates_nothing(void **state)
{
    const struct ses_key key = new_key();
    assert_code(save_as(*state, &key, new_version(), "alpha", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    assert_absent(*state, &key);
}

/* ---- touch ---- */

static void touch_moves_the_expiry_forward_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const int64_t start = f->now;
    const uint64_t version = put_until(f, &key, "alpha", start + 2000);
    assert_ok(store_touch(f->store, &key, f->now, version, start + LIFE_MS));
    assert_loads(f, &key, "alpha", version, start + LIFE_MS);
    pass_until(f, start + 2000);
    assert_loads(f, &key, "alpha", version, start + LIFE_MS);
    assert_ok(save_as(f, &key, version, "beta", SES_KIND_SESSION));
}

static void touch_never_moves_the_expiry_back(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    assert_ok(store_touch(f->store, &key, f->now, version, f->now + LIFE_MS - 1));
    assert_ok(store_touch(f->store, &key, f->now, version, f->now - 1));
    assert_loads(f, &key, "alpha", version, f->now + LIFE_MS);
}

static void touch_of_another_version_conflicts_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    assert_code(store_touch(f->store, &key, f->now, version + 1, f->now + 2 * LIFE_MS),
                SES_ERR_CONFLICT);
    assert_code(store_touch(f->store, &key, f->now, version + 1, f->now + 1), SES_ERR_CONFLICT);
    assert_loads(f, &key, "alpha", version, f->now + LIFE_MS);
}

static void touch_of_an_unknown_key_is_not_found(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    assert_code(store_touch(f->store, &key, f->now, new_version(), f->now + LIFE_MS),
                SES_ERR_NOT_FOUND);
    assert_absent(f, &key);
}

/* ---- destroy ---- */

static void destroy_is_done_also_when_there_is_nothing(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    assert_ok(store_destroy(f->store, &key, f->now));
    (void)put(f, &key, "alpha");
    assert_ok(store_destroy(f->store, &key, f->now));
    assert_absent(f, &key);
    assert_ok(store_destroy(f->store, &key, f->now));
}

static void destroyed_record_is_not_brought_back_by_save_or_touch(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    assert_ok(store_destroy(f->store, &key, f->now));
    assert_code(save_as(f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    assert_code(store_touch(f->store, &key, f->now, version, f->now + LIFE_MS), SES_ERR_NOT_FOUND);
    assert_absent(f, &key);
}

static void recreated_record_never_matches_a_save_of_its_predecessor(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t first = put(f, &key, "alpha");
    assert_ok(store_destroy(f->store, &key, f->now));
    const uint64_t second = put(f, &key, "beta");
    assert_code(save_as(f, &key, first, "stale", SES_KIND_SESSION), SES_ERR_CONFLICT);
    assert_code(store_touch(f->store, &key, f->now, first, f->now + 2 * LIFE_MS), SES_ERR_CONFLICT);
    assert_loads(f, &key, "beta", second, f->now + LIFE_MS);
}

/* ---- expiry ---- */

static void record_is_alive_until_the_millisecond_before_its_expiry(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const int64_t end = f->now + 2000;
    const uint64_t version = put_until(f, &key, "alpha", end);
    f->now = end - 1;
    assert_loads(f, &key, "alpha", version, end);
    f->now = end;
    assert_absent(f, &key);
}

static void load_never_extends(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const int64_t end = f->now + 2000;
    const uint64_t version = put_until(f, &key, "alpha", end);
    for (int i = 0; i < 10; i++)
        assert_loads(f, &key, "alpha", version, end);
    pass_until(f, end);
    assert_absent(f, &key);
}

static void expired_record_counts_as_absent_in_every_operation(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const int64_t end = f->now + 2000;
    const uint64_t version = put_until(f, &key, "alpha", end);
    pass_until(f, end);
    assert_absent(f, &key);
    assert_code(store_touch(f->store, &key, f->now, version, f->now + LIFE_MS), SES_ERR_NOT_FOUND);
    assert_code(save_as(f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    assert_code(save_as(f, &key, new_version(), "beta", SES_KIND_SESSION), SES_ERR_NOT_FOUND);
    assert_absent(f, &key);
    assert_ok(store_destroy(f->store, &key, f->now));
}

static void expired_record_gives_way_to_a_new_one(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const int64_t end = f->now + 2000;
    const uint64_t first = put_until(f, &key, "alpha", end);
    pass_until(f, end);
    const uint64_t second = put(f, &key, "beta");
    assert_loads(f, &key, "beta", second, f->now + LIFE_MS);
    assert_code(save_as(f, &key, first, "stale", SES_KIND_SESSION), SES_ERR_CONFLICT);
    assert_loads(f, &key, "beta", second, f->now + LIFE_MS);
}

/* ---- gc ---- */

/* To the end of a turn. @return how many were removed. */
static uint64_t collect(struct fixture *f, uint32_t budget)
{
    struct ses_gc_step step;
    uint64_t removed = 0, steps = 0;
    do {
        assert_ok(store_gc(f->store, f->now, budget, &step));
        removed += step.removed;
        assert_true(++steps < 1000000);
    } while (step.more);
    return removed;
}

static void gc_removes_the_expired_and_nothing_else(void **state)
{
    enum { EACH = 40 };
    struct fixture *f = *state;
    const int64_t end = f->now + 2000, start = f->now;
    struct ses_key brief[EACH], lasting[EACH];
    uint64_t versions[EACH];
    for (int i = 0; i < EACH; i++) {
        brief[i] = new_key();
        lasting[i] = new_key();
        (void)put_until(f, &brief[i], "brief", end);
        versions[i] = put_until(f, &lasting[i], "lasting", start + LIFE_MS);
    }
    if (!f->subject->shared)
        assert_int_equal(collect(f, 16), 0);
    pass_until(f, end);
    const uint64_t removed = collect(f, 16);
    if (!(f->subject->ops->flags & SES_PROVIDER_EXPIRES))
        assert_true(f->subject->shared ? removed >= EACH : removed == EACH);
    for (int i = 0; i < EACH; i++) {
        assert_absent(f, &brief[i]);
        assert_loads(f, &lasting[i], "lasting", versions[i], start + LIFE_MS);
    }
    if (!f->subject->shared)
        assert_int_equal(collect(f, 16), 0);
}

static void gc_spares_what_was_touched_or_saved_since(void **state)
{
    struct fixture *f = *state;
    const int64_t start = f->now, end = start + 2000;
    const struct ses_key touched = new_key(), saved = new_key();
    const uint64_t first = put_until(f, &touched, "alpha", end);
    const uint64_t second = put_until(f, &saved, "beta", end);
    assert_ok(store_touch(f->store, &touched, f->now, first, start + LIFE_MS));
    assert_ok(save_as(f, &saved, second, "gamma", SES_KIND_SESSION));
    pass_until(f, end);
    (void)collect(f, 16);
    assert_loads(f, &touched, "alpha", first, start + LIFE_MS);
    assert_code(save_as(f, &saved, second, "stale", SES_KIND_SESSION), SES_ERR_CONFLICT);
}

static void gc_works_within_its_budget(void **state)
{
    enum { RECORDS = 100, BUDGET = 10 };
    struct fixture *f = *state;
    const int64_t end = f->now + 2000;
    for (int i = 0; i < RECORDS; i++) {
        const struct ses_key key = new_key();
        (void)put_until(f, &key, "brief", end);
    }
    pass_until(f, end);
    struct ses_gc_step step;
    uint64_t removed = 0;
    do {
        assert_ok(store_gc(f->store, f->now, BUDGET, &step));
        assert_true(step.removed <= BUDGET);
        removed += step.removed;
    } while (step.more);
    assert_true(removed >= RECORDS);
}

/* ---- the store ---- */

static void stores_share_their_records_or_are_independent_as_declared(void **state)
{
    struct fixture *f = *state;
    struct store *second = open_store(f->subject);
    const struct ses_key key = new_key();
    struct ses_record record = { 0 };
    (void)put(f, &key, "alpha");
    assert_code(store_load(second, &key, f->now, &record),
                f->subject->shared ? SES_OK : SES_ERR_NOT_FOUND);
    drop_record(&record);
    assert_ok(store_destroy(second, &key, f->now));
    assert_code(store_load(f->store, &key, f->now, &record),
                f->subject->shared ? SES_ERR_NOT_FOUND : SES_OK);
    drop_record(&record);
    store_close(second);
}

static void store_that_is_open_answers_a_ping(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_ping(f->store));
}

const struct CMUnitTest conformance_records[] = {
    CASE(load_of_an_unknown_key_is_not_found),
    CASE(created_record_loads_back_with_all_its_members),
    CASE(create_of_a_taken_key_exists_and_changes_nothing),
    CASE(create_where_a_marker_is_alive_exists),
    CASE(records_of_any_size_and_bytes_come_back),
    CASE(many_keys_are_kept_apart),
    CASE(keys_that_differ_in_one_bit_are_different),
    CASE(bytes_that_were_loaded_outlive_record_and_store),
    CASE(save_replaces_bytes_version_expiry_and_kind),
    CASE(save_may_move_the_expiry_back),
    CASE(stale_save_conflicts_changes_nothing_and_hands_back_the_winner),
    CASE(save_of_an_unknown_key_is_not_found_and_creates_nothing),
    CASE(touch_moves_the_expiry_forward_and_nothing_else),
    CASE(touch_never_moves_the_expiry_back),
    CASE(touch_of_another_version_conflicts_and_changes_nothing),
    CASE(touch_of_an_unknown_key_is_not_found),
    CASE(destroy_is_done_also_when_there_is_nothing),
    CASE(destroyed_record_is_not_brought_back_by_save_or_touch),
    CASE(recreated_record_never_matches_a_save_of_its_predecessor),
    CASE_FOR(record_is_alive_until_the_millisecond_before_its_expiry, NEEDS_OUR_CLOCK),
    CASE(load_never_extends),
    CASE(expired_record_counts_as_absent_in_every_operation),
    CASE(expired_record_gives_way_to_a_new_one),
    CASE(gc_removes_the_expired_and_nothing_else),
    CASE(gc_spares_what_was_touched_or_saved_since),
    CASE_FOR(gc_works_within_its_budget, NEEDS_GC),
    CASE(stores_share_their_records_or_are_independent_as_declared),
    CASE(store_that_is_open_answers_a_ping),
    { 0 },
};
