/* SPDX-License-Identifier: MIT */
#include "core/scan.h"

#include "support/test.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

ssize_t __real_getrandom(void *bytes, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);

static bool dry; /* the kernel gives nothing */

ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
    return dry ? -1 : __real_getrandom(bytes, len, flags);
}

/* ---- helpers ---- */

enum { MINUTE = 60 * 1000, LIMIT = 60 };

static const int64_t noon = 1700000040000; /* a minute begins */

static int set_up(void **state)
{
    dry = false;
    *state = scans_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    scans_free(*state);
    return 0;
}

/* @return how often a scanner was told in @p times refusals. */
static unsigned note(struct scans *scans, const char *peer, unsigned times, int64_t now_ms)
{
    unsigned told = 0;
    for (unsigned i = 0; i < times; i++)
        told += scans_note(scans, peer, LIMIT, now_ms);
    return told;
}

static const char *name_peer(unsigned n, char out[32])
{
    (void)snprintf(out, 32, "%u.%u.%u.%u", 10 + (n >> 24), n >> 16 & 255, n >> 8 & 255, n & 255);
    return out;
}

/* ---- one peer ---- */

static void a_peer_is_told_once_when_it_passes_the_limit(void **state)
{
    struct scans *scans = *state;
    assert_int_equal(note(scans, "192.0.2.1", LIMIT, noon), 0);
    assert_false(scans_over(scans, "192.0.2.1", LIMIT, noon));
    assert_true(scans_note(scans, "192.0.2.1", LIMIT, noon));
    assert_true(scans_over(scans, "192.0.2.1", LIMIT, noon));
    assert_int_equal(note(scans, "192.0.2.1", 10000, noon + MINUTE - 1), 0);
    assert_true(scans_over(scans, "192.0.2.1", LIMIT, noon + MINUTE - 1));
}

static void each_minute_counts_anew(void **state)
{
    struct scans *scans = *state;
    for (int64_t now = noon; now < noon + 10 * MINUTE; now += MINUTE) {
        assert_false(scans_over(scans, "192.0.2.1", LIMIT, now));
        assert_int_equal(note(scans, "192.0.2.1", LIMIT, now), 0);
        assert_int_equal(note(scans, "192.0.2.1", LIMIT, now + MINUTE - 1), 1);
        assert_true(scans_over(scans, "192.0.2.1", LIMIT, now + MINUTE - 1));
    }
    assert_false(scans_over(scans, "192.0.2.1", LIMIT, noon + 10 * MINUTE));
    for (int64_t now = noon; now < noon + 10000 * MINUTE; now += MINUTE)
        assert_int_equal(note(scans, "192.0.2.2", LIMIT, now), 0);
}

static void peers_are_counted_apart(void **state)
{
    struct scans *scans = *state;
    static const char *const peers[] = { "192.0.2.1",       "192.0.2.2", "192.0.3.1",
                                         "2001:db8:0:1::1", "::",        "2001:db8:0:2::1" };
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++)
        assert_int_equal(note(scans, peers[i], LIMIT, noon), 0);
    assert_int_equal(note(scans, peers[3], 1, noon), 1);
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++)
        assert_int_equal(scans_over(scans, peers[i], LIMIT, noon), i == 3);
}

static void a_network_of_64_bits_is_one_peer_of_ipv6(void **state)
{
    struct scans *scans = *state;
    char peer[64];
    unsigned told = 0;
    for (unsigned i = 0; i <= LIMIT; i++) {
        (void)snprintf(peer, sizeof peer, "2001:db8:1:2:%x:%x:%x:%x", i, i * 7, i * 77, i + 1);
        told += scans_note(scans, peer, LIMIT, noon);
    }
    assert_int_equal(told, 1);
    assert_true(scans_over(scans, "2001:db8:1:2::", LIMIT, noon));
    assert_false(scans_over(scans, "2001:db8:1:3::", LIMIT, noon));
}

static void an_ipv4_address_is_the_same_when_it_is_mapped(void **state)
{
    struct scans *scans = *state;
    assert_int_equal(note(scans, "192.0.2.1", LIMIT, noon), 0);
    assert_int_equal(note(scans, "::ffff:192.0.2.1", 1, noon), 1);
    assert_true(scans_over(scans, "192.0.2.1", LIMIT, noon));
    assert_false(scans_over(scans, "::ffff:192.0.2.2", LIMIT, noon));
}

