/* SPDX-License-Identifier: MIT */
/* What is the memory provider's own: its limits, its collector, its size. */
#include "provider/fixture.h"

#include "memory/state.h"

#include <malloc.h>

extern const struct ses_provider_ops ses_provider_memory;

enum { TICK_MS = 1 << WHEEL_TICK_BITS };

static int64_t max_records, max_bytes;
static int when_full;

static void write_settings(void *instance)
{
    struct memory *memory = instance;
    memory->max_records = max_records;
    memory->max_bytes = max_bytes;
    memory->when_full = when_full;
}

static const struct ses_conformance subject = {
    .size = sizeof subject,
    .ops = &ses_provider_memory,
    .settings = write_settings,
};

/* Opens the store anew with these settings. */
static void limit(struct fixture *f, int64_t records, int64_t bytes, int full)
{
    max_records = records;
    max_bytes = bytes;
    when_full = full;
    store_close(f->store);
    f->store = open_store(f->subject);
    max_records = max_bytes = when_full = 0;
}

static int try_put(struct fixture *f, const struct ses_key *key, size_t bytes, int64_t expires_ms)
{
    static const unsigned char zeros[4096];
    struct ses_record record = make_record((struct ses_slice){ zeros, bytes }, expires_ms);
    int r = store_create(f->store, key, f->now, NULL, &record);
    drop_record(&record);
    return r;
}

static int try_grow(struct fixture *f, const struct ses_key *key, size_t bytes, enum ses_kind kind)
{
    static const unsigned char zeros[4096];
    struct ses_record old = { 0 }, winner = { 0 };
    assert_ok(store_load(f->store, key, f->now, &old));
    struct ses_record record = make_record((struct ses_slice){ zeros, bytes }, f->now + LIFE_MS);
    record.kind = kind;
    int r = store_save(f->store, key, f->now, old.version, &record, &winner);
    drop_record(&old);
    drop_record(&record);
    return r;
}

static bool is_there(struct fixture *f, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    int r = store_load(f->store, key, f->now, &record);
    drop_record(&record);
    return r == SES_OK;
}

/* ---- opening ---- */

static void note_line(void *arg, enum ses_log_level level, const char *message)
{
    char *line = arg;
    assert_int_equal(level, SES_LOG_ERROR);
    (void)strncpy(line, message, 99);
}

static void provider_config_is_refused_with_one_clear_line(void **state)
{
    (void)state;
    char line[100] = "";
    const struct store_hooks hooks = { .log = note_line, .log_arg = line };
    struct store *store = NULL;
    assert_ok(store_prepare(&ses_provider_memory, &hooks, &store));
    assert_code(store_open(store, "./tmp"), SES_ERR_INVALID);
    assert_string_equal(line, "memory: ProviderConfig must be empty or left out");
    store_close(store);
}

static void empty_store_takes_less_than_200_kilobytes(void **state)
{
    (void)state;
    const size_t before = mallinfo2().uordblks;
    struct store *store = open_store(&subject);
    const size_t taken = mallinfo2().uordblks - before;
    assert_true(taken < 200000);
    store_close(store);
}

/* ---- refusing ---- */

static void store_with_a_limit_of_records_refuses_one_more(void **state)
{
    struct fixture *f = *state;
    const struct ses_key first = new_key(), second = new_key(), third = new_key();
    limit(f, 2, 0, REFUSE);
    (void)put(f, &first, "alpha");
    const uint64_t version = put(f, &second, "beta");
    assert_code(try_put(f, &third, 1, f->now + LIFE_MS), SES_ERR_FULL);
    assert_code(try_put(f, &first, 1, f->now + LIFE_MS), SES_ERR_EXISTS);
    assert_false(is_there(f, &third));
    assert_ok(save_as(f, &second, version, "a change still passes", SES_KIND_SESSION));
    assert_ok(store_destroy(f->store, &first, f->now));
    assert_ok(try_put(f, &third, 1, f->now + LIFE_MS));
    assert_code(try_put(f, &first, 1, f->now + LIFE_MS), SES_ERR_FULL);
}

