/* SPDX-License-Identifier: MIT */
/* Several processes and threads that write to the same file; nothing is lost, nobody is starved. */
#include "provider/sql_storm.h"
#include "provider/sqlite_fixture.h"

#include "shared/deadline.h"

#include <sesame/sesame.h>

#include <stdio.h>
#include <unistd.h>

static char path[DB_PATH_ROOM];

static void check_file(void)
{
    db_check(path);
}

/* ---- the queue ---- */

struct turn {
    struct sql_shop *shop;
    atomic_int *left;
    int saves, wrong;
    int64_t longest_ms;
};

enum { WRITERS = 8, SAVES = 8000 };

static void *take_turns(void *arg)
{
    struct turn *turn = arg;
    struct fixture *f = &turn->shop->f;
    struct ses_key key;
    uint64_t version;
    turn->wrong += sql_create_once(f, &key, &version) != SES_OK;
    while (atomic_fetch_sub(turn->left, 1) > 0) {
        const int64_t before = monotonic_ms();
        turn->wrong += sql_save_once(f, &key, &version) != SES_OK;
        const int64_t took = monotonic_ms() - before;
        turn->longest_ms = took > turn->longest_ms ? took : turn->longest_ms;
        turn->saves++;
    }
    return NULL;
}

/* SQLite's own lock lets some wait for a second while others write a thousand times. */
static void eight_writers_take_turns_and_none_is_starved(void **state)
{
    static struct sql_shop shop;
    (void)state;
    atomic_int left = SAVES;
    struct turn turns[WRITERS];
    int64_t longest_ms = 0;
    int least = SAVES;
    for (int i = 0; i < WRITERS; i++)
        turns[i] = (struct turn){ .shop = &shop, .left = &left };
    assert_ok(sql_storm_open(&shop));
    run_together(take_turns, turns, sizeof *turns, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(turns[i].wrong, 0);
        least = turns[i].saves < least ? turns[i].saves : least;
        longest_ms = turns[i].longest_ms > longest_ms ? turns[i].longest_ms : longest_ms;
    }
    (void)printf("# %d saves of %d threads, of each at least %d; the longest took %lld ms\n", SAVES,
                 WRITERS, least, (long long)longest_ms);
    assert_true(least > SAVES / WRITERS / 2);
    sql_shop_close(&shop);
}

/* ---- forks ---- */

/*
 * With connections of its parent's, or their remains in SQLite's own state, a child holds no lock
 * that others see. Then the last to close takes the log away from under it.
 */
static int outlive(struct fixture *f, const struct ses_key *key, uint64_t version, int pipes[2])
{
    int r = sql_save_once(f, key, &version); /* connects */
    if (r != SES_OK || write(pipes[1], &version, sizeof version) != sizeof version)
        return 1;
    char closed;
    if (read(pipes[0], &closed, 1) != 1)
        return 2;
    for (int i = 0; i < 100 && r == SES_OK; i++)
        r = sql_save_once(f, key, &version);
    return r != SES_OK || write(pipes[1], &version, sizeof version) != sizeof version ? 3 : 0;
}

static void child_that_outlives_its_parents_store_keeps_what_it_writes(void **state)
{
    static struct sql_shop shop;
    int down[2], up[2];
    struct ses_key key;
    uint64_t version;
    (void)state;
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    assert_ok(sql_storm_open(&shop));
    assert_ok(sql_create_once(&shop.f, &key, &version));
    const pid_t child = fork();
    if (child == 0)
        _exit(outlive(&shop.f, &key, version, (int[]){ down[0], up[1] }));
    assert_int_equal(read(up[0], &version, sizeof version), sizeof version);
    struct ses_key another;
    assert_ok(sql_create_once(&shop.f, &another, &version)); /* both have connected anew */
    sql_shop_close(&shop);
    sqlite3 *db = db_guest(path); /* comes and goes: the last, if the child is not seen */
    assert_true(db_number(db, "SELECT count(*) FROM sesame_sessions") > 0);
    sqlite3_close(db);
    assert_int_equal(write(down[1], "", 1), 1);
    assert_int_equal(read(up[0], &version, sizeof version), sizeof version);
    wait_for_all(&child, 1);
    for (int i = 0; i < 2; i++)
        (void)close(down[i]), (void)close(up[i]);

    struct ses_record record = { 0 };
    assert_ok(sql_storm_open(&shop));
    assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
    assert_int_equal(record.version, version); /* the child's last */
    drop_record(&record);
    sql_shop_close(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQL_STORM_TESTS,
        cmocka_unit_test(eight_writers_take_turns_and_none_is_starved),
        cmocka_unit_test(child_that_outlives_its_parents_store_keeps_what_it_writes),
    };
    sql_subject = (struct sql_subject){
        .ops = &ses_provider_sqlite,
        .config = db_path("storm.db", path),
        .settings = sqlite_patient_settings,
        .check = check_file,
    };
    if (ses_provider_register(&ses_provider_sqlite) != SES_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
