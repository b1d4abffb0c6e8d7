/* SPDX-License-Identifier: MIT */
/* What becomes of calls, and of what was answered with success, when masters of a cluster end. */
#include "provider/cluster_fixture.h"
#include "shared/deadline.h"
#include "support/many.h"

#include <stdio.h>
#include <time.h>

enum {
    BUDGET_MS = 2000,
    SLACK_MS = 400,
    THIRD = SLOTS / 3,
    THREADS = 4,
    LOG_MOST = 50000,
    AFTER = 500, /* successes after the failover, until it is over */
    FAILOVER_MS = 30000,
};

static struct redis_cluster cluster;

static void poll_once(struct deadline deadline)
{
    const struct timespec moment = { .tv_nsec = 2000000 };
    assert_false(deadline_passed(deadline));
    (void)nanosleep(&moment, NULL); /* polls, with a bound */
}

static void load_until(struct redis_shop *shop, const struct ses_key *key, int code)
{
    const struct deadline deadline = deadline_in(FAILOVER_MS);
    while (cluster_load(shop, key) != code)
        poll_once(deadline);
}

/* ---- a load ---- */

/* What is certain about a session: only what was answered with success. */
enum fate { UNCERTAIN, CREATED, DESTROYED };

struct session {
    struct ses_key key;
    enum fate fate;
};

struct load {
    struct redis_shop *shop;
    atomic_bool done;
    atomic_uint successes;
    _Atomic int64_t ended_ms; /* when the master did; 0: it has not yet */
};

struct worker {
    struct load *load;
    unsigned first, last; /* slots */
    struct session *sessions;
    unsigned count, failures, late; /* late: failures after the last success but one */
    int64_t longest_ms, failed_ms;  /* the longest call; the last failure, after the end */
};

static int note_call(struct worker *w, int r, int64_t began_ms)
{
    const int64_t now_ms = monotonic_ms();
    w->longest_ms = now_ms - began_ms > w->longest_ms ? now_ms - began_ms : w->longest_ms;
    EXPECT(r == SES_OK || r == SES_ERR_UNAVAILABLE);
    if (r == SES_OK) {
        w->load->successes++;
    } else {
        w->failures++;
        w->failed_ms = now_ms;
    }
    return r;
}

static void create_one(struct worker *w, struct session *session)
{
    const struct fixture *f = &w->load->shop->f;
    struct ses_record record = make_record(SLICE("alpha"), f->now + 10 * LIFE_MS);
    session->key = cluster_key(w->first, w->last);
    const int64_t began_ms = monotonic_ms();
    const int r = store_create(f->store, &session->key, f->now, NULL, &record);
    session->fate = note_call(w, r, began_ms) == SES_OK ? CREATED : UNCERTAIN;
    drop_record(&record);
}

static void destroy_one(struct worker *w, struct session *session)
{
    const struct fixture *f = &w->load->shop->f;
    const int64_t began_ms = monotonic_ms();
    const int r = store_destroy(f->store, &session->key, f->now);
    session->fate = note_call(w, r, began_ms) == SES_OK ? DESTROYED : UNCERTAIN;
}

/* Creates and, of every two, destroys one: an earlier one, so that it is not the last write. */
static void *work(void *arg)
{
    struct worker *w = arg;
    while (!w->load->done && w->count < LOG_MOST) {
        create_one(w, &w->sessions[w->count++]);
        if (w->count % 2 == 0 && w->count > 10 && w->sessions[w->count - 10].fate == CREATED)
            destroy_one(w, &w->sessions[w->count - 10]);
    }
    EXPECT(w->count < LOG_MOST);
    return NULL;
}

static void *work_all(void *arg)
{
    run_together(work, arg, sizeof(struct worker), THREADS);
    return NULL;
}

/* ---- what is left ---- */

struct losses {
    unsigned created, destroyed; /* with success */
    unsigned gone, risen;        /* of those, what is not there any more, or is again */
};

static void count_losses(const struct worker *w, struct losses *losses)
{
    for (unsigned i = 0; i < w->count; i++) {
        const struct session *session = &w->sessions[i];
        if (session->fate == UNCERTAIN)
            continue;
        const int r = cluster_load(w->load->shop, &session->key);
        assert_true(r == SES_OK || r == SES_ERR_NOT_FOUND);
        losses->created += session->fate == CREATED;
        losses->destroyed += session->fate == DESTROYED;
        losses->gone += session->fate == CREATED && r != SES_OK;
        losses->risen += session->fate == DESTROYED && r == SES_OK;
    }
}

/* ---- one master ends ---- */

static void wait_for_successes(struct load *load, unsigned more)
{
    const struct deadline deadline = deadline_in(FAILOVER_MS);
    const unsigned wanted = load->successes + more;
    while (load->successes < wanted)
        poll_once(deadline);
}

