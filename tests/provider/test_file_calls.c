/* SPDX-License-Identifier: MIT */
#include "provider/file_calls.h"
#include "provider/file_fixture.h"

#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Each system call that the provider makes fails once. */

/* ---- the sweep ---- */

static const struct ses_key user = { { 0x77, 1 } };

static int touch_it(struct store *store, const struct ses_key *key)
{
    return store_touch(store, key, NOW_MS, 1, NOW_MS + 2 * LIFE);
}

static int load_it(struct store *store, const struct ses_key *key)
{
    uint64_t version;
    return load(store, key, &version);
}

static int save_it(struct store *store, const struct ses_key *key)
{
    return save(store, key, 1, 2, 'b', 100);
}

static int grow_it(struct store *store, const struct ses_key *key)
{
    return save(store, key, 1, 2, 'b', 9000);
}

static int end_it(struct store *store, const struct ses_key *key)
{
    return store_destroy(store, key, NOW_MS);
}

static int create_it(struct store *store, const struct ses_key *key)
{
    return create_for(store, key, &user, 2);
}

static int count_shown(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    (void)key, (void)record;
    ++*(unsigned *)arg;
    return 0;
}

static int list_them(struct store *store, const struct ses_key *key)
{
    unsigned count = 0;
    (void)key;
    const int r = store_list(store, &user, NOW_MS, count_shown, &count);
    if (r == SES_OK && !inject.before)
        assert_int_equal(count, 1);
    return r;
}

/* The folder with the record, and the one with the user: all others are empty. */
static int collect_them(struct store *store, const struct ses_key *key)
{
    struct file *file = store_instance(store);
    const uint32_t of_records = file->depth == 0 ? 1 : 256;
    struct ses_gc_step step;
    file->cursor.folder = file->depth == 0 ? 0 : key->bytes[0];
    const int r = store_gc(store, NOW_MS, 2, &step);
    file->cursor.folder = of_records + user.bytes[0];
    return r < 0 ? r : store_gc(store, NOW_MS, 3, &step);
}

static int ask_it(struct store *store, const struct ses_key *key)
{
    (void)key;
    return store_ping(store);
}

struct operation {
    int (*run)(struct store *store, const struct ses_key *key);
    bool prepared;  /* there is a record */
    unsigned after; /* how many the user has afterwards */
};

/* What was there is there, or what was to be; never anything else. */
static void assert_sound(struct shop *shop, const struct operation *op, const struct ses_key *key,
                         int r)
{
    uint64_t version = 0;
    const int there = load(shop->store, key, &version);
    assert_true(there == SES_OK || there == SES_ERR_NOT_FOUND);
    if (op->prepared && op->run != end_it)
        assert_ok(there);
    if (r == SES_ERR_FULL && there == SES_OK)
        assert_int_equal(version, 1);
    if (r < 0) { /* once more, and nothing fails */
        const int again = op->run(shop->store, key);
        const bool was_done = again == SES_ERR_CONFLICT || again == SES_ERR_EXISTS;
        if (!was_done)
            assert_ok(again);
        assert_true(!was_done || r != SES_ERR_FULL);
    }
    assert_int_equal(listed(shop->store, &user), op->after);
}

/* @return whether there was a call of that number. */
static bool fail_one(struct shop *shop, const struct operation *op, unsigned at, int error)
{
    const struct ses_key key = key_of(at);
    if (op->prepared)
        assert_ok(create_for(shop->store, &key, &user, 0));
    inject.at = at;
    inject.error = error;
    inject.calls = 0;
    inject.on = true;
    const int r = op->run(shop->store, &key);
    inject.on = false;
    if (inject.interrupted)
        assert_ok(r);
    else if (r < 0 && r != SES_ERR_FULL && !ses_is_failure(r))
        fail_msg("call %u with %d: %s", at, error, ses_strerror(r));
    const bool reached = inject.calls >= at;
    assert_sound(shop, op, &key, r);
    assert_ok(store_destroy(shop->store, &key, NOW_MS));
    assert_int_equal(listed(shop->store, &user), 0);
    return reached;
}

static const struct operation operations[] = {
    { load_it, true, 1 },   { save_it, true, 1 },      { grow_it, true, 1 },
    { touch_it, true, 1 },  { end_it, true, 0 },       { create_it, false, 1 },
    { list_them, true, 1 }, { collect_them, true, 1 }, { ask_it, true, 1 },
};

static unsigned sweep(struct shop *shop, int error)
{
    unsigned made = 0;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        unsigned at = 1;
        while (fail_one(shop, &operations[i], at, error))
            at++;
        assert_true(at > 1 || operations[i].run == ask_it); /* which no signal interrupts */
        made += at - 1;
    }
    return made;
}

static void any_call_may_fail_once_and_no_session_suffers(void **state)
{
    static const int errors[] = { EIO, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EACCES, EROFS };
    struct shop *shop = *state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_true(sweep(shop, errors[i]) > 60);
}

static void any_call_may_be_interrupted_and_is_made_again(void **state)
{
    inject.interrupted = true;
    assert_true(sweep(*state, EINTR) > 20);
    inject.interrupted = false;
}

static void file_data(void *instance)
{
    file_plain(instance);
    ((struct file *)instance)->durability = DURABLE_DATA;
}

