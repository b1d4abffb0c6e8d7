/* SPDX-License-Identifier: MIT */

/*
 * The provider "redis" beside bare hiredis that sends the same commands over as many connections to
 * the same server, which this program starts for itself; and its near cache. Linked with the
 * library's inside, which no application sees; so it is a program of its own. Prints "NAME THREADS
 * FLOOR OURS RATIO SPREAD AIM" in nanoseconds, a line for each figure.
 */

#include "redis.h"

#include "bare.h"
#include "redis/state.h"
#include "support/server.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct ses_provider_ops ses_provider_redis;

/* Sessions of each thread; bytes of a record. */
enum { SESSIONS = 256, BYTES = REDIS_RECORD_BYTES, NAME_BYTES = 80 };

struct share {
    struct bare *bare;
    struct ses_key keys[SESSIONS];
    uint64_t versions[SESSIONS];
    char names[SESSIONS][NAME_BYTES];
    uint64_t drawn;
};

struct bench_redis {
    struct store *store;
    struct share *shares;
    struct script scripts[SCRIPTS];
    ses_blob *data;
};

/* ---- the server ---- */

static bool answers(const struct server *server)
{
    return server_port_answers(server);
}

static void start_server(struct server *server, char path[SERVER_PATH_ROOM])
{
    char port[16];
    server_prepare(server);
    (void)snprintf(port, sizeof port, "%d", server->port);
    const char *const words[] = {
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--port",
        port,
        "--unixsocket",
        server_file(server, "redis.sock", path),
        "--dir",
        server->folder,
        "--save",
        "",
        NULL,
    };
    server_start(server, words, answers);
}

/* ---- both kinds of sessions ---- */

struct store *redis_store(const char *url, unsigned threads, int64_t near_records)
{
    const struct store_hooks silent = { 0 };
    struct store *store;
    if (store_prepare(&ses_provider_redis, &silent, &store) != SES_OK)
        bench_fail("no store");
    struct redis *redis = store_instance(store);
    redis->pool_size = threads;
    redis->connect_ms = 5000;
    redis->budget_ms = 60000;
    redis->near_records = near_records;
    if (store_open(store, url) != SES_OK)
        bench_fail("cannot open %s", url);
    return store;
}

struct ses_key redis_key(unsigned thread, unsigned i)
{
    uint64_t x = (uint64_t)thread << 32 | i;
    struct ses_key key;
    for (size_t at = 0; at < sizeof key.bytes; at += sizeof x) {
        x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
        x ^= x >> 31;
        memcpy(key.bytes + at, &x, sizeof x);
    }
    return key;
}

static struct ses_record record_of(const struct bench_redis *b, uint64_t version)
{
    return (struct ses_record){ b->data, version, redis_now_ms + redis_life_ms, SES_KIND_SESSION };
}

static void fill(const struct bench_redis *b, unsigned thread)
{
    struct share *share = &b->shares[thread];
    for (unsigned i = 0; i < SESSIONS; i++) {
        share->keys[i] = redis_key(thread, i);
        share->versions[i] = 1;
        const struct ses_record record = record_of(b, 1);
        (void)store_destroy(b->store, &share->keys[i], redis_now_ms);
        if (store_create(b->store, &share->keys[i], redis_now_ms, NULL, &record) != SES_OK)
            bench_fail("cannot create");
        /* As long as the provider's own. */
        (void)snprintf(share->names[i], NAME_BYTES, "sesame-b-%064x", thread * SESSIONS + i);
        bare_set(share->bare, share->names[i], 1, BYTES);
    }
}

/* ---- the work ---- */

static uint64_t floor_load(void *arg, const struct bench_share *run)
{
    const struct bench_redis *b = arg;
    struct share *share = &b->shares[run->thread];
    for (uint64_t i = 0; i < run->operations; i++)
        bare_load(share->bare, share->names[i % SESSIONS]);
    return 0;
}

static uint64_t ours_load(void *arg, const struct bench_share *run)
{
    const struct bench_redis *b = arg;
    const struct share *share = &b->shares[run->thread];
    uint64_t failures = 0;
    for (uint64_t i = 0; i < run->operations; i++) {
        struct ses_record record = { 0 };
        failures +=
            store_load(b->store, &share->keys[i % SESSIONS], redis_now_ms, &record) != SES_OK;
        (void)ses_blob_unref(record.data);
    }
    return failures;
}

