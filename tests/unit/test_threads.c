/* SPDX-License-Identifier: MIT */
#include "support/many.h"
#include "support/session_fixture.h"

#include <stdio.h>
#include <time.h>

/* How often; SESAME_TEST_ROUNDS multiplies it (script/torture). */
enum { THREADS = 6, COMMITS = 400, RACES = 10000, GC_DEADLINE_S = 30 };

static int set_up(void **state)
{
    atomic_store(&faults, 0);
    *state = scene_new("memory", "{\"maxReplays\":10000,\"gclifetime\":1,\"idleTimeout\":1800}");
    return 0;
}

static int tear_down(void **state)
{
    scene_free(*state);
    return 0;
}

struct worker {
    struct scene *scene;
    const struct visitor *visitor;
    unsigned number;
    unsigned taken;
    pthread_t thread;
};

static void run_all(struct scene *scene, const struct visitor *visitor, struct worker *workers,
                    unsigned count, void *(*body)(void *))
{
    for (unsigned i = 0; i < count; i++) {
        workers[i] = (struct worker){ .scene = scene, .visitor = visitor, .number = i };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, body, &workers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(workers[i].thread, NULL);
    assert_int_equal(atomic_load(&faults), 0);
}

static ses_session *open_visitor(const struct worker *worker)
{
    ses_session *session = NULL;
    const int r = ses_open(worker->scene->manager, cookie_value(worker->visitor->cookie), &session);
    EXPECT(r == SES_OK);
    return session;
}

/* ---- one session, many requests ---- */

static void *add_one_often(void *arg)
{
    struct worker *worker = arg;
    char own[16];
    (void)snprintf(own, sizeof own, "own%u", worker->number);
    for (unsigned i = 0; i < rounds(COMMITS); i++) {
        ses_session *session = open_visitor(worker);
        if (!session)
            return NULL;
        EXPECT(ses_increment(session, "n", 1) == SES_OK);
        EXPECT(ses_set_int(session, own, i) == SES_OK);
        EXPECT(ses_commit(session, NULL) == SES_OK);
        ses_release(session);
    }
    return NULL;
}

static void parallel_increments_add_up_and_distinct_keys_are_all_kept(void **state)
{
    struct scene *scene = *state;
    struct worker workers[THREADS];
    const struct visitor visitor = scene_visitor(scene, 0);
    assert_ok(ses_gc_start(scene->manager));
    run_all(scene, &visitor, workers, THREADS, add_one_often);
    assert_int_equal(stored_int(scene, &visitor, "n"), THREADS * rounds(COMMITS));
    for (unsigned i = 0; i < THREADS; i++) {
        char own[16];
        (void)snprintf(own, sizeof own, "own%u", i);
        assert_int_equal(stored_int(scene, &visitor, own), rounds(COMMITS) - 1);
    }
    const struct ses_stats stats = scene_stats(scene);
    assert_int_equal(stats.saved, THREADS * rounds(COMMITS));
    assert_int_equal(stats.conflicts, 0);
    ses_gc_stop(scene->manager);
}

static void *take_all_keys(void *arg)
{
    struct worker *worker = arg;
    for (unsigned i = 0; i < COMMITS; i++) {
        char key[16];
        struct ses_value value;
        (void)snprintf(key, sizeof key, "once%u", i);
        ses_session *session = open_visitor(worker);
        if (!session)
            return NULL;
        const int r = ses_take(session, key, &value);
        EXPECT(r == SES_OK || r == SES_ERR_NOT_FOUND);
        EXPECT(r != SES_OK || value.integer == i);
        worker->taken += r == SES_OK;
        ses_release(session);
    }
    return NULL;
}

static void each_value_is_taken_by_exactly_one(void **state)
{
    struct scene *scene = *state;
    struct worker workers[THREADS];
    struct visitor visitor = scene_visitor(scene, 0);
    ses_session *session = scene_visit(scene, &visitor);
    for (unsigned i = 0; i < COMMITS; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "once%u", i);
        assert_ok(ses_set_int(session, key, i));
    }
    scene_finish(session, NULL);
    run_all(scene, &visitor, workers, THREADS, take_all_keys);
    unsigned taken = 0;
    for (unsigned i = 0; i < THREADS; i++)
        taken += workers[i].taken;
    assert_int_equal(taken, COMMITS);
    assert_int_equal(stored_int(scene, &visitor, "n"), 0);
}

/* ---- two against each other, in many rounds ---- */

/* Both threads meet at the start of each round and at its end. */
struct duel {
    struct scene *scene;
    pthread_barrier_t barrier;
    struct visitor visitor;
    int (*act)(ses_session *session);
    int code;
    bool stop;
};

static ses_session *open_duel(struct duel *duel)
{
    ses_session *session = NULL;
    EXPECT(ses_open(duel->scene->manager, cookie_value(duel->visitor.cookie), &session) == SES_OK);
    return session;
}

static void *second_of_duel(void *arg)
{
    struct duel *duel = arg;
    for (;;) {
        (void)pthread_barrier_wait(&duel->barrier);
        if (duel->stop)
            return NULL;
        ses_session *session = open_duel(duel);
        (void)pthread_barrier_wait(&duel->barrier); /* both have their snapshot */
        duel->code = session ? duel->act(session) : SES_ERR_INVALID;
        ses_release(session);
        (void)pthread_barrier_wait(&duel->barrier);
    }
}

static int add_and_commit(ses_session *session)
{
    const int r = ses_increment(session, "n", 1);
    return r == SES_OK ? ses_commit(session, NULL) : r;
}

