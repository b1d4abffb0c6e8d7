/* SPDX-License-Identifier: MIT */

/* The copies of records that a process keeps, and who tells of changes. */

#include "provider/fixture.h"
#include "provider/redis_fixture.h"
#include "redis/ask.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 64, PATIENCE_MS = 20000 };

static struct server server;
static char url[URL_ROOM];

/* The threads that a child starts are its own (listen.h); TSan would end it. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

/* ---- looking ---- */

static struct near *near_of(const struct fixture *f)
{
    const struct redis *redis = store_instance(f->store);
    return redis->near;
}

static uint64_t age_of(const struct fixture *f)
{
    const struct ses_key key = new_key();
    struct ses_record record;
    struct near_ticket ticket;
    assert_false(near_get(near_of(f), &key, &record, &ticket));
    return ticket.age;
}

static bool is_kept(const struct fixture *f, const struct ses_key *key)
{
    struct ses_record record;
    struct near_ticket ticket;
    if (!near_get(near_of(f), key, &record, &ticket))
        return false;
    drop_record(&record);
    return true;
}

static uint64_t load_version(struct fixture *f, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(f->store, key, f->now, &record);
    assert_true(r == SES_OK || r == SES_ERR_NOT_FOUND);
    drop_record(&record);
    return r == SES_OK ? record.version : 0;
}

static void nap(void)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    (void)nanosleep(&moment, NULL); /* polls, with a bound */
}

#define WAIT_FOR(condition)                                                                        \
 do {                                                                                              \
  const int64_t until_ = present_ms() + PATIENCE_MS;                                               \
  while (!(condition) && present_ms() < until_)                                                    \
   nap();                                                                                          \
  assert_true(condition);                                                                          \
 } while (0)

static void say(const char *command)
{
    redisReply *reply = redis_say(&server, command);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    reply_free(reply);
}

static uint64_t changes_of(const struct fixture *f, const struct ses_key *key)
{
    struct ses_record record;
    struct near_ticket ticket;
    assert_false(near_get(near_of(f), key, &record, &ticket));
    return ticket.changes;
}

/* What was changed before has been heard of: changes are told in their order. Twice, because a
 * counter of changes belongs to many keys. */
static void settle(const struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        const struct ses_key mark = new_key();
        const uint64_t before = changes_of(f, &mark);
        struct name name;
        char command[200];
        name_of(store_instance(f->store), NAME_SESSION, &mark, &name);
        (void)snprintf(command, sizeof command, "SET %.*s x PX 60000", (int)name.len, name.text);
        say(command);
        WAIT_FOR(changes_of(f, &mark) != before);
    }
}

/* Loads it until the answer is kept. */
static void keep(struct fixture *f, const struct ses_key *key)
{
    settle(f);
    WAIT_FOR((load_version(f, key), is_kept(f, key)));
}

/* How often the server was asked for a record. */
static long asked(void)
{
    redisReply *reply = redis_say(&server, "INFO commandstats");
    assert_non_null(reply);
    const char *at = strstr(reply->str, "cmdstat_get:calls=");
    const long calls = at ? strtol(at + strlen("cmdstat_get:calls="), NULL, 10) : 0;
    reply_free(reply);
    return calls;
}

/* ---- another process, as it were ---- */

static struct store *open_other(void)
{
    static char plain[URL_ROOM];
    const struct ses_conformance subject = {
        .ops = &ses_provider_redis,
        .provider_config = redis_unix_url(&server, "", plain),
        .settings = redis_settings,
    };
    return open_store(&subject);
}

static uint64_t save_by(struct store *store, struct fixture *f, const struct ses_key *key,
                        uint64_t expected, const char *text)
{
    struct ses_record winner = { 0 }, record = make_record((struct ses_slice){ text, strlen(text) },
                                                           f->now + LIFE_MS);
    assert_ok(store_save(store, key, f->now, expected, &record, &winner));
    drop_record(&record);
    return record.version;
}

static int setup(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    WAIT_FOR(age_of(*state) != 0);
    return 0;
}

/* ---- what is kept ---- */

static void record_that_is_kept_is_loaded_without_asking_the_server(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    keep(f, &key);
    const long before = asked();
    for (int i = 0; i < 100; i++)
        assert_loads(f, &key, "alpha", version, f->now + LIFE_MS);
    assert_int_equal(asked(), before);
}

