/* SPDX-License-Identifier: MIT */
/* Several processes write to the same sessions through managers of their own; nothing is lost. */
#include "provider/sqlite_fixture.h"

#include "shared/deadline.h"
#include "support/session_fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, ROUNDS = 500 };

static char path[DB_PATH_ROOM];

static struct scene *open_scene(void)
{
    char json[DB_PATH_ROOM + 100];
    (void)snprintf(json, sizeof json,
                   "{\"providerConfig\": \"%s\", \"createTable\": true, \"budgetMs\": 20000}",
                   path);
    return scene_new("sqlite", json);
}

static void wait_for_all(const pid_t *children, int count)
{
    for (int i = 0; i < count; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

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
    (void)printf("# %s: %d processes, %d writes in %lld ms, all there\n", what, PROCESSES,
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

static int create_some(const struct ses_key *user)
{
    static struct db_shop shop;
    int wrong = db_open(&shop, path, NULL) != SES_OK;
    for (int i = 0; i < 50 && wrong == 0; i++) {
        struct ses_key key = new_key();
        const pid_t self = getpid();
        memcpy(key.bytes, &self, sizeof self); /* children draw the same random numbers */
        const int r = create_owned(&shop.f, &key, user, 5);
        wrong += r != SES_OK && r != SES_ERR_DENIED;
    }
    db_close(&shop);
    return wrong;
}

static void limit_of_a_user_holds_among_processes(void **state)
{
    static struct db_shop shop;
    (void)state;
    assert_ok(db_open(&shop, path, NULL));
    for (int round = 0; round < 20; round++) {
        const struct ses_key user = new_key();
        struct sighting sighting = { .key = &user };
        pid_t children[PROCESSES];
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(create_some(&user));
        }
        wait_for_all(children, PROCESSES);
        assert_ok(store_list(shop.f.store, &user, shop.f.now, note_sighting, &sighting));
        assert_int_equal(sighting.others, 5);
    }
    db_close(&shop);
}

/* ---- the queue ---- */

static int create_once(struct fixture *f, struct ses_key *ret_key, uint64_t *ret_version);
static int save_once(struct fixture *f, const struct ses_key *key, uint64_t *version);

struct turn {
    struct db_shop *shop;
    atomic_int *left;
    int saves, wrong;
    int overtaken; /* saves during which too many others were made */
    int64_t longest_ms;
};

enum { WRITERS = 8, SAVES = 8000 };

static void *take_turns(void *arg)
{
    struct turn *turn = arg;
    struct fixture *f = &turn->shop->f;
    struct ses_key key;
    uint64_t version;
    turn->wrong += create_once(f, &key, &version) != SES_OK;
    while (atomic_fetch_sub(turn->left, 1) > 0) {
        const int64_t before = monotonic_ms();
        const int left = atomic_load(turn->left);
        turn->wrong += save_once(f, &key, &version) != SES_OK;
        const int64_t took = monotonic_ms() - before;
        turn->overtaken += left - atomic_load(turn->left) > 2 * WRITERS;
        turn->longest_ms = took > turn->longest_ms ? took : turn->longest_ms;
        turn->saves++;
    }
    return NULL;
}

/* SQLite's own lock lets some wait for a second while others write a thousand times. */
static void eight_writers_take_turns_and_nobody_overtakes(void **state)
{
    static struct db_shop shop;
    (void)state;
    atomic_int left = SAVES;
    struct turn turns[WRITERS];
    int64_t longest_ms = 0;
    int least = SAVES, overtaken = 0;
    for (int i = 0; i < WRITERS; i++)
        turns[i] = (struct turn){ .shop = &shop, .left = &left };
    assert_ok(db_open(&shop, path, NULL));
    run_together(take_turns, turns, sizeof *turns, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(turns[i].wrong, 0);
        overtaken += turns[i].overtaken;
        least = turns[i].saves < least ? turns[i].saves : least;
        longest_ms = turns[i].longest_ms > longest_ms ? turns[i].longest_ms : longest_ms;
    }
    (void)printf("# %d saves of %d threads, of each at least %d, %d overtaken; the longest took "
                 "%lld ms\n",
                 SAVES, WRITERS, least, overtaken, (long long)longest_ms);
    assert_true(least > SAVES / WRITERS * 8 / 10);
    assert_true(overtaken < SAVES / 50); /* not none: a thread may be stopped before it queues */
    db_close(&shop);
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
    struct db_shop *shop;
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
    struct fixture *f = &busy->shop->f;
    struct ses_key key;
    uint64_t version;
    busy->wrong += create_once(f, &key, &version) != SES_OK;
    while (!atomic_load(busy->stop)) {
        struct ses_record record = { 0 };
        busy->wrong += save_once(f, &key, &version) != SES_OK;
        busy->wrong += store_load(f->store, &key, f->now, &record) != SES_OK;
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
    }
    return wrong;
}

static void forks_of_a_process_whose_threads_are_at_work_harm_neither(void **state)
{
    enum { FORKS = 60, WORKERS = 3 };
    static struct db_shop shop;
    (void)state;
    atomic_bool stop = false;
    struct busy workers[WORKERS];
    pthread_t threads[WORKERS];
    assert_ok(db_open(&shop, path, NULL));
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct busy){ .shop = &shop, .stop = &stop };
        assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, &workers[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        const pid_t child = fork();
        if (child == 0)
            _exit(use_in_child(&shop.f));
        wait_for_all(&child, 1);
    }
    stop = true;
    int saves = 0;
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
        saves += workers[i].saves;
    }
    (void)printf("# %d forks among %d saves of %d threads\n", FORKS, saves, WORKERS);
    sqlite3 *db = db_guest(path);
    assert_int_equal(db_number(db, "SELECT count(*) FROM pragma_integrity_check "
                                   "WHERE integrity_check <> 'ok'"),
                     0);
    sqlite3_close(db);
    db_close(&shop);
}

