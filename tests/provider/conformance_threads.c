/* SPDX-License-Identifier: MIT */
#include "provider/fixture.h"

#include <sched.h>

/*
 * What must hold when many do it at once. cmocka's assertions belong to the main thread: the others
 * count what went wrong, and it looks afterwards.
 */

enum { THREADS = 4, ROUNDS = 2000 };

struct worker {
    struct fixture *f;
    const struct ses_key *keys;
    const struct ses_key *user;
    uint32_t number;
    uint32_t rounds;
    uint32_t won;
    uint32_t wrong;
};

static void start_workers(struct worker *workers, struct fixture *f, const struct ses_key *keys,
                          uint32_t rounds)
{
    for (uint32_t i = 0; i < THREADS; i++)
        workers[i] = (struct worker){ .f = f, .keys = keys, .number = i, .rounds = rounds };
}

static uint32_t sum_won(const struct worker *workers)
{
    uint32_t won = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].wrong, 0);
        won += workers[i].won;
    }
    return won;
}

/* A record whose bytes are its version, so that a mixture of two is seen; not asserting. */
static struct ses_record stamped(int64_t expires_ms, uint64_t number)
{
    const uint64_t words[] = { new_version(), number };
    return (struct ses_record){ ses_blob_new((struct ses_slice){ words, sizeof words }), words[0],
                                expires_ms, SES_KIND_SESSION };
}

static bool read_stamped(const struct ses_record *record, uint64_t *ret_number)
{
    uint64_t words[2];
    const struct ses_slice bytes = ses_blob_bytes(record->data);
    if (bytes.len != sizeof words)
        return false;
    memcpy(words, bytes.data, sizeof words);
    *ret_number = words[1];
    return words[0] == record->version;
}

/* ---- one key ---- */

static void *increment(void *arg)
{
    struct worker *w = arg;
    const struct fixture *f = w->f;
    struct ses_record base = { 0 };
    w->wrong += store_load(f->store, w->keys, f->now, &base) != SES_OK;
    while (w->won < w->rounds && w->wrong == 0) {
        uint64_t number = 0;
        w->wrong += !read_stamped(&base, &number);
        struct ses_record winner = { 0 }, next = stamped(f->now + LIFE_MS, number + 1);
        int r = store_save(f->store, w->keys, f->now, base.version, &next, &winner);
        (void)ses_blob_unref(base.data);
        base = r == SES_OK ? next : winner;
        if (r == SES_ERR_CONFLICT)
            (void)ses_blob_unref(next.data);
        w->won += r == SES_OK;
        w->wrong += r != SES_OK && r != SES_ERR_CONFLICT;
    }
    (void)ses_blob_unref(base.data);
    return NULL;
}

static void parallel_increments_of_one_record_are_all_kept(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    struct ses_record record = stamped(f->now + LIFE_MS, 0);
    assert_ok(store_create(f->store, &key, f->now, NULL, &record));
    drop_record(&record);

    struct worker workers[THREADS];
    const uint32_t rounds = torture_rounds(f, ROUNDS) / THREADS + 1;
    start_workers(workers, f, &key, rounds);
    run_together(increment, workers, sizeof *workers, THREADS);

    uint64_t number = 0;
    assert_int_equal(sum_won(workers), rounds * THREADS);
    assert_ok(store_load(f->store, &key, f->now, &record));
    assert_true(read_stamped(&record, &number));
    assert_int_equal(number, rounds * THREADS);
    drop_record(&record);
}

static void *create_once(void *arg)
{
    struct worker *w = arg;
    const struct fixture *f = w->f;
    for (uint32_t i = 0; i < w->rounds; i++) {
        struct ses_record record = stamped(f->now + LIFE_MS, w->number);
        int r = store_create(f->store, &w->keys[i], f->now, NULL, &record);
        (void)ses_blob_unref(record.data);
        w->won += r == SES_OK;
        w->wrong += r != SES_OK && r != SES_ERR_EXISTS;
    }
    return NULL;
}

