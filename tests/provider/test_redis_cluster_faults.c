/* SPDX-License-Identifier: MIT */
/* What becomes of calls, and of what was answered with success, when masters of a cluster end. */
#include "provider/cluster_fixture.h"
#include "provider/load.h"
#include "shared/deadline.h"

#include <stdio.h>
#include <time.h>

enum { CALL_MOST_MS = 2000, THIRD = SLOTS / 3, WRITES = 500, FAILOVER_MS = 30000 };

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

/* ---- one master ends ---- */

static unsigned third; /* of the slots, whose master ends */

static struct ses_key key_of_it(void)
{
    return cluster_key(THIRD * third + 1, THIRD * (third + 1) - 1);
}

static struct ses_key key_of_another(void)
{
    const unsigned other = (third + 1) % 3;
    return cluster_key(THIRD * other + 1, THIRD * (other + 1) - 1);
}

static struct losses audit(struct load *load, struct redis_shop *shop, const char *what)
{
    load_end(load);
    const struct losses losses = load_audit(load, &shop->f);
    losses_print(what, &losses);
    assert_int_equal(losses.invented, 0);
    assert_int_equal(losses.wrong, 0);
    assert_in_range(losses.longest_ms, 0, CALL_MOST_MS);
    return losses;
}

/* @p after is done once the replica of the master is promoted. */
static struct losses fail_over(const char *how, const char *parameters,
                               void (*end)(struct server *server),
                               void (*after)(struct server *server))
{
    static struct load its, others;
    const struct ses_key one = key_of_it();
    struct server *master = &cluster.nodes[cluster_master_of(&cluster, cluster_slot(&one))];
    struct redis_shop *shop = cluster_shop(&cluster, third == 0, parameters);
    char what[80];
    load_begin(&its, &shop->f, key_of_it);
    load_begin(&others, &shop->f, key_of_another);
    load_wait(&its, WRITES);
    end(master);
    load_until(shop, &one, SES_ERR_NOT_FOUND);
    after(master);
    load_wait(&its, WRITES);
    (void)snprintf(what, sizeof what, "cluster, %s, its keys", how);
    const struct losses losses = audit(&its, shop, what);
    (void)snprintf(what, sizeof what, "cluster, %s, keys of another", how);
    (void)audit(&others, shop, what);
    assert_int_equal(shop->back, shop->lost); /* another one has its place */
    cluster_shop_end(shop);
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
            start_again(&cluster.nodes[i]);
    }
    cluster_settle(&cluster);
}

static void replica_of_a_killed_master_is_followed(void **state)
{
    (void)state;
    third = 0;
    (void)fail_over("killed master", "", server_kill, start_again);
}

static void replica_of_a_frozen_master_is_followed_also_when_that_is_back(void **state)
{
    (void)state;
    third = 1;
    (void)fail_over("frozen master", "", server_freeze, server_thaw);
}

/* The new master has no replica until the old one is back: until then no write succeeds. */
static void write_that_waited_for_its_replica_survives_its_master(void **state)
{
    (void)state;
    third = 2;
    const struct losses losses =
        fail_over("killed master, waitReplicas 1", "?waitReplicas=1", server_kill, start_again);
    assert_int_equal(losses.lost, 0);
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
    struct redis_shop *careful = cluster_shop(&cluster, replica, "?waitReplicas=1&budgetMs=3000");
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
        assert_in_range(monotonic_ms() - before, 0, 500 + 1000);
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
    cluster_start(&cluster, CLUSTER_HASTY_MS);
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
