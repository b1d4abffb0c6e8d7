/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_STATE_H
#define SES_MEMORY_STATE_H

#include "memory/shard.h"
#include "memory/users.h"

/* "whenFull" */
enum { REFUSE, EVICT };

/* Where the collector stands. A turn visits each shard once and then ends, however fast
 * records become due meanwhile; the next one begins where it ended. */
struct collector_turn {
    pthread_mutex_t mutex;
    uint32_t shard; /* the one that is being visited */
    uint32_t left;  /* shards of this turn; 0: none has begun */
};

struct memory {
    int64_t max_records; /* the settings */
    int64_t max_bytes;
    int when_full;
    struct shard *shards;
    struct users *users;
    struct collector_turn turn;
    struct room room;
    atomic_uint_fast64_t stamps;
    struct memory *next_store; /* fork.c */
};

static inline struct shard *memory_shard(struct memory *memory, const struct ses_key *key)
{
    return &memory->shards[key->bytes[0] % SHARDS];
}

/* Drops what a removed record leaves. No group's or shard's lock is held. */
static inline void memory_bury(struct memory *memory, const struct remains *remains)
{
    (void)ses_blob_unref(remains->data);
    users_drop(memory->users, remains->member);
}

/* collect.c */
void memory_collect(struct memory *memory, int64_t now_ms, uint32_t budget,
                    struct ses_gc_step *ret_step);

/* evict.c: tries to make room for @p records of together @p bytes; false: there is none to be had.
 * The record of @p saved stays. */
bool memory_make_room(struct memory *memory, const struct ses_key *saved, int64_t now_ms,
                      uint64_t records, uint64_t bytes);

/* visit.c: operations of the vtable */
int memory_count(void *self, int64_t now_ms, uint64_t *ret_count);
int memory_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg);
int memory_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                void *arg);

#endif
