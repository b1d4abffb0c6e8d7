/* SPDX-License-Identifier: MIT */
/* Files that are full, damaged, locked, or somebody else's. */
#include "provider/sqlite_fixture.h"

#include "shared/deadline.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[DB_PATH_ROOM];
static struct sql_shop shop;

static int new_path(void **state)
{
    (void)state;
    (void)db_new_path(path);
    return 0;
}

static int set_up(void **state)
{
    (void)new_path(state);
    return db_open(&shop, path, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    sql_shop_close(&shop);
    return 0;
}

/* ---- full ---- */

enum { ROOM_BYTES = 200000 };

static void of_little_room(void *instance)
{
    struct sqlite_store *store = instance;
    sqlite_settings_of(instance);
    store->max_bytes = ROOM_BYTES;
}

static int create_of(const struct ses_key *key, size_t len)
{
    static unsigned char bytes[ROOM_BYTES];
    const struct ses_key user = new_key();
    const struct ses_owner owner = { user, 0 };
    struct ses_record record = make_record((struct ses_slice){ bytes, len }, shop.f.now + LIFE_MS);
    const int r = store_create(shop.f.store, key, shop.f.now, &owner, &record);
    drop_record(&record);
    return r;
}

static void full_database_refuses_what_is_new_keeps_what_is_there_and_lets_all_log_out(void **state)
{
    enum { MOST = 2000 };
    static struct ses_key keys[MOST];
    static char large[ROOM_BYTES];
    int count = 0, r = SES_OK;
    (void)state;
    const struct ses_key old = new_key();
    assert_ok(db_open(&shop, path, of_little_room));
    const uint64_t version = put(&shop.f, &old, "alpha");
    while (r == SES_OK) {
        assert_true(count < MOST);
        keys[count] = new_key();
        r = create_of(&keys[count], 400);
        count += r == SES_OK;
    }
    assert_code(r, SES_ERR_FULL);
    assert_true(count > 100);
    assert_non_null(strstr(shop.told, "full"));
    assert_absent(&shop.f, &keys[count]);

    memset(large, 'x', sizeof large - 1);
    assert_code(save_as(&shop.f, &old, version, large, SES_KIND_SESSION), SES_ERR_FULL);
    assert_loads(&shop.f, &old, "alpha", version, shop.f.now + LIFE_MS);
    struct sighting sighting = { .key = &old };
    assert_ok(store_iterate(shop.f.store, shop.f.now, note_sighting, &sighting));
    assert_int_equal(sighting.seen, 1);
    assert_int_equal(sighting.others, count);

    for (int i = 0; i < count; i++) {
        struct ses_record record;
        assert_ok(store_load(shop.f.store, &keys[i], shop.f.now, &record));
        assert_ok(
            save_as(&shop.f, &keys[i], record.version, large + ROOM_BYTES - 500, SES_KIND_DEAD));
        drop_record(&record);
    }
    for (int i = 0; i < count; i++)
        assert_ok(store_destroy(shop.f.store, &keys[i], shop.f.now));
    assert_ok(create_of(&keys[count], 400));
    sql_shop_close(&shop);
    struct stat stat;
    assert_int_equal(lstat(path, &stat), 0);
    assert_true(stat.st_size <= ROOM_BYTES + 64 * 4096);
}

/* ---- whose, and for whom ---- */

static void assert_mode(const char *end, mode_t mode)
{
    char name[DB_PATH_ROOM + 8];
    struct stat stat;
    (void)snprintf(name, sizeof name, "%s%s", path, end);
    assert_int_equal(lstat(name, &stat), 0);
    assert_int_equal(stat.st_mode & 07777, mode);
}

static void files_are_the_owners_alone_at_any_umask(void **state)
{
    static const mode_t masks[] = { 0, 0022, 0277, 0777 };
    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        (void)new_path(NULL);
        const struct ses_key key = new_key();
        const mode_t before = umask(masks[i]);
        assert_ok(db_open(&shop, path, NULL));
        (void)put(&shop.f, &key, "alpha");
        assert_mode("", 0600);
        assert_mode("-wal", 0600);
        assert_mode("-shm", 0600);
        sql_shop_close(&shop);
        (void)umask(before);
    }
}