static void store_with_a_limit_of_bytes_refuses_what_is_over_it(void **state)
{
    struct fixture *f = *state;
    const struct ses_key first = new_key(), second = new_key();
    limit(f, 0, 2 * (100 + RECORD_OVERHEAD), REFUSE);
    assert_code(try_put(f, &first, 2 * (100 + RECORD_OVERHEAD), f->now + LIFE_MS), SES_ERR_FULL);
    assert_ok(try_put(f, &first, 100, f->now + LIFE_MS));
    assert_code(try_put(f, &second, 101, f->now + LIFE_MS), SES_ERR_FULL);
    assert_ok(try_put(f, &second, 100, f->now + LIFE_MS));
    assert_code(try_grow(f, &first, 101, SES_KIND_SESSION), SES_ERR_FULL);
    assert_ok(try_grow(f, &first, 90, SES_KIND_SESSION));
    assert_ok(try_grow(f, &second, 110, SES_KIND_SESSION));
    assert_code(try_grow(f, &second, 111, SES_KIND_SESSION), SES_ERR_FULL);
}

static void full_store_always_takes_a_marker(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key(), other = new_key();
    limit(f, 0, 100 + RECORD_OVERHEAD, REFUSE);
    assert_ok(try_put(f, &key, 100, f->now + LIFE_MS));
    assert_code(try_grow(f, &key, 120, SES_KIND_SESSION), SES_ERR_FULL);
    assert_ok(try_grow(f, &key, 120, SES_KIND_DEAD));
    assert_ok(try_grow(f, &key, 130, SES_KIND_MOVED));
    assert_ok(store_destroy(f->store, &key, f->now));
    assert_ok(try_put(f, &other, 100, f->now + LIFE_MS)); /* all of it was given back */
}

static void create_that_fails_takes_no_room(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), first = new_key(), second = new_key(), third = new_key();
    limit(f, 2, 0, REFUSE);
    assert_ok(create_owned(f, &first, &user, 1));
    for (int i = 0; i < 5; i++) {
        assert_code(create_owned(f, &second, &user, 1), SES_ERR_DENIED);
        assert_code(create_owned(f, &first, &user, 0), SES_ERR_EXISTS);
    }
    assert_ok(create_owned(f, &second, &user, 2));
    assert_code(create_owned(f, &third, &user, 3), SES_ERR_FULL);
    struct sighting sighting = { .key = &third };
    assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.seen, 0);
    assert_int_equal(sighting.others, 2);
}

static void create_that_is_over_one_limit_takes_nothing_of_the_other(void **state)
{
    struct fixture *f = *state;
    const struct ses_key first = new_key(), second = new_key();
    limit(f, 2, 200 + 2 * RECORD_OVERHEAD, REFUSE);
    assert_ok(try_put(f, &first, 100, f->now + LIFE_MS));
    for (int i = 0; i < 5; i++)
        assert_code(try_put(f, &second, 101, f->now + LIFE_MS), SES_ERR_FULL);
    assert_ok(try_put(f, &second, 100, f->now + LIFE_MS));
}

static void user_without_sessions_is_forgotten(void **state)
{
    struct fixture *f = *state;
    const struct memory *memory = store_instance(f->store);
    for (int i = 0; i < 1000; i++) {
        const struct ses_key user = new_key(), key = new_key();
        assert_ok(create_owned(f, &key, &user, 1));
        assert_ok(store_destroy(f->store, &key, f->now));
    }
    for (int g = 0; g < USER_GROUPS; g++)
        assert_int_equal(memory->users->groups[g].count, 0);
}

