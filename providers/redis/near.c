/* SPDX-License-Identifier: MIT */
#include "redis/near.h"

#include "shared/bytes.h"
#include "shared/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    SHARDS_MOST = 64,
    SHARD_LEAST = 16,      /* copies, so that few records in all are still evenly spread */
    CHANGES = 64,          /* counters of changes in each shard, shared by the keys */
    BYTES_MOST = 64 << 10, /* a larger record is not kept: their number then bounds the memory */
    HAND_STEPS = 64,       /* at most, to find a copy that was not used */
    NONE = -1,
};

struct copy {
    struct ses_key key;
    struct ses_record record; /* no data: free */
    int32_t next;             /* in its chain, or of the free ones */
    bool used;                /* since the hand was here */
};

struct shard {
    _Alignas(64) pthread_mutex_t mutex;
    struct copy *copies;
    int32_t *chains; /* the first of each */
    uint32_t room, chain_mask, hand;
    uint32_t count;
    int32_t free;   /* the first that was given back */
    uint32_t fresh; /* from there on, none was ever used */
    uint64_t changes[CHANGES];
    struct near *near;
    struct fork_watch watch;
};

struct near {
    atomic_uint_fast64_t age; /* odd: on */
    uint32_t shard_count;     /* a power of two */
    struct shard *shards;
    struct copy *copies; /* of all shards */
    int32_t *chains;
};

/* ---- where a key belongs: its bits are evenly spread ---- */

static uint64_t bits_of(const struct ses_key *key)
{
    return get64(key->bytes);
}

static struct shard *shard_of(const struct near *near, const struct ses_key *key)
{
    return &near->shards[bits_of(key) & (near->shard_count - 1)];
}

static uint64_t *changes_of(struct shard *shard, const struct ses_key *key)
{
    return &shard->changes[(bits_of(key) >> 8) % CHANGES];
}

static int32_t *chain_of(const struct shard *shard, const struct ses_key *key)
{
    return &shard->chains[(bits_of(key) >> 16) & shard->chain_mask];
}

/* ---- one shard; its mutex is held ---- */

/* What leads to the copy, or to NONE. */
static int32_t *find(const struct shard *shard, const struct ses_key *key)
{
    int32_t *at = chain_of(shard, key);
    while (*at != NONE && !ses_key_equal(&shard->copies[*at].key, key))
        at = &shard->copies[*at].next;
    return at;
}

static void take_out(struct shard *shard, int32_t *link)
{
    const int32_t i = *link;
    struct copy *copy = &shard->copies[i];
    *link = copy->next;
    copy->record.data = ses_blob_unref(copy->record.data);
    copy->next = shard->free;
    shard->free = i;
    shard->count--;
}

/* The next that was not used since the hand came by last; after some steps any. */
static void evict(struct shard *shard)
{
    struct copy *copy;
    int steps = 0;
    do {
        copy = &shard->copies[shard->hand];
        shard->hand = (shard->hand + 1) % shard->room;
        const bool spared = copy->used && ++steps < HAND_STEPS;
        copy->used = false;
        if (!spared)
            break;
    } while (true);
    take_out(shard, find(shard, &copy->key));
}

static int32_t free_place(struct shard *shard)
{
    if (shard->free == NONE && shard->fresh < shard->room)
        return (int32_t)shard->fresh++;
    if (shard->free == NONE)
        evict(shard);
    const int32_t i = shard->free;
    shard->free = shard->copies[i].next;
    return i;
}

static void add(struct shard *shard, const struct ses_key *key, const struct ses_record *record)
{
    const int32_t i = free_place(shard);
    int32_t *chain = chain_of(shard, key);
    shard->copies[i] = (struct copy){ .key = *key, .record = *record, .next = *chain };
    (void)ses_blob_ref(record->data);
    *chain = i;
    shard->count++;
}

static void clear(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->fresh; i++)
        shard->copies[i].record.data = ses_blob_unref(shard->copies[i].record.data);
    memset(shard->chains, 0xff, (shard->chain_mask + 1) * sizeof *shard->chains);
    for (uint32_t i = 0; i < CHANGES; i++)
        shard->changes[i]++;
    shard->fresh = shard->count = shard->hand = 0;
    shard->free = NONE;
}

/* ---- on and off ---- */

static uint64_t age_of(const struct near *near)
{
    const uint64_t age = near ? atomic_load_explicit(&near->age, memory_order_acquire) : 0;
    return age % 2 ? age : 0;
}

static void turn_off(struct near *near)
{
    if (age_of(near))
        (void)atomic_fetch_add(&near->age, 1);
}

/* With all the mutexes held. */
static void shard_forked(void *arg)
{
    struct shard *shard = arg;
    turn_off(shard->near);
    clear(shard);
}

/* ---- life time ---- */

