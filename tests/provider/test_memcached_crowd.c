/* SPDX-License-Identifier: MIT */
/* Many at once: processes that write, and destroy against create. */
#include "provider/memcached_fixture.h"
#include "shared/deadline.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server server;

static struct memcached_shop *open_shop(void)
{
    struct memcached_shop *shop = calloc(1, sizeof *shop);
    char config[CONFIG_ROOM];
    assert_ok(shop_open(shop, memcached_config_of(&server, config), NULL));
    return shop;
}

static void end(struct memcached_shop *shop)
{
    shop_close(shop);
    free(shop);
}

/* ---- processes ---- */

enum { PROCESSES = 4, INCREMENTS = 1500, SESSIONS = 1500 };

struct tally {
    uint32_t increments, conflicts, created, wrong;
};

static struct ses_record numbered(const struct memcached_shop *shop, uint64_t number)
{
    return make_record((struct ses_slice){ &number, sizeof number }, shop->f.now + LIFE_MS);
}

static uint64_t number_of(const struct ses_record *record)
{
    uint64_t number = UINT64_MAX;
    const struct ses_slice bytes = ses_blob_bytes(record->data);
    if (bytes.len == sizeof number)
        memcpy(&number, bytes.data, sizeof number);
    return number;
}

/* Adds one to the shared counter, however often others are first. */
static void increment(struct memcached_shop *shop, const struct ses_key *key, struct tally *tally)
{
    struct ses_record seen = { 0 };
    int r = store_load(shop->f.store, key, shop->f.now, &seen);
    while (r == SES_OK) {
        struct ses_record winner = { 0 }, next = numbered(shop, number_of(&seen) + 1);
        r = store_save(shop->f.store, key, shop->f.now, seen.version, &next, &winner);
        drop_record(&next);
        drop_record(&seen);
        if (r == SES_OK) {
            tally->increments++;
            return;
        }
        tally->conflicts++;
        seen = winner;
        r = r == SES_ERR_CONFLICT ? SES_OK : r;
    }
    tally->wrong++;
}

/* A session of its own: created, saved, read back. */
static void live(struct memcached_shop *shop, const struct ses_key *key, uint64_t number,
                 struct tally *tally)
{
    struct ses_record first = numbered(shop, 0), next = numbered(shop, number), winner = { 0 },
                      seen = { 0 };
    const bool done =
        store_create(shop->f.store, key, shop->f.now, NULL, &first) == SES_OK &&
        store_save(shop->f.store, key, shop->f.now, first.version, &next, &winner) == SES_OK &&
        store_load(shop->f.store, key, shop->f.now, &seen) == SES_OK && number_of(&seen) == number;
    tally->created += done;
    tally->wrong += !done;
    drop_record(&first);
    drop_record(&next);
    drop_record(&winner);
    drop_record(&seen);
}

/* Versions are never the same twice, in no process: a child goes on with its parent's numbers. */
static bool draw_apart(int child)
{
    for (int i = 0; i < child * 1000000; i++)
        (void)new_version();
    return true;
}

static _Noreturn void storm(struct memcached_shop *shop, const struct ses_key *counter,
                            const struct ses_key *keys, struct tally *tally)
{
    for (int i = 0; i < INCREMENTS; i++)
        increment(shop, counter, tally);
    for (int i = 0; i < SESSIONS; i++)
        live(shop, &keys[i], (uint64_t)i + 7, tally);
    _exit(0);
}