static void full_store_reclaims_what_has_expired_before_it_refuses(void **state)
{
    struct fixture *f = *state;
    limit(f, 50, 0, REFUSE);
    for (int i = 0; i < 50; i++) {
        const struct ses_key key = new_key();
        assert_ok(try_put(f, &key, 10, f->now + 2000));
    }
    f->now += 2000;
    for (int i = 0; i < 50; i++) {
        const struct ses_key key = new_key();
        assert_ok(try_put(f, &key, 10, f->now + LIFE_MS));
    }
    const struct ses_key key = new_key();
    assert_code(try_put(f, &key, 10, f->now + LIFE_MS), SES_ERR_FULL);
}

/* ---- evicting ---- */

static void evicting_store_removes_the_least_recently_used(void **state)
{
    enum { KEYS = 40, USED = 4 };
    struct fixture *f = *state;
    struct ses_key keys[KEYS], fresh;
    uint64_t versions[KEYS];
    limit(f, KEYS, 0, EVICT);
    for (int i = 0; i < KEYS; i++) {
        keys[i] = new_key();
        versions[i] = put(f, &keys[i], "alpha");
    }
    /* The oldest four are used again, in this order and each in another way. */
    assert_true(is_there(f, &keys[2]));
    assert_ok(store_touch(f->store, &keys[0], f->now, versions[0], f->now + 2 * LIFE_MS));
    assert_ok(save_as(f, &keys[3], versions[3], "beta", SES_KIND_SESSION));
    assert_true(is_there(f, &keys[1]));

    static const int then[] = { 2, 0, 3, 1 };
    struct memory *memory = store_instance(f->store);
    for (int n = 0; n < KEYS; n++) {
        const int victim = n < KEYS - USED ? n + USED : then[n - (KEYS - USED)];
        /* Not through load, which would be a use. */
        const struct shard *shard = memory_shard(memory, &keys[victim]);
        assert_int_not_equal(table_find(&shard->table, &shard->pool, &keys[victim]), NO_ENTRY);
        fresh = new_key();
        (void)put(f, &fresh, "gamma");
        assert_int_equal(table_find(&shard->table, &shard->pool, &keys[victim]), NO_ENTRY);
    }
    uint64_t count = 0;
    assert_ok(store_count(f->store, f->now, &count));
    assert_int_equal(count, KEYS);
}

static void save_that_grows_evicts_others_and_never_itself(void **state)
{
    struct fixture *f = *state;
    const struct ses_key first = new_key(), second = new_key(), third = new_key();
    limit(f, 0, 3 * (100 + RECORD_OVERHEAD), EVICT);
    assert_ok(try_put(f, &first, 100, f->now + LIFE_MS));
    assert_ok(try_put(f, &second, 100, f->now + LIFE_MS));
    assert_ok(try_put(f, &third, 100, f->now + LIFE_MS));
    assert_ok(try_grow(f, &first, 150, SES_KIND_SESSION)); /* the oldest, until now */
    assert_true(is_there(f, &first));
    assert_false(is_there(f, &second));
    assert_true(is_there(f, &third));
    assert_ok(try_grow(f, &first, 2 * RECORD_OVERHEAD + 300, SES_KIND_SESSION));
    assert_false(is_there(f, &third));
    assert_code(try_grow(f, &first, 2 * RECORD_OVERHEAD + 301, SES_KIND_SESSION), SES_ERR_FULL);
    assert_true(is_there(f, &first));
}

static void record_larger_than_the_store_evicts_nobody(void **state)
{
    struct fixture *f = *state;
    const struct ses_key first = new_key(), second = new_key();
    limit(f, 0, 1000, EVICT);
    assert_ok(try_put(f, &first, 100, f->now + LIFE_MS));
    assert_code(try_put(f, &second, 1001, f->now + LIFE_MS), SES_ERR_FULL);
    assert_true(is_there(f, &first));
}