static void who_is_not_known_is_not_counted(void **state)
{
    struct scans *scans = *state;
    static const char *const peers[] = { NULL, "", "localhost", "192.0.2", "1.2.3.4.5", "::1%lo" };
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        assert_int_equal(note(scans, peers[i], 3 * LIMIT, noon), 0);
        assert_false(scans_over(scans, peers[i], LIMIT, noon));
    }
}

static void a_limit_of_0_watches_nobody_and_the_largest_is_reached(void **state)
{
    struct scans *scans = *state;
    const uint32_t largest = 1000000;
    unsigned told = 0;
    for (int i = 0; i < 1000; i++)
        assert_false(scans_note(scans, "192.0.2.9", 0, noon));
    assert_int_equal(note(scans, "192.0.2.8", LIMIT + 1, noon), 1);
    assert_false(scans_over(scans, "192.0.2.8", 0, noon));
    assert_false(scans_over(scans, "192.0.2.9", 0, noon));
    for (uint32_t i = 0; i < largest; i++)
        assert_false(scans_note(scans, "192.0.2.1", largest, noon));
    for (uint32_t i = 0; i < 100000; i++) /* past the end of the count */
        told += scans_note(scans, "192.0.2.1", largest, noon);
    assert_int_equal(told, 1);
    assert_true(scans_over(scans, "192.0.2.1", largest, noon));
}

/* ---- clocks ---- */

static void a_clock_set_back_a_little_neither_tells_twice_nor_forgets(void **state)
{
    struct scans *scans = *state;
    assert_int_equal(note(scans, "192.0.2.1", LIMIT, noon), 0);
    assert_int_equal(note(scans, "192.0.2.1", 1, noon - 1), 1);
    assert_int_equal(note(scans, "192.0.2.1", LIMIT, noon - 1), 0);
    assert_true(scans_over(scans, "192.0.2.1", LIMIT, noon - 1));
    assert_true(scans_over(scans, "192.0.2.1", LIMIT, noon));
}

static void a_clock_set_back_far_counts_anew(void **state)
{
    struct scans *scans = *state;
    const int64_t hour = 60 * (int64_t)MINUTE;
    const int64_t times[] = { noon, noon - hour, 0, -hour, noon - 30 * 24 * hour, noon + 1 };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_false(scans_over(scans, "192.0.2.1", LIMIT, times[i]));
        assert_int_equal(note(scans, "192.0.2.1", LIMIT, times[i]), 0);
        assert_int_equal(note(scans, "192.0.2.1", LIMIT, times[i]), 1);
        assert_true(scans_over(scans, "192.0.2.1", LIMIT, times[i]));
    }
}

/* ---- many peers ---- */

static void a_flood_of_a_million_peers_hides_no_scanner_and_blames_nobody(void **state)
{
    struct scans *scans = *state;
    char peer[32];
    unsigned told = note(scans, "203.0.113.7", 3, noon); /* it is there before the flood */
    for (unsigned n = 0; n < 1000000; n++) {
        assert_false(scans_note(scans, name_peer(n, peer), 2, noon));
        if (n % 10000 == 0)
            told += note(scans, "203.0.113.7", 1, noon);
    }
    assert_int_equal(told, 1);
    assert_true(scans_over(scans, "203.0.113.7", LIMIT, noon));
    assert_false(scans_over(scans, name_peer(999999, peer), 2, noon));
    assert_true(malloc_usable_size(scans) < 17 * 1024);
}

static void after_a_flood_the_next_minute_is_like_any_other(void **state)
{
    struct scans *scans = *state;
    char peer[32];
    for (unsigned n = 0; n < 100000; n++)
        (void)note(scans, name_peer(n, peer), 3, noon);
    for (unsigned n = 0; n < 500; n++) { /* a quarter of the table: hardly a set is full */
        (void)name_peer(n, peer);
        assert_int_equal(note(scans, peer, LIMIT + 1, noon + MINUTE), 1);
        assert_true(scans_over(scans, peer, LIMIT, noon + MINUTE));
    }
}

