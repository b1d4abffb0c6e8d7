/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/mysql_fixture.h"
#include "shared/deadline.h"
#include "support/proxy.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUDGET_MS = 2000, SLACK_MS = 2000 };

static struct server server;
static struct proxy proxy;
static int64_t budget_ms;

static void settings(void *instance)
{
    struct mysql_store *store = instance;
    sql_shop_settings(instance);
    store->sql.budget_ms = budget_ms;
}

static struct sql_shop *open_as(const char *dsn, int64_t budget)
{
    struct sql_shop *shop = calloc(1, sizeof *shop);
    budget_ms = budget;
    if (mysql_shop_open(shop, dsn, settings) != SES_OK)
        fail_msg("%s", shop->told);
    return shop;
}

static struct sql_shop *open_direct(int64_t budget)
{
    char dsn[DSN_ROOM];
    return open_as(mysql_unix_dsn(&server, "", dsn), budget);
}

static struct sql_shop *open_by_proxy(int64_t budget)
{
    char dsn[DSN_ROOM];
    return open_as(mysql_tcp_dsn(proxy.port, "", dsn), budget);
}

static void end(struct sql_shop *shop)
{
    sql_shop_close(shop);
    free(shop);
}

static int load(struct sql_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}

/* Calls until it answers like that. */
static void load_until(struct sql_shop *shop, const struct ses_key *key, int code)
{
    const struct deadline deadline = deadline_in(20000);
    while (load(shop, key) != code)
        assert_false(deadline_passed(deadline));
}

/* ---- the process's own signals ---- */

static volatile sig_atomic_t pipes;

static void count_pipe(int signal)
{
    (void)signal;
    pipes++;
}

/* The first of all: the client library sets the signal when it begins, and only then. */
static void dead_connections_raise_no_signal_and_leave_its_settings_alone(void **state)
{
    static unsigned char bytes[8 << 20];
    (void)state;
    struct sigaction ours = { .sa_handler = count_pipe }, before, after;
    assert_int_equal(sigaction(SIGPIPE, &ours, &before), 0);
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key(), large = new_key();
    for (int i = 0; i < 3; i++) {
        struct ses_record record = { 0 };
        (void)store_destroy(shop->f.store, &key, shop->f.now);
        const uint64_t version = put(&shop->f, &key, "alpha");
        server_kill(&server);
        (void)save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION);
        (void)store_load(shop->f.store, &key, shop->f.now, &record);
        drop_record(&record);
        server_start_again(&server, mysql_answers);
        load_until(shop, &key, SES_OK);
    }
    end(shop);
    /* The connection ends while a long record is being written. */
    shop = open_by_proxy(BUDGET_MS);
    proxy_set(&proxy, PROXY_HANG_UP, 0);
    struct ses_record record =
        make_record((struct ses_slice){ bytes, sizeof bytes }, shop->f.now + LIFE_MS);
    assert_code(store_create(shop->f.store, &large, shop->f.now, NULL, &record),
                SES_ERR_UNAVAILABLE);
    proxy_set(&proxy, PROXY_NONE, 0);
    drop_record(&record);
    end(shop);
    assert_int_equal(sigaction(SIGPIPE, &before, &after), 0);
    assert_true(after.sa_handler == count_pipe);
    assert_int_equal(pipes, 0);
}

/* ---- gone, and back ---- */

static void killed_server_is_unavailable_and_back_after_its_restart(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key(), next = new_key();
    (void)put(&shop->f, &key, "alpha");
    server_kill(&server);
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    struct ses_record record = make_record(SLICE("beta"), shop->f.now + LIFE_MS);
    assert_code(store_create(shop->f.store, &next, shop->f.now, NULL, &record),
                SES_ERR_UNAVAILABLE);
    assert_code(store_destroy(shop->f.store, &key, shop->f.now), SES_ERR_UNAVAILABLE);
    drop_record(&record);
    server_start_again(&server, mysql_answers);
    load_until(shop, &key, SES_OK);
    (void)put(&shop->f, &next, "gamma");
    assert_ok(load(shop, &next));
    end(shop);
}

