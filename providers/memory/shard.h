/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_SHARD_H
#define SES_MEMORY_SHARD_H

/*
 * One lock's share of the records, and what there is to know of each: where it is (table), when it
 * may expire (wheel), when it was used (recency). All functions but init and free want the shard's
 * lock held.
 */

#include "memory/hold.h"
#include "memory/pool.h"
#include "memory/recency.h"
#include "memory/room.h"
#include "memory/table.h"
#include "memory/wheel.h"

enum { SHARDS = 64 };

/* The first line is all that a lookup reads of a shard. */
struct shard {
    _Alignas(64) pthread_mutex_t mutex;
    struct table table;
    struct pool pool;
    struct wheel wheel;
    struct recency recency;
    struct room *room;            /* of the whole store */
    atomic_uint_fast64_t *stamps; /* of the whole store; NULL: it does not evict */
};

/* What is left of a record once it is out of its shard; see memory_bury(). */
struct remains {
    ses_blob *data;
    struct member *member;
};

void shard_init(struct shard *shard, struct room *room, atomic_uint_fast64_t *stamps);
void shard_free(struct shard *shard);

/* The entry of a record that is alive, or NO_ENTRY. */
uint32_t shard_find(const struct shard *shard, const struct ses_key *key, int64_t now_ms);

/* Adds a record whose key is not in the shard. @return SES_OK, SES_ERR_FULL, SES_ERR_NO_MEMORY. */
int shard_add(struct shard *shard, const struct ses_key *key, const struct ses_record *record,
              struct member *member);

/* Puts other content in the place of the old. SES_ERR_FULL if it has to grow and must not. */
int shard_replace(struct shard *shard, uint32_t index, const struct ses_record *record,
                  struct remains *ret_old);

struct remains shard_remove(struct shard *shard, uint32_t index);

/* One hold of the lock by the collector: so short that a reader which finds it held need not sleep
 * (hold.h). */
enum { SWEEP_ENTRIES = 16 };

struct sweep {
    uint32_t looked;                       /* entries that were looked at */
    uint32_t removed;                      /* of them, how many had expired: */
    struct remains remains[SWEEP_ENTRIES]; /* what is left of these */
    bool more;                             /* there are others to look at */
};

/* Removes what has expired, looking at no more than @p limit entries, up to SWEEP_ENTRIES. */
void shard_sweep(struct shard *shard, int64_t now_ms, uint32_t limit, struct sweep *ret_sweep);

/* Marks the entry as the one used last. */
void shard_use(struct shard *shard, uint32_t index);

static inline uint64_t blob_room(const ses_blob *blob)
{
    return ses_blob_bytes(blob).len + RECORD_OVERHEAD;
}

#endif