static void any_call_of_a_synced_store_may_fail_once(void **state)
{
    static void (*const settings[])(void *instance) = { file_data, file_full };
    struct shop *shop = *state;
    struct store *plain = shop->store;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        assert_ok(shop_open(shop, path_of(shop, i ? "full" : "data"), settings[i], &shop->store));
        assert_true(sweep(shop, EIO) > 60);
        store_close(shop->store);
    }
    shop->store = plain;
}

static void older_kernel_follows_no_link_either(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    uint64_t version;
    inject.no_openat2 = true;
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    assert_ok(save(shop->store, &key, 1, 2, 'b', 5000));
    assert_ok(load(shop->store, &key, &version));
    assert_int_equal(rename(path_of(shop, "sessions/01"), path_of(shop, "elsewhere")), 0);
    assert_int_equal(symlink("../elsewhere", path_of(shop, "sessions/01")), 0);
    assert_code(load(shop->store, &key, &version), SES_ERR_CORRUPT);
    assert_int_equal(unlink(path_of(shop, "sessions/01")), 0);
    assert_int_equal(rename(path_of(shop, "elsewhere"), path_of(shop, "sessions/01")), 0);
    assert_ok(load(shop->store, &key, &version));
    assert_ok(store_destroy(shop->store, &key, NOW_MS));
    inject.no_openat2 = false;
}

/* Of the same name, with a record that its owner has left there. */
static void swap_folder(void *arg)
{
    const struct shop *shop = arg;
    assert_int_equal(rename(path_of(shop, "sessions/01"), path_of(shop, "elsewhere")), 0);
    assert_int_equal(symlink("../bait", path_of(shop, "sessions/01")), 0);
}

static void swap_back(struct shop *shop)
{
    if (!is_there(path_of(shop, "elsewhere")))
        return;
    assert_int_equal(unlink(path_of(shop, "sessions/01")), 0);
    assert_int_equal(rename(path_of(shop, "elsewhere"), path_of(shop, "sessions/01")), 0);
}

static void assert_bait_untouched(const struct shop *shop, time_t mtime)
{
    const struct ses_key key = key_of(1);
    struct stat stat;
    char path[512];
    (void)snprintf(path, sizeof path, "bait%s", strrchr(record_path(shop, &key), '/'));
    assert_int_equal(lstat(path_of(shop, path), &stat), 0);
    assert_int_equal(stat.st_mtim.tv_sec, mtime);
    (void)snprintf(path, sizeof path, "bait%s.new", strrchr(record_path(shop, &key), '/'));
    assert_false(is_there(path_of(shop, path)));
}

static bool swap_before(struct shop *shop, const struct operation *op, unsigned at)
{
    const struct ses_key key = key_of(1);
    if (op->prepared)
        assert_ok(create_for(shop->store, &key, &user, 0));
    inject = (struct call_faults){ .on = true, .at = at, .before = swap_folder };
    inject.arg = shop;
    (void)op->run(shop->store, &key);
    const bool reached = inject.calls >= at;
    inject = (struct call_faults){ 0 };
    assert_bait_untouched(shop, 1000000000);
    swap_back(shop);
    assert_ok(store_destroy(shop->store, &key, NOW_MS));
    return reached;
}

/* Whenever that is: nothing is read or written behind it (T-27). */
static void folder_swapped_for_a_link_between_any_two_calls_is_not_followed(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    char bait[512];
    assert_ok(create(shop->store, &key, 77, 'z', 100));
    assert_int_equal(mkdir(path_of(shop, "bait"), 0700), 0);
    (void)snprintf(bait, sizeof bait, "%s/bait%s", shop->root,
                   strrchr(record_path(shop, &key), '/'));
    assert_int_equal(rename(record_path(shop, &key), bait), 0);
    const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
    assert_int_equal(utimensat(AT_FDCWD, bait, times, 0), 0);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        unsigned at = 1;
        while (swap_before(shop, &operations[i], at))
            at++;
        assert_true(at > 2 || operations[i].run == ask_it);
    }
}

/* A session keeps its state, and still ends. */
static void full_disk_takes_the_end_of_a_session(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    uint64_t version = 0;
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    inject.full_at = SLOT_UNIT;
    assert_code(save(shop->store, &key, 1, 2, 'b', 100), SES_ERR_FULL);
    assert_ok(load(shop->store, &key, &version));
    assert_int_equal(version, 1);

    struct ses_record winner = { 0 }, loaded = { 0 };
    struct ses_record marker = { ses_blob_new(SLICE("end")), 3, NOW_MS + LIFE, SES_KIND_DEAD };
    assert_ok(store_save(shop->store, &key, NOW_MS, 1, &marker, &winner));
    (void)ses_blob_unref(marker.data);
    inject.full_at = 0;
    assert_ok(store_load(shop->store, &key, NOW_MS, &loaded));
    assert_int_equal(loaded.kind, SES_KIND_DEAD);
    (void)ses_blob_unref(loaded.data);
}

#define CASE_IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, shop_setup, shop_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_SHOP(any_call_may_fail_once_and_no_session_suffers),
        CASE_IN_A_SHOP(any_call_may_be_interrupted_and_is_made_again),
        CASE_IN_A_SHOP(any_call_of_a_synced_store_may_fail_once),
        CASE_IN_A_SHOP(older_kernel_follows_no_link_either),
        CASE_IN_A_SHOP(folder_swapped_for_a_link_between_any_two_calls_is_not_followed),
        CASE_IN_A_SHOP(full_disk_takes_the_end_of_a_session),
    };
    return cmocka_run_group_tests_name("file_calls", tests, NULL, NULL);
}