/* Seen before it is used, so that also a write goes through; its statements are prepared anew. */
static void connection_that_was_killed_is_replaced(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    uint64_t version = put(&shop->f, &key, "alpha");
    for (int i = 0; i < 5; i++) {
        mysql_command(&server, "KILL USER site");
        while (mysql_question(&server, "SELECT COUNT(*) FROM information_schema.processlist "
                                       "WHERE user = 'site'") > 0)
            ;
        if (i % 2)
            assert_ok(load(shop, &key));
        else
            assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION));
        struct ses_record record;
        assert_ok(store_load(shop->f.store, &key, shop->f.now, &record));
        version = record.version;
        drop_record(&record);
    }
    assert_int_equal(shop->lost, 0);
    assert_int_equal(shop->lines, 0);
    end(shop);
}

static void frozen_server_is_answered_for_within_the_budget(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    server_freeze(&server);
    int64_t before = monotonic_ms();
    assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    before = monotonic_ms(); /* connects anew */
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, 0, BUDGET_MS / 2 + SLACK_MS);
    server_thaw(&server);
    load_until(shop, &key, SES_OK);
    end(shop);
}

static void lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(600);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    server_freeze(&server);
    for (int i = 0; i < CIRCUIT_FAILURES; i++)
        assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_int_equal(shop->lost, 1);
    /* Far more calls than would fit if each of them waited. */
    const int64_t before = monotonic_ms();
    for (int i = 0; i < 1000; i++)
        assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, 0, 2000);
    assert_int_equal(shop->lost, 1);
    assert_int_equal(shop->back, 0);
    server_thaw(&server);
    load_until(shop, &key, SES_OK);
    assert_int_equal(shop->back, 1);
    end(shop);
}

/* ---- half an answer ---- */

/* One cycle on a record that stands; what it may answer while answers are spoilt. */
static void assert_cycle(struct sql_shop *shop, const struct ses_key *key)
{
    struct fixture *f = &shop->f;
    struct ses_record record = { 0 };
    int r = store_load(f->store, key, f->now, &record);
    assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE);
    if (r == SES_OK) {
        const struct ses_slice bytes = ses_blob_bytes(record.data);
        assert_int_equal(bytes.len, 4);
        assert_true(!memcmp(bytes.data, "even", 4) || !memcmp(bytes.data, "odds", 4));
    }
    const uint64_t version = record.version ? record.version : 1;
    drop_record(&record);
    r = save_as(f, key, version, version % 2 ? "even" : "odds", SES_KIND_SESSION);
    assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE || r == SES_ERR_CONFLICT);
    r = store_touch(f->store, key, f->now, version, f->now + LIFE_MS + 1);
    assert_true(r == SES_OK || r == SES_ERR_UNAVAILABLE || r == SES_ERR_CONFLICT);
}

static void answers_that_are_cut_after_any_byte_are_never_served(void **state)
{
    (void)state;
    struct sql_shop *direct = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    (void)put(&direct->f, &key, "even");
    for (unsigned n = 0; n < 700; n += n < 150 ? 1 : 5) {
        proxy_set(&proxy, PROXY_NONE, 0);
        struct sql_shop *shop = open_by_proxy(BUDGET_MS);
        proxy_set(&proxy, PROXY_CUT, n);
        assert_cycle(shop, &key);
        proxy_set(&proxy, PROXY_NONE, 0);
        end(shop);
        assert_ok(load(direct, &key));
    }
    end(direct);
}

