/* SPDX-License-Identifier: MIT */
#include "provider/file_fixture.h"

#include "core/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/wait.h>
#include <unistd.h>

/* What others, or a crash, may have put into the folder (T-23 to T-27), and what becomes of it. */

enum { CAPACITY = 512 };

static void write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static mode_t mode_of(const char *path)
{
    struct stat stat;
    assert_int_equal(lstat(path, &stat), 0);
    return stat.st_mode & 07777;
}

/* ---- what is not a file of ours ---- */

/* Nothing is read or written through it, and the log has it in one line without a name. */
static void assert_refused(struct shop *shop, const struct ses_key *key)
{
    uint64_t version;
    shop->lines = 0;
    assert_code(load(shop->store, key, &version), SES_ERR_CORRUPT);
    assert_int_equal(shop->lines, 1);
    assert_non_null(strstr(shop->told, "refused"));
    assert_null(strstr(shop->told, "a500"));
    assert_code(save(shop->store, key, 1, 2, 'b', 100), SES_ERR_CORRUPT);
    assert_code(store_touch(shop->store, key, NOW_MS, 1, NOW_MS + 2 * LIFE), SES_ERR_CORRUPT);
    assert_code(create(shop->store, key, 3, 'c', 100), SES_ERR_CORRUPT);
    assert_code(store_destroy(shop->store, key, NOW_MS), SES_ERR_CORRUPT);
}

static void link_in_the_place_of_a_record_is_refused(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1), other = key_of(257);
    assert_ok(create(shop->store, &other, 1, 'a', 100));
    assert_int_equal(symlink(record_path(shop, &other), record_path(shop, &key)), 0);
    assert_refused(shop, &key);
    uint64_t version;
    assert_ok(load(shop->store, &other, &version));
    assert_int_equal(version, 1);
}

static void hard_link_in_the_place_of_a_record_is_refused(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1), other = key_of(257);
    assert_ok(create(shop->store, &other, 1, 'a', 100));
    assert_int_equal(link(record_path(shop, &other), record_path(shop, &key)), 0);
    assert_refused(shop, &key);
}

static void fifo_folder_and_open_mode_are_refused(void **state)
{
    struct shop *shop = *state;
    const struct ses_key maker = key_of(1), fifo = key_of(257), folder = key_of(513);
    const struct ses_key open_mode = key_of(769);
    assert_ok(create(shop->store, &maker, 1, 'a', 100));
    assert_int_equal(mkfifo(record_path(shop, &fifo), 0600), 0);
    assert_int_equal(mkdir(record_path(shop, &folder), 0700), 0);
    assert_ok(create(shop->store, &open_mode, 1, 'a', 100));
    assert_int_equal(chmod(record_path(shop, &open_mode), 0644), 0);
    assert_refused(shop, &fifo);
    assert_refused(shop, &folder);
    assert_refused(shop, &open_mode);
}

static void file_of_another_owner_is_refused(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    if (chown(record_path(shop, &key), 65534, 65534) == 0) /* else we are not root */
        assert_refused(shop, &key);
}

static void folder_that_was_swapped_for_a_link_is_not_followed(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    assert_int_equal(rename(path_of(shop, "sessions/01"), path_of(shop, "elsewhere")), 0);
    assert_int_equal(symlink(path_of(shop, "elsewhere"), path_of(shop, "sessions/01")), 0);
    assert_refused(shop, &key);
    assert_int_equal(unlink(path_of(shop, "sessions/01")), 0);
    assert_int_equal(symlink("../elsewhere", path_of(shop, "sessions/01")), 0);
    assert_refused(shop, &key);
}

static void names_are_made_of_the_key_alone(void **state)
{
    struct shop *shop = *state;
    struct ses_key key = { { 0 } };
    memcpy(key.bytes, "../../../../etc/passwd\0C:\\\\x\xe2\x80\xa5/", SES_KEY_BYTES);
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    assert_true(is_there(record_path(shop, &key)));
    assert_non_null(strstr(record_path(shop, &key), "/sessions/2e/2e2e2f2e2e2f"));
}