/* One round: this thread's act against the other's. The session stays for a look at its id. */
static ses_session *fight(struct duel *duel, int (*act)(ses_session *), int *ret_code)
{
    duel->visitor = scene_visitor(duel->scene, 0);
    (void)pthread_barrier_wait(&duel->barrier);
    ses_session *session = open_duel(duel);
    (void)pthread_barrier_wait(&duel->barrier);
    *ret_code = act(session);
    (void)pthread_barrier_wait(&duel->barrier);
    return session;
}

static void duel_start(struct duel *duel, struct scene *scene, pthread_t *thread)
{
    *duel = (struct duel){ .scene = scene, .act = add_and_commit };
    assert_int_equal(pthread_barrier_init(&duel->barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(thread, NULL, second_of_duel, duel), 0);
}

static void duel_end(struct duel *duel, pthread_t thread)
{
    duel->stop = true;
    (void)pthread_barrier_wait(&duel->barrier);
    (void)pthread_join(thread, NULL);
    (void)pthread_barrier_destroy(&duel->barrier);
    assert_int_equal(atomic_load(&faults), 0);
}

/* T-7 */
static void a_session_destroyed_while_it_is_saved_is_never_alive_afterwards(void **state)
{
    struct scene *scene = *state;
    struct duel duel;
    pthread_t thread;
    unsigned gone = 0;
    duel_start(&duel, scene, &thread);
    assert_ok(ses_gc_start(scene->manager));
    for (unsigned i = 0; i < rounds(RACES); i++) {
        int code;
        ses_release(fight(&duel, ses_destroy, &code));
        EXPECT(code == SES_OK);
        EXPECT(duel.code == SES_OK || duel.code == SES_ERR_GONE);
        EXPECT(scene_exists(scene, &duel.visitor) == SES_ERR_NOT_FOUND);
        gone += duel.code == SES_ERR_GONE;
    }
    duel_end(&duel, thread);
    assert_int_equal(scene_count(scene), 0);
    assert_in_range(gone, 1, rounds(RACES)); /* both orders were met, or nearly so */
}

/* Either the change is in the new record, or whoever made it was told that it is not. */
static void a_save_during_a_change_of_id_is_carried_over_or_refused(void **state)
{
    struct scene *scene = *state;
    struct duel duel;
    pthread_t thread;
    duel_start(&duel, scene, &thread);
    for (unsigned i = 0; i < rounds(RACES); i++) {
        int code;
        ses_session *session = fight(&duel, ses_regenerate, &code);
        EXPECT(code == SES_OK);
        EXPECT(duel.code == SES_OK || duel.code == SES_ERR_GONE);
        EXPECT(scene_exists(scene, &duel.visitor) == SES_ERR_NOT_FOUND);
        struct visitor now;
        (void)snprintf(now.cookie, sizeof now.cookie, "id=%s", ses_session_id(session));
        ses_release(session);
        EXPECT(stored_int(scene, &now, "n") == (duel.code == SES_OK));
        EXPECT(ses_destroy_id(scene->manager, cookie_value(now.cookie)) == SES_OK);
        if (scene_count(scene) != 0)
            expect_failed("a record that nobody knows", __LINE__);
    }
    duel_end(&duel, thread);
}

static int take_n(ses_session *session)
{
    struct ses_value value;
    return ses_take(session, "n", &value);
}

static void of_two_that_take_at_once_one_gets_it(void **state)
{
    struct scene *scene = *state;
    struct duel duel;
    pthread_t thread;
    duel_start(&duel, scene, &thread);
    duel.act = take_n;
    for (unsigned i = 0; i < rounds(RACES) / 2; i++) {
        int code;
        ses_release(fight(&duel, take_n, &code));
        EXPECT((code == SES_OK) + (duel.code == SES_OK) == 1);
        EXPECT(code == SES_OK || code == SES_ERR_NOT_FOUND);
        EXPECT(ses_destroy_id(scene->manager, cookie_value(duel.visitor.cookie)) == SES_OK);
    }
    duel_end(&duel, thread);
}

/* ---- the collector ---- */

static bool collected(struct scene *scene, uint64_t count)
{
    const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };
    for (int i = 0; i < GC_DEADLINE_S * 100; i++) {
        if (scene_stats(scene).collected >= count)
            return true;
        (void)nanosleep(&moment, NULL); /* no more than a pause between two looks */
    }
    return false;
}

static void the_collector_frees_what_expired_while_requests_go_on(void **state)
{
    struct scene *scene = *state;
    enum { OLD = 2000 };
    for (int i = 0; i < OLD; i++)
        (void)scene_visitor(scene, i);
    atomic_fetch_add(&scene->now_ms, 1800 * 1000);
    assert_ok(ses_gc_start(scene->manager));
    assert_code(ses_gc_start(scene->manager), SES_ERR_EXISTS);
    struct worker workers[THREADS];
    const struct visitor visitor = scene_visitor(scene, 0);
    run_all(scene, &visitor, workers, THREADS, add_one_often);
    assert_true(collected(scene, OLD));
    assert_int_equal(scene_count(scene), 1);
    ses_gc_stop(scene->manager);
    ses_gc_stop(scene->manager);
    assert_ok(ses_gc_start(scene->manager)); /* the manager's end stops it, too */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(parallel_increments_add_up_and_distinct_keys_are_all_kept),
        TEST(each_value_is_taken_by_exactly_one),
        TEST(a_session_destroyed_while_it_is_saved_is_never_alive_afterwards),
        TEST(a_save_during_a_change_of_id_is_carried_over_or_refused),
        TEST(of_two_that_take_at_once_one_gets_it),
        TEST(the_collector_frees_what_expired_while_requests_go_on),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
