/* SPDX-License-Identifier: MIT */
/* A primary is killed under load, and its standby promoted. What is lost is printed, not promised:
 * replication is asynchronous unless the primary is told otherwise. What is promised: no call
 * hangs, and nobody invents anything. */
#include "provider/load.h"
#include "provider/postgres_fixture.h"

#include "shared/deadline.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALL_MOST_MS = 2000, SETTLE_MS = 60000 };

static struct server primary, replica;

static char *both(char words[WORDS_ROOM])
{
    (void)snprintf(words, WORDS_ROOM,
                   "postgres://postgres:%s"
                   "@127.0.0.1:%d,127.0.0.1:%d/postgres?target_session_attrs=read-write",
                   POSTGRES_PASSWORD_URL, primary.port, replica.port);
    return words;
}

static void wait_until(const struct server *server, const char *question)
{
    const struct deadline deadline = deadline_in(SETTLE_MS);
    while (postgres_ask_number(server, question) == 0)
        assert_false(deadline_passed(deadline));
}

static void start_both(void)
{
    postgres_start(&primary, NULL);
    postgres_start_replica(&replica, &primary);
    wait_until(&primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'");
}

static struct losses fail_over(void (*take_away)(struct server *server))
{
    static struct load load;
    static struct sql_shop shop;
    char words[WORDS_ROOM];
    assert_ok(postgres_open(&shop, both(words), NULL));
    load_begin(&load, &shop.f, new_key);
    load_wait(&load, 500);
    take_away(&primary);
    postgres_tell(&replica, "SELECT pg_promote(false)");
    load_wait(&load, 500);
    load_end(&load);
    const struct losses losses = load_audit(&load, &shop.f);
    assert_int_equal(losses.invented, 0);
    assert_int_equal(losses.wrong, 0);
    assert_in_range(losses.longest_ms, 0, CALL_MOST_MS);
    sql_shop_close(&shop);
    return losses;
}

static void end_both(void)
{
    server_end(&replica);
    postgres_kill(&primary);
    server_end(&primary);
}

static void promoted_standby_is_followed_and_no_call_outlasts_its_budget(void **state)
{
    (void)state;
    start_both();
    const struct losses losses = fail_over(postgres_kill);
    losses_print("killed primary, asynchronous", &losses);
    end_both();
}

static void synchronous_standby_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    start_both();
    postgres_tell(&primary, "ALTER SYSTEM SET synchronous_standby_names = '*'");
    postgres_tell(&primary, "SELECT pg_reload_conf()");
    wait_until(&primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'");
    const struct losses losses = fail_over(postgres_kill);
    losses_print("killed primary, synchronous_standby_names", &losses);
    assert_int_equal(losses.lost, 0);
    assert_int_equal(losses.risen, 0);
    end_both();
}

/* It answers nothing, and refuses nothing either: each host has its share of the time. */
static void standby_is_followed_also_when_the_primary_hangs(void **state)
{
    (void)state;
    start_both();
    const struct losses losses = fail_over(postgres_freeze);
    losses_print("frozen primary, asynchronous", &losses);
    postgres_thaw(&primary);
    end_both();
}

static void standby_alone_is_refused_at_start_in_one_line(void **state)
{
    (void)state;
    struct sql_shop shop;
    char words[WORDS_ROOM];
    start_both();
    assert_code(postgres_open(&shop, postgres_words(&replica, "", words), NULL),
                SES_ERR_UNAVAILABLE);
    assert_int_equal(shop.lines, 1);
    assert_non_null(strstr(shop.told, "session is read-only"));
    end_both();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promoted_standby_is_followed_and_no_call_outlasts_its_budget),
        cmocka_unit_test(synchronous_standby_keeps_what_was_acknowledged),
        cmocka_unit_test(standby_is_followed_also_when_the_primary_hangs),
        cmocka_unit_test(standby_alone_is_refused_at_start_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