static void parallel_creates_of_one_key_have_one_winner(void **state)
{
    enum { KEYS = 500 };
    static struct ses_key keys[KEYS];
    for (int i = 0; i < KEYS; i++)
        keys[i] = new_key();
    struct worker workers[THREADS];
    start_workers(workers, *state, keys, KEYS);
    run_together(create_once, workers, sizeof *workers, THREADS);
    assert_int_equal(sum_won(workers), KEYS);
}

/* ---- destroy against save and touch ---- */

struct race {
    struct fixture *f;
    pthread_barrier_t *barrier;
    const struct ses_key *key;
    uint64_t version; /* of the record that stands at the start of a round */
    uint32_t rounds;
    uint32_t number;
    uint32_t wrong;
    const char *what; /* the last that went wrong, and its code */
    int code;
    struct race *first; /* who prepares the rounds */
};

static void expect(struct race *race, const char *what, bool right, int code)
{
    if (right)
        return;
    race->wrong++;
    race->what = what;
    race->code = code;
}

static void prepare_round(struct race *race)
{
    struct ses_record record = stamped(race->f->now + LIFE_MS, 0);
    const int r = store_create(race->f->store, race->key, race->f->now, NULL, &record);
    expect(race, "create", r == SES_OK, r);
    race->version = record.version;
    (void)ses_blob_unref(record.data);
}

static void save_or_touch(struct race *race)
{
    const struct fixture *f = race->f;
    const uint64_t version = race->first->version;
    if (race->number == 2) {
        int r = store_touch(f->store, race->key, f->now, version, f->now + 2 * LIFE_MS);
        expect(race, "touch", r == SES_OK || r == SES_ERR_NOT_FOUND || r == SES_ERR_CONFLICT, r);
        return;
    }
    struct ses_record winner = { 0 }, next = stamped(f->now + LIFE_MS, 1);
    int r = store_save(f->store, race->key, f->now, version, &next, &winner);
    expect(race, "save", r == SES_OK || r == SES_ERR_NOT_FOUND, r);
    (void)ses_blob_unref(winner.data);
    (void)ses_blob_unref(next.data);
}

static void look(struct race *race, const char *when)
{
    struct ses_record record = { 0 };
    const int r = store_load(race->f->store, race->key, race->f->now, &record);
    expect(race, when, r == SES_ERR_NOT_FOUND, r);
    (void)ses_blob_unref(record.data);
}

static void destroy(struct race *race)
{
    const int r = store_destroy(race->f->store, race->key, race->f->now);
    expect(race, "destroy", r == SES_OK, r);
    look(race, "load after destroy");
}

/* Thread 0 destroys, and looks at once; 1 saves, 2 touches; after them it looks again. */
static void *race_destroy(void *arg)
{
    struct race *race = arg;
    for (uint32_t round = 0; round < race->rounds; round++) {
        if (race->number == 0)
            prepare_round(race);
        (void)pthread_barrier_wait(race->barrier);
        if (race->number == 0)
            destroy(race);
        else
            save_or_touch(race);
        (void)pthread_barrier_wait(race->barrier);
        if (race->number == 0)
            look(race, "load after all");
    }
    return NULL;
}

static void destroy_wins_over_every_save_and_touch(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    struct race races[3];
    pthread_barrier_t barrier;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 3), 0);
    for (uint32_t i = 0; i < 3; i++)
        races[i] = (struct race){ .f = f,
                                  .barrier = &barrier,
                                  .key = &key,
                                  .number = i,
                                  .rounds = torture_rounds(f, ROUNDS),
                                  .first = races };
    run_together(race_destroy, races, sizeof *races, 3);
    (void)pthread_barrier_destroy(&barrier);
    for (uint32_t i = 0; i < 3; i++) {
        if (races[i].wrong > 0)
            fail_msg("%u times, at last %s answered %d", races[i].wrong, races[i].what,
                     races[i].code);
    }
}

/* ---- users ---- */

