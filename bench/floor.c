/* SPDX-License-Identifier: MIT */
#define OPENSSL_API_COMPAT 0x10100000L /* SHA256_Init and its like */

#include "floor.h"

#include <openssl/sha.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/*
 * Open addressing; a slot is one cache line and holds all of a session but its record, so that a
 * lookup costs the least there is: one miss. A shard's table doubles when it is three quarters
 * full.
 */

enum { SHARDS = 64, KEY_BYTES = 32, RECORD_BYTES = 400, FIRST_SLOTS = 64 };

struct slot {
    uint64_t key[KEY_BYTES / 8];
    uint64_t version;
    int64_t expires_ms;
    unsigned char *record; /* NULL: a free slot */
    uint64_t unused;
};

_Static_assert(sizeof(struct slot) == 64, "a slot is one cache line");

struct shard {
    pthread_mutex_t mutex;
    size_t count;
    size_t capacity; /* a power of two */
    struct slot *slots;
} __attribute__((aligned(64)));

struct floor_table {
    struct shard shards[SHARDS];
};

struct key {
    uint64_t words[KEY_BYTES / 8];
};

/* ---- the hash ---- */

/* The plain functions, with a context on the stack: a third of what a kept EVP context costs. */
static inline struct key hash(const void *id, size_t len)
{
    struct key key;
    SHA256_CTX context;
    (void)SHA256_Init(&context);
    (void)SHA256_Update(&context, id, len);
    (void)SHA256_Final((unsigned char *)key.words, &context);
    return key;
}

/* ---- the table ---- */

static struct shard *shard_of(struct floor_table *table, const struct key *key)
{
    return &table->shards[key->words[0] % SHARDS];
}

static bool same_key(const struct slot *slot, const struct key *key)
{
    uint64_t differ = 0;
    for (size_t i = 0; i < KEY_BYTES / 8; i++)
        differ |= slot->key[i] ^ key->words[i];
    return differ == 0;
}

/* The key's slot, or the free one where it belongs. */
static struct slot *find_slot(struct slot *slots, size_t capacity, const struct key *key)
{
    for (size_t i = key->words[1];; i++) {
        struct slot *slot = &slots[i & (capacity - 1)];
        if (!slot->record || same_key(slot, key))
            return slot;
    }
}

static void grow(struct shard *shard)
{
    const size_t capacity = shard->capacity * 2;
    struct slot *slots = bench_alloc(capacity * sizeof *slots);
    for (size_t i = 0; i < shard->capacity; i++) {
        struct key key;
        if (!shard->slots[i].record)
            continue;
        memcpy(key.words, shard->slots[i].key, sizeof key.words);
        *find_slot(slots, capacity, &key) = shard->slots[i];
    }
    free(shard->slots);
    shard->slots = slots;
    shard->capacity = capacity;
}

struct floor_table *floor_new(void)
{
    struct floor_table *table = bench_alloc(sizeof *table);
    for (size_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_init(&table->shards[i].mutex, NULL);
        table->shards[i].capacity = FIRST_SLOTS;
        table->shards[i].slots = bench_alloc(FIRST_SLOTS * sizeof(struct slot));
    }
    return table;
}

void floor_free(struct floor_table *table)
{
    for (size_t i = 0; table && i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        for (size_t s = 0; s < shard->capacity; s++)
            free(shard->slots[s].record);
        free(shard->slots);
        (void)pthread_mutex_destroy(&shard->mutex);
    }
    free(table);
}

/* ---- the operations ---- */

static unsigned char *copy_record(const unsigned char *record)
{
    unsigned char *copy = malloc(RECORD_BYTES);
    if (!copy)
        bench_fail("out of memory");
    return memcpy(copy, record, RECORD_BYTES);
}

