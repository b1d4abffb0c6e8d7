/* SPDX-License-Identifier: MIT */
/* The pool of connections that providers with a server share, over connections to nothing. */
#include "support/test.h"

#include "shared/pool.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct line {
    struct pooled pooled; /* first */
    bool usable;
};

/* What the connections are made of. */
static struct {
    atomic_int opened, closed, lost, back;
    atomic_bool refuses;
} net;

static struct pooled *open_line(void *arg, struct deadline deadline, char *why, size_t why_size)
{
    (void)arg, (void)deadline;
    if (net.refuses) {
        (void)snprintf(why, why_size, "refused");
        return NULL;
    }
    struct line *line = calloc(1, sizeof *line);
    line->usable = true;
    net.opened++;
    return &line->pooled;
}

static bool line_is_usable(struct pooled *pooled)
{
    return ((const struct line *)pooled)->usable;
}

static void close_line(struct pooled *pooled)
{
    net.closed++;
    free(pooled);
}

static const struct pool_ops ops = { .open = open_line,
                                     .is_usable = line_is_usable,
                                     .close = close_line };
static const struct pool_ops brittle = {
    .open = open_line,
    .is_usable = line_is_usable,
    .close = close_line,
    .close_before_fork = close_line,
};

static void on_change(void *arg, bool reachable)
{
    (void)arg;
    if (reachable)
        net.back++;
    else
        net.lost++;
}

static struct pool pool;

static int set_up(void **state)
{
    (void)state;
    memset((void *)&net, 0, sizeof net);
    pool_init(&pool, &ops, NULL, on_change, 3);
    return 0;
}

