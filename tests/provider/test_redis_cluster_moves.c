/* SPDX-License-Identifier: MIT */
/* How the slots of a cluster are found, also while they move or its nodes disagree. */
#include "provider/cluster_fixture.h"
#include "redis/cluster.h"
#include "shared/deadline.h"
#include "support/many.h"

#include <stdio.h>

enum { BUDGET_MS = 2000, SLACK_MS = 2000, THIRD = SLOTS / 3, THREADS = 4 };

static struct redis_cluster cluster;

static struct redis_shop *open_shop(int node, const char *parameters)
{
    return cluster_shop(&cluster, node, parameters);
}

static int timed_load(struct redis_shop *shop, const struct ses_key *key, int64_t *ret_ms)
{
    const int64_t before = monotonic_ms();
    const int r = cluster_load(shop, key);
    *ret_ms = monotonic_ms() - before;
    return r;
}

static long asks(void)
{
    return cluster_stats(&cluster, "errorstats", "errorstat_ASK:count=");
}

static long moves(void)
{
    return cluster_stats(&cluster, "errorstats", "errorstat_MOVED:count=");
}

static long maps(void)
{
    return cluster_stats(&cluster, "commandstats", "cmdstat_cluster|slots:calls=");
}

static void move_back(unsigned slot)
{
    cluster_settle(&cluster);
    cluster_move(&cluster, slot, 1, 0);
    cluster_settle(&cluster);
}

/* ---- the map ---- */

static void servers_agree_on_the_slots_of_keys(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        char command[200];
        (void)snprintf(command, sizeof command, "CLUSTER KEYSLOT {%d}%016llx", i,
                       (unsigned long long)new_version());
        const char *text = strrchr(command, ' ') + 1;
        redisReply *reply = redis_say(&cluster.nodes[0], command);
        assert_int_equal(reply->integer, slot_of(word(text)));
        reply_free(reply);
    }
}

static void any_node_is_enough_to_find_all_of_them(void **state)
{
    (void)state;
    for (int node = 0; node < CLUSTER_NODES; node += CLUSTER_NODES - 1) { /* a master, a replica */
        struct redis_shop *shop = open_shop(node, "");
        const long before = moves();
        for (int i = 0; i < 20; i++)
            assert_code(cluster_load(shop, &(struct ses_key){ { (unsigned char)i } }),
                        SES_ERR_NOT_FOUND);
        assert_int_equal(moves(), before);
        cluster_shop_end(shop);
    }
}

static void nodes_that_name_no_host_are_where_they_were_asked(void **state)
{
    (void)state;
    for (int i = 0; i < CLUSTER_NODES; i++)
        cluster_tell(&cluster, i, "CONFIG SET cluster-preferred-endpoint-type unknown-endpoint");
    struct redis_shop *shop = open_shop(0, "");
    for (unsigned third = 0; third < 3; third++) {
        const struct ses_key key = cluster_key(THIRD * third + 1, THIRD * (third + 1) - 1);
        assert_code(cluster_load(shop, &key), SES_ERR_NOT_FOUND);
    }
    const struct ses_key key = cluster_key(70, 90);
    cluster_move(&cluster, cluster_slot(&key), 0, 1);
    assert_code(cluster_load(shop, &key), SES_ERR_NOT_FOUND); /* "MOVED 80 :6381" */
    move_back(cluster_slot(&key));
    cluster_shop_end(shop);
    for (int i = 0; i < CLUSTER_NODES; i++)
        cluster_tell(&cluster, i, "CONFIG SET cluster-preferred-endpoint-type ip");
}

static void server_that_is_no_cluster_is_told_in_one_line(void **state)
{
    (void)state;
    static struct server single;
    struct redis_shop *shop = calloc(1, sizeof *shop);
    char url[URL_ROOM];
    redis_start(&single, NULL);
    (void)snprintf(url, sizeof url, "cluster://127.0.0.1:%d", single.port);
    assert_code(shop_open(shop, url), SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(shop->told, "cluster support disabled"));
    assert_string_equal(strchr(shop->all, '\n'), "\n");
    server_end(&single);
    assert_code(shop_open(shop, url), SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(shop->told, "none of 1 addresses"));
    assert_string_equal(strchr(shop->all, '\n'), "\n");
    free(shop);
}

/* ---- slots that move ---- */

