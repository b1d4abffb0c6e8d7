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
    atomic_uint successes; /* with keys of the master that ends */
    int64_t ended_ms;      /* when it did */
};

struct worker {
    struct load *load;
    unsigned first, last; /* slots */
    struct session *sessions;
    bool hot; /* they are of the master that ends */
    unsigned count, failures;
    int64_t longest_ms, failed_ms; /* the longest call; when one failed last */
};

static int note_call(struct worker *w, int r, int64_t began_ms)
{
    const int64_t now_ms = monotonic_ms();
    w->longest_ms = now_ms - began_ms > w->longest_ms ? now_ms - began_ms : w->longest_ms;
    EXPECT(r == SES_OK || r == SES_ERR_UNAVAILABLE);
    if (r == SES_OK) {
        w->load->successes += w->hot;
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
        const int64_t ms = w->failed_ms ? w->failed_ms - load->ended_ms : 0;
        longest_ms = w->longest_ms > longest_ms ? w->longest_ms : longest_ms;
        failing_ms[w->hot] = ms > failing_ms[w->hot] ? ms : failing_ms[w->hot];
        failures[w->hot] += w->failures;
        count_losses(w, ret_losses);
    }
    (void)printf("# %s: calls for its keys failed for %lld ms (%u calls), those of another master "
                 "for %lld ms (%u); the longest call took %lld ms\n",
                 how, (long long)failing_ms[1], failures[1], (long long)failing_ms[0], failures[0],
                 (long long)longest_ms);
    (void)printf("# %s: lost %u of %u creates and %u of %u destroys that were answered with "
                 "success\n",
                 how, ret_losses->gone, ret_losses->created, ret_losses->risen,
                 ret_losses->destroyed);
    assert_in_range(longest_ms, 0, BUDGET_MS / 2 + SLACK_MS);
}

/* Three threads work with the keys of the master that ends, one with those of another. */
static void start_work(struct load *load, struct worker workers[THREADS], unsigned third)
{
    for (int i = 0; i < THREADS; i++) {
        const bool hot = i < THREADS - 1;
        const unsigned first = THIRD * (hot ? third : (third + 1) % 3) + 1;
        workers[i] =
            (struct worker){ .load = load, .hot = hot, .first = first, .last = first + THIRD - 2 };
        workers[i].sessions = calloc(LOG_MOST, sizeof(struct session));
    }
}

/* The master of that third of the slots ends; @p after is done once its replica is promoted. */
static struct losses fail_over(const char *how, unsigned third, const char *parameters,
                               void (*end)(struct server *server),
                               void (*after)(struct server *server))
{
    struct load load = { 0 };
    struct worker workers[THREADS];
    struct losses losses = { 0 };
    pthread_t thread;
    const struct ses_key one = cluster_key(THIRD * third + 1, THIRD * (third + 1) - 1);
    struct server *master = &cluster.nodes[cluster_master_of(&cluster, cluster_slot(&one))];
    load.shop = cluster_shop(&cluster, third == 0, parameters);
    start_work(&load, workers, third);
    assert_int_equal(pthread_create(&thread, NULL, work_all, workers), 0);
    wait_for_successes(&load, AFTER);
    load.ended_ms = monotonic_ms();
    end(master);
    load_until(load.shop, &one, SES_ERR_NOT_FOUND);
    after(master);
    wait_for_successes(&load, AFTER);
    load.done = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(faults, 0);
    report(how, &load, workers, &losses);
    assert_int_equal(load.shop->back, load.shop->lost); /* another one has its place */
    for (int i = 0; i < THREADS; i++)
        free(workers[i].sessions);
    cluster_shop_end(load.shop);
    return losses;
}

static void start_again(struct server *server)
{
    server_start_again(server, redis_answers);
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
    (void)fail_over("killed", 0, "", server_kill, start_again);
}

static void replica_of_a_frozen_master_is_followed_also_when_that_is_back(void **state)
{
    (void)state;
    (void)fail_over("frozen", 1, "", server_freeze, server_thaw);
}

