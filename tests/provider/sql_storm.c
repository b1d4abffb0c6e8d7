/* SPDX-License-Identifier: MIT */
/* Several processes write to the same sessions through managers of their own; nothing is lost. */
#include "provider/sql_trials.h"

#include "shared/deadline.h"
#include "support/session_fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, ROUNDS = 500 };

static const struct ses_conformance *subject;
static const char *config;

static struct scene *open_scene(void)
{
    return scene_new(subject->ops->name, config);
}

static struct fixture open_fixture(void)
{
    return (struct fixture){ subject, open_store(subject), present_ms() };
}

static void wait_for_all(const pid_t *children, int count)
{
    for (int i = 0; i < count; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

/* ---- requests ---- */

/* Each request adds one under that key; a commit that meets too many others is made again. */
static void write_often(struct visitor visitor, const char *key)
{
    struct scene *scene = open_scene();
    for (int i = 0; i < ROUNDS; i++) {
        int r = SES_ERR_CONFLICT;
        while (r == SES_ERR_CONFLICT) {
            const struct ses_headers *headers;
            ses_session *session = scene_visit(scene, &visitor);
            assert_ok(ses_increment(session, key, 1));
            r = ses_commit(session, &headers);
            ses_release(session);
        }
        assert_ok(r);
    }
    scene_free(scene);
}

static void storm(const char *what, const char *const *keys)
{
    struct scene *scene = open_scene();
    struct visitor visitor = scene_visitor(scene, 0);
    const int64_t before = monotonic_ms();
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            write_often(visitor, keys[i]);
            _exit(0);
        }
    }
    wait_for_all(children, PROCESSES);
    const int64_t took = monotonic_ms() - before;
    int64_t sum = 0;
    for (int i = 0; i < PROCESSES; i++) {
        if (i == 0 || keys[i] != keys[0])
            sum += stored_int(scene, &visitor, keys[i]);
    }
    assert_int_equal(sum, PROCESSES * ROUNDS);
    print_message("# %s: %d processes, %d writes in %lld ms, all there\n", what, PROCESSES,
                  PROCESSES * ROUNDS, (long long)took);
    scene_free(scene);
}

static void keys_of_several_processes_are_all_kept(void **state)
{
    (void)state;
    storm("a key for each", (const char *const[]){ "a", "b", "c", "d" });
}

static void one_counter_of_several_processes_counts_each(void **state)
{
    static const char key[] = "n";
    (void)state;
    storm("one counter", (const char *const[]){ key, key, key, key });
}

/* ---- limits ---- */

static int create_some(const struct ses_key *user, uint32_t limit)
{
    struct fixture f = open_fixture();
    int wrong = 0;
    for (int i = 0; i < 50 && wrong == 0; i++) {
        struct ses_key key = new_key();
        const pid_t self = getpid();
        memcpy(key.bytes, &self, sizeof self); /* children draw the same random numbers */
        const int r = create_owned(&f, &key, user, limit);
        wrong += r != SES_OK && r != SES_ERR_DENIED;
    }
    store_close(f.store);
    return wrong;
}

static void limit_of_a_user_holds_among_processes(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    const int64_t before = monotonic_ms();
    for (uint32_t round = 0; round < 20; round++) {
        const struct ses_key user = new_key();
        const uint32_t limit = round % 2 ? 5 : 1; /* at first there is no row to be locked */
        struct sighting sighting = { .key = &user };
        pid_t children[PROCESSES];
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(create_some(&user, limit));
        }
        wait_for_all(children, PROCESSES);
        assert_ok(store_list(f.store, &user, f.now, note_sighting, &sighting));
        assert_int_equal(sighting.others, limit);
    }
    print_message("# %d log-ins of %d processes with a limit in %lld ms\n", 20 * PROCESSES * 50,
                  PROCESSES, (long long)(monotonic_ms() - before));
    store_close(f.store);
}

/* ---- forks ---- */

static void parent_and_child_go_on_with_connections_of_their_own(void **state)
{
    (void)state;
    struct scene *scene = open_scene();
    struct visitor visitor = scene_visitor(scene, 0);
    for (int round = 0; round < 20; round++) {
        const pid_t child = fork();
        for (int i = 0; i < 50; i++) {
            ses_session *session = scene_visit(scene, &visitor);
            assert_ok(ses_increment(session, "n", 1));
            scene_finish(session, NULL);
        }
        if (child == 0)
            _exit(0);
        wait_for_all(&child, 1);
    }
    assert_int_equal(stored_int(scene, &visitor, "n"), 20 * 2 * 50);
    scene_free(scene);
}