static void slot_on_its_way_is_asked_for_at_both_ends_and_stays_in_the_map(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop(0, "");
    const struct ses_key there = cluster_key(70, 90);
    const unsigned slot = cluster_slot(&there);
    const struct ses_key absent = cluster_key(slot, slot), later = cluster_key(slot, slot);
    (void)put(&shop->f, &there, "alpha");
    cluster_begin_move(&cluster, slot, 0, 1);
    const long before = asks(), moved = moves(), mapped = maps();
    assert_ok(cluster_load(shop, &there)); /* is still at the old place */
    assert_int_equal(asks(), before);
    assert_code(cluster_load(shop, &absent), SES_ERR_NOT_FOUND);
    assert_code(cluster_load(shop, &absent), SES_ERR_NOT_FOUND);
    assert_int_equal(asks(), before + 2);
    (void)put(&shop->f, &later, "beta"); /* at the new place, where the script is not known yet */
    assert_ok(cluster_load(shop, &later));
    assert_int_equal(moves(), moved);
    assert_int_equal(maps(), mapped);
    cluster_end_move(&cluster, slot, 0, 1);
    assert_ok(cluster_load(shop, &there));
    assert_ok(cluster_load(shop, &later));
    move_back(slot);
    cluster_shop_end(shop);
}

struct visitor {
    struct redis_shop *shop;
    struct ses_key key;
};

static void *visit_once(void *arg)
{
    const struct visitor *visitor = arg;
    EXPECT(cluster_load(visitor->shop, &visitor->key) == SES_ERR_NOT_FOUND);
    return NULL;
}

static void many_that_meet_a_moved_slot_at_once_ask_for_the_map_once(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop(0, "");
    struct visitor visitors[THREADS_MAX];
    const struct ses_key key = cluster_key(70, 90);
    for (int i = 0; i < THREADS_MAX; i++)
        visitors[i] = (struct visitor){ shop, key };
    run_together(visit_once, visitors, sizeof *visitors, THREADS_MAX); /* connects them */
    cluster_move(&cluster, cluster_slot(&key), 0, 1);
    const long before = maps(), moved = moves();
    run_together(visit_once, visitors, sizeof *visitors, THREADS_MAX);
    assert_int_equal(faults, 0);
    assert_int_equal(maps(), before + 1);
    assert_in_range(moves() - moved, 1, THREADS_MAX);
    const long settled = moves();
    assert_code(cluster_load(shop, &key), SES_ERR_NOT_FOUND);
    assert_int_equal(moves(), settled);
    move_back(cluster_slot(&key));
    cluster_shop_end(shop);
}

static void nodes_that_send_to_each_other_are_not_asked_for_ever(void **state)
{
    (void)state;
    struct redis_shop *shop = open_shop(0, "");
    const struct ses_key key = cluster_key(100, 200);
    const unsigned slot = cluster_slot(&key);
    int64_t took;
    cluster_tell(&cluster, 0, "CLUSTER SETSLOT %u NODE %s", slot, cluster.ids[1]);
    const long before = moves(), mapped = maps();
    assert_code(timed_load(shop, &key, &took), SES_ERR_UNAVAILABLE);
    (void)printf("# two nodes that send to each other: %ld hops, %ld maps in %lld ms\n",
                 moves() - before, maps() - mapped, (long long)took);
    assert_in_range(moves() - before, 2, 100);
    assert_in_range(maps() - mapped, 0, 3);
    assert_in_range(took, 0, BUDGET_MS / 2 + SLACK_MS);
    cluster_tell(&cluster, 0, "CLUSTER SETSLOT %u NODE %s", slot, cluster.ids[0]);
    assert_code(cluster_load(shop, &key), SES_ERR_NOT_FOUND);
    cluster_shop_end(shop);
}

/* ---- slots that move under load ---- */

enum { HOT_FIRST = 100, HOT_LAST = 163, COUNTERS = 8, VISITS_MOST = 400 };

struct mover {
    struct redis_shop *shop;
    const struct ses_key *counters;
    atomic_bool *done;
    uint64_t counted[COUNTERS];
    struct ses_key sessions[VISITS_MOST];
    unsigned made;
};

static struct ses_record numbered(const struct redis_shop *shop, uint64_t number)
{
    return make_record((struct ses_slice){ &number, sizeof number }, shop->f.now + LIFE_MS);
}

static uint64_t number_in(const struct ses_record *record)
{
    uint64_t number;
    memcpy(&number, ses_blob_bytes(record->data).data, sizeof number);
    return number;
}