static void *create_for_user(void *arg)
{
    struct worker *w = arg;
    const struct fixture *f = w->f;
    for (uint32_t i = 0; i < w->rounds; i++) {
        const struct ses_owner owner = { *w->user, 5 };
        const struct ses_key key = new_key();
        struct ses_record record = stamped(f->now + LIFE_MS, 0);
        int r = store_create(f->store, &key, f->now, &owner, &record);
        (void)ses_blob_unref(record.data);
        w->won += r == SES_OK;
        w->wrong += r != SES_OK && r != SES_ERR_DENIED;
    }
    return NULL;
}

static void parallel_creates_reach_the_users_limit_and_not_more(void **state)
{
    struct fixture *f = *state;
    const uint32_t rounds = torture_rounds(f, ROUNDS) / 100 + 1;
    for (uint32_t round = 0; round < rounds; round++) {
        const struct ses_key user = new_key();
        struct worker workers[THREADS];
        start_workers(workers, f, NULL, 3);
        for (int i = 0; i < THREADS; i++)
            workers[i].user = &user;
        run_together(create_for_user, workers, sizeof *workers, THREADS);
        assert_int_equal(sum_won(workers), 5);
        struct sighting sighting = { .key = &user };
        assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
        assert_int_equal(sighting.others, 5);
    }
}

static atomic_bool churning;

/* Creates, logs out or ends sessions of the user until told to stop. */
static void churn(struct worker *w)
{
    const struct fixture *f = w->f;
    while (atomic_load(&churning)) {
        const struct ses_owner owner = { *w->user, 0 };
        const struct ses_key key = new_key();
        struct ses_record winner = { 0 }, record = stamped(f->now + LIFE_MS, 0);
        w->wrong += store_create(f->store, &key, f->now, &owner, &record) != SES_OK;
        const uint64_t first = record.version;
        record.version++;
        record.kind = SES_KIND_DEAD;
        if (w->number % 2)
            w->wrong += store_save(f->store, &key, f->now, first, &record, &winner) != SES_OK;
        w->wrong += store_destroy(f->store, &key, f->now) != SES_OK;
        (void)ses_blob_unref(record.data);
    }
}

static void watch(struct worker *w)
{
    const struct fixture *f = w->f;
    for (uint32_t i = 0; i < w->rounds; i++) {
        struct sighting listed = { .key = w->keys }, iterated = { .key = w->keys };
        if (f->subject->ops->list)
            w->wrong += store_list(f->store, w->user, f->now, note_sighting, &listed) != SES_OK ||
                        listed.seen != 1;
        if (f->subject->ops->iterate)
            w->wrong += store_iterate(f->store, f->now, note_sighting, &iterated) != SES_OK ||
                        iterated.seen != 1;
    }
    atomic_store(&churning, false);
}

static void *churn_or_watch(void *arg)
{
    struct worker *w = arg;
    if (w->number == 0)
        watch(w);
    else
        churn(w);
    return NULL;
}

static void session_that_stays_is_shown_once_while_others_come_and_go(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), key = new_key();
    struct worker workers[THREADS];
    assert_ok(create_owned(f, &key, &user, 0));
    start_workers(workers, f, &key, torture_rounds(f, ROUNDS) / 20 + 1);
    for (int i = 0; i < THREADS; i++)
        workers[i].user = &user;
    atomic_store(&churning, true);
    run_together(churn_or_watch, workers, sizeof *workers, THREADS);
    (void)sum_won(workers);
    struct sighting sighting = { .key = &key };
    if (f->subject->ops->list)
        assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.others, 0);
}

/* ---- a session that changes its key ---- */

struct mover {
    struct fixture *f;
    const struct ses_key *user;
    uint32_t rounds;
    uint32_t number; /* 0 looks, 1 moves */
    uint32_t wrong;
    struct ses_key key; /* where it is now, */
    uint64_t version;   /* and of which version */
    atomic_uint *looks; /* that were made; both know it */
    atomic_bool *done;
};