/* Where such bytes are to be expected, there is TLS. What the row holds is checked all the same. */
static void bytes_that_were_changed_on_the_way_are_never_served(void **state)
{
    (void)state;
    struct sql_shop *direct = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    (void)put(&direct->f, &key, "even");
    unsigned refused = 0;
    for (unsigned n = 2; n < 100; n++) {
        proxy_set(&proxy, PROXY_NONE, 0);
        struct sql_shop *shop = open_by_proxy(1000);
        proxy_set(&proxy, PROXY_CORRUPT, n);
        struct ses_record record = { 0 };
        const int r = store_load(shop->f.store, &key, shop->f.now, &record);
        assert_false(r == SES_OK && memcmp(ses_blob_bytes(record.data).data, "even", 4) != 0);
        refused += r != SES_OK;
        drop_record(&record);
        proxy_set(&proxy, PROXY_NONE, 0);
        end(shop);
    }
    assert_true(refused > 40);
    end(direct);
}

static void answer_that_comes_in_drops_ends_with_the_budget(void **state)
{
    (void)state;
    struct sql_shop *shop = open_by_proxy(800);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "even");
    proxy_set(&proxy, PROXY_SLOW, 50); /* never silent for long, and never done */
    for (int i = 0; i < 2; i++) {      /* then the greeting of another connection */
        const int64_t before = monotonic_ms();
        assert_code(load(shop, &key), SES_ERR_UNAVAILABLE);
        assert_in_range(monotonic_ms() - before, 300, 400 + SLACK_MS);
    }
    proxy_set(&proxy, PROXY_NONE, 0);
    load_until(shop, &key, SES_OK);
    end(shop);
}

static void connection_of_half_an_answer_is_never_used_again(void **state)
{
    (void)state;
    struct sql_shop *shop = open_by_proxy(1000);
    const struct ses_key first = new_key(), second = new_key();
    (void)put(&shop->f, &first, "even");
    (void)put(&shop->f, &second, "odds");
    for (unsigned n = 1; n < 45; n += 6) {
        proxy_set(&proxy, PROXY_SWALLOW, n); /* the rest of the answer may yet come */
        assert_code(load(shop, &first), SES_ERR_UNAVAILABLE);
        proxy_set(&proxy, PROXY_NONE, 0);
        struct ses_record record = { 0 };
        assert_ok(store_load(shop->f.store, &second, shop->f.now, &record));
        assert_memory_equal(ses_blob_bytes(record.data).data, "odds", 4);
        drop_record(&record);
    }
    end(shop);
}

static void write_of_unknown_outcome_is_not_repeated(void **state)
{
    (void)state;
    struct sql_shop *shop = open_by_proxy(BUDGET_MS);
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "even");
    struct ses_record winner = { 0 };
    struct ses_record next = make_record(SLICE("odds"), shop->f.now + LIFE_MS);
    assert_code(store_save(shop->f.store, &key, shop->f.now, 1, &next, &winner), SES_ERR_CONFLICT);
    drop_record(&winner);            /* its statement is prepared */
    proxy_set(&proxy, PROXY_CUT, 0); /* the server does it; its answer is lost */
    assert_code(store_save(shop->f.store, &key, shop->f.now, version, &next, &winner),
                SES_ERR_UNAVAILABLE);
    proxy_set(&proxy, PROXY_NONE, 0);
    assert_code(save_as(&shop->f, &key, version, "even", SES_KIND_SESSION), SES_ERR_CONFLICT);
    drop_record(&next);
    end(shop);
}

/* ---- locks of others ---- */

static void row_that_another_holds_is_unavailable_within_the_budget_and_no_lost_server(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key(), other = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    MYSQL *guest = mysql_guest(&server, "site");
    mysql_say(guest, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"); /* no gaps */
    mysql_say(guest, "BEGIN");
    mysql_say(guest, "UPDATE sesame_sessions SET kind = kind + 0");
    for (int i = 0; i <= CIRCUIT_FAILURES; i++) {
        const int64_t before = monotonic_ms();
        assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION),
                    SES_ERR_UNAVAILABLE);
        assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    }
    assert_int_equal(shop->lost, 0);
    assert_ok(load(shop, &key));          /* reading goes on */
    (void)put(&shop->f, &other, "gamma"); /* what nobody holds is written at once */
    mysql_say(guest, "ROLLBACK");
    mysql_guest_end(guest);
    assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION)); /* none of them was */
    end(shop);
}