static void assert_open_fails(int code, const char *says)
{
    assert_code(db_open(&shop, path, NULL), code);
    assert_int_equal(shop.lines, 1);
    if (!strstr(shop.told, says))
        fail_msg("\"%s\" does not say \"%s\"", shop.told, says);
}

static void file_that_is_not_ours_alone_is_refused(void **state)
{
    char target[DB_PATH_ROOM];
    (void)state;
    assert_ok(db_open(&shop, path, NULL));
    sql_shop_close(&shop);
    for (mode_t bit = 01; bit <= 040; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        assert_open_fails(SES_ERR_INVALID, "chmod 600");
    }
    assert_int_equal(chmod(path, 0600), 0);
    if (chown(path, 1, 1) == 0)
        assert_open_fails(SES_ERR_INVALID, "another user's");
    (void)snprintf(target, sizeof target, "%s", path);
    (void)new_path(NULL);
    assert_int_equal(symlink(target, path), 0);
    assert_open_fails(SES_ERR_INVALID, "not a plain file");
    (void)new_path(NULL);
    assert_int_equal(symlink("nowhere.db", path), 0);
    assert_open_fails(SES_ERR_INVALID, "not a plain file");
    (void)new_path(NULL);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_open_fails(SES_ERR_INVALID, "not a plain file");
    (void)new_path(NULL);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_open_fails(SES_ERR_INVALID, "not a plain file");
}

static void folder_that_is_missing_is_told_and_a_path_is_required(void **state)
{
    static const char *const none[] = { "", ":memory:", "/", "somewhere/" };
    (void)state;
    (void)snprintf(path, sizeof path, "%s/no/such.db", own_folder());
    assert_open_fails(SES_ERR_INVALID, "No such file or directory");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        (void)snprintf(path, sizeof path, "%s", none[i]);
        assert_open_fails(SES_ERR_INVALID, "has to be the path of a file");
    }
}

/* root may do everything, so it is another user who tries. */
static int try_as_nobody(mode_t mode)
{
    const struct ses_key key = new_key();
    char folder[DB_PATH_ROOM + 8], name[DB_PATH_ROOM + 16];
    (void)snprintf(folder, sizeof folder, "/tmp/sqlite-%d", (int)getpid());
    (void)snprintf(name, sizeof name, "%s/s.db", folder);
    if (mkdir(folder, 0700) < 0 || db_open(&shop, name, NULL) != SES_OK)
        return 2;
    (void)put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    if (chmod(name, mode & 0600) < 0 || chmod(folder, mode >> 9 & 0700) < 0)
        return 3;
    int r = db_open(&shop, name, NULL);
    r = r == SES_ERR_INVALID && shop.lines == 1 ? 0 : 4;
    (void)chmod(folder, 0700);
    remove_folder(folder);
    return r;
}

static void file_that_may_not_be_read_or_written_is_told_at_start(void **state)
{
    static const mode_t modes[] = { 0600, 0700000 | 0400, 0700000, 0500000 | 0400, 0 };
    (void)state;
    for (size_t i = 1; i < sizeof modes / sizeof *modes; i++) {
        const pid_t child = fork();
        if (child == 0)
            _exit(geteuid() == 0 && setuid(65534) < 0 ? 1 : try_as_nobody(modes[i]));
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0)
            fail_msg("case %zu: %d", i, WEXITSTATUS(status));
    }
}

/* ---- damaged ---- */

static void change(const char *text)
{
    sqlite3 *db = db_guest(path);
    db_say(db, text);
    sqlite3_close(db);
}

