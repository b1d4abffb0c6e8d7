/* SPDX-License-Identifier: MIT */
#include "provider/file_calls.h"
#include "provider/file_fixture.h"

#include "core/store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

/* The index by user, when processes die between a record and its entry, and gc comes by. */

static const struct ses_key user = { { 0x77, 1 } };

/* Whole walks, in steps of that size. */
static unsigned collect(struct store *store, uint32_t budget)
{
    struct ses_gc_step step;
    unsigned steps = 0;
    do {
        assert_ok(store_gc(store, NOW_MS, budget, &step));
        steps++;
    } while (step.more);
    return steps;
}

static const char *user_folder(const struct shop *shop, const struct ses_key *whose)
{
    static char folder[512];
    const struct ses_key key = key_of(0);
    (void)snprintf(folder, sizeof folder, "%s", entry_path(shop, whose, &key));
    *strrchr(folder, '/') = '\0';
    return folder;
}

/* ---- whoever dies ---- */

static int create_it(struct store *store, const struct ses_key *key)
{
    return create_for(store, key, &user, 3);
}

static int end_it(struct store *store, const struct ses_key *key)
{
    return store_destroy(store, key, NOW_MS);
}

static int collect_it(struct store *store, const struct ses_key *key)
{
    struct ses_gc_step step;
    (void)key;
    return store_gc(store, NOW_MS + 2 * LIFE, 2, &step); /* its folder, and it */
}

static void die(void *arg)
{
    (void)arg;
    (void)kill(getpid(), SIGKILL);
}

/* In another process, which is killed before its call of that number. @return whether it was. */
static bool kill_at(struct shop *shop, int (*run)(struct store *, const struct ses_key *),
                    const struct ses_key *key, unsigned at)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        inject = (struct call_faults){ .on = true, .at = at, .before = die };
        _exit(run(shop->store, key) == SES_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* After gc there is an entry for each session, none for what is not, and no empty folder. */
static bool assert_tidy(struct shop *shop, const struct ses_key *key, uint32_t budget)
{
    uint64_t version;
    (void)collect(shop->store, budget);
    const bool there = load(shop->store, key, &version) == SES_OK;
    assert_int_equal(is_there(record_path(shop, key)), there);
    assert_int_equal(is_there(entry_path(shop, &user, key)), there);
    assert_int_equal(is_there(user_folder(shop, &user)), there);
    assert_int_equal(listed(shop->store, &user), there);
    return there;
}

static void kill_everywhere(struct shop *shop, bool prepared,
                            int (*run)(struct store *, const struct ses_key *))
{
    unsigned at = 1, left = 0;
    for (bool killed = true; killed; at++) {
        const struct ses_key key = key_of(at);
        if (prepared)
            assert_ok(create_it(shop->store, &key));
        struct ses_gc_step step;
        assert_ok(store_gc(shop->store, NOW_MS, at, &step)); /* up to where its folder comes */
        killed = kill_at(shop, run, &key, at);
        left += is_there(entry_path(shop, &user, &key)) && !is_there(record_path(shop, &key));
        (void)assert_tidy(shop, &key, at % 9 + 1);
        assert_ok(store_destroy(shop->store, &key, NOW_MS));
    }
    assert_true(left > 0); /* there was something to do for gc */
    assert_true(at > 10);
}

static void gc_removes_the_entries_of_creates_that_were_killed(void **state)
{
    kill_everywhere(*state, false, create_it);
}

static void gc_removes_the_entries_of_destroys_that_were_killed(void **state)
{
    kill_everywhere(*state, true, end_it);
}

static void gc_removes_the_entries_that_a_killed_gc_has_left(void **state)
{
    kill_everywhere(*state, true, collect_it);
}

static void gc_removes_the_empty_folder_of_a_user(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    unsigned empty = 0;
    for (unsigned at = 1; kill_at(shop, create_it, &key, at); at++) {
        empty += is_there(user_folder(shop, &user)) && !is_there(entry_path(shop, &user, &key));
        (void)assert_tidy(shop, &key, 1000);
        assert_ok(store_destroy(shop->store, &key, NOW_MS));
    }
    assert_true(empty > 0);
}

/* ---- while others are at it ---- */

static void collect_meanwhile(void *arg)
{
    inject.on = false;
    (void)collect(arg, 1000);
    inject.on = true;
}

/* gc comes by before each call of a create, and finds what there is by then. */
static void gc_never_takes_the_entry_of_a_create_under_way(void **state)
{
    struct shop *shop = *state;
    struct store *other;
    assert_ok(shop_open(shop, shop->root, file_plain, &other));
    unsigned at = 1;
    for (bool reached = true; reached; at++) {
        const struct ses_key key = key_of(at);
        inject = (struct call_faults){ .on = true, .at = at, .before = collect_meanwhile };
        inject.arg = other;
        assert_ok(create_it(shop->store, &key));
        reached = inject.calls >= at;
        inject = (struct call_faults){ 0 };
        assert_true(is_there(entry_path(shop, &user, &key)));
        assert_int_equal(listed(shop->store, &user), 1);
        assert_ok(store_destroy(shop->store, &key, NOW_MS));
    }
    assert_true(at > 10);
    store_close(other);
}

static bool is_locked(const char *folder)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY);
    const bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
    (void)close(fd);
    return locked;
}