static unsigned names_seen;

/* Below sessions/ and users/. */
static int check_name(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat;
    const char *name = path + where->base;
    const size_t len = strlen(name);
    if (where->level == 0)
        return 0;
    names_seen += type == FTW_F;
    return strspn(name, "0123456789abcdef") == len && (len == 2 || len == 64) ? 0 : 1;
}

static unsigned count_names(const char *folder)
{
    names_seen = 0;
    assert_int_equal(nftw(folder, check_name, 16, FTW_PHYS), 0);
    return names_seen;
}

/* Of whatever bytes a key is: two keys never have one name (T-26). */
static void every_name_of_a_session_or_user_is_hexadecimal_and_of_its_own(void **state)
{
    enum { KEYS = 256 };
    struct shop *shop = *state;
    for (unsigned i = 0; i < KEYS; i++) {
        struct ses_key key, user;
        memset(key.bytes, (int)i, sizeof key.bytes);
        user = key;
        key.bytes[SES_KEY_BYTES - 1] = (unsigned char)(i * 7);
        assert_ok(create_for(shop->store, &key, &user, 0));
        assert_ok(save(shop->store, &key, 1, 2, 'b', 5000));
        key.bytes[0] ^= 0x20; /* the case of a letter */
        assert_ok(create_for(shop->store, &key, &user, 0));
    }
    assert_int_equal(count_names(path_of(shop, "sessions")), 2 * KEYS);
    assert_int_equal(count_names(path_of(shop, "users")), 2 * KEYS);
}

static int refuse_it(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    (void)arg, (void)key, (void)record;
    return 1;
}

/* Neither counted nor shown nor removed; where the name is one of ours, it is not served (T-26). */
static void what_an_application_puts_into_the_folder_is_never_a_session(void **state)
{
    static const char *const names[] = { "config", "a", "id.json", "sess_1", "..new", "x.new" };
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    struct ses_gc_step step = { .more = true };
    uint64_t count = 0, version;
    char other[2][512];
    assert_ok(create(shop->store, &key, 1, 'a', 100)); /* so that its folder is there */
    (void)snprintf(other[0], sizeof other[0], "%s0", record_path(shop, &key));
    (void)snprintf(other[1], sizeof other[1], "%s", record_path(shop, &key));
    strrchr(other[1], '/')[5] = 'A'; /* instead of a */
    write_file(record_path(shop, &key), "{\"user\": \"admin\"}");
    write_file(other[0], "x");
    write_file(other[1], "x");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char rest[64];
        (void)snprintf(rest, sizeof rest, "sessions/01/%s", names[i]);
        write_file(path_of(shop, rest), "x");
    }
    assert_code(load(shop->store, &key, &version), SES_ERR_CORRUPT);
    assert_ok(store_count(shop->store, NOW_MS, &count));
    assert_int_equal(count, 0);
    assert_ok(store_iterate(shop->store, NOW_MS, refuse_it, NULL));
    while (step.more)
        assert_ok(store_gc(shop->store, NOW_MS, 100, &step));
    assert_true(is_there(other[0]) && is_there(other[1]));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char rest[64];
        (void)snprintf(rest, sizeof rest, "sessions/01/%s", names[i]);
        assert_true(is_there(path_of(shop, rest)));
    }
}

/* ---- modes and owners ---- */

static void modes_are_private_at_any_umask(void **state)
{
    struct shop *shop = *state;
    static const mode_t masks[] = { 0, 0777, 0277 };
    for (unsigned i = 0; i < 3; i++) {
        const struct ses_key key = key_of(i), user = key_of(100 + i);
        const mode_t before = umask(masks[i]);
        assert_ok(create_for(shop->store, &key, &user, 0));
        assert_ok(save(shop->store, &key, 1, 2, 'b', 5000)); /* in a new file */
        (void)umask(before);
        assert_int_equal(mode_of(record_path(shop, &key)), 0600);
        char folder[8];
        (void)snprintf(folder, sizeof folder, "%02x", i);
        char rest[32];
        (void)snprintf(rest, sizeof rest, "sessions/%s", folder);
        assert_int_equal(mode_of(path_of(shop, rest)), 0700);
    }
    assert_int_equal(mode_of(shop->root), 0700);
}

