/* SPDX-License-Identifier: MIT */
#include "provider/file_fixture.h"

#include "core/store.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Each system call that the provider makes fails once: the linker puts ours before them. */

static struct {
    bool on;
    unsigned calls;   /* made since it was turned on */
    unsigned at;      /* which one fails */
    int error;        /* and with what */
    bool no_openat2;  /* an older kernel */
    bool interrupted; /* fail the calls only that a signal may interrupt */
    off_t full_at;    /* no room for what begins there; 0: there is */
} inject;

static bool fails(bool may_be_interrupted)
{
    if (!inject.on || (inject.interrupted && !may_be_interrupted) || ++inject.calls != inject.at)
        return false;
    errno = inject.error;
    return true;
}

/* clang-format off */
#define WRAP(name, parameters, arguments, interruptible)                                           \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return fails(interruptible) ? -1 : __real_##name arguments;                                \
    }
/* clang-format on */

WRAP(fstat64, (int fd, struct stat *stat), (fd, stat), false)
WRAP(fstatat64, (int fd, const char *path, struct stat *stat, int flags), (fd, path, stat, flags),
     false)
WRAP(flock, (int fd, int how), (fd, how), true)
WRAP(fchmod, (int fd, mode_t mode), (fd, mode), false)
WRAP(fchmodat, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags), false)
WRAP(fsync, (int fd), (fd), false)
WRAP(ftruncate64, (int fd, off_t len), (fd, len), false)
WRAP(futimens, (int fd, const struct timespec *times), (fd, times), false)
WRAP(mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), false)
WRAP(mknodat, (int fd, const char *path, mode_t mode, dev_t device), (fd, path, mode, device),
     false)
WRAP(renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), false)
WRAP(unlinkat, (int fd, const char *path, int flags), (fd, path, flags), false)
WRAP(faccessat, (int fd, const char *path, int mode, int flags), (fd, path, mode, flags), false)

ssize_t __real_pread64(int fd, void *bytes, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t at)
{
    return fails(true) ? -1 : __real_pread64(fd, bytes, len, at);
}

/* One that fails has written half of it. */
ssize_t __real_pwritev64(int fd, const struct iovec *parts, int count, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    if (inject.full_at > 0 && at == inject.full_at) {
        errno = ENOSPC;
        return -1;
    }
    if (!fails(true))
        return __real_pwritev64(fd, parts, count, at);
    const int error = errno;
    if (!inject.interrupted)
        (void)__real_pwritev64(fd, parts, 1, at);
    errno = error;
    return -1;
}

long __real_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d)
{
    if (fails(true))
        return -1;
    if (inject.no_openat2 && number == SYS_openat2) {
        errno = ENOSYS;
        return -1;
    }
    return __real_syscall(number, a, b, c, d);
}

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
    if (r == SES_OK)
        assert_int_equal(count, 1);
    return r;
}

static int collect_them(struct store *store, const struct ses_key *key)
{
    struct ses_gc_step step;
    (void)key;
    return store_gc(store, NOW_MS, 1000, &step);
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

static void any_call_of_a_synced_store_may_fail_once(void **state)
{
    struct shop *shop = *state;
    struct store *plain = shop->store;
    assert_ok(shop_open(shop, path_of(shop, "full"), file_full, &shop->store));
    assert_true(sweep(shop, EIO) > 60);
    store_close(shop->store);
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
        CASE_IN_A_SHOP(full_disk_takes_the_end_of_a_session),
    };
    return cmocka_run_group_tests_name("file_calls", tests, NULL, NULL);
}