static void insert(struct floor_table *table, const struct key *key, const unsigned char *record,
                   uint64_t version)
{
    struct shard *shard = shard_of(table, key);
    unsigned char *copy = copy_record(record);
    (void)pthread_mutex_lock(&shard->mutex);
    if (shard->count * 4 >= shard->capacity * 3)
        grow(shard);
    struct slot *slot = find_slot(shard->slots, shard->capacity, key);
    memcpy(slot->key, key->words, sizeof slot->key);
    slot->version = version;
    slot->expires_ms = 1;
    slot->record = copy;
    shard->count++;
    (void)pthread_mutex_unlock(&shard->mutex);
}

/* @return the expiry that was there; 0: no such session. */
static int64_t touch(struct floor_table *table, const struct key *key, int64_t expires_ms)
{
    struct shard *shard = shard_of(table, key);
    (void)pthread_mutex_lock(&shard->mutex);
    struct slot *slot = find_slot(shard->slots, shard->capacity, key);
    const int64_t before = slot->expires_ms;
    if (before != 0)
        slot->expires_ms = expires_ms;
    (void)pthread_mutex_unlock(&shard->mutex);
    return before;
}

/* @return the version that was there, swapped when it is the expected one; 0: no such session. */
static uint64_t swap(struct floor_table *table, const struct key *key, uint64_t expected,
                     uint64_t next, const unsigned char *record)
{
    struct shard *shard = shard_of(table, key);
    unsigned char *unneeded = copy_record(record);
    (void)pthread_mutex_lock(&shard->mutex);
    struct slot *slot = find_slot(shard->slots, shard->capacity, key);
    const uint64_t before = slot->version;
    if (slot->record && before == expected) {
        unsigned char *old = slot->record;
        slot->record = unneeded;
        slot->version = next;
        unneeded = old;
    }
    (void)pthread_mutex_unlock(&shard->mutex);
    free(unneeded);
    return before;
}

void floor_insert(struct floor_table *table, const char *id_text, uint64_t version)
{
    static const unsigned char record[RECORD_BYTES];
    const struct key key = hash(id_text, ID_TEXT_BYTES);
    insert(table, &key, record, version);
}

/* ---- the loops ---- */

uint64_t floor_read(void *arg, const struct bench_share *share)
{
    const struct population *population = arg;
    struct walk walk = walk_start(population, share->thread, share->round);
    const int64_t expires_ms = 1 + (int64_t)share->round;
    uint64_t result = 0, failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        const struct visitor *visitor = &population->visitors[walk_next(&walk, result)];
        const struct key key = hash(visitor->cookie + 3, ID_TEXT_BYTES);
        const int64_t before = touch(population->floor, &key, expires_ms);
        result = (uint64_t)before >> 62;
        failures += before == 0;
    }
    return failures;
}

uint64_t floor_write(void *arg, const struct bench_share *share)
{
    const struct population *population = arg;
    struct walk walk = walk_start(population, share->thread, share->round);
    unsigned char record[RECORD_BYTES] = { 0 };
    uint64_t result = 0, failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct visitor *visitor = &population->visitors[walk_next(&walk, result)];
        const struct key key = hash(visitor->cookie + 3, ID_TEXT_BYTES);
        const uint64_t next = (i << 8) + share->thread + 1;
        memcpy(record, &i, sizeof i);
        uint64_t before = __atomic_load_n(&visitor->version, __ATOMIC_RELAXED), expected;
        do { /* another thread may have been faster: then its version is the one to expect */
            expected = before;
            before = swap(population->floor, &key, expected, next, record);
        } while (before != expected && before != 0);
        __atomic_store_n(&visitor->version, next, __ATOMIC_RELAXED);
        result = before >> 63;
        failures += before == 0;
    }
    return failures;
}

uint64_t floor_create(void *arg, const struct bench_share *share)
{
    const struct population *population = arg;
    unsigned char record[RECORD_BYTES] = { 0 };
    uint64_t failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        unsigned char id[32];
        failures += getrandom(id, sizeof id, 0) != (ssize_t)sizeof id;
        const struct key key = hash(id, sizeof id);
        memcpy(record, &i, sizeof i);
        insert(population->floor, &key, record, 1);
    }
    return failures;
}