static void no_more_copies_are_kept_than_the_setting_says(void **state)
{
    struct fixture *f = *state;
    struct ses_key keys[10 * KEPT];
    for (int i = 0; i < 10 * KEPT; i++) {
        keys[i] = new_key();
        (void)put(f, &keys[i], "alpha");
    }
    settle(f);
    for (int i = 0; i < 10 * KEPT; i++) {
        (void)load_version(f, &keys[i]);
        assert_true(near_count(near_of(f)) <= KEPT);
    }
    assert_true(near_count(near_of(f)) > KEPT / 2);
}

static void record_over_64_kib_is_not_kept(void **state)
{
    struct fixture *f = *state;
    static char bytes[70000];
    const struct ses_key key = new_key();
    struct near_ticket ticket;
    struct ses_record got,
        record = make_record((struct ses_slice){ bytes, sizeof bytes }, f->now + LIFE_MS);
    assert_false(near_get(near_of(f), &key, &got, &ticket));
    near_put(near_of(f), &key, &ticket, &record);
    assert_false(is_kept(f, &key));
    drop_record(&record);
}

static void copy_in_use_outlives_those_that_are_not(void **state)
{
    (void)state;
    struct near *near = near_new(KEPT);
    const struct ses_key wanted = new_key();
    struct ses_record got, record = make_record(SLICE("alpha"), 1);
    struct near_ticket ticket;
    near_on(near);
    (void)near_get(near, &wanted, &got, &ticket);
    near_put(near, &wanted, &ticket, &record);
    for (int i = 0; i < 10 * KEPT; i++) {
        const struct ses_key other = new_key();
        assert_false(near_get(near, &other, &got, &ticket));
        near_put(near, &other, &ticket, &record);
        assert_true(near_get(near, &wanted, &got, &ticket));
        drop_record(&got);
    }
    assert_int_equal(near_count(near), KEPT);
    near_free(near);
    drop_record(&record);
}

/* ---- changes ---- */

static void own_changes_are_read_at_once(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    uint64_t version = put(f, &key, "alpha");
    for (int i = 0; i < 200; i++) {
        keep(f, &key);
        version = save_by(f->store, f, &key, version, i % 2 ? "beta" : "gamma");
        assert_loads(f, &key, i % 2 ? "beta" : "gamma", version, f->now + LIFE_MS);
    }
    keep(f, &key);
    assert_ok(store_touch(f->store, &key, f->now, version, f->now + 2 * LIFE_MS));
    assert_loads(f, &key, "beta", version, f->now + 2 * LIFE_MS);
    keep(f, &key);
    assert_ok(store_destroy(f->store, &key, f->now));
    assert_int_equal(load_version(f, &key), 0);
}

static void change_by_another_process_is_seen_soon(void **state)
{
    struct fixture *f = *state;
    struct store *other = open_other();
    const struct ses_key key = new_key();
    uint64_t version = put(f, &key, "alpha");
    for (int i = 0; i < 50; i++) {
        keep(f, &key);
        version = save_by(other, f, &key, version, "beta");
        WAIT_FOR(load_version(f, &key) == version);
    }
    keep(f, &key);
    assert_ok(store_destroy(other, &key, f->now));
    WAIT_FOR(load_version(f, &key) == 0);
    store_close(other);
}

static void flush_of_the_server_drops_all_copies(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    (void)put(f, &key, "alpha");
    keep(f, &key);
    say("FLUSHALL");
    WAIT_FOR(near_count(near_of(f)) == 0);
    assert_int_equal(load_version(f, &key), 0);
}

static void answer_that_a_change_overtakes_is_not_kept(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    struct ses_record got, record = make_record(SLICE("alpha"), f->now + LIFE_MS);
    struct near_ticket ticket;
    struct store *other = open_other();
    assert_ok(store_create(other, &key, f->now, NULL, &record));
    assert_false(near_get(near_of(f), &key, &got, &ticket));
    const struct near_ticket before = ticket;
    assert_ok(store_destroy(other, &key, f->now));
    WAIT_FOR((near_get(near_of(f), &key, &got, &ticket), ticket.changes != before.changes));
    near_put(near_of(f), &key, &before, &record);
    assert_false(is_kept(f, &key));
    store_close(other);
    drop_record(&record);
}

static void answer_that_an_own_change_overtakes_is_not_kept(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    struct ses_record got, record = make_record(SLICE("alpha"), f->now + LIFE_MS);
    struct near_ticket ticket;
    (void)put(f, &key, "beta");
    assert_false(near_get(near_of(f), &key, &got, &ticket));
    assert_ok(store_destroy(f->store, &key, f->now));
    near_put(near_of(f), &key, &ticket, &record);
    assert_false(is_kept(f, &key));
    drop_record(&record);
}

