/* SPDX-License-Identifier: MIT */
/*
 * Provider "memcached": records in one or several servers of memcached 1.4.8 or newer.
 *
 *  - ProviderConfig: host:port;unix:/path;... (config.h).
 *  - Settings: keyPrefix, poolSize, connectTimeoutMs, budgetMs.
 *  - Layout: <prefix><key>, an item with flags 0: the envelope of shared/envelope.h, without an
 *    owner, or "GONE", a tombstone. <key> is 64 hexadecimal digits of a hash.
 *  - Atomic save: gets and cas over one connection (visit.h); what came between is looked at anew.
 *  - Expiry: memcached drops records by itself, a little late; until then the expiry in the record
 *    counts, by the time that is passed in.
 *  - Loses: whatever memcached evicts for want of memory, and all of a server that ends.
 *  - Owners: none. There is no list, no count, no walk: memcached cannot be asked for keys.
 *  - Fork: a child connects anew (shared/pool.h).
 *  - Waits: for half of the budget in each call, whatever it does; then SES_ERR_UNAVAILABLE.
 */

#include "memcached/visit.h"
#include "shared/settings.h"

/* ---- life time ---- */

static const char *prepare(struct memcached *memcached, const char *config)
{
    if (!memcached->key_prefix)
        memcached->key_prefix = "sesame-";
    const char *problem = memcached_config_read(&memcached->config, config);
    if (!problem)
        problem = prefix_check(memcached->key_prefix);
    if (!problem && !ring_open(&memcached->ring, &memcached->config))
        problem = "out of memory";
    return problem;
}

/* One that answers is enough to begin with, as it is to go on. What nobody can wait away, a server
 * that was started unfit for sessions, is an operator's mistake. */
static int greet_all(struct memcached *memcached)
{
    const struct deadline deadline = memcached_deadline(memcached);
    int answered = 0;
    for (size_t i = 0; i < memcached->config.count; i++) {
        struct node *node = &memcached->nodes[i];
        const int r = node_ping(node, deadline);
        if (node->unfit)
            return SES_ERR_INVALID;
        answered += r == SES_OK;
    }
    return answered > 0 ? SES_OK : SES_ERR_UNAVAILABLE;
}

static int memcached_open(void *self, ses_provider_host *host, const char *config)
{
    struct memcached *memcached = self;
    memcached->host = host;
    const char *problem = prepare(memcached, config);
    if (problem)
        return ses_provider_fail(host, SES_ERR_INVALID, "%s", problem);
    crc_init(&memcached->crc);
    for (size_t i = 0; i < memcached->config.count; i++)
        node_begin(&memcached->nodes[i], memcached, &memcached->config.servers[i]);
    return greet_all(memcached);
}

static void memcached_close(void *self)
{
    struct memcached *memcached = self;
    for (size_t i = 0; i < MEMCACHED_SERVERS_MOST; i++)
        node_end(&memcached->nodes[i]);
    ring_close(&memcached->ring);
    memcached_config_free(&memcached->config);
}

/* ---- records ---- */

static bool is_alive(const struct visit *visit, const struct found *found)
{
    return visit->now_ms < found->envelope.expires_ms;
}

static int hand_over(const struct envelope *envelope, struct ses_record *ret_record)
{
    ses_blob *data = ses_blob_new(envelope->data);
    if (!data)
        return SES_ERR_NO_MEMORY;
    *ret_record = (struct ses_record){
        .data = data,
        .version = envelope->version,
        .expires_ms = envelope->expires_ms,
        .kind = envelope->kind,
    };
    return SES_OK;
}

static struct envelope envelope_of(const struct ses_record *record)
{
    return (struct envelope){
        .kind = record->kind,
        .version = record->version,
        .expires_ms = record->expires_ms,
        .data = ses_blob_bytes(record->data),
    };
}

static int memcached_load(void *self, const struct ses_key *key, int64_t now_ms,
                          struct ses_record *ret_record)
{
    struct visit visit;
    struct found found;
    int r = visit_begin(&visit, self, key, now_ms);
    if (r < 0)
        return r;
    r = visit_look(&visit, &found);
    if (r == SES_OK)
        r = hand_over(&found.envelope, ret_record);
    visit_end(&visit);
    return r == SES_ERR_GONE ? SES_ERR_NOT_FOUND : r;
}

/* ---- create ---- */

/* Others changed what was found before it could be replaced: it is looked at anew, while there is
 * time. */
static bool again(const struct visit *visit, int r)
{
    return r == SES_ERR_GONE && !deadline_passed(visit->deadline);
}

static int leave(struct visit *visit, int r)
{
    visit_end(visit);
    if (r != SES_ERR_GONE)
        return r;
    return node_fail(visit->node, SES_ERR_UNAVAILABLE, "others kept changing an item");
}