/* As a new id does it: first the one, then the other is left behind as a marker. */
static void move_on(struct mover *mover)
{
    const struct fixture *f = mover->f;
    const struct ses_owner owner = { *mover->user, 0 };
    const struct ses_key next = new_key();
    struct ses_record winner = { 0 }, record = stamped(f->now + LIFE_MS, 1);
    const uint64_t born = record.version;
    mover->wrong += store_create(f->store, &next, f->now, &owner, &record) != SES_OK;
    record.version = new_version();
    record.kind = SES_KIND_MOVED;
    mover->wrong +=
        store_save(f->store, &mover->key, f->now, mover->version, &record, &winner) != SES_OK;
    (void)ses_blob_unref(record.data);
    mover->key = next;
    mover->version = born;
}

static void look_on(struct mover *mover)
{
    const struct fixture *f = mover->f;
    while (!atomic_load(mover->done)) {
        struct sighting sighting = { .key = mover->user };
        mover->wrong +=
            store_list(f->store, mover->user, f->now, note_sighting, &sighting) != SES_OK;
        mover->wrong += sighting.others == 0;
        atomic_fetch_add(mover->looks, 1);
    }
}

static void *move_or_look(void *arg)
{
    struct mover *mover = arg;
    if (mover->number == 0)
        look_on(mover);
    for (uint32_t i = 0; mover->number == 1 && i < mover->rounds; i++) {
        const unsigned before = atomic_load(mover->looks);
        while (atomic_load(mover->looks) < before + 2) /* nobody renews an id at every look */
            (void)sched_yield();
        move_on(mover);
    }
    atomic_store(mover->done, true);
    return NULL;
}

static void session_that_changes_its_key_is_never_missing_from_the_list(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key(), key = new_key();
    const struct ses_owner owner = { user, 0 };
    struct ses_record first = stamped(f->now + LIFE_MS, 1);
    assert_ok(store_create(f->store, &key, f->now, &owner, &first));
    atomic_uint looks = 0;
    atomic_bool done = false;
    struct mover movers[2];
    for (uint32_t i = 0; i < 2; i++)
        movers[i] = (struct mover){
            f, &user, torture_rounds(f, ROUNDS) / 10 + 1, i, 0, key, first.version, &looks, &done
        };
    drop_record(&first);
    run_together(move_or_look, movers, sizeof *movers, 2);
    assert_int_equal(movers[0].wrong + movers[1].wrong, 0);
}

/* Makes one, asks for the list, ends it, asks again: what it knows the list knows. Half of them
 * are tokens, and half end as markers. */
static void *list_own_work(void *arg)
{
    struct worker *w = arg;
    const struct fixture *f = w->f;
    for (uint32_t i = 0; i < w->rounds; i++) {
        const struct ses_owner owner = { *w->user, 0 };
        const struct ses_key key = new_key();
        struct sighting there = { .key = &key }, gone = { .key = &key };
        struct ses_record winner = { 0 }, record = stamped(f->now + LIFE_MS, w->number);
        const uint64_t first = record.version;
        record.kind = i % 2 ? SES_KIND_TOKEN : SES_KIND_SESSION;
        w->wrong += store_create(f->store, &key, f->now, &owner, &record) != SES_OK;
        w->wrong += store_list(f->store, w->user, f->now, note_sighting, &there) != SES_OK;
        w->wrong += there.seen != 1;
        record.version = new_version();
        record.kind = i % 4 / 2 ? SES_KIND_DEAD : SES_KIND_MOVED;
        w->wrong += i % 8 / 4
                        ? store_destroy(f->store, &key, f->now) != SES_OK
                        : store_save(f->store, &key, f->now, first, &record, &winner) != SES_OK;
        w->wrong += store_list(f->store, w->user, f->now, note_sighting, &gone) != SES_OK;
        w->wrong += gone.seen != 0;
        w->wrong += store_destroy(f->store, &key, f->now) != SES_OK;
        (void)ses_blob_unref(record.data);
    }
    return NULL;
}