/* The new master has no replica until the old one is back: until then no write succeeds. */
static void write_that_waited_for_its_replica_survives_its_master(void **state)
{
    (void)state;
    const struct losses losses =
        fail_over("killed, waitReplicas=1", 2, "?waitReplicas=1", server_kill, start_again);
    assert_int_equal(losses.gone, 0);
    assert_int_equal(losses.risen, 0);
}

/* ---- what a failover can lose ---- */

static int put_large(struct redis_shop *shop, const struct ses_key *key)
{
    static const char bytes[1 << 20] = "large";
    struct ses_record record =
        make_record((struct ses_slice){ bytes, sizeof bytes }, shop->f.now + LIFE_MS);
    const int r = store_create(shop->f.store, key, shop->f.now, NULL, &record);
    drop_record(&record);
    return r;
}

/* More than the buffers on the way to a replica hold, which reads nothing meanwhile. */
static void what_no_replica_has_is_lost_with_its_master_and_only_who_waits_is_told(void **state)
{
    enum { LARGE = 40 };
    (void)state;
    struct ses_key large[LARGE];
    const struct ses_key ended = cluster_key(0, THIRD - 1), waited = cluster_key(0, THIRD - 1);
    start_again_all();
    const int master = cluster_master_of(&cluster, 0), replica = (master + 3) % CLUSTER_NODES;
    struct redis_shop *plain = cluster_shop(&cluster, replica, "");
    struct redis_shop *careful = cluster_shop(&cluster, replica, "?waitReplicas=1&budgetMs=600");
    (void)put(&careful->f, &ended, "alpha");
    (void)put(&careful->f, &waited, "alpha");
    server_freeze(&cluster.nodes[replica]);
    for (int i = 0; i < LARGE; i++) {
        large[i] = cluster_key(0, THIRD - 1);
        assert_ok(put_large(plain, &large[i]));
    }
    assert_ok(store_destroy(plain->f.store, &ended, plain->f.now));
    assert_code(store_destroy(careful->f.store, &waited, careful->f.now), SES_ERR_UNAVAILABLE);
    server_kill(&cluster.nodes[master]);
    server_thaw(&cluster.nodes[replica]);
    load_until(plain, &ended, SES_OK); /* that is the loss: it was destroyed, with success */
    assert_ok(cluster_load(plain, &waited));
    int lost = 0;
    for (int i = 0; i < LARGE; i++)
        lost += cluster_load(plain, &large[i]) == SES_ERR_NOT_FOUND;
    (void)printf("# killed while its replica stood still: lost %d of %d creates of 1 MiB, and the "
                 "destroy after them\n",
                 lost, LARGE);
    assert_in_range(lost, 1, LARGE);
    cluster_shop_end(plain);
    cluster_shop_end(careful);
}

/* ---- all of them end ---- */

static void cluster_without_masters_is_unavailable_within_the_budget_and_comes_back(void **state)
{
    (void)state;
    int masters[3];
    for (unsigned i = 0; i < 3; i++)
        masters[i] = cluster_master_of(&cluster, THIRD * i + 1);
    struct redis_shop *shop = cluster_shop(&cluster, masters[0], "?budgetMs=1000");
    for (int i = 0; i < 3; i++)
        server_kill(&cluster.nodes[masters[i]]);
    for (unsigned i = 0; i < 6; i++) {
        const struct ses_key key = cluster_key(THIRD * (i % 3) + 1, THIRD * (i % 3 + 1) - 1);
        const int64_t before = monotonic_ms();
        assert_code(cluster_load(shop, &key), SES_ERR_UNAVAILABLE);
        assert_in_range(monotonic_ms() - before, 0, 500 + SLACK_MS);
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
        cmocka_unit_test(replica_of_a_frozen_master_is_followed_also_when_that_is_back),
        cmocka_unit_test(write_that_waited_for_its_replica_survives_its_master),
        cmocka_unit_test(what_no_replica_has_is_lost_with_its_master_and_only_who_waits_is_told),
        cmocka_unit_test(cluster_without_masters_is_unavailable_within_the_budget_and_comes_back),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