static int set_up_brittle(void **state)
{
    (void)state;
    memset((void *)&net, 0, sizeof net);
    pool_init(&pool, &brittle, NULL, on_change, 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pool_end(&pool);
    return net.opened == net.closed ? 0 : -1;
}

static struct pooled *take(int64_t ms)
{
    char why[100];
    return pool_take(&pool, deadline_in(ms), why, sizeof why);
}

static void connection_is_used_again(void **state)
{
    (void)state;
    struct pooled *first = take(1000);
    pool_give(&pool, first, POOL_ANSWERED);
    assert_ptr_equal(take(1000), first);
    pool_give(&pool, first, POOL_ANSWERED);
    assert_int_equal(net.opened, 1);
}

static void *take_two(void *arg)
{
    struct pooled **two = arg;
    two[0] = take(1000);
    two[1] = take(1000);
    pool_give(&pool, two[1], POOL_ANSWERED);
    return NULL;
}

static void thread_takes_the_connection_that_it_had_last(void **state)
{
    (void)state;
    struct pooled *others[2];
    pthread_t other;
    struct pooled *mine = take(1000);
    pool_give(&pool, mine, POOL_ANSWERED);
    assert_ptr_equal(take(1000), mine);
    (void)pthread_create(&other, NULL, take_two, others);
    (void)pthread_join(other, NULL);
    pool_give(&pool, mine, POOL_ANSWERED);
    pool_give(&pool, others[0], POOL_ANSWERED);
    assert_ptr_equal(take(1000), others[0]); /* the latest of mine */
    assert_ptr_equal(take(1000), mine);
    assert_ptr_equal(take(1000), others[1]);
    for (int i = 0; i < 2; i++)
        pool_give(&pool, others[i], POOL_ANSWERED);
    pool_give(&pool, mine, POOL_ANSWERED);
}

static void connection_that_failed_or_went_stale_is_closed(void **state)
{
    (void)state;
    pool_give(&pool, take(1000), POOL_FAILED);
    assert_int_equal(net.closed, 1);
    pool_give(&pool, take(1000), POOL_SPOILT);
    assert_int_equal(net.closed, 2);
    struct pooled *stale = take(1000);
    ((struct line *)stale)->usable = false;
    pool_give(&pool, stale, POOL_ANSWERED);
    pool_give(&pool, take(1000), POOL_ANSWERED);
    assert_int_equal(net.closed, 3);
    assert_int_equal(net.opened, 4);
    assert_int_equal(pool_count(&pool), 1);
}

static void no_more_are_made_than_the_pool_may_have(void **state)
{
    (void)state;
    struct pooled *taken[3];
    char why[100];
    for (int i = 0; i < 3; i++)
        taken[i] = take(1000);
    assert_null(pool_take(&pool, deadline_in(20), why, sizeof why));
    assert_string_equal(why, "all connections are in use");
    for (int i = 0; i < 3; i++)
        pool_give(&pool, taken[i], POOL_ANSWERED);
    assert_int_equal(net.opened, 3);
    pool_drop_idle(&pool);
    assert_int_equal(pool_count(&pool), 0);
}

/* ---- the queue ---- */

struct guest {
    pthread_t thread;
    int number;
    struct pooled *got;
};

static atomic_int served[8], served_count;

static void *wait_for_one(void *arg)
{
    struct guest *guest = arg;
    guest->got = take(20000);
    served[served_count++] = guest->number;
    return NULL;
}

/* How many wait, seen from outside. */
static int waiting(void)
{
    int count = 0;
    (void)pthread_mutex_lock(&pool.mutex);
    for (struct pool_waiter **at = &pool.first_waiter; *at; at = (struct pool_waiter **)*at)
        count++; /* next is a waiter's first member */
    (void)pthread_mutex_unlock(&pool.mutex);
    return count;
}

static void who_waits_is_served_in_order_whether_connections_live_or_die(void **state)
{
    (void)state;
    static const enum pool_verdict verdicts[] = { POOL_ANSWERED, POOL_SPOILT, POOL_ANSWERED,
                                                  POOL_SPOILT };
    struct guest guests[4];
    struct pooled *taken[3];
    served_count = 0;
    for (int i = 0; i < 3; i++)
        taken[i] = take(1000);
    for (int i = 0; i < 4; i++) {
        guests[i] = (struct guest){ .number = i };
        assert_int_equal(pthread_create(&guests[i].thread, NULL, wait_for_one, &guests[i]), 0);
        while (waiting() != i + 1)
            ;
    }
    for (int i = 0; i < 4; i++) {
        struct pooled *given = i < 3 ? taken[i] : guests[0].got;
        pool_give(&pool, given, verdicts[i]);
        assert_int_equal(pthread_join(guests[i].thread, NULL), 0);
        assert_non_null(guests[i].got);
        assert_int_equal(served[i], i);
    }
    for (int i = 1; i < 4; i++)
        pool_give(&pool, guests[i].got, POOL_ANSWERED);
    assert_int_equal(pool_count(&pool), 3);
}

static atomic_bool held, let_go;

static void hold_still(int number)
{
    (void)number;
    held = true;
    while (!let_go)
        ;
}

/* It does not run on, whatever is handed to it. */
static void hold(const struct guest *guest)
{
    (void)signal(SIGUSR1, hold_still);
    held = let_go = false;
    assert_int_equal(pthread_kill(guest->thread, SIGUSR1), 0);
    while (!held)
        ;
}

static void who_has_waited_is_not_overtaken(void **state)
{
    (void)state;
    struct guest guest = { .number = 0 };
    struct pooled *taken[3];
    served_count = 0;
    for (int i = 0; i < 3; i++)
        taken[i] = take(1000);
    assert_int_equal(pthread_create(&guest.thread, NULL, wait_for_one, &guest), 0);
    while (waiting() != 1)
        ;
    hold(&guest);
    const struct deadline patience = deadline_in(3);
    while (!deadline_passed(patience))
        ;
    pool_give(&pool, taken[0], POOL_ANSWERED);
    struct pooled *overtaken = take(0);
    let_go = true;
    assert_null(overtaken);
    assert_int_equal(pthread_join(guest.thread, NULL), 0);
    assert_ptr_equal(guest.got, taken[0]);
    for (int i = 0; i < 3; i++)
        pool_give(&pool, taken[i], POOL_ANSWERED);
}

static void who_gave_up_waiting_leaves_the_queue(void **state)
{
    (void)state;
    struct pooled *taken[3];
    for (int i = 0; i < 3; i++)
        taken[i] = take(1000);
    assert_null(take(5));
    assert_int_equal(waiting(), 0);
    for (int i = 0; i < 3; i++)
        pool_give(&pool, taken[i], POOL_ANSWERED);
    struct pooled *again = take(0);
    assert_non_null(again);
    pool_give(&pool, again, POOL_ANSWERED);
}

/* ---- the circuit ---- */

static void circuit_opens_after_failures_in_a_row_and_one_call_probes(void **state)
{
    (void)state;
    struct circuit circuit = { 0 };
    int64_t now = 1000;
    for (int i = 1; i < CIRCUIT_FAILURES; i++)
        assert_int_equal(circuit_report(&circuit, false, now), CIRCUIT_SAME);
    assert_int_equal(circuit_report(&circuit, true, now), CIRCUIT_SAME); /* begins anew */
    for (int i = 1; i < CIRCUIT_FAILURES; i++)
        assert_int_equal(circuit_report(&circuit, false, now), CIRCUIT_SAME);
    assert_int_equal(circuit_report(&circuit, false, now), CIRCUIT_OPENED);
    assert_false(circuit_allows(&circuit, now + CIRCUIT_PAUSE_MS - 1));
    assert_true(circuit_allows(&circuit, now + CIRCUIT_PAUSE_MS));
    assert_false(circuit_allows(&circuit, now + CIRCUIT_PAUSE_MS)); /* one at a time */
    circuit_forget(&circuit);                                       /* it did not come to asking */
    assert_true(circuit_allows(&circuit, now + CIRCUIT_PAUSE_MS));
    assert_int_equal(circuit_report(&circuit, true, now), CIRCUIT_CLOSED);
    assert_true(circuit_allows(&circuit, now));
}

static void probes_become_rarer_up_to_a_bound(void **state)
{
    (void)state;
    struct circuit circuit = { 0 };
    int64_t now = 0, pause = CIRCUIT_PAUSE_MS;
    for (int i = 0; i < CIRCUIT_FAILURES; i++)
        (void)circuit_report(&circuit, false, now);
    for (int i = 0; i < 12; i++) {
        assert_false(circuit_allows(&circuit, now + pause - 1));
        now += pause;
        assert_true(circuit_allows(&circuit, now));
        assert_int_equal(circuit_report(&circuit, false, now), CIRCUIT_SAME);
        pause = pause * 2 < CIRCUIT_PAUSE_MOST_MS ? pause * 2 : CIRCUIT_PAUSE_MOST_MS;
    }
}

static void refused_connections_open_the_circuit_and_it_is_told_once(void **state)
{
    (void)state;
    net.refuses = true;
    for (int i = 0; i < 3 * CIRCUIT_FAILURES; i++)
        assert_null(take(100));
    assert_int_equal(net.lost, 1);
    net.refuses = false;
    struct pooled *line = NULL;
    const struct deadline deadline = deadline_in(5000);
    while (!line && !deadline_passed(deadline))
        line = take(100);
    assert_non_null(line);
    assert_int_equal(net.back, 0); /* not before it has answered */
    pool_give(&pool, line, POOL_ANSWERED);
    assert_int_equal(net.back, 1);
}

/* ---- fork ---- */

static void child_closes_its_copies_and_begins_with_none(void **state)
{
    (void)state;
    struct pooled *taken = take(1000), *idle = take(1000);
    pool_give(&pool, idle, POOL_ANSWERED);
    const pid_t child = fork();
    if (child == 0) {
        const bool emptied = net.closed == 2 && pool_count(&pool) == 0;
        struct pooled *own = take(1000);
        const bool works = own && net.opened == 3;
        _exit(emptied && works ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(net.closed, 0);
    pool_give(&pool, taken, POOL_ANSWERED);
}

static bool fork_waits(void)
{
    (void)pthread_mutex_lock(&pool.mutex);
    const bool waits = pool.forking;
    (void)pthread_mutex_unlock(&pool.mutex);
    return waits;
}

/* Another thread's turn, once the fork has begun to wait for it. */
static void *give_late(void *arg)
{
    struct guest *guest = arg, next = { .number = 2 };
    while (!fork_waits())
        ;
    (void)pthread_create(&next.thread, NULL, wait_for_one, &next);
    while (waiting() != 1)
        ;
    pool_give(&pool, guest->got, POOL_ANSWERED);
    (void)pthread_join(next.thread, NULL);
    guest->got = next.got;
    return NULL;
}

static void fork_waits_for_what_is_out_and_carries_nothing_that_must_not_be(void **state)
{
    (void)state;
    struct guest guest = { .got = take(1000) };
    struct pooled *idle = take(1000);
    pool_give(&pool, idle, POOL_ANSWERED);
    assert_int_equal(pthread_create(&guest.thread, NULL, give_late, &guest), 0);
    const pid_t child = fork();
    if (child == 0) {
        const bool emptied = net.closed == 2 && pool_count(&pool) == 0;
        struct pooled *own = take(1000);
        _exit(emptied && own && waiting() == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(pthread_join(guest.thread, NULL), 0);
    assert_non_null(guest.got); /* whoever waited goes on in the parent */
    assert_int_equal(net.closed, 2);
    assert_int_equal(pool_count(&pool), 1);
    pool_give(&pool, guest.got, POOL_ANSWERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connection_is_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thread_takes_the_connection_that_it_had_last, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(connection_that_failed_or_went_stale_is_closed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_more_are_made_than_the_pool_may_have, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            who_waits_is_served_in_order_whether_connections_live_or_die, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_waited_is_not_overtaken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_gave_up_waiting_leaves_the_queue, set_up, tear_down),
        cmocka_unit_test(circuit_opens_after_failures_in_a_row_and_one_call_probes),
        cmocka_unit_test(probes_become_rarer_up_to_a_bound),
        cmocka_unit_test_setup_teardown(refused_connections_open_the_circuit_and_it_is_told_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(child_closes_its_copies_and_begins_with_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            fork_waits_for_what_is_out_and_carries_nothing_that_must_not_be, set_up_brittle,
            tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