static void assert_not_opened(struct shop *shop, const char *root, const char *why)
{
    struct store *store = NULL;
    shop->lines = 0;
    assert_code(shop_open(shop, root, file_plain, &store), SES_ERR_INVALID);
    assert_int_equal(shop->lines, 1);
    if (!strstr(shop->told, why))
        fail_msg("%s", shop->told);
}

static void root_that_others_may_change_is_refused(void **state)
{
    struct shop *shop = *state;
    struct store *store;
    assert_int_equal(mkdir(path_of(shop, "r"), 0700), 0);
    assert_int_equal(chmod(path_of(shop, "r"), 0777), 0);
    assert_not_opened(shop, path_of(shop, "r"), "written by others");
    assert_int_equal(chmod(path_of(shop, "r"), 01777), 0);
    assert_ok(shop_open(shop, path_of(shop, "r"), file_plain, &store));
    store_close(store);
    assert_int_equal(symlink("r", path_of(shop, "link")), 0);
    assert_not_opened(shop, path_of(shop, "link"), "is a link");
    assert_not_opened(shop, path_of(shop, "link/"), "is a link");
    write_file(path_of(shop, "plain"), "");
    assert_not_opened(shop, path_of(shop, "plain"), "is not a folder");
    assert_not_opened(shop, path_of(shop, "no/such"), "No such file");
    assert_not_opened(shop, "", "must name a folder");
    if (chown(path_of(shop, "r"), 65534, 65534) == 0)
        assert_not_opened(shop, path_of(shop, "r"), "belongs to another user");
}

static void another_layout_is_told_in_one_line(void **state)
{
    struct shop *shop = *state;
    struct store *store;
    shop->lines = 0;
    assert_code(shop_open(shop, shop->root, file_deep, &store), SES_ERR_INVALID);
    assert_int_equal(shop->lines, 1);
    assert_non_null(strstr(shop->told, "depth 1 width 256"));
    assert_non_null(strstr(shop->told, "depth 2 width 16"));
}

/* What somebody without our rights finds, and we without them. */
static int as_nobody(struct shop *shop, int (*body)(struct shop *))
{
    if (geteuid() != 0)
        return 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(setgid(65534) == 0 && setuid(65534) == 0 ? body(shop) : 9);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int fails_cleanly(struct shop *shop)
{
    const struct ses_key key = key_of(1);
    uint64_t version = 0;
    struct store *store;
    int wrong = load(shop->store, &key, &version) != SES_ERR_UNAVAILABLE;
    wrong += save(shop->store, &key, 1, 2, 'b', 100) != SES_ERR_UNAVAILABLE;
    wrong += create(shop->store, &key, 1, 'a', 100) != SES_ERR_UNAVAILABLE;
    wrong += store_destroy(shop->store, &key, NOW_MS) != SES_ERR_UNAVAILABLE;
    wrong += store_ping(shop->store) != SES_ERR_UNAVAILABLE;
    wrong += shop_open(shop, shop->root, file_plain, &store) != SES_ERR_INVALID;
    return wrong;
}

static void without_permission_every_call_says_unavailable(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    uint64_t version;
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    assert_int_equal(as_nobody(shop, fails_cleanly), 0);
    assert_ok(load(shop->store, &key, &version));
    assert_ok(store_ping(shop->store));
}

static void folder_that_is_gone_is_told_by_a_ping(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    remove_folder(shop->root);
    assert_code(store_ping(shop->store), SES_ERR_UNAVAILABLE);
    assert_code(create(shop->store, &key, 1, 'a', 100), SES_ERR_UNAVAILABLE);
}

/* ---- torn and spoilt files ---- */

static void poke(const char *path, off_t at, unsigned char change)
{
    unsigned char byte;
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= change;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (NOW_MS + LIFE) / 1000 } };
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(close(fd), 0);
}

