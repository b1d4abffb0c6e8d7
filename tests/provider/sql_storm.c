/* SPDX-License-Identifier: MIT */
#include "provider/sql_storm.h"

#include "shared/deadline.h"
#include "support/session_fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, ROUNDS = 500, WRITERS = 8, SAVES = 8000 };

static struct scene *open_scene(void)
{
    char json[800];
    (void)snprintf(json, sizeof json,
                   "{\"providerConfig\": \"%s\", \"createTable\": true, \"budgetMs\": 20000}",
                   sql_subject.config);
    return scene_new(sql_subject.ops->name, json);
}

void wait_for_all(const pid_t *children, int count)
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

void keys_of_several_processes_are_all_kept(void **state)
{
    (void)state;
    storm("a key for each", (const char *const[]){ "a", "b", "c", "d" });
}

void one_counter_of_several_processes_counts_each(void **state)
{
    static const char key[] = "n";
    (void)state;
    storm("one counter", (const char *const[]){ key, key, key, key });
}

static int create_some(const struct ses_key *user, uint32_t limit)
{
    static struct sql_shop shop;
    int wrong = sql_storm_open(&shop) != SES_OK;
    for (int i = 0; i < 50 && wrong == 0; i++) {
        struct ses_key key = new_key();
        const pid_t self = getpid();
        memcpy(key.bytes, &self, sizeof self); /* children draw the same random numbers */
        const int r = create_owned(&shop.f, &key, user, limit);
        wrong += r != SES_OK && r != SES_ERR_DENIED;
    }
    sql_shop_close(&shop);
    return wrong;
}

void limit_of_a_user_holds_among_processes(void **state)
{
    static struct sql_shop shop;
    (void)state;
    assert_ok(sql_storm_open(&shop));
    for (int round = 0; round < 20; round++) {
        const uint32_t limit = round % 2 ? 5 : 1; /* at first there is no row to be locked */
        const struct ses_key user = new_key();
        struct sighting sighting = { .key = &user };
        pid_t children[PROCESSES];
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(create_some(&user, limit));
        }
        wait_for_all(children, PROCESSES);
        assert_ok(store_list(shop.f.store, &user, shop.f.now, note_sighting, &sighting));
        assert_int_equal(sighting.others, limit);
    }
    sql_shop_close(&shop);
}

/* ---- threads ---- */

int sql_save_once(struct fixture *f, const struct ses_key *key, uint64_t *version)
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

int sql_create_once(struct fixture *f, struct ses_key *ret_key, uint64_t *ret_version)
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

struct turn {
    struct sql_shop *shop;
    int wrong;
    int64_t longest_ms;
};

static void *write_alone(void *arg)
{
    struct turn *turn = arg;
    struct fixture *f = &turn->shop->f;
    struct ses_key key;
    uint64_t version;
    turn->wrong += sql_create_once(f, &key, &version) != SES_OK;
    for (int i = 0; i < SAVES / WRITERS; i++) {
        const int64_t before = monotonic_ms();
        turn->wrong += sql_save_once(f, &key, &version) != SES_OK;
        const int64_t took = monotonic_ms() - before;
        turn->longest_ms = took > turn->longest_ms ? took : turn->longest_ms;
    }
    return NULL;
}

void eight_threads_write_to_sessions_of_their_own(void **state)
{
    static struct sql_shop shop;
    (void)state;
    struct turn turns[WRITERS];
    int64_t longest_ms = 0;
    for (int i = 0; i < WRITERS; i++)
        turns[i] = (struct turn){ .shop = &shop };
    assert_ok(sql_storm_open(&shop));
    const int64_t before = monotonic_ms();
    run_together(write_alone, turns, sizeof *turns, WRITERS);
    const int64_t took = monotonic_ms() - before;
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(turns[i].wrong, 0);
        longest_ms = turns[i].longest_ms > longest_ms ? turns[i].longest_ms : longest_ms;
    }
    (void)printf("# %d saves of %d threads in %lld ms; the longest took %lld ms\n", SAVES, WRITERS,
                 (long long)took, (long long)longest_ms);
    sql_shop_close(&shop);
}

/* ---- forks ---- */

void parent_and_child_go_on_with_connections_of_their_own(void **state)
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
    struct sql_shop *shop;
    atomic_bool *stop;
    int saves, wrong;
};

/* Reads and writes until it is told to stop. */
static void *keep_busy(void *arg)
{
    struct busy *busy = arg;
    struct fixture *f = &busy->shop->f;
    struct ses_key key;
    uint64_t version;
    busy->wrong += sql_create_once(f, &key, &version) != SES_OK;
    while (!atomic_load(busy->stop)) {
        struct ses_record record = { 0 };
        busy->wrong += sql_save_once(f, &key, &version) != SES_OK;
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
    int wrong = sql_create_once(f, &key, &version) != SES_OK;
    for (int i = 0; i < 10; i++) {
        struct ses_record record = { 0 };
        wrong += sql_save_once(f, &key, &version) != SES_OK;
        wrong += store_load(f->store, &key, f->now, &record) != SES_OK;
    }
    return wrong;
}

/* The allocator of clang 14's ASan may be locked by another thread at a fork, and stays so in the
 * child: then there are no other threads. */
#if defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define WORKERS_AT_FORKS 0
# endif
#endif
#ifndef WORKERS_AT_FORKS
# define WORKERS_AT_FORKS 3
#endif

void forks_of_a_process_whose_threads_are_at_work_harm_neither(void **state)
{
    enum { FORKS = 60, WORKERS = WORKERS_AT_FORKS };
    static struct sql_shop shop;
    (void)state;
    atomic_bool stop = false;
    struct busy workers[WORKERS + 1];
    pthread_t threads[WORKERS + 1];
    assert_ok(sql_storm_open(&shop));
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
    if (sql_subject.check)
        sql_subject.check();
    sql_shop_close(&shop);
}

/* ---- T-32 ---- */

/* Each belongs to that user alone, who is let in twice and no more. */
void names_of_users_are_never_read_as_sql(void **state)
{
    static const char *const names[] = {
        "'",
        "''",
        "\"",
        "\\",
        "\\'",
        "\xbf\x5c\x27",
        "\x95\x5c' OR 1=1 --",
        ";",
        "--",
        "/*",
        "x'); DROP TABLE sesame_sessions; --",
        "' OR '1'='1",
        "\xff\xfe",
        "\xc0\xa7",
        "$1",
        "?1",
        "%s%n",
        "\xe2\x80\x99",
    };
    (void)state;
    char json[800];
    (void)snprintf(json, sizeof json,
                   "{\"providerConfig\": \"%s\", \"createTable\": true, \"tablePrefix\": \"t32_\", "
                   "\"maxSessionsPerUser\": 2, \"whenUserFull\": \"refuse\"}",
                   sql_subject.config);
    struct scene *scene = scene_new(sql_subject.ops->name, json);
    uint64_t logged_in = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int n = 0; n < 3; n++) {
            ses_session *session = scene_start(scene, NULL);
            const int r = ses_login(session, names[i], SES_LEVEL_FULL, 0);
            if (r != SES_ERR_INVALID) /* bytes that are no text */
                assert_code(r, n < 2 ? SES_OK : SES_ERR_DENIED);
            logged_in += r == SES_OK;
            scene_finish(session, NULL);
        }
    }
    assert_true(logged_in >= 2 * 14);
    assert_int_equal(scene_count(scene), logged_in);
    scene_free(scene);
}