/* What the server says, as a trigger says it once or always. */
static void assert_error(struct sql_shop *shop, unsigned error, bool once, int code)
{
    char text[500];
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop->f, &key, "alpha");
    (void)snprintf(text, sizeof text,
                   "CREATE TRIGGER say BEFORE UPDATE ON sesame_sessions FOR EACH ROW "
                   "IF NOT (%d AND COALESCE(@said, 0) >= 3) THEN SET @said = COALESCE(@said, 0) + "
                   "1; SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %u, MESSAGE_TEXT = 'secret'; "
                   "END IF",
                   once, error);
    mysql_command(&server, text);
    assert_code(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION), code);
    mysql_command(&server, "DROP TRIGGER say");
    if (code != SES_OK)
        assert_ok(load(shop, &key));
}

static void errors_of_the_server_are_what_they_come_to(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    assert_error(shop, 1213, true, SES_OK); /* a deadlock: anew, and then it goes through */
    end(shop);
    shop = open_direct(BUDGET_MS);
    assert_error(shop, 1205, true, SES_ERR_UNAVAILABLE); /* it has waited for long enough */
    end(shop);
    shop = open_direct(1000);
    assert_error(shop, 1213, false, SES_ERR_UNAVAILABLE); /* up to the deadline */
    assert_error(shop, 1114, false, SES_ERR_FULL);
    assert_error(shop, 1406, false, SES_ERR_TOO_LARGE);
    assert_error(shop, 1615, false, SES_ERR_UNAVAILABLE); /* prepared anew, and again in vain */
    shop->told[0] = '\0';
    assert_error(shop, 1062, false, SES_ERR_UNAVAILABLE);
    assert_null(strstr(shop->told, "secret")); /* the text may name a key */
    assert_non_null(strstr(shop->told, "error 1062"));
    end(shop);
}

/* ---- forks ---- */

static void child_lets_go_of_its_copies_without_a_byte_to_the_server(void **state)
{
    (void)state;
    struct sql_shop *shop = open_direct(BUDGET_MS);
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    const int64_t before = mysql_question(&server, "SELECT MAX(id) FROM "
                                                   "information_schema.processlist "
                                                   "WHERE user = 'site'");
    for (int i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0) {
            const int r = load(shop, &key);
            sql_shop_close(shop);
            _exit(r == SES_OK ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_ok(load(shop, &key));
    }
    assert_int_equal(mysql_question(&server, "SELECT MIN(id) FROM information_schema.processlist "
                                             "WHERE user = 'site'"),
                     before); /* the parent's own, from before */
    assert_int_equal(shop->lines, 0);
    end(shop);
}

/* ---- starting ---- */

static int start_all(void **state)
{
    static char path[SERVER_PATH_ROOM];
    (void)state;
    mysql_start(&server, NULL);
    proxy_start(&proxy, mysql_socket(&server, path));
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    proxy_stop(&proxy);
    server_end(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_connections_raise_no_signal_and_leave_its_settings_alone),
        cmocka_unit_test(killed_server_is_unavailable_and_back_after_its_restart),
        cmocka_unit_test(connection_that_was_killed_is_replaced),
        cmocka_unit_test(frozen_server_is_answered_for_within_the_budget),
        cmocka_unit_test(lost_server_is_told_once_and_calls_fail_at_once_until_it_is_back),
        cmocka_unit_test(answers_that_are_cut_after_any_byte_are_never_served),
        cmocka_unit_test(bytes_that_were_changed_on_the_way_are_never_served),
        cmocka_unit_test(answer_that_comes_in_drops_ends_with_the_budget),
        cmocka_unit_test(connection_of_half_an_answer_is_never_used_again),
        cmocka_unit_test(write_of_unknown_outcome_is_not_repeated),
        cmocka_unit_test(
            row_that_another_holds_is_unavailable_within_the_budget_and_no_lost_server),
        cmocka_unit_test(errors_of_the_server_are_what_they_come_to),
        cmocka_unit_test(child_lets_go_of_its_copies_without_a_byte_to_the_server),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