static void evicted_session_leaves_its_users_list(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), first = new_key(), second = new_key();
    limit(f, 1, 0, EVICT);
    assert_ok(create_owned(f, &first, &user, 1));
    assert_code(create_owned(f, &second, &user, 1), SES_ERR_DENIED);
    assert_true(is_there(f, &first));
    assert_ok(create_owned(f, &second, &user, 2));
    struct sighting sighting = { .key = &second };
    assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.seen, 1);
    assert_int_equal(sighting.others, 0);
}

struct writer {
    struct fixture *f;
    uint64_t most;
    uint32_t refused, too_many;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < 3000; i++) {
        const struct ses_key key = new_key();
        uint64_t bytes = 0;
        struct ses_record record = { ses_blob_new((struct ses_slice){ &bytes, sizeof bytes }), 1,
                                     w->f->now + LIFE_MS, SES_KIND_SESSION };
        int r = store_create(w->f->store, &key, w->f->now, NULL, &record);
        (void)ses_blob_unref(record.data);
        w->refused += r != SES_OK;
        const struct memory *memory = store_instance(w->f->store);
        w->too_many += atomic_load(&memory->room.records) > w->most;
    }
    return NULL;
}

static void assert_limit_holds(struct fixture *f, uint64_t most)
{
    struct writer writers[4];
    limit(f, (int64_t)most, 0, EVICT);
    for (int i = 0; i < 4; i++)
        writers[i] = (struct writer){ .f = f, .most = most };
    run_together(write_many, writers, sizeof *writers, 4);
    uint64_t count = 0;
    assert_ok(store_count(f->store, f->now, &count));
    assert_int_equal(count, most);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(writers[i].refused, 0);
        assert_int_equal(writers[i].too_many, 0);
    }
}

static void limits_hold_while_many_write_at_once(void **state)
{
    assert_limit_holds(*state, 100);
}

/* What one is about to evict another has just evicted, nearly always. */
static void limit_of_few_holds_while_many_write_at_once(void **state)
{
    assert_limit_holds(*state, 4);
}

/* ---- the table ---- */

/* In which bucket, counted from its home, the entry is. */
static uint32_t distance_of(const struct table *table, const struct ses_key *key, uint32_t index)
{
    uint32_t b = table_home(table, key);
    for (uint32_t d = 0; d < table->size; d++, b = table_after(table, b)) {
        const struct bucket *bucket = &table->buckets[b];
        for (uint32_t i = 0; i < (bucket->load & 15); i++) {
            if (bucket->slots[i] >> 8 == index)
                return d;
        }
    }
    fail_msg("an entry is not in its table");
    return 0;
}

static uint64_t passes_noted(const struct table *table)
{
    uint64_t passes = 0;
    for (uint32_t b = 0; b < table->size; b++)
        passes += table->buckets[b].load >> 4;
    return passes;
}

static void deletions_leave_no_trace_in_the_table(void **state)
{
    enum { MANY = 3000 };
    static struct ses_key keys[MANY];
    struct fixture *f = *state;
    struct memory *memory = store_instance(f->store);
    const struct shard *shard = &memory->shards[0];
    uint64_t most = 0;

    for (int i = 0; i < MANY; i++) {
        keys[i] = new_key();
        keys[i].bytes[0] = 0; /* all in one shard */
        (void)put(f, &keys[i], "x");
        const uint64_t passes = passes_noted(&shard->table);
        most = passes > most ? passes : most;
    }
    assert_true(most > 0);
    for (int i = 0; i < MANY; i++) {
        if (i % 7 > 0)
            assert_ok(store_destroy(f->store, &keys[i], f->now));
        if (i % 100 > 0)
            continue;
        uint64_t passes = 0;
        const struct pool *pool = &shard->pool;
        for (uint32_t e = entry_pool_next(pool, 0); e != NO_ENTRY; e = entry_pool_next(pool, e))
            passes += distance_of(&shard->table, &entry_pool_at(pool, e)->key, e);
        assert_int_equal(passes_noted(&shard->table), passes);
    }
}