static void report(const char *how, const struct load *load, const struct worker *workers,
                   struct losses *ret_losses)
{
    int64_t longest_ms = 0, failing_ms[2] = { 0 };
    unsigned failures[2] = { 0 };
    for (int i = 0; i < THREADS; i++) {
        const struct worker *w = &workers[i];
        const int other = i == THREADS - 1;
        const int64_t ms = w->failed_ms ? w->failed_ms - load->ended_ms : 0;
        longest_ms = w->longest_ms > longest_ms ? w->longest_ms : longest_ms;
        failing_ms[other] = ms > failing_ms[other] ? ms : failing_ms[other];
        failures[other] += w->failures;
        count_losses(w, ret_losses);
    }
    (void)printf("# %s: calls for its keys failed for %lld ms (%u calls), those of another master "
                 "for %lld ms (%u), the longest call took %lld ms\n",
                 how, (long long)failing_ms[0], failures[0], (long long)failing_ms[1], failures[1],
                 (long long)longest_ms);
    (void)printf("# %s: lost %u of %u creates and %u of %u destroys that were answered with "
                 "success\n",
                 how, ret_losses->gone, ret_losses->created, ret_losses->risen,
                 ret_losses->destroyed);
    assert_in_range(longest_ms, 0, BUDGET_MS / 2 + SLACK_MS);
}

/* Three threads work with the keys of the master that ends, one with those of another. */
static struct losses fail_over(const char *how, const char *parameters,
                               void (*end)(struct server *server))
{
    struct load load = { 0 };
    struct worker workers[THREADS];
    struct losses losses = { 0 };
    pthread_t thread;
    const int master = cluster_master_of(&cluster, 0),
              other = cluster_master_of(&cluster, SLOTS / 2);
    load.shop = cluster_shop(&cluster, other, parameters);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .load = &load, .last = THIRD - 1 };
        workers[i].sessions = calloc(LOG_MOST, sizeof(struct session));
    }
    workers[THREADS - 1].first = THIRD + 1;
    workers[THREADS - 1].last = 2 * THIRD - 1;
    assert_int_equal(pthread_create(&thread, NULL, work_all, workers), 0);
    wait_for_successes(&load, AFTER);
    load.ended_ms = monotonic_ms();
    end(&cluster.nodes[master]);
    load_until(load.shop, &(const struct ses_key){ 0 }, SES_ERR_NOT_FOUND);
    const struct ses_key own = cluster_key(0, THIRD - 1);
    load_until(load.shop, &own, SES_ERR_NOT_FOUND);
    wait_for_successes(&load, AFTER);
    load.done = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(faults, 0);
    report(how, &load, workers, &losses);
    for (int i = 0; i < THREADS; i++)
        free(workers[i].sessions);
    cluster_shop_end(load.shop);
    return losses;
}

static void start_again_all(void)
{
    for (int i = 0; i < CLUSTER_NODES; i++) {
        if (!cluster.nodes[i].pid)
            server_start_again(&cluster.nodes[i], redis_answers);
        server_thaw(&cluster.nodes[i]);
    }
    cluster_settle(&cluster);
}

static void replica_of_a_killed_master_is_followed(void **state)
{
    (void)state;
    (void)fail_over("killed", "", server_kill);
    start_again_all();
}

static void replica_of_a_frozen_master_is_followed_and_what_it_was_is_not_believed(void **state)
{
    (void)state;
    (void)fail_over("frozen", "", server_freeze);
    start_again_all();
}

static void write_that_waited_for_its_replica_survives_its_master(void **state)
{
    (void)state;
    const struct losses losses =
        fail_over("killed, waitReplicas=1", "?waitReplicas=1", server_kill);
    assert_int_equal(losses.gone, 0);
    assert_int_equal(losses.risen, 0);
    start_again_all();
}

/* ---- all of them end ---- */

static void cluster_without_masters_is_unavailable_within_the_budget_and_comes_back(void **state)
{
    (void)state;
    int masters[3];
    for (unsigned i = 0; i < 3; i++)
        masters[i] = cluster_master_of(&cluster, THIRD * i + 1);
    struct redis_shop *shop = cluster_shop(&cluster, masters[0], "");
    for (int i = 0; i < 3; i++)
        server_kill(&cluster.nodes[masters[i]]);
    for (unsigned i = 0; i < 6; i++) {
        const struct ses_key key = cluster_key(THIRD * (i % 3) + 1, THIRD * (i % 3 + 1) - 1);
        const int64_t before = monotonic_ms();
        assert_code(cluster_load(shop, &key), SES_ERR_UNAVAILABLE);
        assert_in_range(monotonic_ms() - before, 0, BUDGET_MS / 2 + SLACK_MS);
    }
    start_again_all();
    for (unsigned i = 0; i < 3; i++) {
        const struct ses_key key = cluster_key(THIRD * i + 1, THIRD * (i + 1) - 1);
        load_until(shop, &key, SES_ERR_NOT_FOUND);
        (void)put(&shop->f, &key, "alpha");
    }
    cluster_shop_end(shop);
}

/* ---- starting ---- */

static int start_all(void **state)
{
    (void)state;
    cluster_start(&cluster);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    cluster_end(&cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replica_of_a_killed_master_is_followed),
        cmocka_unit_test(write_that_waited_for_its_replica_survives_its_master),
        cmocka_unit_test(replica_of_a_frozen_master_is_followed_and_what_it_was_is_not_believed),
        cmocka_unit_test(cluster_without_masters_is_unavailable_within_the_budget_and_comes_back),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
