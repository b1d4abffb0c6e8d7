/* SPDX-License-Identifier: MIT */
#include "file_site.h"

#include "core/registry.h"
#include "core/settings.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POPULATORS = 2, RENAMED_PART = 8, FRESH_UNIT = 1 << 20 };

/* ---- names ---- */

static uint64_t scatter(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void site_key(uint64_t number, struct ses_key *ret_key)
{
    for (uint64_t i = 0; i < SES_KEY_BYTES / 8; i++) {
        const uint64_t word = scatter(number * 4 + i);
        memcpy(ret_key->bytes + 8 * i, &word, sizeof word);
    }
}

void site_path(const struct ses_key *key, char out[SITE_PATH])
{
    static const char head[] = "sessions/xx/", digits[] = "0123456789abcdef";
    memcpy(out, head, sizeof head);
    char *name = out + sizeof head - 1;
    for (size_t i = 0; i < SES_KEY_BYTES; i++) {
        name[2 * i] = digits[key->bytes[i] >> 4];
        name[2 * i + 1] = digits[key->bytes[i] & 15];
    }
    name[2 * (size_t)SES_KEY_BYTES] = '\0';
    memcpy(name - 3, name, 2);
}

/* ---- which ---- */

uint64_t site_seed(const struct bench_share *share, bool ours)
{
    return scatter(((uint64_t)share->round * 2 + ours) * BENCH_THREADS_MAX + share->thread) | 1;
}

static uint64_t pick(const struct site *site, const struct bench_share *share, uint64_t *state,
                     uint64_t count)
{
    const uint64_t each = count / site->threads;
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return (((x >> 32) * each) >> 32) * site->threads + share->thread;
}

static uint64_t in_place(const struct site *site)
{
    return site->count - site->count / RENAMED_PART;
}

uint64_t site_pick(const struct site *site, const struct bench_share *share, uint64_t *state)
{
    return pick(site, share, state, in_place(site));
}

uint64_t site_pick_renamed(const struct site *site, const struct bench_share *share,
                           uint64_t *state)
{
    return in_place(site) + pick(site, share, state, site->count - in_place(site));
}

uint64_t site_fresh(const struct site *site, const struct bench_share *share, bool ours)
{
    const uint64_t run = ((uint64_t)share->round * 2 + ours) * BENCH_THREADS_MAX + share->thread;
    return site->made + run * FRESH_UNIT;
}

/* ---- what is in the folder ---- */

struct populator {
    const struct site *site;
    unsigned number;
};

static void *populate(void *arg)
{
    const struct populator *populator = arg;
    const struct site *site = populator->site;
    const struct ses_record record = {
        .data = ses_blob_new((struct ses_slice){ site->record, SITE_RECORD }),
        .version = 1,
        .expires_ms = site->now_ms + 1000000,
        .kind = SES_KIND_SESSION,
    };
    for (uint64_t i = populator->number; i < site->count; i += POPULATORS) {
        struct ses_key key;
        site_key(i, &key);
        if (store_create(site->store, &key, site->now_ms, NULL, &record) != SES_OK)
            bench_fail("cannot create a session");
        if (i % 100000 == 0) {
            printf("# %llu sessions\n", (unsigned long long)i);
            (void)fflush(stdout);
        }
    }
    (void)ses_blob_unref(record.data);
    return NULL;
}

static void fill(const struct site *site)
{
    pthread_t threads[POPULATORS];
    struct populator populators[POPULATORS];
    for (unsigned i = 0; i < POPULATORS; i++) {
        populators[i] = (struct populator){ site, i };
        if (pthread_create(&threads[i], NULL, populate, &populators[i]) != 0)
            bench_fail("cannot make a thread");
    }
    for (unsigned i = 0; i < POPULATORS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)syncfs(site->root); /* so that the disk is not busy with it while others are measured */
}

void site_open(struct site *site, const char *folder, uint64_t count)
{
    static const struct store_hooks silent;
    const struct ses_provider_ops *ops = registry_find("file");
    struct ses_error error;
    *site = (struct site){ .root = -1, .now_ms = 1900000000000, .count = count, .made = count };
    for (size_t i = 0; i < SITE_RECORD; i++)
        site->record[i] = (unsigned char)i;
    if (!ops || store_prepare(ops, &silent, &site->store) != SES_OK)
        bench_fail("no provider \"file\"");
    json_t *none = json_object();
    const struct settings_table table = { ops->settings, store_instance(site->store) };
    if (settings_read(none, &table, 1, &error) != SES_OK)
        bench_fail("%s", error.message);
    json_decref(none);
    if (store_open(site->store, folder) != SES_OK)
        bench_fail("cannot open the folder %s", folder);
    site->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (site->root < 0)
        bench_fail_errno(folder);
    fill(site);
}

void site_close(struct site *site)
{
    store_close(site->store);
    (void)close(site->root);
}