static void assert_all_ended(const pid_t children[PROCESSES])
{
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void assert_nothing_lost(struct memcached_shop *shop, const struct ses_key *counter,
                                const struct ses_key keys[PROCESSES * SESSIONS])
{
    struct ses_record record = { 0 };
    assert_ok(store_load(shop->f.store, counter, shop->f.now, &record));
    assert_int_equal(number_of(&record), PROCESSES * INCREMENTS);
    drop_record(&record);
    for (int i = 0; i < PROCESSES * SESSIONS; i++) {
        assert_ok(store_load(shop->f.store, &keys[i], shop->f.now, &record));
        assert_int_equal(number_of(&record), i % SESSIONS + 7);
        drop_record(&record);
    }
}

/* The children go on with the store that their parent has used: its connections stay its own. */
static void storm_of_writes_by_processes_loses_none(void **state)
{
    static struct ses_key keys[PROCESSES * SESSIONS];
    pid_t children[PROCESSES];
    (void)state;
    struct memcached_shop *shop = open_shop();
    const struct ses_key counter = new_key();
    struct tally *tallies = mmap(NULL, sizeof(struct tally[PROCESSES]), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct ses_record zero = numbered(shop, 0);
    assert_true(tallies != MAP_FAILED);
    assert_ok(store_create(shop->f.store, &counter, shop->f.now, NULL, &zero));
    drop_record(&zero);
    for (int i = 0; i < PROCESSES * SESSIONS; i++)
        keys[i] = new_key();

    const int64_t before = monotonic_ms();
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0 && draw_apart(i))
            storm(shop, &counter, &keys[i * SESSIONS], &tallies[i]);
    }
    assert_all_ended(children);
    const int64_t took_ms = monotonic_ms() - before;

    struct tally sum = { 0 };
    for (int i = 0; i < PROCESSES; i++) {
        sum.increments += tallies[i].increments;
        sum.conflicts += tallies[i].conflicts;
        sum.created += tallies[i].created;
        sum.wrong += tallies[i].wrong;
    }
    print_message("# %d processes: %u increments, %u of them tried again, %u sessions, %lld ms\n",
                  PROCESSES, sum.increments, sum.conflicts, sum.created, (long long)took_ms);
    assert_int_equal(sum.wrong, 0);
    assert_int_equal(sum.increments, PROCESSES * INCREMENTS);
    assert_int_equal(sum.created, PROCESSES * SESSIONS);
    assert_nothing_lost(shop, &counter, keys);
    (void)munmap(tallies, sizeof(struct tally[PROCESSES]));
    end(shop);
}

/* ---- destroy against create ---- */

enum { ROUNDS = 100000 };

struct race {
    struct memcached_shop *shop;
    pthread_barrier_t barrier;
    struct ses_key key;
    struct ses_record record;
    atomic_bool created; /* create has returned */
    atomic_uint wrong, before, after;
};

struct racer {
    struct race *race;
    bool destroys;
};

static void meet(struct race *race)
{
    (void)pthread_barrier_wait(&race->barrier);
}

static int look(struct race *race)
{
    struct ses_record record = { 0 };
    const int r = store_load(race->shop->f.store, &race->key, race->shop->f.now, &record);
    if (r == SES_OK && record.version != race->record.version)
        race->wrong++;
    drop_record(&record);
    return r;
}

static int destroy(struct race *race)
{
    return store_destroy(race->shop->f.store, &race->key, race->shop->f.now);
}

/* What had been created when destroy began is gone for good; what came later may stand, until the
 * next. */
static void judge(struct race *race, bool created_before)
{
    const int r = look(race);
    race->wrong += created_before ? r != SES_ERR_NOT_FOUND : r != SES_ERR_NOT_FOUND && r != SES_OK;
    race->before += created_before;
    race->after += r == SES_OK;
    race->wrong += destroy(race) != SES_OK;
    race->wrong += look(race) != SES_ERR_NOT_FOUND;
}

static void *run_race(void *arg)
{
    struct race *race = ((struct racer *)arg)->race;
    struct store *store = race->shop->f.store;
    for (unsigned round = 0; round < ROUNDS; round++) {
        bool created_before = false;
        meet(race);
        if (((struct racer *)arg)->destroys) {
            for (unsigned i = 0; i < round % 64; i++)
                (void)sched_yield();
            created_before = race->created;
            race->wrong += destroy(race) != SES_OK;
        } else {
            const int r = store_create(store, &race->key, race->shop->f.now, NULL, &race->record);
            race->wrong += r != SES_OK;
            race->created = true;
        }
        meet(race);
        if (((struct racer *)arg)->destroys) {
            judge(race, created_before);
            race->created = false;
            race->record.version = new_version();
        }
    }
    return NULL;
}

/* Always the same key, so that each create meets the tombstone of the round before. */
static void record_is_never_alive_after_a_destroy_that_its_create_came_before(void **state)
{
    (void)state;
    struct race race = { .shop = open_shop(), .key = new_key() };
    struct racer racers[] = { { .race = &race }, { .race = &race, .destroys = true } };
    race.record = make_record(SLICE("alpha"), race.shop->f.now + LIFE_MS);
    assert_int_equal(pthread_barrier_init(&race.barrier, NULL, 2), 0);
    run_together(run_race, racers, sizeof *racers, 2);
    (void)pthread_barrier_destroy(&race.barrier);
    print_message("# %d rounds: created before the destroy %u, after it %u\n", ROUNDS, race.before,
                  race.after);
    assert_int_equal(race.wrong, 0);
    assert_true(race.before > 0 && race.after > 0);
    drop_record(&race.record);
    end(race.shop);
}

static int start_all(void **state)
{
    (void)state;
    memcached_start(&server, NULL);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    server_end(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storm_of_writes_by_processes_loses_none),
        cmocka_unit_test(record_is_never_alive_after_a_destroy_that_its_create_came_before),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