static void who_was_refused_least_makes_room(void **state)
{
    struct scans *scans = *state;
    enum { PEERS = 20000, OFTEN = 500 };
    char peer[32];
    unsigned kept = 0;
    for (unsigned n = 0; n < OFTEN; n++)
        assert_int_equal(note(scans, name_peer(n, peer), LIMIT + 1, noon), 1);
    for (unsigned n = OFTEN; n < PEERS; n++)
        (void)note(scans, name_peer(n, peer), 2, noon);
    for (unsigned n = 0; n < OFTEN; n++)
        kept += scans_over(scans, name_peer(n, peer), LIMIT, noon);
    assert_true(kept > OFTEN * 9 / 10); /* but where more than three of them share a set */
}

/* Whoever is in the table after the same flood, its salt decides. */
static void survivors(bool out[4000])
{
    struct scans *scans = scans_new();
    char peer[32];
    assert_non_null(scans);
    for (unsigned n = 0; n < 4000; n++) {
        (void)scans_note(scans, name_peer(n, peer), 1, noon);
        (void)scans_note(scans, peer, 1, noon);
    }
    for (unsigned n = 0; n < 4000; n++)
        out[n] = scans_over(scans, name_peer(n, peer), 1, noon);
    scans_free(scans);
}

static void a_peer_cannot_know_whom_it_pushes_out(void **state)
{
    (void)state;
    static bool first[4000], second[4000];
    unsigned differ = 0, left = 0;
    survivors(first);
    survivors(second);
    for (unsigned n = 0; n < 4000; n++) {
        differ += first[n] != second[n];
        left += first[n];
    }
    assert_true(differ > 400);
    assert_true(left > 1000 && left <= 2048);
}

/* ---- threads and processes ---- */

enum { THREADS = 8, PEERS = 4, ROUNDS = 5000 };

struct worker {
    struct scans *scans;
    unsigned told[PEERS];
};

static void *scan(void *arg)
{
    struct worker *worker = arg;
    char peer[32];
    for (unsigned i = 0; i < ROUNDS * PEERS; i++) {
        const unsigned n = i % PEERS;
        worker->told[n] +=
            scans_note(worker->scans, name_peer(n, peer), THREADS * ROUNDS - 1, noon);
        (void)scans_over(worker->scans, peer, LIMIT, noon);
    }
    return NULL;
}

/* The limit is passed by the last refusal of all: not one is lost. */
static void many_threads_lose_no_refusal_and_tell_once(void **state)
{
    static struct worker workers[THREADS];
    pthread_t threads[THREADS];
    unsigned told[PEERS] = { 0 };
    memset(workers, 0, sizeof workers);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].scans = *state;
        assert_int_equal(pthread_create(&threads[i], NULL, scan, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (size_t n = 0; n < PEERS; n++)
            told[n] += workers[i].told[n];
    }
    for (size_t n = 0; n < PEERS; n++)
        assert_int_equal(told[n], 1);
}

static void a_forked_child_goes_on_counting_for_itself(void **state)
{
    struct scans *scans = *state;
    int status;
    assert_int_equal(note(scans, "192.0.2.1", LIMIT, noon), 0);
    const pid_t child = fork();
    if (child == 0)
        _exit(note(scans, "192.0.2.1", 5, noon) == 1 ? 0 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(scans_over(scans, "192.0.2.1", LIMIT, noon));
    assert_int_equal(note(scans, "192.0.2.1", 1, noon), 1);
}

static void without_randomness_there_is_no_table(void **state)
{
    (void)state;
    dry = true;
    assert_null(scans_new());
    dry = false;
    scans_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_is_told_once_when_it_passes_the_limit),
        TEST(each_minute_counts_anew),
        TEST(peers_are_counted_apart),
        TEST(a_network_of_64_bits_is_one_peer_of_ipv6),
        TEST(an_ipv4_address_is_the_same_when_it_is_mapped),
        TEST(who_is_not_known_is_not_counted),
        TEST(a_limit_of_0_watches_nobody_and_the_largest_is_reached),
        TEST(a_clock_set_back_a_little_neither_tells_twice_nor_forgets),
        TEST(a_clock_set_back_far_counts_anew),
        TEST(a_flood_of_a_million_peers_hides_no_scanner_and_blames_nobody),
        TEST(after_a_flood_the_next_minute_is_like_any_other),
        TEST(who_was_refused_least_makes_room),
        TEST(a_peer_cannot_know_whom_it_pushes_out),
        TEST(many_threads_lose_no_refusal_and_tell_once),
        TEST(a_forked_child_goes_on_counting_for_itself),
        TEST(without_randomness_there_is_no_table),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