/* Version 1 in the first slot, 2 in the second. */
static void make_two(struct shop *shop, const struct ses_key *key)
{
    assert_ok(create(shop->store, key, 1, 'a', 100));
    assert_ok(save(shop->store, key, 1, 2, 'b', 100));
}

static void any_spoilt_byte_of_a_slot_leaves_the_other(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    make_two(shop, &key);
    const char *path = record_path(shop, &key);
    for (off_t at = 0; at < FRAME_HEAD + 100; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint64_t version = 0;
            poke(path, at, (unsigned char)(1u << bit));
            assert_ok(load(shop->store, &key, &version));
            assert_int_equal(version, 2);
            poke(path, at, (unsigned char)(1u << bit));
            poke(path, CAPACITY + at, (unsigned char)(1u << bit));
            assert_ok(load(shop->store, &key, &version));
            assert_int_equal(version, 1);
            poke(path, CAPACITY + at, (unsigned char)(1u << bit));
        }
    }
    assert_ok(save(shop->store, &key, 2, 3, 'c', 100));
}

static void file_cut_anywhere_loads_what_is_left_or_nothing(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    for (off_t len = 2 * CAPACITY - 1; len >= 0; len--) {
        uint64_t version = 0;
        make_two(shop, &key);
        assert_int_equal(truncate(record_path(shop, &key), len), 0);
        const int r = load(shop->store, &key, &version);
        if (len >= CAPACITY + FRAME_HEAD + 100)
            assert_int_equal(version, 2);
        else if (len >= FRAME_HEAD + 100)
            assert_int_equal(version, 1);
        else
            assert_code(r, len > 0 ? SES_ERR_CORRUPT : SES_ERR_NOT_FOUND);
        assert_ok(store_destroy(shop->store, &key, NOW_MS));
    }
}

static void spoilt_record_is_quarantined_and_told_once(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1);
    uint64_t version;
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    poke(record_path(shop, &key), 90, 1);
    shop->lines = 0;
    assert_code(load(shop->store, &key, &version), SES_ERR_CORRUPT);
    assert_code(load(shop->store, &key, &version), SES_ERR_NOT_FOUND);
    assert_int_equal(shop->lines, 1);
    assert_non_null(strstr(shop->told, "quarantine"));
    assert_false(is_there(record_path(shop, &key)));
    char rest[96];
    (void)snprintf(rest, sizeof rest, "quarantine%s", strrchr(record_path(shop, &key), '/'));
    assert_true(is_there(path_of(shop, rest)));
    assert_ok(create(shop->store, &key, 5, 'a', 100));
}

static void record_under_another_name_is_not_served(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1), other = key_of(257);
    uint64_t version;
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    assert_int_equal(rename(record_path(shop, &key), record_path(shop, &other)), 0);
    assert_code(load(shop->store, &other, &version), SES_ERR_CORRUPT);
}

static uint64_t collect(struct shop *shop, int64_t now_ms)
{
    struct ses_gc_step step;
    uint64_t removed = 0;
    do {
        assert_ok(store_gc(shop->store, now_ms, 50, &step));
        removed += step.removed;
    } while (step.more);
    return removed;
}

static void gc_removes_what_died_at_birth_and_what_a_rename_left(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1), unborn = key_of(257);
    char temporary[512];
    uint64_t version;
    assert_ok(create(shop->store, &key, 1, 'a', 100));
    write_file(record_path(shop, &unborn), "");
    (void)snprintf(temporary, sizeof temporary, "%s.new", record_path(shop, &key));
    write_file(temporary, "half of it");
    assert_code(load(shop->store, &unborn, &version), SES_ERR_NOT_FOUND);
    assert_int_equal(collect(shop, NOW_MS), 1);
    assert_false(is_there(temporary));
    assert_false(is_there(record_path(shop, &unborn)));
    assert_ok(load(shop->store, &key, &version));
    assert_int_equal(collect(shop, NOW_MS + LIFE), 1);
}