static int count_up(const struct redis_shop *shop, const struct ses_key *key)
{
    struct ses_record base = { 0 };
    int r = store_load(shop->f.store, key, shop->f.now, &base);
    while (r == SES_OK) {
        struct ses_record winner = { 0 }, next = numbered(shop, number_in(&base) + 1);
        r = store_save(shop->f.store, key, shop->f.now, base.version, &next, &winner);
        drop_record(&base);
        drop_record(&next);
        if (r != SES_ERR_CONFLICT)
            return r;
        base = winner;
        r = SES_OK;
    }
    return r;
}

static void *use_while_they_move(void *arg)
{
    struct mover *m = arg;
    for (unsigned i = 0; !*m->done; i++) {
        EXPECT(count_up(m->shop, &m->counters[i % COUNTERS]) == SES_OK);
        m->counted[i % COUNTERS]++;
        if (m->made == VISITS_MOST)
            continue;
        struct ses_record record = numbered(m->shop, i);
        EXPECT(store_create(m->shop->f.store, &m->sessions[m->made], m->shop->f.now, NULL,
                            &record) == SES_OK);
        drop_record(&record);
        m->made++;
    }
    return NULL;
}

static void *move_all(void *arg)
{
    atomic_bool *done = arg;
    for (unsigned slot = HOT_FIRST; slot <= HOT_LAST; slot++)
        cluster_move(&cluster, slot, 0, 1);
    cluster_settle(&cluster);
    for (unsigned slot = HOT_FIRST; slot <= HOT_LAST; slot++)
        cluster_move(&cluster, slot, 1, 0);
    *done = true;
    return NULL;
}

static void slots_that_move_under_load_lose_nothing(void **state)
{
    (void)state;
    static struct mover movers[THREADS];
    static atomic_bool done;
    struct redis_shop *shop = open_shop(0, "");
    struct ses_key counters[COUNTERS];
    pthread_t thread;
    for (int i = 0; i < COUNTERS; i++) {
        struct ses_record zero = numbered(shop, 0);
        counters[i] = cluster_key(HOT_FIRST, HOT_LAST);
        assert_ok(store_create(shop->f.store, &counters[i], shop->f.now, NULL, &zero));
        drop_record(&zero);
    }
    for (int i = 0; i < THREADS; i++) {
        movers[i] = (struct mover){ .shop = shop, .counters = counters, .done = &done };
        for (int j = 0; j < VISITS_MOST; j++)
            movers[i].sessions[j] = cluster_key(HOT_FIRST, HOT_LAST);
    }
    const long asked = asks(), moved = moves();
    assert_int_equal(pthread_create(&thread, NULL, move_all, &done), 0);
    run_together(use_while_they_move, movers, sizeof *movers, THREADS);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(faults, 0);

    uint64_t counted = 0;
    unsigned made = 0;
    for (int i = 0; i < COUNTERS; i++) {
        struct ses_record record = { 0 };
        uint64_t sum = 0;
        assert_ok(store_load(shop->f.store, &counters[i], shop->f.now, &record));
        for (int j = 0; j < THREADS; j++)
            sum += movers[j].counted[i];
        assert_int_equal(number_in(&record), sum);
        drop_record(&record);
        counted += sum;
    }
    for (int i = 0; i < THREADS; i++) {
        for (unsigned j = 0; j < movers[i].made; j++)
            assert_ok(cluster_load(shop, &movers[i].sessions[j]));
        made += movers[i].made;
    }
    (void)printf("# %d slots moved there and back: %llu counted, %u sessions made, nothing lost; "
                 "%ld ASK, %ld MOVED\n",
                 HOT_LAST - HOT_FIRST + 1, (unsigned long long)counted, made, asks() - asked,
                 moves() - moved);
    assert_true(asks() > asked && moves() > moved);
    cluster_shop_end(shop);
}

/* ---- starting ---- */

static int start_all(void **state)
{
    (void)state;
    cluster_start(&cluster, CLUSTER_PATIENT_MS);
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
        cmocka_unit_test(servers_agree_on_the_slots_of_keys),
        cmocka_unit_test(any_node_is_enough_to_find_all_of_them),
        cmocka_unit_test(nodes_that_name_no_host_are_where_they_were_asked),
        cmocka_unit_test(server_that_is_no_cluster_is_told_in_one_line),
        cmocka_unit_test(slot_on_its_way_is_asked_for_at_both_ends_and_stays_in_the_map),
        cmocka_unit_test(many_that_meet_a_moved_slot_at_once_ask_for_the_map_once),
        cmocka_unit_test(nodes_that_send_to_each_other_are_not_asked_for_ever),
        cmocka_unit_test(slots_that_move_under_load_lose_nothing),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
