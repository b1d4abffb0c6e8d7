/* SPDX-License-Identifier: MIT */

/* A process that forks while its threads are at work: neither side waits for a lock that nobody
 * holds, ids never repeat, and the child has a store of its own. */

#include <sesame/sesame.h>

#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, FORKS = 30, CHILD_SECONDS = 20 };

static ses_manager *manager_new(void)
{
    struct ses_error error;
    ses_manager *manager = ses_manager_new("memory", "{\"gclifetime\":1}", NULL, &error);
    assert_non_null(manager);
    return manager;
}

/* The child's work, in calls that return codes: cmocka's assertions would jump back into the
 * parent's test. */
static bool make_session(ses_manager *manager, char id[256])
{
    ses_session *session;
    if (ses_open(manager, NULL, &session) < 0)
        return false;
    bool ok = ses_set_int(session, "n", 1) == SES_OK && ses_regenerate(session) == SES_OK &&
              ses_commit(session, NULL) == SES_OK && ses_session_id(session) != NULL;
    if (ok)
        (void)snprintf(id, 256, "%s", ses_session_id(session));
    ses_release(session);
    return ok;
}

static bool use_store(ses_manager *manager)
{
    char id[256];
    uint64_t count = 0, removed = 0;
    return make_session(manager, id) && ses_exists(manager, id) == SES_OK &&
           ses_count(manager, &count) == SES_OK && count > 0 &&
           ses_gc(manager, 0, &removed) == SES_OK && ses_destroy_id(manager, id) == SES_OK &&
           ses_exists(manager, id) == SES_ERR_NOT_FOUND;
}

static bool start_over(ses_manager *manager)
{
    return ses_gc_start(manager) == SES_OK && ses_gc_start(manager) == SES_ERR_EXISTS &&
           (ses_gc_stop(manager), true);
}

/* A new manager, too: the registry and the allocator must not be stuck. */
static bool use_another(void)
{
    ses_manager *manager = ses_manager_new("memory", NULL, NULL, NULL);
    const bool ok = manager && use_store(manager);
    ses_manager_unref(manager);
    return ok;
}

static int wait_for(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

struct load {
    ses_manager *manager;
    atomic_bool stop;
};

static void *keep_busy(void *arg)
{
    struct load *load = arg;
    bool ok = true;
    while (ok && !load->stop)
        ok = use_store(load->manager);
    return ok ? NULL : load;
}

static void a_child_of_a_busy_process_goes_on_by_itself(void **state)
{
    (void)state;
    struct load load = { .manager = manager_new() };
    pthread_t threads[THREADS];
    assert_ok(ses_gc_start(load.manager));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, &load), 0);

    for (int i = 0; i < FORKS; i++) {
        const pid_t child = fork();
        if (child == 0) {
            (void)alarm(CHILD_SECONDS); /* a child that hangs ends by SIGALRM */
            _exit(use_store(load.manager) && start_over(load.manager) && use_another() ? 0 : 1);
        }
        assert_true(child > 0);
        assert_int_equal(wait_for(child), 0);
    }

    load.stop = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    ses_manager_unref(load.manager);
}

static void what_a_child_changes_stays_in_the_child(void **state)
{
    (void)state;
    ses_manager *manager = manager_new();
    char id[256];
    assert_true(make_session(manager, id));
    const pid_t child = fork();
    if (child == 0)
        _exit(ses_destroy_id(manager, id) == SES_OK ? 0 : 1);
    assert_int_equal(wait_for(child), 0);
    assert_ok(ses_exists(manager, id));
    ses_manager_unref(manager);
}

enum { IDS = 1000, ID_ROOM = 128 };

static void write_ids(ses_manager *manager, int fd)
{
    for (int i = 0; i < IDS; i++) {
        char line[ID_ROOM] = "";
        ses_session *session;
        if (ses_open(manager, NULL, &session) < 0 || !ses_session_id(session))
            _exit(1);
        (void)snprintf(line, sizeof line, "%s", ses_session_id(session));
        ses_release(session);
        if (write(fd, line, sizeof line) != sizeof line)
            _exit(1);
    }
}

static void read_ids(int fd, char ids[IDS][ID_ROOM])
{
    for (int i = 0; i < IDS; i++)
        assert_int_equal(read(fd, ids[i], ID_ROOM), ID_ROOM);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void parent_and_child_never_make_the_same_id(void **state)
{
    (void)state;
    static char ids[2 * IDS][ID_ROOM];
    ses_manager *manager = manager_new();
    assert_non_null(manager);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        write_ids(manager, ends[1]);
        _exit(0);
    }
    read_ids(ends[0], ids);
    assert_int_equal(wait_for(child), 0);
    const pid_t second = fork();
    if (second == 0) {
        write_ids(manager, ends[1]);
        _exit(0);
    }
    read_ids(ends[0], ids + IDS);
    assert_int_equal(wait_for(second), 0);

    qsort(ids, 2 * IDS, ID_ROOM, compare);
    for (int i = 1; i < 2 * IDS; i++)
        assert_string_not_equal(ids[i], ids[i - 1]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    ses_manager_unref(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_of_a_busy_process_goes_on_by_itself),
        cmocka_unit_test(what_a_child_changes_stays_in_the_child),
        cmocka_unit_test(parent_and_child_never_make_the_same_id),
    };
    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