static void shard_begin(struct near *near, uint32_t s, uint32_t room, uint32_t chains)
{
    struct shard *shard = &near->shards[s];
    shard->room = room;
    shard->chain_mask = chains - 1;
    shard->copies = near->copies + (size_t)s * room;
    shard->chains = near->chains + (size_t)s * chains;
    shard->near = near;
    clear(shard);
    (void)pthread_mutex_init(&shard->mutex, NULL);
    shard->watch =
        (struct fork_watch){ .mutex = &shard->mutex, .in_child = shard_forked, .arg = shard };
    fork_watch_begin(&shard->watch);
}

static uint32_t shards_for(size_t records)
{
    uint32_t count = SHARDS_MOST;
    while (count > 1 && records / count < SHARD_LEAST)
        count /= 2;
    return count;
}

struct near *near_new(size_t records)
{
    const uint32_t count = shards_for(records), room = (uint32_t)(records / count);
    uint32_t chains = 1;
    while (chains < room)
        chains *= 2;
    struct near *near = calloc(1, sizeof *near);
    if (!near)
        return NULL;
    near->shards = aligned_alloc(_Alignof(struct shard), count * sizeof *near->shards);
    near->copies = calloc((size_t)count * room, sizeof *near->copies);
    near->chains = calloc((size_t)count * chains, sizeof *near->chains);
    if (!near->shards || !near->copies || !near->chains) {
        near_free(near);
        return NULL;
    }
    memset(near->shards, 0, count * sizeof *near->shards);
    for (; near->shard_count < count; near->shard_count++)
        shard_begin(near, near->shard_count, room, chains);
    return near;
}

void near_free(struct near *near)
{
    if (!near)
        return;
    for (uint32_t s = 0; s < near->shard_count; s++) {
        fork_watch_end(&near->shards[s].watch);
        clear(&near->shards[s]);
        (void)pthread_mutex_destroy(&near->shards[s].mutex);
    }
    free(near->shards);
    free(near->copies);
    free(near->chains);
    free(near);
}

/* ---- the listener's ---- */

void near_on(struct near *near)
{
    if (near && !age_of(near))
        (void)atomic_fetch_add(&near->age, 1);
}

/* A ticket of before is void from the first line on; what it has brought in until then is dropped
 * by the second. */
void near_off(struct near *near)
{
    turn_off(near);
    near_forget_all(near);
}

void near_forget_all(struct near *near)
{
    for (uint32_t s = 0; near && s < near->shard_count; s++) {
        (void)pthread_mutex_lock(&near->shards[s].mutex);
        clear(&near->shards[s]);
        (void)pthread_mutex_unlock(&near->shards[s].mutex);
    }
}

/* ---- one key ---- */

bool near_get(struct near *near, const struct ses_key *key, struct ses_record *ret_record,
              struct near_ticket *ret_ticket)
{
    *ret_ticket = (struct near_ticket){ .age = age_of(near) };
    if (ret_ticket->age == 0)
        return false;
    struct shard *shard = shard_of(near, key);
    (void)pthread_mutex_lock(&shard->mutex);
    const int32_t i = *find(shard, key);
    if (i != NONE) {
        struct copy *copy = &shard->copies[i];
        if (!copy->used)
            copy->used = true; /* only then: others read it, too */
        *ret_record = copy->record;
        (void)ses_blob_ref(copy->record.data);
    }
    ret_ticket->changes = *changes_of(shard, key);
    (void)pthread_mutex_unlock(&shard->mutex);
    return i != NONE;
}

void near_put(struct near *near, const struct ses_key *key, const struct near_ticket *ticket,
              const struct ses_record *record)
{
    if (ticket->age == 0 || ses_blob_bytes(record->data).len > BYTES_MOST)
        return;
    struct shard *shard = shard_of(near, key);
    (void)pthread_mutex_lock(&shard->mutex);
    if (age_of(near) == ticket->age && *changes_of(shard, key) == ticket->changes &&
        *find(shard, key) == NONE)
        add(shard, key, record);
    (void)pthread_mutex_unlock(&shard->mutex);
}

void near_forget(struct near *near, const struct ses_key *key)
{
    if (!age_of(near))
        return;
    struct shard *shard = shard_of(near, key);
    (void)pthread_mutex_lock(&shard->mutex);
    int32_t *link = find(shard, key);
    ++*changes_of(shard, key);
    if (*link != NONE)
        take_out(shard, link);
    (void)pthread_mutex_unlock(&shard->mutex);
}

size_t near_count(struct near *near)
{
    size_t count = 0;
    for (uint32_t s = 0; near && s < near->shard_count; s++) {
        (void)pthread_mutex_lock(&near->shards[s].mutex);
        count += near->shards[s].count;
        (void)pthread_mutex_unlock(&near->shards[s].mutex);
    }
    return count;
}
