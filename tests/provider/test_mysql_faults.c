/* SPDX-License-Identifier: MIT */
/* What becomes of calls while the server is gone, stands still, or answers half. */
#include "provider/mysql_fixture.h"
#include "provider/server_faults.h"
#include "shared/circuit.h"
#include "shared/deadline.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server server;

/* Seen before it is used, so that also a write goes through; its statements are prepared anew. */
static void connection_that_was_killed_is_replaced(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    uint64_t version = put(&shop->f, &key, "alpha");
    for (int i = 0; i < 5; i++) {
        mysql_command(&server, "KILL USER site");
        while (mysql_question(&server, "SELECT COUNT(*) FROM information_schema.processlist "
                                       "WHERE user = 'site'") > 0)
            ;
        if (i % 2)
            assert_ok(fault_load(&shop->f, &key));
        else
            assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION));
        struct ses_record record;
        assert_ok(store_load(shop->f.store, &key, shop->f.now, &record));
        version = record.version;
        drop_record(&record);
    }
    assert_int_equal(shop->lost, 0);
    assert_int_equal(shop->lines, 0);
    fault_close(shop);
}

/* ---- locks of others ---- */

static void row_that_another_holds_is_unavailable_within_the_budget_and_no_lost_server(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
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
        assert_in_range(monotonic_ms() - before, FAULT_BUDGET_MS / 4,
                        FAULT_BUDGET_MS / 2 + FAULT_SLACK_MS);
    }
    assert_int_equal(shop->lost, 0);
    assert_ok(fault_load(&shop->f, &key)); /* reading goes on */
    (void)put(&shop->f, &other, "gamma");  /* what nobody holds is written at once */
    mysql_say(guest, "ROLLBACK");
    mysql_guest_end(guest);
    assert_ok(save_as(&shop->f, &key, version, "beta", SES_KIND_SESSION)); /* none of them was */
    fault_close(shop);
}

/* ---- what the server says ---- */

static struct sql_shop *open_shop(int64_t budget_ms)
{
    char dsn[DSN_ROOM];
    struct sql_shop *shop = calloc(1, sizeof *shop);
    if (mysql_shop_open(shop, mysql_unix_dsn(&server, "", dsn), sql_shop_settings) != SES_OK)
        fail_msg("%s", shop->told);
    ((struct sql *)store_instance(shop->f.store))->budget_ms = budget_ms;
    return shop;
}

static void close_shop(struct sql_shop *shop)
{
    sql_shop_close(shop);
    free(shop);
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
        assert_ok(fault_load(&shop->f, &key));
}

static void errors_of_the_server_are_what_they_come_to(void **state)
{
    (void)state;
    struct sql_shop *shop = open_shop(FAULT_BUDGET_MS);
    assert_error(shop, 1213, true, SES_OK); /* a deadlock: anew, and then it goes through */
    close_shop(shop);
    shop = open_shop(FAULT_BUDGET_MS);
    assert_error(shop, 1205, true, SES_ERR_UNAVAILABLE); /* it has waited for long enough */
    close_shop(shop);
    shop = open_shop(1000);
    assert_error(shop, 1213, false, SES_ERR_UNAVAILABLE); /* up to the deadline */
    assert_error(shop, 1114, false, SES_ERR_FULL);
    assert_error(shop, 1406, false, SES_ERR_TOO_LARGE);
    assert_error(shop, 1615, false, SES_ERR_UNAVAILABLE); /* prepared anew, and again in vain */
    shop->told[0] = '\0';
    assert_error(shop, 1062, false, SES_ERR_UNAVAILABLE);
    assert_null(strstr(shop->told, "secret")); /* the text may name a key */
    assert_non_null(strstr(shop->told, "error 1062"));
    close_shop(shop);
}

/* ---- forks ---- */

static void child_lets_go_of_its_copies_without_a_byte_to_the_server(void **state)
{
    (void)state;
    struct fault_shop *shop = fault_open_direct();
    const struct ses_key key = new_key();
    (void)put(&shop->f, &key, "alpha");
    const int64_t before = mysql_question(&server, "SELECT MAX(id) FROM "
                                                   "information_schema.processlist "
                                                   "WHERE user = 'site'");
    for (int i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0) {
            const int r = fault_load(&shop->f, &key);
            fault_close(shop);
            _exit(r == SES_OK ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_ok(fault_load(&shop->f, &key));
    }
    assert_int_equal(mysql_question(&server, "SELECT MIN(id) FROM information_schema.processlist "
                                             "WHERE user = 'site'"),
                     before); /* the parent's own, from before */
    assert_int_equal(shop->lines, 0);
    fault_close(shop);
}

static void write_dsn(int port, char *text, size_t size)
{
    char dsn[DSN_ROOM];
    (void)snprintf(text, size, "%s", mysql_tcp_dsn(port, "", dsn));
}

static const struct CMUnitTest own[] = {
    cmocka_unit_test(connection_that_was_killed_is_replaced),
    cmocka_unit_test(row_that_another_holds_is_unavailable_within_the_budget_and_no_lost_server),
    cmocka_unit_test(errors_of_the_server_are_what_they_come_to),
    cmocka_unit_test(child_lets_go_of_its_copies_without_a_byte_to_the_server),
    { 0 },
};

int main(void)
{
    char dsn[DSN_ROOM], path[SERVER_PATH_ROOM];
    mysql_start(&server, NULL);
    const struct fault_subject subject = {
        .ops = &ses_provider_mysql,
        .settings = sql_shop_settings,
        .pool_at = offsetof(struct sql, pool_size),
        .budget_at = offsetof(struct sql, budget_ms),
        .server = &server,
        .answers = mysql_answers,
        .kill = server_kill,
        .freeze = server_freeze,
        .thaw = server_thaw,
        .socket = mysql_socket(&server, path),
        .config = mysql_unix_dsn(&server, "", dsn),
        .write_config = write_dsn,
        .traits = FAULT_KEEPS | FAULT_SAVES_IN_ONE_TRIP,
        .large_bytes = 8 << 20,
        .cuts = { .dense = 150, .step = 5, .end = 900 },
        .saves_cut_least = 90,
        .halves = { .step = 6, .end = 45 },
        .refused_least = 41,
    };
    return server_faults_run(&subject, own);
}