/* A create that would have to wait for gc comes after it. */
static void create_meanwhile(void *arg)
{
    struct shop *shop = arg;
    const struct ses_key key = key_of(1);
    inject.arg = NULL;
    if (is_locked(user_folder(shop, &user)))
        return;
    inject.on = false;
    assert_ok(create_it(shop->store, &key));
    inject.on = true;
}

/* The entry was made, and gc may have looked for the record; now that is made, too. */
static void create_comes_between_any_two_calls_of_gc_and_is_listed(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    struct ses_gc_step step;
    unsigned at = 1;
    for (bool reached = true; reached; at++) {
        assert_ok(create_it(shop->store, &key));
        assert_int_equal(unlink(record_path(shop, &key)), 0);
        assert_ok(store_gc(shop->store, NOW_MS, 256 + user.bytes[0], &step)); /* its folder next */
        inject = (struct call_faults){ .on = true, .at = at, .before = create_meanwhile };
        inject.arg = shop;
        assert_ok(store_gc(shop->store, NOW_MS, 3, &step)); /* that, the user's, the entry */
        reached = inject.arg == NULL;
        inject = (struct call_faults){ 0 };
        uint64_t version;
        const bool made = load(shop->store, &key, &version) == SES_OK;
        assert_int_equal(is_there(entry_path(shop, &user, &key)), made);
        assert_ok(store_destroy(shop->store, &key, NOW_MS));
        (void)collect(shop->store, 1000);
    }
    assert_true(at > 10);
}

static void gc_waits_for_no_user_and_comes_back(void **state)
{
    struct shop *shop = *state;
    const struct ses_key lost = key_of(1);
    assert_ok(create_it(shop->store, &lost));
    assert_int_equal(unlink(record_path(shop, &lost)), 0);
    const int fd = open(user_folder(shop, &user), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    (void)collect(shop->store, 1000);
    assert_true(is_there(entry_path(shop, &user, &lost)));
    assert_int_equal(close(fd), 0);
    (void)collect(shop->store, 1000);
    assert_false(is_there(entry_path(shop, &user, &lost)));
}

/* ---- in steps ---- */

enum { USERS = 20, EACH = 5 };

static struct ses_key user_number(unsigned number)
{
    return (struct ses_key){ { (unsigned char)(number / 4), (unsigned char)number, 0x77 } };
}

/* Of each user the last session's record is there, the others are not. */
static void make_half_lost(struct shop *shop)
{
    for (unsigned i = 0; i < USERS * EACH; i++) {
        const struct ses_key key = key_of(i), owner = user_number(i / EACH);
        assert_ok(create_for(shop->store, &key, &owner, 0));
        if (i % EACH != EACH - 1)
            assert_int_equal(unlink(record_path(shop, &key)), 0);
    }
}

static unsigned count_entries(const struct shop *shop)
{
    unsigned count = 0;
    for (unsigned i = 0; i < USERS * EACH; i++) {
        const struct ses_key key = key_of(i), owner = user_number(i / EACH);
        count += is_there(entry_path(shop, &owner, &key));
    }
    return count;
}

static void walk_over_the_index_goes_on_where_a_step_has_ended(void **state)
{
    struct shop *shop = *state;
    struct ses_gc_step step = { .more = true };
    make_half_lost(shop);
    unsigned steps = 0;
    for (unsigned before = USERS * EACH; step.more; steps++) {
        assert_ok(store_gc(shop->store, NOW_MS, 1, &step));
        const unsigned left = count_entries(shop);
        assert_true(before - left <= 1);
        before = left;
    }
    /* Two times 256 folders; a record, a folder and its entries for each user; the end. */
    assert_int_equal(steps, 512 + USERS + USERS + USERS * EACH + 1);
    for (unsigned i = 0; i < USERS * EACH; i++) {
        const struct ses_key key = key_of(i), owner = user_number(i / EACH);
        assert_int_equal(is_there(entry_path(shop, &owner, &key)), i % EACH == EACH - 1);
        assert_int_equal(listed(shop->store, &owner), 1);
    }
}

#define CASE_IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, shop_setup, shop_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_SHOP(gc_removes_the_entries_of_creates_that_were_killed),
        CASE_IN_A_SHOP(gc_removes_the_entries_of_destroys_that_were_killed),
        CASE_IN_A_SHOP(gc_removes_the_entries_that_a_killed_gc_has_left),
        CASE_IN_A_SHOP(gc_removes_the_empty_folder_of_a_user),
        CASE_IN_A_SHOP(gc_never_takes_the_entry_of_a_create_under_way),
        CASE_IN_A_SHOP(create_comes_between_any_two_calls_of_gc_and_is_listed),
        CASE_IN_A_SHOP(gc_waits_for_no_user_and_comes_back),
        CASE_IN_A_SHOP(walk_over_the_index_goes_on_where_a_step_has_ended),
    };
    return cmocka_run_group_tests_name("file_index", tests, NULL, NULL);
}