/* ---- the collector ---- */

struct turn {
    uint64_t steps;
    uint64_t removed;
};

static struct turn collect(struct fixture *f, uint32_t budget)
{
    struct turn turn = { 0 };
    struct ses_gc_step step;
    do {
        assert_ok(store_gc(f->store, f->now, budget, &step));
        assert_true(step.removed <= budget);
        turn.steps++;
        turn.removed += step.removed;
    } while (step.more);
    return turn;
}

static void put_many(struct fixture *f, uint32_t count, int64_t expires_ms)
{
    struct ses_record record = make_record(SLICE("x"), expires_ms);
    for (uint32_t i = 0; i < count; i++) {
        const struct ses_key key = new_key();
        assert_ok(store_create(f->store, &key, f->now, NULL, &record));
    }
    drop_record(&record);
}

static void half_a_million_expire_in_bounded_steps_and_give_their_memory_back(void **state)
{
    enum { MANY = 500000, BUDGET = 1000 };
    struct fixture *f = *state;
    const size_t before = mallinfo2().uordblks;
    const int64_t end = f->now + LIFE_MS;
    put_many(f, MANY, end);
    f->now = end - 1;
    assert_int_equal(collect(f, BUDGET).removed, 0);
    f->now = end;
    const struct turn turn = collect(f, BUDGET);
    assert_int_equal(turn.removed, MANY);
    assert_true(turn.steps <= MANY / BUDGET + 1);
    uint64_t count = 1;
    assert_ok(store_count(f->store, f->now, &count));
    assert_int_equal(count, 0);
    assert_true(mallinfo2().uordblks < before + 1000000); /* of 60 million */
}

static void cost_of_expiry_does_not_depend_on_how_many_live(void **state)
{
    enum { LIVE = 50000, EXPIRING = 100 };
    struct fixture *f = *state;
    const int64_t end = f->now + 10 * TICK_MS;
    put_many(f, LIVE, f->now + 100 * TICK_MS);
    put_many(f, EXPIRING, end);
    (void)collect(f, 1000);
    f->now = end;
    const struct turn turn = collect(f, 1); /* a step looks at one entry */
    assert_int_equal(turn.removed, EXPIRING);
    assert_true(turn.steps <= EXPIRING + 1);
}

static void session_that_is_touched_all_the_time_costs_a_look_per_turn_of_the_wheel(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put_until(f, &key, "alpha", f->now + 10 * TICK_MS);
    uint64_t steps = 0;
    for (int i = 0; i < 1000; i++) {
        f->now += TICK_MS;
        assert_ok(store_touch(f->store, &key, f->now, version, f->now + 10 * TICK_MS));
        steps += collect(f, 1).steps; /* one, and another for an entry beyond the budget */
    }
    assert_true(steps <= 1000 + 1000 / 10 + 1);
    assert_true(is_there(f, &key));
    f->now += 10 * TICK_MS;
    assert_int_equal(collect(f, 1).removed, 1);
}

static void turn_of_small_steps_ends_although_the_clock_runs(void **state)
{
    struct fixture *f = *state;
    f->now -= f->now % TICK_MS; /* a tick that lasts longer than the turn */
    put_many(f, 2000, f->now + TICK_MS - 1);
    struct ses_gc_step step;
    uint32_t steps = 0;
    do {
        assert_ok(store_gc(f->store, f->now++, 3, &step));
        assert_int_equal(step.removed, 0);
        assert_true(++steps < 2000);
    } while (step.more);
}

static void what_expires_after_the_collector_came_by_is_collected_in_the_next_tick(void **state)
{
    struct fixture *f = *state;
    f->now -= f->now % TICK_MS;
    put_many(f, 5, f->now + TICK_MS - 1);
    f->now += 100;
    assert_int_equal(collect(f, 10).removed, 0);
    f->now += TICK_MS;
    assert_int_equal(collect(f, 10).removed, 5);
}