/* ---- the index ---- */

static void list_repairs_entries_that_lead_to_nothing(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1), lost = key_of(257), user = key_of(7);
    assert_ok(create_for(shop->store, &key, &user, 0));
    assert_ok(create_for(shop->store, &lost, &user, 0));
    assert_int_equal(unlink(record_path(shop, &lost)), 0);
    assert_int_equal(listed(shop->store, &user), 1);
    assert_false(is_there(entry_path(shop, &user, &lost)));
    assert_true(is_there(entry_path(shop, &user, &key)));
    assert_ok(create_for(shop->store, &lost, &user, 2));
}

static void rebuilding(void *instance)
{
    file_plain(instance);
    ((struct file *)instance)->rebuild_index = true;
}

static void rebuilt_index_has_every_session_again(void **state)
{
    struct shop *shop = *state;
    struct store *store;
    const struct ses_key key = key_of(1), second = key_of(2), user = key_of(7);
    assert_ok(create_for(shop->store, &key, &user, 0));
    assert_ok(create_for(shop->store, &second, &user, 0));
    remove_folder(path_of(shop, "users"));
    assert_int_equal(listed(shop->store, &user), 0);
    assert_ok(shop_open(shop, shop->root, rebuilding, &store));
    assert_int_equal(listed(store, &user), 2);
    store_close(store);
}

static void last_session_of_a_user_takes_the_folder_with_it(void **state)
{
    struct shop *shop = *state;
    const struct ses_key key = key_of(1), user = key_of(7);
    assert_ok(create_for(shop->store, &key, &user, 1));
    assert_true(is_there(entry_path(shop, &user, &key)));
    assert_ok(store_destroy(shop->store, &key, NOW_MS));
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s", entry_path(shop, &user, &key));
    *strrchr(folder, '/') = '\0';
    assert_false(is_there(folder));
    assert_ok(create_for(shop->store, &key, &user, 1));
}

#define CASE_IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, shop_setup, shop_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_SHOP(link_in_the_place_of_a_record_is_refused),
        CASE_IN_A_SHOP(hard_link_in_the_place_of_a_record_is_refused),
        CASE_IN_A_SHOP(fifo_folder_and_open_mode_are_refused),
        CASE_IN_A_SHOP(file_of_another_owner_is_refused),
        CASE_IN_A_SHOP(folder_that_was_swapped_for_a_link_is_not_followed),
        CASE_IN_A_SHOP(names_are_made_of_the_key_alone),
        CASE_IN_A_SHOP(every_name_of_a_session_or_user_is_hexadecimal_and_of_its_own),
        CASE_IN_A_SHOP(what_an_application_puts_into_the_folder_is_never_a_session),
        CASE_IN_A_SHOP(modes_are_private_at_any_umask),
        CASE_IN_A_SHOP(root_that_others_may_change_is_refused),
        CASE_IN_A_SHOP(another_layout_is_told_in_one_line),
        CASE_IN_A_SHOP(without_permission_every_call_says_unavailable),
        CASE_IN_A_SHOP(folder_that_is_gone_is_told_by_a_ping),
        CASE_IN_A_SHOP(any_spoilt_byte_of_a_slot_leaves_the_other),
        CASE_IN_A_SHOP(file_cut_anywhere_loads_what_is_left_or_nothing),
        CASE_IN_A_SHOP(spoilt_record_is_quarantined_and_told_once),
        CASE_IN_A_SHOP(record_under_another_name_is_not_served),
        CASE_IN_A_SHOP(gc_removes_what_died_at_birth_and_what_a_rename_left),
        CASE_IN_A_SHOP(list_repairs_entries_that_lead_to_nothing),
        CASE_IN_A_SHOP(rebuilt_index_has_every_session_again),
        CASE_IN_A_SHOP(last_session_of_a_user_takes_the_folder_with_it),
    };
    return cmocka_run_group_tests_name("file_faults", tests, NULL, NULL);
}