static void row_that_was_changed_is_corrupt_told_and_never_served(void **state)
{
    static const char *const changes[] = {
        "UPDATE sesame_sessions SET record = x'616c706862'",
        "UPDATE sesame_sessions SET record = 'alpha'",
        "UPDATE sesame_sessions SET record = 5",
        "UPDATE sesame_sessions SET version = version + 1",
        "UPDATE sesame_sessions SET version = 0",
        "UPDATE sesame_sessions SET version = 'seven'",
        "UPDATE sesame_sessions SET kind = 4",
        "UPDATE sesame_sessions SET kind = 5",
        "UPDATE sesame_sessions SET expires = 'soon'",
        "UPDATE sesame_sessions SET checksum = checksum + 4294967296",
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct ses_key key = new_key();
        struct ses_record record = { 0 }, winner = { 0 };
        (void)put(&shop.f, &key, "alpha");
        change(changes[i]);
        assert_code(store_load(shop.f.store, &key, shop.f.now, &record), SES_ERR_CORRUPT);
        assert_null(record.data);
        assert_non_null(strstr(shop.told, "a row does not check"));
        record = make_record(SLICE("beta"), shop.f.now + LIFE_MS);
        assert_code(store_save(shop.f.store, &key, shop.f.now, 1, &record, &winner),
                    SES_ERR_CORRUPT);
        assert_null(winner.data);
        drop_record(&record);
        assert_ok(store_destroy(shop.f.store, &key, shop.f.now));
    }
    const struct ses_key a = new_key();
    struct ses_record record = { 0 };
    (void)put(&shop.f, &a, "alpha");
    change("UPDATE sesame_sessions SET key = zeroblob(32)");
    const struct ses_key zero = { { 0 } };
    assert_code(store_load(shop.f.store, &zero, shop.f.now, &record), SES_ERR_CORRUPT);
    struct sighting sighting = { .key = &zero };
    assert_code(store_iterate(shop.f.store, shop.f.now, note_sighting, &sighting), SES_ERR_CORRUPT);
    assert_int_equal(sighting.seen, 0);
}

static void overwrite(long at, long len, int byte)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    for (long i = 0; i < len; i++)
        (void)fputc(byte, file);
    assert_int_equal(fclose(file), 0);
}

static void file_that_is_no_database_is_corrupt_in_one_line(void **state)
{
    (void)state;
    assert_ok(db_open(&shop, path, NULL));
    sql_shop_close(&shop);
    overwrite(0, 100, 'x');
    assert_code(db_open(&shop, path, NULL), SES_ERR_CORRUPT);
    assert_int_equal(shop.lines, 1);
    assert_non_null(strstr(shop.told, "not a database"));
}

/* Every page but the first in turn; what is served is what was stored. */
static void damaged_pages_are_corrupt_or_missing_and_never_another_record(void **state)
{
    enum { RECORDS = 300, PAGE = 4096 };
    static struct ses_key keys[RECORDS];
    char text[500];
    int served = 0, corrupt = 0;
    (void)state;
    assert_ok(db_open(&shop, path, NULL));
    for (int i = 0; i < RECORDS; i++) {
        keys[i] = new_key();
        (void)snprintf(text, sizeof text, "%0400d", i);
        (void)put(&shop.f, &keys[i], text);
    }
    sql_shop_close(&shop);
    struct stat stat;
    assert_int_equal(lstat(path, &stat), 0);
    for (long page = 1; page < stat.st_size / PAGE; page += 3)
        overwrite(page * PAGE + page % 7 * 500, 200, (int)(page % 251));
    const int opened = db_open(&shop, path, NULL);
    for (int i = 0; opened == SES_OK && i < RECORDS; i++) {
        struct ses_record record = { 0 };
        const int r = store_load(shop.f.store, &keys[i], shop.f.now, &record);
        (void)snprintf(text, sizeof text, "%0400d", i);
        if (r == SES_OK)
            assert_memory_equal(ses_blob_bytes(record.data).data, text, 400);
        else if (r != SES_ERR_CORRUPT)
            assert_code(r, SES_ERR_NOT_FOUND);
        served += r == SES_OK;
        corrupt += r == SES_ERR_CORRUPT;
        drop_record(&record);
    }
    assert_ok(opened);
    assert_true(served > 0);
    assert_true(corrupt > 0);
    sql_shop_close(&shop);
}

/* ---- locked ---- */

static void of_little_patience(void *instance)
{
    struct sqlite_store *store = instance;
    sqlite_settings_of(instance);
    store->sql.budget_ms = 200;
}

