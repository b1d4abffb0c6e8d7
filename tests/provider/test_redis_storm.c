/* SPDX-License-Identifier: MIT */
/* Several processes write to the same sessions through managers of their own; nothing is lost. */
#include "provider/redis_fixture.h"
#include "shared/deadline.h"
#include "support/session_fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, ROUNDS = 500 };

static struct server server;

static struct scene *open_scene(const char *parameters)
{
    char json[800], url[URL_ROOM];
    (void)snprintf(json, sizeof json, "{\"providerConfig\": \"%s\"}",
                   redis_unix_url(&server, parameters, url));
    return scene_new("redis", json);
}

/* Each request adds one under that key; a commit that meets too many others is made again. */
static void write_often(struct visitor visitor, const char *key, const char *parameters)
{
    struct scene *scene = open_scene(parameters);
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

static void run_processes(const struct visitor *visitor, const char *const *keys,
                          const char *parameters)
{
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            write_often(*visitor, keys[i], parameters);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

static void storm(const char *what, const char *const *keys, const char *parameters)
{
    struct scene *scene = open_scene("");
    struct visitor visitor = scene_visitor(scene, 0);
    const int64_t before = monotonic_ms();
    run_processes(&visitor, keys, parameters);
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
    storm("a key for each", (const char *const[]){ "a", "b", "c", "d" }, "");
}

static void one_counter_of_several_processes_counts_each(void **state)
{
    static const char key[] = "n";
    (void)state;
    storm("one counter", (const char *const[]){ key, key, key, key }, "");
}

/* Reads are answered by copies that another process has changed a moment ago; commits are not. */
static void processes_with_near_caches_lose_nothing(void **state)
{
    static const char key[] = "n", near[] = "?nearCacheRecords=100";
    (void)state;
    storm("a key for each, near", (const char *const[]){ "a", "b", "c", "d" }, near);
    storm("one counter, near", (const char *const[]){ key, key, key, key }, near);
}

/* A process that has used its sessions forks; both go on with connections of their own. */
static void parent_and_child_never_share_a_connection(void **state)
{
    (void)state;
    struct scene *scene = open_scene("");
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
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    assert_int_equal(stored_int(scene, &visitor, "n"), 20 * 2 * 50);
    scene_free(scene);
}

static int start(void **state)
{
    (void)state;
    redis_start(&server, NULL);
    return ses_provider_register(&ses_provider_redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_several_processes_are_all_kept),
        cmocka_unit_test(one_counter_of_several_processes_counts_each),
        cmocka_unit_test(processes_with_near_caches_lose_nothing),
        cmocka_unit_test(parent_and_child_never_share_a_connection),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