struct busy {
    struct fixture *f;
    atomic_bool *stop;
    int saves, wrong;
};

static int save_once(struct fixture *f, const struct ses_key *key, uint64_t *version)
{
    struct ses_record winner = { 0 };
    struct ses_record next = { ses_blob_new(SLICE("bytes")), new_version(), f->now + LIFE_MS,
                               SES_KIND_SESSION };
    const int r = store_save(f->store, key, f->now, *version, &next, &winner);
    if (r == SES_OK)
        *version = next.version;
    (void)ses_blob_unref(winner.data);
    (void)ses_blob_unref(next.data);
    return r;
}

static int create_once(struct fixture *f, struct ses_key *ret_key, uint64_t *ret_version)
{
    struct ses_record record = { ses_blob_new(SLICE("first")), new_version(), f->now + LIFE_MS,
                                 SES_KIND_SESSION };
    const pid_t self = getpid();
    *ret_key = new_key();
    memcpy(ret_key->bytes, &self, sizeof self); /* children draw the same random numbers */
    *ret_version = record.version;
    const int r = store_create(f->store, ret_key, f->now, NULL, &record);
    (void)ses_blob_unref(record.data);
    return r;
}

/* Reads and writes until it is told to stop. */
static void *keep_busy(void *arg)
{
    struct busy *busy = arg;
    struct ses_key key;
    uint64_t version;
    busy->wrong += create_once(busy->f, &key, &version) != SES_OK;
    while (!atomic_load(busy->stop)) {
        struct ses_record record = { 0 };
        busy->wrong += save_once(busy->f, &key, &version) != SES_OK;
        busy->wrong += store_load(busy->f->store, &key, busy->f->now, &record) != SES_OK;
        busy->wrong += record.version != version;
        (void)ses_blob_unref(record.data);
        busy->saves++;
    }
    return NULL;
}

/* In a child: with the instance that it has of its parent. */
static int use_in_child(struct fixture *f)
{
    struct ses_key key;
    uint64_t version;
    int wrong = create_once(f, &key, &version) != SES_OK;
    for (int i = 0; i < 10; i++) {
        struct ses_record record = { 0 };
        wrong += save_once(f, &key, &version) != SES_OK;
        wrong += store_load(f->store, &key, f->now, &record) != SES_OK;
        (void)ses_blob_unref(record.data);
    }
    return wrong;
}

static void forks_of_a_process_whose_threads_are_at_work_harm_neither(void **state)
{
    enum { FORKS = 60, WORKERS = 3 };
    (void)state;
    struct fixture f = open_fixture();
    atomic_bool stop = false;
    struct busy workers[WORKERS];
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct busy){ .f = &f, .stop = &stop };
        assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, &workers[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        const pid_t child = fork();
        if (child == 0)
            _exit(use_in_child(&f));
        wait_for_all(&child, 1);
    }
    stop = true;
    int saves = 0;
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
        saves += workers[i].saves;
    }
    print_message("# %d forks among %d saves of %d threads\n", FORKS, saves, WORKERS);
    store_close(f.store);
}

/* The allocator of clang 14's ASan may be locked by another thread at a fork, and stays so in the
 * child. */
static bool forks_among_threads(void)
{
#if defined(__has_feature)
# if __has_feature(address_sanitizer)
    return false;
# endif
#endif
    return true;
}

int sql_storm_run(const struct ses_conformance *asked, const char *json)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_several_processes_are_all_kept),
        cmocka_unit_test(one_counter_of_several_processes_counts_each),
        cmocka_unit_test(limit_of_a_user_holds_among_processes),
        cmocka_unit_test(parent_and_child_go_on_with_connections_of_their_own),
        cmocka_unit_test(forks_of_a_process_whose_threads_are_at_work_harm_neither),
    };
    const size_t count = sizeof tests / sizeof *tests - (forks_among_threads() ? 0 : 1);
    subject = asked;
    config = json;
    if (ses_provider_register(asked->ops) != SES_OK)
        return 1;
    return _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
}