static uint64_t floor_save(void *arg, const struct bench_share *run)
{
    const struct bench_redis *b = arg;
    struct share *share = &b->shares[run->thread];
    for (uint64_t i = 0; i < run->operations; i++)
        bare_save(share->bare, &b->scripts[SCRIPT_SAVE], share->names[i % SESSIONS],
                  ++share->drawn + 1, BYTES);
    return 0;
}

static uint64_t ours_save(void *arg, const struct bench_share *run)
{
    const struct bench_redis *b = arg;
    struct share *share = &b->shares[run->thread];
    uint64_t failures = 0;
    for (uint64_t i = 0; i < run->operations; i++) {
        const struct ses_key *key = &share->keys[i % SESSIONS];
        const struct ses_record record = record_of(b, ++share->drawn + 1);
        struct ses_record old = { 0 }, winner = { 0 };
        failures +=
            store_load(b->store, key, redis_now_ms, &old) != SES_OK ||
            store_save(b->store, key, redis_now_ms, old.version, &record, &winner) != SES_OK;
        (void)ses_blob_unref(old.data);
        (void)ses_blob_unref(winner.data);
    }
    return failures;
}

/* ---- the figures ---- */

/* 0.9 of the cycles per second that bare hiredis does. */
static const double aim = 1 / 0.9;

void redis_print(const char *name, unsigned threads, const struct bench_result *result,
                 double aimed)
{
    printf("%s %u %.1f %.1f %.4f %.4f %.4f\n", name, threads, result->floor, result->ours,
           result->ratio, result->spread, aimed);
    (void)fflush(stdout);
}

struct place {
    const char *name;
    const char *path;
    int port;
    char url[200];
};

static void measure(struct bench_redis *b, const struct place *place, const char *name,
                    bench_work_fn *floor, bench_work_fn *ours, unsigned threads, bool quick)
{
    const struct bench_plan plan = {
        .floor = floor,
        .ours = ours,
        .arg = b,
        .threads = threads,
        .operations = (quick ? 3000 : 8000) / threads,
        .budget_s = quick ? 1 : 4,
    };
    const struct bench_result result = bench_measure(&plan);
    char full_name[32];
    (void)snprintf(full_name, sizeof full_name, "%s,%s", name, place->name);
    redis_print(full_name, threads, &result, aim);
}

static void measure_place(const struct place *place, unsigned threads, bool quick)
{
    static const char text[BYTES];
    struct bench_redis b = {
        .store = redis_store(place->url, threads, 0),
        .shares = bench_alloc(threads * sizeof *b.shares),
        .data = ses_blob_new((struct ses_slice){ text, sizeof text }),
    };
    scripts_prepare(b.scripts);
    for (unsigned i = 0; i < threads; i++) {
        b.shares[i].bare = bare_connect(place->path, place->port);
        fill(&b, i);
    }
    const struct bench_share one = { .operations = 1 };
    (void)ours_save(&b, &one); /* the server knows the script from here on */
    measure(&b, place, "load", floor_load, ours_load, threads, quick);
    measure(&b, place, "save", floor_save, ours_save, threads, quick);
    for (unsigned i = 0; i < threads; i++)
        bare_close(b.shares[i].bare);
    store_close(b.store);
    (void)ses_blob_unref(b.data);
    free(b.shares);
}

int main(int argc, char **argv)
{
    static const unsigned threads[] = { 1, 2, 8, 32 };
    static struct server server;
    char path[SERVER_PATH_ROOM];
    const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    (void)bench_cores(); /* known before anything is bound */
    start_server(&server, path);
    struct place places[] = { { .name = "tcp", .port = server.port },
                              { .name = "unix", .path = path } };
    (void)snprintf(places[0].url, sizeof places[0].url, "redis://127.0.0.1:%d", server.port);
    (void)snprintf(places[1].url, sizeof places[1].url, "unix://%s", path);
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
            measure_place(&places[p], threads[i], quick);
    }
    redis_near(path, places[1].url, quick);
    printf("end\n");
    return 0;
}