struct reader {
    struct fixture *f;
    const struct ses_key *key;
    struct store *writer; /* of the one that writes; NULL: it reads */
    uint64_t version;
    atomic_bool *done;
};

static void *read_or_write(void *arg)
{
    struct reader *reader = arg;
    for (int i = 0; reader->writer && i < 500; i++)
        reader->version = save_by(reader->writer, reader->f, reader->key, reader->version, "beta");
    if (reader->writer)
        atomic_store(reader->done, true);
    while (!atomic_load(reader->done))
        (void)load_version(reader->f, reader->key);
    return NULL;
}

static void no_stale_copy_outlives_a_race_of_loads_and_saves(void **state)
{
    struct fixture *f = *state;
    struct store *other = open_other();
    for (int round = 0; round < 10; round++) {
        const struct ses_key key = new_key();
        atomic_bool done = false;
        const struct reader reads = { .f = f, .key = &key, .done = &done };
        struct reader readers[3] = { reads, reads, reads };
        readers[0].version = put(f, &key, "alpha");
        readers[0].writer = other;
        run_together(read_or_write, readers, sizeof *readers, 3);
        WAIT_FOR(load_version(f, &key) == readers[0].version);
        keep(f, &key);
        assert_int_equal(load_version(f, &key), readers[0].version);
    }
    store_close(other);
}

static void commit_on_a_stale_copy_conflicts_and_drops_it(void **state)
{
    struct fixture *f = *state;
    struct store *other = open_other();
    const struct ses_key key = new_key();
    struct ses_record stale = { 0 }, winner = { 0 }, got;
    struct near_ticket ticket;
    const uint64_t version = put(f, &key, "alpha");
    assert_ok(store_load(f->store, &key, f->now, &stale));
    const uint64_t newer = save_by(other, f, &key, version, "beta");
    WAIT_FOR(load_version(f, &key) == newer);
    near_forget(near_of(f), &key);
    assert_false(near_get(near_of(f), &key, &got, &ticket));
    near_put(near_of(f), &key, &ticket, &stale);
    assert_int_equal(load_version(f, &key), version);

    struct ses_record mine = make_record(SLICE("gamma"), f->now + LIFE_MS);
    assert_code(store_save(f->store, &key, f->now, version, &mine, &winner), SES_ERR_CONFLICT);
    assert_int_equal(winner.version, newer);
    assert_memory_equal(ses_blob_bytes(winner.data).data, "beta", 4);
    assert_loads(f, &key, "beta", newer, f->now + LIFE_MS);
    drop_record(&stale);
    drop_record(&winner);
    drop_record(&mine);
    store_close(other);
}

/* ---- who tells of changes ---- */

static void loss_of_the_connection_drops_all_copies(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    (void)put(f, &key, "alpha");
    keep(f, &key);
    const uint64_t before = age_of(f);
    say("CLIENT KILL TYPE pubsub");
    WAIT_FOR(!is_kept(f, &key) && age_of(f) != before);
    WAIT_FOR(age_of(f) != 0);
    keep(f, &key);
}

static void ticket_from_before_the_loss_is_void_after_it(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    struct ses_record got, record = make_record(SLICE("alpha"), f->now + LIFE_MS);
    struct near_ticket ticket;
    assert_false(near_get(near_of(f), &key, &got, &ticket));
    say("CLIENT KILL TYPE pubsub");
    WAIT_FOR(age_of(f) != 0 && age_of(f) != ticket.age);
    near_put(near_of(f), &key, &ticket, &record);
    assert_false(is_kept(f, &key));

    /* One whose taker was between its two members when the connection was lost. */
    const uint64_t age = ticket.age;
    assert_false(near_get(near_of(f), &key, &got, &ticket));
    ticket.age = age;
    near_put(near_of(f), &key, &ticket, &record);
    assert_false(is_kept(f, &key));
    drop_record(&record);
}

static void nothing_is_kept_while_nobody_tells_of_changes(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    const uint64_t version = put(f, &key, "alpha");
    say("ACL SETUSER default -subscribe");
    say("CLIENT KILL TYPE pubsub");
    WAIT_FOR(age_of(f) == 0);
    const long before = asked();
    assert_loads(f, &key, "alpha", version, f->now + LIFE_MS);
    assert_loads(f, &key, "alpha", version, f->now + LIFE_MS);
    assert_int_equal(asked(), before + 2);
    assert_int_equal(near_count(near_of(f)), 0);
    say("ACL SETUSER default +subscribe");
    WAIT_FOR(age_of(f) != 0);
}

