/* SPDX-License-Identifier: MIT */
#include "memory/shard.h"

_Static_assert(offsetof(struct shard, pool.entries) + sizeof(struct entry **) <= 64,
               "a lookup reads one line of the shard");

void shard_init(struct shard *shard, struct room *room, atomic_uint_fast64_t *stamps)
{
    *shard = (struct shard){ .room = room, .stamps = stamps };
    (void)pthread_mutex_init(&shard->mutex, NULL);
    entry_pool_init(&shard->pool, stamps != NULL);
    wheel_init(&shard->wheel);
    recency_init(&shard->recency);
}

void shard_free(struct shard *shard)
{
    struct pool *pool = &shard->pool;
    for (uint32_t i = entry_pool_next(pool, NO_ENTRY); i != NO_ENTRY; i = entry_pool_next(pool, i))
        (void)ses_blob_unref(entry_pool_at(pool, i)->data);
    entry_pool_free(pool);
    table_free(&shard->table);
    (void)pthread_mutex_destroy(&shard->mutex);
}

uint32_t shard_find(const struct shard *shard, const struct ses_key *key, int64_t now_ms)
{
    const uint32_t index = table_find(&shard->table, &shard->pool, key);
    if (index == NO_ENTRY || !entry_is_alive(entry_pool_at(&shard->pool, index), now_ms))
        return NO_ENTRY;
    return index;
}

void shard_use(struct shard *shard, uint32_t index)
{
    if (!shard->stamps)
        return;
    recency_drop(&shard->recency, &shard->pool, index);
    recency_add(&shard->recency, &shard->pool, index, atomic_fetch_add(shard->stamps, 1));
}

/* An entry that is in no list yet. */
static uint32_t take_entry(struct shard *shard, bool owned)
{
    struct pool *pool = &shard->pool;
    const uint32_t index = table_reserve(&shard->table, pool) ? entry_pool_take(pool) : NO_ENTRY;
    if (index == NO_ENTRY || !owned || entry_pool_prepare_member(pool, index))
        return index;
    entry_pool_give(pool, index);
    return NO_ENTRY;
}

int shard_add(struct shard *shard, const struct ses_key *key, const struct ses_record *record,
              struct member *member)
{
    const uint64_t bytes = blob_room(record->data);
    if (!room_take(shard->room, 1, bytes))
        return SES_ERR_FULL;
    const uint32_t index = take_entry(shard, member != NULL);
    if (index == NO_ENTRY) {
        room_give(shard->room, 1, bytes);
        return SES_ERR_NO_MEMORY;
    }

    struct entry *entry = entry_pool_at(&shard->pool, index);
    entry->key = *key;
    entry->version = record->version;
    entry->lease = entry_lease(record->expires_ms, record->kind);
    entry->data = ses_blob_ref(record->data);
    entry_pool_set_member(&shard->pool, index, member);
    table_insert(&shard->table, key, index);
    wheel_link(&shard->wheel, &shard->pool, index);
    if (shard->stamps)
        recency_add(&shard->recency, &shard->pool, index, atomic_fetch_add(shard->stamps, 1));
    return SES_OK;
}

/* A marker always passes: it ends a session, and is small. So does what does not grow. */
static bool take_growth(struct shard *shard, const struct entry *entry,
                        const struct ses_record *record)
{
    if (!room_is_limited(shard->room))
        return true;
    const uint64_t old = blob_room(entry->data), fresh = blob_room(record->data);
    if (fresh <= old) {
        room_give(shard->room, 0, old - fresh);
        return true;
    }
    if (ses_kind_is_live(record->kind))
        return room_take(shard->room, 0, fresh - old);
    room_force(shard->room, fresh - old);
    return true;
}

int shard_replace(struct shard *shard, uint32_t index, const struct ses_record *record,
                  struct remains *ret_old)
{
    struct entry *entry = entry_pool_at(&shard->pool, index);
    shard_use(shard, index);
    if (!take_growth(shard, entry, record))
        return SES_ERR_FULL;

    ret_old->data = entry->data;
    if (!ses_kind_is_live(record->kind)) { /* its user has one session less */
        ret_old->member = entry_pool_member(&shard->pool, index);
        entry_pool_set_member(&shard->pool, index, NULL);
    }
    const int64_t lease = entry_lease(record->expires_ms, record->kind);
    const bool sooner = lease >> 8 < entry_expires_ms(entry);
    entry->version = record->version;
    entry->lease = lease;
    entry->data = ses_blob_ref(record->data);
    if (sooner) {
        wheel_unlink(&shard->wheel, &shard->pool, index);
        wheel_link(&shard->wheel, &shard->pool, index);
    }
    return SES_OK;
}

struct remains shard_remove(struct shard *shard, uint32_t index)
{
    struct pool *pool = &shard->pool;
    struct entry *entry = entry_pool_at(pool, index);
    const struct remains remains = { entry->data, entry_pool_member(pool, index) };

    if (room_is_limited(shard->room))
        room_give(shard->room, 1, blob_room(entry->data));
    if (shard->stamps)
        recency_drop(&shard->recency, pool, index);
    wheel_unlink(&shard->wheel, pool, index);
    table_remove(&shard->table, &entry->key, index);
    entry_pool_set_member(pool, index, NULL);
    entry_pool_give(pool, index);
    table_shrink(&shard->table, pool);
    return remains;
}

/* Asks for what the next two turns of a sweep will touch, each line a turn after the one that says
 * where it is: otherwise the lock would be held from one cache miss to the next. */
static void prefetch_due(const struct shard *shard, uint32_t index)
{
    const uint32_t next = entry_pool_at(&shard->pool, index)->next_due;
    if (next == NO_ENTRY)
        return;
    const struct entry *entry = entry_pool_at(&shard->pool, next);
    __builtin_prefetch(&shard->table.buckets[table_home(&shard->table, &entry->key)], 1);
    if (entry->next_due != NO_ENTRY)
        __builtin_prefetch(entry_pool_at(&shard->pool, entry->next_due), 1);
}

void shard_sweep(struct shard *shard, int64_t now_ms, uint32_t limit, struct sweep *ret_sweep)
{
    uint32_t looked = 0, removed = 0, index;
    while ((index = wheel_due(&shard->wheel, &shard->pool, now_ms)) != NO_ENTRY && looked < limit) {
        prefetch_due(shard, index);
        looked++;
        if (entry_is_alive(entry_pool_at(&shard->pool, index), now_ms)) {
            wheel_unlink(&shard->wheel, &shard->pool, index);
            wheel_link(&shard->wheel, &shard->pool, index);
        } else {
            ret_sweep->remains[removed++] = shard_remove(shard, index);
        }
    }
    ret_sweep->looked = looked;
    ret_sweep->removed = removed;
    ret_sweep->more = index != NO_ENTRY;
}