static void lock_of_another_is_unavailable_within_the_budget_and_reading_goes_on(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(db_open(&shop, path, of_little_patience));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sqlite3 *db = db_guest(path);
    db_say(db, "BEGIN IMMEDIATE");
    for (int i = 0; i < 8; i++) {
        const int64_t before = monotonic_ms();
        assert_code(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
        const int64_t took = monotonic_ms() - before;
        assert_true(took < 1000);
        assert_true(i >= 5 || took >= 99); /* then it is lost, and not asked again at once */
        assert_loads(&shop.f, &key, "alpha", version, shop.f.now + LIFE_MS);
    }
    assert_int_equal(shop.lost, 1);
    assert_int_equal(shop.back, 0);
    db_say(db, "ROLLBACK");
    const struct deadline deadline = deadline_in(10000);
    int r = SES_ERR_UNAVAILABLE;
    while (r == SES_ERR_UNAVAILABLE && !deadline_passed(deadline))
        r = save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION);
    assert_ok(r);
    assert_int_equal(shop.back, 1);
    sqlite3_close(db);
    sql_shop_close(&shop);
}

static void start_with_a_locked_file_fails_within_the_budget(void **state)
{
    (void)state;
    assert_ok(db_open(&shop, path, NULL));
    sql_shop_close(&shop);
    sqlite3 *db = db_guest(path);
    db_say(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE");
    const int64_t before = monotonic_ms();
    assert_code(db_open(&shop, path, of_little_patience), SES_ERR_UNAVAILABLE);
    assert_true(monotonic_ms() - before < 2000);
    assert_non_null(strstr(shop.told, "locked"));
    sqlite3_close(db);
}

static void of_hardly_any_patience(void *instance)
{
    struct sqlite_store *store = instance;
    sqlite_settings_of(instance);
    store->sql.budget_ms = 20;
}

static void long_question_ends_at_the_budget(void **state)
{
    (void)state;
    uint64_t count = 0;
    assert_ok(db_open(&shop, path, NULL));
    change("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) "
           "INSERT INTO sesame_sessions SELECT randomblob(32), 1, 9000000000000, 1, NULL, 1, x'00' "
           "FROM n");
    assert_ok(store_count(shop.f.store, shop.f.now, &count));
    assert_int_equal(count, 400000);
    sql_shop_close(&shop);
    assert_ok(db_open(&shop, path, of_hardly_any_patience));
    const int64_t before = monotonic_ms();
    assert_code(store_count(shop.f.store, shop.f.now, &count), SES_ERR_UNAVAILABLE);
    assert_true(monotonic_ms() - before < 1000);
    assert_non_null(strstr(shop.told, "took too long"));
    sql_shop_close(&shop);
}

/* ---- what else others may want ---- */

/* Nobody could empty the log while a page is shown. */
static int checkpoint(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    (void)key, (void)record;
    return (int)db_number(arg, "PRAGMA wal_checkpoint(TRUNCATE)"); /* 1: somebody reads */
}

static void walk_keeps_no_transaction_open_while_it_shows(void **state)
{
    enum { MANY = 200 };
    (void)state;
    const struct ses_key user = new_key();
    for (int i = 0; i < MANY; i++) {
        const struct ses_key key = new_key();
        assert_ok(create_owned(&shop.f, &key, &user, 0));
    }
    sqlite3 *db = db_guest(path);
    assert_ok(store_iterate(shop.f.store, shop.f.now, checkpoint, db));
    assert_ok(store_list(shop.f.store, &user, shop.f.now, checkpoint, db));
    sqlite3_close(db);
}

#define CASE_IN_A_FILE(name) cmocka_unit_test_setup(name, new_path)
#define CASE_IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_IN_A_FILE(full_database_refuses_what_is_new_keeps_what_is_there_and_lets_all_log_out),
        CASE_IN_A_FILE(files_are_the_owners_alone_at_any_umask),
        CASE_IN_A_FILE(file_that_is_not_ours_alone_is_refused),
        CASE_IN_A_FILE(folder_that_is_missing_is_told_and_a_path_is_required),
        CASE_IN_A_FILE(file_that_may_not_be_read_or_written_is_told_at_start),
        CASE_IN_A_SHOP(row_that_was_changed_is_corrupt_told_and_never_served),
        CASE_IN_A_FILE(file_that_is_no_database_is_corrupt_in_one_line),
        CASE_IN_A_FILE(damaged_pages_are_corrupt_or_missing_and_never_another_record),
        CASE_IN_A_FILE(lock_of_another_is_unavailable_within_the_budget_and_reading_goes_on),
        CASE_IN_A_FILE(start_with_a_locked_file_fails_within_the_budget),
        CASE_IN_A_FILE(long_question_ends_at_the_budget),
        CASE_IN_A_SHOP(walk_keeps_no_transaction_open_while_it_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