static void save_that_shortens_a_life_is_collected_in_time(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put_until(f, &key, "alpha", f->now + 200 * TICK_MS);
    struct ses_record winner = { 0 }, next = make_record(SLICE("beta"), f->now + 3 * TICK_MS);
    (void)collect(f, 100);
    assert_ok(store_save(f->store, &key, f->now, version, &next, &winner));
    drop_record(&next);
    f->now += 3 * TICK_MS;
    assert_int_equal(collect(f, 100).removed, 1);
}

static void clock_that_jumps_forward_loses_nothing_and_collects_all(void **state)
{
    struct fixture *f = *state;
    const int64_t start = f->now;
    for (int i = 0; i < 600; i++) /* more than twice around the wheel */
        put_many(f, 1, start + (int64_t)(i + 1) * TICK_MS);
    (void)collect(f, 1000);
    f->now = start + (int64_t)300 * TICK_MS;
    assert_int_equal(collect(f, 10).removed, 300);
    f->now = start + (int64_t)100000 * TICK_MS;
    assert_int_equal(collect(f, 10).removed, 300);
}

static void clock_that_jumps_back_loses_nothing_and_collects_all(void **state)
{
    struct fixture *f = *state;
    const int64_t start = f->now;
    f->now = start + (int64_t)5000 * TICK_MS;
    (void)collect(f, 100);
    f->now = start; /* the clock had been wrong */
    for (int i = 0; i < 300; i++)
        put_many(f, 1, start + (int64_t)(i + 1) * TICK_MS);
    uint64_t removed = 0;
    for (int i = 1; i <= 300; i++) {
        f->now = start + (int64_t)i * TICK_MS;
        removed += collect(f, 10).removed;
        assert_int_equal(removed, i);
    }
}

static void expiry_at_the_end_of_time_is_never_reached(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    (void)put_until(f, &key, "alpha", INT64_MAX);
    f->now += (int64_t)1000 * 365 * 86400 * 1000;
    assert_int_equal(collect(f, 10).removed, 0);
    assert_true(is_there(f, &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(provider_config_is_refused_with_one_clear_line),
        CASE(empty_store_takes_less_than_200_kilobytes),
        CASE(store_with_a_limit_of_records_refuses_one_more),
        CASE(store_with_a_limit_of_bytes_refuses_what_is_over_it),
        CASE(full_store_always_takes_a_marker),
        CASE(create_that_fails_takes_no_room),
        CASE(create_that_is_over_one_limit_takes_nothing_of_the_other),
        CASE(user_without_sessions_is_forgotten),
        CASE(full_store_reclaims_what_has_expired_before_it_refuses),
        CASE(evicting_store_removes_the_least_recently_used),
        CASE(save_that_grows_evicts_others_and_never_itself),
        CASE(record_larger_than_the_store_evicts_nobody),
        CASE(evicted_session_leaves_its_users_list),
        CASE(limits_hold_while_many_write_at_once),
        CASE(limit_of_few_holds_while_many_write_at_once),
        CASE(deletions_leave_no_trace_in_the_table),
        CASE(half_a_million_expire_in_bounded_steps_and_give_their_memory_back),
        CASE(cost_of_expiry_does_not_depend_on_how_many_live),
        CASE(session_that_is_touched_all_the_time_costs_a_look_per_turn_of_the_wheel),
        CASE(turn_of_small_steps_ends_although_the_clock_runs),
        CASE(what_expires_after_the_collector_came_by_is_collected_in_the_next_tick),
        CASE(save_that_shortens_a_life_is_collected_in_time),
        CASE(clock_that_jumps_forward_loses_nothing_and_collects_all),
        CASE(clock_that_jumps_back_loses_nothing_and_collects_all),
        CASE(expiry_at_the_end_of_time_is_never_reached),
    };
    fixture_subject = &subject;
    return cmocka_run_group_tests_name("memory limits", tests, NULL, NULL);
}
