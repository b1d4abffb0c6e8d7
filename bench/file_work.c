/* SPDX-License-Identifier: MIT */
#include "file_work.h"

#include <string.h>

static uint64_t load_one(const struct site *site, const struct ses_key *key, uint64_t *ret_version)
{
    struct ses_record record;
    if (store_load(site->store, key, site->now_ms, &record) != SES_OK)
        return 1;
    const uint64_t wrong = ses_blob_bytes(record.data).len != SITE_RECORD;
    *ret_version = record.version;
    (void)ses_blob_unref(record.data);
    return wrong;
}

uint64_t ours_read(void *arg, const struct bench_share *share)
{
    const struct site *site = arg;
    uint64_t state = site_seed(share, true), failures = 0, version;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        site_key(site_pick(site, share, &state), &key);
        failures += load_one(site, &key, &version);
    }
    return failures;
}

static uint64_t save_one(const struct site *site, const struct ses_key *key, ses_blob *data)
{
    uint64_t version;
    if (load_one(site, key, &version) != 0)
        return 1;
    const struct ses_record record = {
        .data = data,
        .version = version + 1,
        .expires_ms = site->now_ms + 1000000,
        .kind = SES_KIND_SESSION,
    };
    struct ses_record winner;
    return store_save(site->store, key, site->now_ms, version, &record, &winner) != SES_OK;
}

uint64_t ours_write(void *arg, const struct bench_share *share)
{
    const struct site *site = arg;
    uint64_t state = site_seed(share, true), failures = 0;
    ses_blob *data = ses_blob_new((struct ses_slice){ site->record, SITE_RECORD });
    for (uint64_t i = 0; i < share->operations && data; i++) {
        struct ses_key key;
        site_key(site_pick(site, share, &state), &key);
        failures += save_one(site, &key, data);
    }
    (void)ses_blob_unref(data);
    return data ? failures : 1;
}

uint64_t ours_create(void *arg, const struct bench_share *share)
{
    const struct site *site = arg;
    const uint64_t first = site_fresh(site, share, true);
    uint64_t failures = 0;
    const struct ses_record record = {
        .data = ses_blob_new((struct ses_slice){ site->record, SITE_RECORD }),
        .version = 1,
        .expires_ms = site->now_ms + 1000000,
        .kind = SES_KIND_SESSION,
    };
    for (uint64_t i = 0; i < share->operations && record.data; i++) {
        struct ses_key key;
        site_key(first + i, &key);
        failures += store_create(site->store, &key, site->now_ms, NULL, &record) != SES_OK;
    }
    (void)ses_blob_unref(record.data);
    return record.data ? failures : 1;
}

enum { GC_BUDGET = 1000, IN_A_YEAR_S = 365 * 86400 };

uint64_t ours_collect(struct site *site, uint64_t wanted)
{
    const int64_t later_ms = site->now_ms + INT64_C(1000) * IN_A_YEAR_S;
    uint64_t removed = 0;
    struct ses_gc_step step = { .more = true };
    while (removed < wanted && step.more) {
        if (store_gc(site->store, later_ms, GC_BUDGET, &step) != SES_OK)
            bench_fail("gc failed");
        removed += step.removed;
    }
    return removed;
}