/* In the place of a tombstone, or of what has expired. */
static int replace_dead(struct visit *visit, const struct envelope *envelope)
{
    struct found found;
    int r = visit_look(visit, &found);
    if (r == SES_OK && is_alive(visit, &found))
        return SES_ERR_EXISTS;
    if (r == SES_OK || r == SES_ERR_GONE)
        r = visit_swap(visit, found.unique, envelope);
    return r == SES_ERR_NOT_FOUND ? SES_ERR_GONE : r;
}

static int memcached_create(void *self, const struct ses_key *key, int64_t now_ms,
                            const struct ses_owner *owner, const struct ses_record *record)
{
    const struct envelope envelope = envelope_of(record);
    struct visit visit;
    int r = visit_begin(&visit, self, key, now_ms);
    if (r < 0)
        return r;
    (void)owner; /* nobody could ask for what is theirs */
    do {
        r = visit_add(&visit, &envelope);
        if (r == SES_ERR_EXISTS)
            r = replace_dead(&visit, &envelope);
    } while (again(&visit, r));
    return leave(&visit, r);
}

/* ---- save and touch ---- */

/* The record, if it is alive and of that version; SES_ERR_CONFLICT: of another. */
static int look_for(struct visit *visit, uint64_t expected, struct found *ret_found)
{
    const int r = visit_look(visit, ret_found);
    if (r < 0)
        return r == SES_ERR_GONE ? SES_ERR_NOT_FOUND : r;
    if (!is_alive(visit, ret_found))
        return SES_ERR_NOT_FOUND;
    return ret_found->envelope.version == expected ? SES_OK : SES_ERR_CONFLICT;
}

static int save_once(struct visit *visit, uint64_t expected, const struct envelope *envelope,
                     struct ses_record *ret_winner)
{
    struct found found;
    const int r = look_for(visit, expected, &found);
    if (r == SES_OK)
        return visit_swap(visit, found.unique, envelope);
    if (r != SES_ERR_CONFLICT)
        return r;
    const int handed = hand_over(&found.envelope, ret_winner);
    return handed < 0 ? handed : r;
}

static int memcached_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                          const struct ses_record *record, struct ses_record *ret_winner)
{
    const struct envelope envelope = envelope_of(record);
    struct visit visit;
    int r = visit_begin(&visit, self, key, now_ms);
    if (r < 0)
        return r;
    do {
        r = save_once(&visit, expected, &envelope, ret_winner);
    } while (again(&visit, r));
    return leave(&visit, r);
}

static int touch_once(struct visit *visit, uint64_t expected, int64_t expires_ms)
{
    struct found found;
    const int r = look_for(visit, expected, &found);
    if (r < 0 || expires_ms <= found.envelope.expires_ms)
        return r;
    const int extended = visit_extend(visit, &found, expires_ms);
    const bool no_room = extended == SES_ERR_FULL || extended == SES_ERR_TOO_LARGE;
    return no_room ? SES_ERR_UNAVAILABLE : extended; /* it lives on, as long as it did */
}

static int memcached_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                           int64_t expires_ms)
{
    struct visit visit;
    int r = visit_begin(&visit, self, key, now_ms);
    if (r < 0)
        return r;
    do {
        r = touch_once(&visit, expected, expires_ms);
    } while (again(&visit, r));
    return leave(&visit, r);
}

static int memcached_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    struct visit visit;
    const int r = visit_begin(&visit, self, key, now_ms);
    return r < 0 ? r : leave(&visit, visit_bury(&visit));
}

/* ---- the whole store ---- */

/* One that is down is enough: somebody's sessions lie there. */
static int memcached_ping(void *self)
{
    struct memcached *memcached = self;
    const struct deadline deadline = memcached_deadline(memcached);
    int r = SES_OK;
    for (size_t i = 0; i < memcached->config.count && r == SES_OK; i++)
        r = node_ping(&memcached->nodes[i], deadline);
    return r;
}

/* ---- the vtable ---- */

static const struct ses_setting memcached_settings[] = {
    KEY_SERVER_SETTINGS(struct memcached),
    { 0 },
};

extern SES_API const struct ses_provider_ops ses_provider_memcached;

const struct ses_provider_ops ses_provider_memcached = {
    .size = sizeof ses_provider_memcached,
    .abi = SES_PROVIDER_ABI,
    .flags = SES_PROVIDER_EXPIRES,
    .name = "memcached",
    .instance_size = sizeof(struct memcached),
    .settings = memcached_settings,
    .open = memcached_open,
    .close = memcached_close,
    .load = memcached_load,
    .create = memcached_create,
    .save = memcached_save,
    .touch = memcached_touch,
    .destroy = memcached_destroy,
    .ping = memcached_ping,
};