static void server_that_falls_silent_is_noticed_in_the_stated_time(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    (void)put(f, &key, "alpha");
    keep(f, &key);
    server_freeze(&server);
    const int64_t from = present_ms();
    WAIT_FOR(!is_kept(f, &key));
    const int64_t took = present_ms() - from;
    server_thaw(&server);
    assert_true(took <= LISTEN_PING_MS + LISTEN_ANSWER_MS + 1000); /* of a busy machine */
    WAIT_FOR(age_of(f) != 0);
}

static void close_does_not_wait_for_the_thread(void **state)
{
    struct fixture *f = *state;
    struct fixture second = { .subject = f->subject, .store = open_store(f->subject) };
    WAIT_FOR(age_of(&second) != 0);
    server_freeze(&server);
    const int64_t from = present_ms();
    store_close(second.store);
    const int64_t took = present_ms() - from;
    server_thaw(&server);
    assert_true(took < LISTEN_PING_MS / 2);
}

/* ---- fork ---- */

static int in_child(struct fixture *f, const struct ses_key *key)
{
    const int64_t until = present_ms() + PATIENCE_MS;
    struct ses_record record = { 0 };
    if (age_of(f) != 0 || near_count(near_of(f)) != 0)
        return 1;
    if (store_load(f->store, key, f->now, &record) != SES_OK)
        return 2;
    while (!is_kept(f, key) && present_ms() < until) {
        drop_record(&record);
        if (store_load(f->store, key, f->now, &record) != SES_OK)
            return 3;
        nap();
    }
    drop_record(&record);
    const bool kept = is_kept(f, key);
    store_close(f->store);
    return kept ? 0 : 4;
}

static void child_begins_without_copies_and_listens_for_itself(void **state)
{
    struct fixture *f = *state;
    const struct ses_key key = new_key();
    int status;
    (void)put(f, &key, "alpha");
    keep(f, &key);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(in_child(f, &key));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(is_kept(f, &key));
    struct store *other = open_other();
    assert_ok(store_destroy(other, &key, f->now));
    WAIT_FOR(!is_kept(f, &key));
    store_close(other);
}

/* ---- settings ---- */

static void cluster_with_a_near_cache_is_refused(void **state)
{
    (void)state;
    struct redis_config config = { .prefix = "sesame-" };
    const char *problem = redis_config_read(&config, "cluster://127.0.0.1:1?nearCacheRecords=5");
    assert_non_null(problem);
    assert_non_null(strstr(problem, "nearCacheRecords"));
    redis_config_free(&config);
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST_OF(record_that_is_kept_is_loaded_without_asking_the_server),
        TEST_OF(no_more_copies_are_kept_than_the_setting_says),
        TEST_OF(record_over_64_kib_is_not_kept),
        cmocka_unit_test(copy_in_use_outlives_those_that_are_not),
        TEST_OF(own_changes_are_read_at_once),
        TEST_OF(change_by_another_process_is_seen_soon),
        TEST_OF(flush_of_the_server_drops_all_copies),
        TEST_OF(answer_that_a_change_overtakes_is_not_kept),
        TEST_OF(answer_that_an_own_change_overtakes_is_not_kept),
        TEST_OF(no_stale_copy_outlives_a_race_of_loads_and_saves),
        TEST_OF(commit_on_a_stale_copy_conflicts_and_drops_it),
        TEST_OF(loss_of_the_connection_drops_all_copies),
        TEST_OF(ticket_from_before_the_loss_is_void_after_it),
        TEST_OF(nothing_is_kept_while_nobody_tells_of_changes),
        TEST_OF(server_that_falls_silent_is_noticed_in_the_stated_time),
        TEST_OF(close_does_not_wait_for_the_thread),
        TEST_OF(child_begins_without_copies_and_listens_for_itself),
        cmocka_unit_test(cluster_with_a_near_cache_is_refused),
    };
    redis_start(&server, NULL);
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_redis,
        .provider_config = redis_unix_url(&server, "?nearCacheRecords=64", url),
        .settings = redis_settings,
        .shared = true,
    };
    fixture_subject = &subject;
    return cmocka_run_group_tests_name("redis copies", tests, NULL, NULL);
}
