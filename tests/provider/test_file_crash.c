/* SPDX-License-Identifier: MIT */
#include "provider/file_fixture.h"

#include "core/store.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Processes that share a folder, and such as die in the middle. */

/* What a writer has told before it was killed; shared memory, so that it outlives it. */
struct told {
    uint64_t started; /* the last version whose save began */
    uint64_t done;    /* the last one that was acknowledged */
    uint64_t ended;   /* 1: the destroy began, 2: it was acknowledged */
};

static struct told *shared(void)
{
    void *memory =
        mmap(NULL, sizeof(struct told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

/* Grows at times, so that some saves are renames; and ends the session now and then. */
static void write_until_killed(struct store *store, const struct ses_key *key,
                               volatile struct told *told, unsigned round)
{
    for (uint64_t version = told->done + 1;; version++) {
        told->started = version;
        const size_t len = 100 + version * 37 % (200 + version * 5 % 5000);
        if (save(store, key, version - 1, version, (unsigned char)version, len) != SES_OK)
            _exit(3);
        told->done = version;
        if (round % 4 == 3 && version % 40 == 39) {
            told->ended = 1;
            if (store_destroy(store, key, NOW_MS) != SES_OK)
                _exit(4);
            told->ended = 2;
            (void)pause();
        }
    }
}

static void kill_after(pid_t child, unsigned round)
{
    const struct timespec nap = { .tv_nsec = 50000 + round * 7919u % 3000u * 1000u };
    (void)nanosleep(&nap, NULL);
    int status;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("the writer ended with %d", WEXITSTATUS(status));
}

/* Acknowledged is there; what was under way is there as a whole or not at all. */
static void assert_survives(struct shop *shop, const struct ses_key *key, const struct told *told)
{
    uint64_t version = 0;
    const int r = load(shop->store, key, &version);
    if (told->ended == 2 || (told->ended == 1 && r != SES_OK)) {
        assert_code(r, SES_ERR_NOT_FOUND);
        assert_code(save(shop->store, key, told->done, 1, 'x', 100), SES_ERR_NOT_FOUND);
        return;
    }
    assert_ok(r);
    assert_true(version == told->done || version == told->started);
    assert_ok(save(shop->store, key, version, told->started + 1, 'y', 3000));
}

static void killed_writer_loses_nothing_that_was_acknowledged(void **state)
{
    struct shop *shop = *state;
    struct told *told = shared();
    const char *asked = getenv("SESAME_TORTURE_ROUNDS");
    const unsigned rounds = asked ? (unsigned)strtoul(asked, NULL, 10) : 300;
    for (unsigned round = 0; round < rounds; round++) {
        const struct ses_key key = key_of(round % 200);
        assert_ok(store_destroy(shop->store, &key, NOW_MS));
        assert_ok(create(shop->store, &key, 1, 'a', 100));
        *told = (struct told){ 1, 1, 0 };
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_until_killed(shop->store, &key, told, round);
        kill_after(child, round);
        assert_survives(shop, &key, told);
    }
    (void)munmap(told, sizeof *told);
}

/* Nor a half-made session that a user could not see or end. */
static void killed_creator_leaves_no_session_that_is_not_listed(void **state)
{
    enum { ROUNDS = 100, KEYS = 65536 };
    struct shop *shop = *state;
    const struct ses_key user = key_of(7);
    struct told *told = shared();
    for (unsigned round = 0; round < ROUNDS; round++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        for (unsigned i = (unsigned)told->done; child == 0 && i < KEYS; i++) {
            const struct ses_key key = key_of(i);
            told->started = i + 1;
            if (create_for(shop->store, &key, &user, 0) != SES_OK)
                _exit(3);
            told->done = i + 1;
        }
        kill_after(child, round);
        uint64_t version;
        const struct ses_key last = key_of((unsigned)told->done);
        const bool there = load(shop->store, &last, &version) == SES_OK;
        if (round % 10 == 0)
            assert_int_equal(listed(shop->store, &user), told->done + there);
        told->done += there;
    }
    assert_int_equal(listed(shop->store, &user), told->done);
    (void)munmap(told, sizeof *told);
}

/* ---- several processes ---- */

enum { PROCESSES = 4, EACH = 400 };

static int read_number(struct store *store, const struct ses_key *key, uint64_t *ret_version,
                       uint64_t *ret_number)
{
    struct ses_record record;
    const int r = store_load(store, key, NOW_MS, &record);
    if (r != SES_OK)
        return r;
    memcpy(ret_number, ses_blob_bytes(record.data).data, sizeof *ret_number);
    *ret_version = record.version;
    (void)ses_blob_unref(record.data);
    return SES_OK;
}

static int add_one(struct store *store, const struct ses_key *key, uint64_t salt)
{
    struct ses_record winner = { 0 };
    uint64_t version, number;
    int r = read_number(store, key, &version, &number);
    if (r != SES_OK)
        return r;
    number++;
    const struct ses_record record = { ses_blob_new((struct ses_slice){ &number, sizeof number }),
                                       number << 16 | salt, NOW_MS + LIFE, SES_KIND_SESSION };
    r = store_save(store, key, NOW_MS, version, &record, &winner);
    (void)ses_blob_unref(winner.data);
    (void)ses_blob_unref(record.data);
    return r;
}

static int count_up(struct shop *shop, const struct ses_key *key, unsigned salt)
{
    struct store *store;
    if (shop_open(shop, shop->root, file_plain, &store) != SES_OK)
        return 1;
    for (unsigned done = 0; done < EACH;) {
        const int r = add_one(store, key, salt);
        if (r != SES_OK && r != SES_ERR_CONFLICT)
            return 2;
        done += r == SES_OK;
    }
    store_close(store);
    return 0;
}

static void increments_of_several_processes_are_all_kept(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    uint64_t version, number = 0;
    const struct ses_record record = { ses_blob_new((struct ses_slice){ &number, sizeof number }),
                                       1, NOW_MS + LIFE, SES_KIND_SESSION };
    pid_t children[PROCESSES];
    assert_ok(store_create(shop->store, &key, NOW_MS, NULL, &record));
    (void)ses_blob_unref(record.data);
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(count_up(shop, &key, i + 1));
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_ok(read_number(shop->store, &key, &version, &number));
    assert_int_equal(number, PROCESSES * EACH);
}

static int create_some(struct shop *shop, const struct ses_key *user, unsigned salt)
{
    for (unsigned i = 0; i < 50; i++) {
        const struct ses_key key = key_of(salt * 100 + i);
        const int r = create_for(shop->store, &key, user, 5);
        if (r != SES_OK && r != SES_ERR_DENIED)
            return 1;
    }
    return 0;
}

static void limit_of_a_user_holds_among_processes(void **state)
{
    struct shop *shop = *state;
    const struct ses_key user = key_of(7);
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(create_some(shop, &user, i + 1));
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(listed(shop->store, &user), 5);
}

#define CASE_IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, shop_setup, shop_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_SHOP(killed_writer_loses_nothing_that_was_acknowledged),
        CASE_IN_A_SHOP(killed_creator_leaves_no_session_that_is_not_listed),
        CASE_IN_A_SHOP(increments_of_several_processes_are_all_kept),
        CASE_IN_A_SHOP(limit_of_a_user_holds_among_processes),
    };
    return cmocka_run_group_tests_name("file_crash", tests, NULL, NULL);
}
