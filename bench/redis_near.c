/* SPDX-License-Identifier: MIT */
#include "redis.h"

#include "bare.h"
#include "redis/state.h"

#include <stdlib.h>

extern const struct ses_provider_ops ses_provider_memory;

enum { KEYS = 100000, DELAYS_MOST = 4000 };
static const char bare_name[] = "sesame-bare";

struct near_bench {
    struct store *memory;
    struct store *redis;
    struct ses_key *keys;
};

/* ---- a hit ---- */

/* The threads are not at the same session at the same time. */
static uint64_t load_all(struct store *store, const struct near_bench *b,
                         const struct bench_share *run)
{
    const uint64_t from = run->thread * KEYS / 2;
    uint64_t failures = 0;
    for (uint64_t i = 0; i < run->operations; i++) {
        struct ses_record record = { 0 };
        failures += store_load(store, &b->keys[(i + from) % KEYS], redis_now_ms, &record) != SES_OK;
        (void)ses_blob_unref(record.data);
    }
    return failures;
}

static uint64_t load_memory(void *arg, const struct bench_share *run)
{
    const struct near_bench *b = arg;
    return load_all(b->memory, b, run);
}

static uint64_t load_near(void *arg, const struct bench_share *run)
{
    const struct near_bench *b = arg;
    return load_all(b->redis, b, run);
}

static struct store *memory_store(void)
{
    const struct store_hooks silent = { 0 };
    struct store *store;
    if (store_prepare(&ses_provider_memory, &silent, &store) != SES_OK ||
        store_open(store, "") != SES_OK)
        bench_fail("no memory provider");
    return store;
}

static struct ses_record make_record(uint64_t version)
{
    static const char text[REDIS_RECORD_BYTES];
    return (struct ses_record){
        .data = ses_blob_new((struct ses_slice){ text, sizeof text }),
        .version = version,
        .expires_ms = redis_now_ms + redis_life_ms,
        .kind = SES_KIND_SESSION,
    };
}

static void create(struct store *store, const struct ses_key *key, uint64_t version)
{
    const struct ses_record record = make_record(version);
    (void)store_destroy(store, key, redis_now_ms);
    if (store_create(store, key, redis_now_ms, NULL, &record) != SES_OK)
        bench_fail("cannot create");
    (void)ses_blob_unref(record.data);
}

static uint64_t version_of(struct store *store, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    if (store_load(store, key, redis_now_ms, &record) != SES_OK)
        return 0;
    (void)ses_blob_unref(record.data);
    return record.version;
}

/* Until the answer is kept. */
static void keep(struct store *store, const struct ses_key *key)
{
    const struct redis *redis = store_instance(store);
    const uint64_t deadline = bench_now_ns() + 10000000000u;
    struct near_ticket ticket;
    struct ses_record record = { 0 };
    while (!near_get(redis->near, key, &record, &ticket)) {
        (void)version_of(store, key);
        if (bench_now_ns() > deadline)
            bench_fail("the near cache keeps nothing");
    }
    (void)ses_blob_unref(record.data);
}

/* As a load would, but for the trip. */
static void put_near(struct store *store, const struct ses_key *key)
{
    const struct redis *redis = store_instance(store);
    const struct ses_record record = make_record(1);
    struct ses_record none;
    struct near_ticket ticket;
    (void)near_get(redis->near, key, &none, &ticket);
    near_put(redis->near, key, &ticket, &record);
    (void)ses_blob_unref(record.data);
}

static void measure_hits(struct near_bench *b, bool quick)
{
    for (unsigned i = 0; i < KEYS; i++) {
        b->keys[i] = redis_key(0, i);
        create(b->memory, &b->keys[i], 1);
    }
    create(b->redis, &b->keys[0], 1);
    keep(b->redis, &b->keys[0]); /* it is on from here */
    for (unsigned i = 1; i < KEYS; i++)
        put_near(b->redis, &b->keys[i]);
    for (unsigned threads = 1; threads <= 2; threads++) {
        const struct bench_plan plan = { .floor = load_memory,
                                         .ours = load_near,
                                         .arg = b,
                                         .threads = threads,
                                         .operations = quick ? 300000 : 1000000,
                                         .budget_s = 3 };
        const struct bench_result result = bench_measure(&plan);
        redis_print("near,hit", threads, &result, 2);
    }
}

/* ---- the delay ---- */

static double trip_ns(struct bare *bare)
{
    const uint64_t from = bench_now_ns();
    bare_load(bare, bare_name);
    return (double)(bench_now_ns() - from);
}

/* From when the other one's call returns. */
static double delay_ns(struct store *here, struct store *elsewhere, const struct ses_key *key)
{
    create(elsewhere, key, 1);
    keep(here, key);
    if (store_destroy(elsewhere, key, redis_now_ms) != SES_OK)
        bench_fail("cannot destroy");
    const uint64_t from = bench_now_ns();
    while (version_of(here, key) != 0)
        if (bench_now_ns() - from > 10000000000u)
            bench_fail("a destroy is not seen");
    return (double)(bench_now_ns() - from);
}

static void print_quantile(const char *name, double *trips, double *delays, size_t count,
                           double share)
{
    struct bench_result result = {
        .floor = bench_quantile(trips, count, share),
        .ours = bench_quantile(delays, count, share),
    };
    result.ratio = result.ours / result.floor;
    redis_print(name, 1, &result, 0);
}

static void measure_delay(const struct near_bench *b, const char *path, const char *url, bool quick)
{
    static double trips[DELAYS_MOST], delays[DELAYS_MOST];
    const size_t count = quick ? DELAYS_MOST / 4 : DELAYS_MOST;
    struct store *elsewhere = redis_store(url, 1, 0);
    struct bare *bare = bare_connect(path, 0);
    bare_set(bare, bare_name, 1, REDIS_RECORD_BYTES);
    for (size_t i = 0; i < count; i++) {
        trips[i] = trip_ns(bare);
        delays[i] = delay_ns(b->redis, elsewhere, &b->keys[i % KEYS]);
    }
    print_quantile("near,delay-p50", trips, delays, count, 0.5);
    print_quantile("near,delay-p99", trips, delays, count, 0.99);
    bare_close(bare);
    store_close(elsewhere);
}

void redis_near(const char *path, const char *url, bool quick)
{
    struct near_bench b = { .memory = memory_store(),
                            .redis = redis_store(url, 2, 2 * KEYS),
                            .keys = bench_alloc(KEYS * sizeof *b.keys) };
    measure_hits(&b, quick);
    measure_delay(&b, path, url, quick);
    store_close(b.redis);
    store_close(b.memory);
    free(b.keys);
}
