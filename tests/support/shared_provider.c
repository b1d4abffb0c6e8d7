/* SPDX-License-Identifier: MIT */
#include "support/shared_provider.h"

#include "support/fake_provider.h"
#include "support/test.h"

#include <sesame/manager.h>

static struct {
    void *store; /* of the fake provider */
    unsigned open;
    shared_listener *listener;
    void *arg;
} shared;

void shared_provider_listen(shared_listener *listener, void *arg)
{
    shared.listener = listener;
    shared.arg = arg;
}

/* ---- what is heard ---- */

static void hear(struct ses_slice bytes)
{
    if (shared.listener)
        shared.listener(shared.arg, bytes);
}

static void hear_key(const struct ses_key *key)
{
    hear((struct ses_slice){ key->bytes, sizeof key->bytes });
}

static void hear_record(const struct ses_record *record)
{
    hear(ses_blob_bytes(record->data));
    hear((struct ses_slice){ &record->version, sizeof record->version });
}

/* ---- the operations ---- */

static int shared_open(void *self, ses_provider_host *host, const char *config)
{
    (void)self;
    hear((struct ses_slice){ config, strlen(config) });
    if (shared.open++ > 0)
        return SES_OK;
    shared.store = calloc(1, ses_provider_fake.instance_size);
    return shared.store ? ses_provider_fake.open(shared.store, host, config) : SES_ERR_NO_MEMORY;
}

static void shared_close(void *self)
{
    (void)self;
    if (--shared.open > 0)
        return;
    ses_provider_fake.close(shared.store);
    free(shared.store);
}

static int shared_load(void *self, const struct ses_key *key, int64_t now_ms,
                       struct ses_record *ret_record)
{
    (void)self;
    hear_key(key);
    return ses_provider_fake.load(shared.store, key, now_ms, ret_record);
}

static int shared_create(void *self, const struct ses_key *key, int64_t now_ms,
                         const struct ses_owner *owner, const struct ses_record *record)
{
    (void)self;
    hear_key(key);
    if (owner)
        hear_key(&owner->user);
    hear_record(record);
    return ses_provider_fake.create(shared.store, key, now_ms, owner, record);
}

static int shared_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       const struct ses_record *record, struct ses_record *ret_winner)
{
    (void)self;
    hear_key(key);
    hear_record(record);
    return ses_provider_fake.save(shared.store, key, now_ms, expected, record, ret_winner);
}

static int shared_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                        int64_t expires_ms)
{
    (void)self;
    hear_key(key);
    return ses_provider_fake.touch(shared.store, key, now_ms, expected, expires_ms);
}

static int shared_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    (void)self;
    hear_key(key);
    return ses_provider_fake.destroy(shared.store, key, now_ms);
}

static int shared_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    (void)self;
    return ses_provider_fake.gc(shared.store, now_ms, budget, ret_step);
}

static int shared_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    (void)self;
    return ses_provider_fake.count(shared.store, now_ms, ret_count);
}

static int shared_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    (void)self;
    return ses_provider_fake.iterate(shared.store, now_ms, fn, arg);
}

static int shared_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                       void *arg)
{
    (void)self;
    hear_key(user);
    return ses_provider_fake.list(shared.store, user, now_ms, fn, arg);
}

static int shared_ping(void *self)
{
    (void)self;
    return ses_provider_fake.ping(shared.store);
}

void shared_provider_register(void)
{
    static const struct ses_provider_ops ops = {
        .size = sizeof ops,
        .abi = SES_PROVIDER_ABI,
        .name = "shared",
        .instance_size = 1,
        .open = shared_open,
        .close = shared_close,
        .load = shared_load,
        .create = shared_create,
        .save = shared_save,
        .touch = shared_touch,
        .destroy = shared_destroy,
        .gc = shared_gc,
        .count = shared_count,
        .iterate = shared_iterate,
        .list = shared_list,
        .ping = shared_ping,
    };
    const int r = ses_provider_register(&ops);
    assert_true(r == SES_OK || r == SES_ERR_EXISTS);
}