static void list_shows_what_was_created_and_not_what_was_ended(void **state)
{
    struct fixture *f = *state;
    const struct ses_key user = new_key();
    struct worker workers[THREADS];
    start_workers(workers, f, NULL, torture_rounds(f, ROUNDS) / 4 + 8);
    for (int i = 0; i < THREADS; i++)
        workers[i].user = &user;
    run_together(list_own_work, workers, sizeof *workers, THREADS);
    (void)sum_won(workers);
    struct sighting sighting = { .key = &user };
    assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.others, 0);
}

/* ---- everything at once ---- */

enum { MIXED_KEYS = 64 };

static int mixed_write(struct worker *w, const struct ses_key *key, uint64_t number, uint64_t dice)
{
    const struct fixture *f = w->f;
    const struct ses_owner owner = { *w->user, 0 };
    struct ses_record winner = { 0 }, record = { 0 }, next = stamped(f->now + LIFE_MS, number);
    int r = store_load(f->store, key, f->now, &record);
    if (r == SES_ERR_NOT_FOUND)
        r = store_create(f->store, key, f->now, dice & 64 ? &owner : NULL, &next);
    else if (r == SES_OK)
        r = store_save(f->store, key, f->now, record.version, &next, &winner);
    (void)ses_blob_unref(winner.data);
    (void)ses_blob_unref(record.data);
    (void)ses_blob_unref(next.data);
    return r;
}

static int mixed_read(struct worker *w, const struct ses_key *key, uint64_t number)
{
    const struct fixture *f = w->f;
    struct ses_record record = { 0 };
    int r = store_load(f->store, key, f->now, &record);
    if (r != SES_OK)
        return r;
    uint64_t stored = 0;
    w->wrong += !read_stamped(&record, &stored) || stored != number;
    r = store_touch(f->store, key, f->now, record.version, record.expires_ms + 1);
    (void)ses_blob_unref(record.data);
    return r;
}

static void *mix(void *arg)
{
    struct worker *w = arg;
    const struct fixture *f = w->f;
    for (uint32_t i = 0; i < w->rounds; i++) {
        const uint64_t dice = new_version(), number = dice % MIXED_KEYS;
        const struct ses_key *key = &w->keys[number];
        struct ses_gc_step step;
        int r = SES_OK;
        if (dice >> 32 & 1)
            r = mixed_read(w, key, number);
        else if (dice >> 33 & 3)
            r = mixed_write(w, key, number, dice >> 40);
        else if (dice >> 35 & 3)
            r = store_destroy(f->store, key, f->now);
        else
            r = store_gc(f->store, f->now, 8, &step);
        w->wrong += ses_is_failure(r);
    }
    return NULL;
}

static void mixed_operations_on_many_keys_never_mix_up_records(void **state)
{
    struct fixture *f = *state;
    struct ses_key keys[MIXED_KEYS];
    const struct ses_key user = new_key();
    for (int i = 0; i < MIXED_KEYS; i++)
        keys[i] = new_key();
    struct worker workers[THREADS];
    start_workers(workers, f, keys, torture_rounds(f, ROUNDS));
    for (int i = 0; i < THREADS; i++)
        workers[i].user = &user;
    run_together(mix, workers, sizeof *workers, THREADS);
    (void)sum_won(workers);

    for (int i = 0; i < MIXED_KEYS; i++)
        assert_ok(store_destroy(f->store, &keys[i], f->now));
    struct sighting sighting = { .key = &user };
    if (f->subject->ops->list)
        assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.others, 0);
}

const struct CMUnitTest conformance_threads[] = {
    CASE(parallel_increments_of_one_record_are_all_kept),
    CASE(parallel_creates_of_one_key_have_one_winner),
    CASE(destroy_wins_over_every_save_and_touch),
    CASE_FOR(parallel_creates_reach_the_users_limit_and_not_more, NEEDS_LIST),
    CASE(session_that_stays_is_shown_once_while_others_come_and_go),
    CASE_FOR(session_that_changes_its_key_is_never_missing_from_the_list, NEEDS_LIST),
    CASE_FOR(list_shows_what_was_created_and_not_what_was_ended, NEEDS_LIST),
    CASE(mixed_operations_on_many_keys_never_mix_up_records),
    { 0 },
};