/*
 * With connections of its parent's, or their remains in SQLite's own state, a child holds no lock
 * that others see. Then the last to close takes the log away from under it.
 */
static int outlive(struct fixture *f, const struct ses_key *key, uint64_t version, int pipes[2])
{
    int r = save_once(f, key, &version); /* connects */
    if (r != SES_OK || write(pipes[1], &version, sizeof version) != sizeof version)
        return 1;
    char closed;
    if (read(pipes[0], &closed, 1) != 1)
        return 2;
    for (int i = 0; i < 100 && r == SES_OK; i++)
        r = save_once(f, key, &version);
    return r != SES_OK || write(pipes[1], &version, sizeof version) != sizeof version ? 3 : 0;
}

static void child_that_outlives_its_parents_store_keeps_what_it_writes(void **state)
{
    static struct db_shop shop;
    int down[2], up[2];
    struct ses_key key;
    uint64_t version;
    (void)state;
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    assert_ok(db_open(&shop, path, NULL));
    assert_ok(create_once(&shop.f, &key, &version));
    const pid_t child = fork();
    if (child == 0)
        _exit(outlive(&shop.f, &key, version, (int[]){ down[0], up[1] }));
    assert_int_equal(read(up[0], &version, sizeof version), sizeof version);
    struct ses_key another;
    assert_ok(create_once(&shop.f, &another, &version)); /* both have connected anew */
    db_close(&shop);
    sqlite3 *db = db_guest(path); /* comes and goes: the last, if the child is not seen */
    assert_true(db_number(db, "SELECT count(*) FROM sesame_sessions") > 0);
    sqlite3_close(db);
    assert_int_equal(write(down[1], "", 1), 1);
    assert_int_equal(read(up[0], &version, sizeof version), sizeof version);
    wait_for_all(&child, 1);
    for (int i = 0; i < 2; i++)
        (void)close(down[i]), (void)close(up[i]);

    struct ses_record record = { 0 };
    assert_ok(db_open(&shop, path, NULL));
    assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
    assert_int_equal(record.version, version); /* the child's last */
    drop_record(&record);
    db_close(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_several_processes_are_all_kept),
        cmocka_unit_test(one_counter_of_several_processes_counts_each),
        cmocka_unit_test(limit_of_a_user_holds_among_processes),
        cmocka_unit_test(eight_writers_take_turns_and_nobody_overtakes),
        cmocka_unit_test(parent_and_child_go_on_with_connections_of_their_own),
        cmocka_unit_test(forks_of_a_process_whose_threads_are_at_work_harm_neither),
        cmocka_unit_test(child_that_outlives_its_parents_store_keeps_what_it_writes),
    };
    (void)db_path("storm.db", path);
    if (ses_provider_register(&ses_provider_sqlite) != SES_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
