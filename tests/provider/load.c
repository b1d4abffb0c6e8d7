/* SPDX-License-Identifier: MIT */
#include "provider/load.h"

#include "shared/deadline.h"

#include <stdio.h>
#include <time.h>

enum { END_EVERY = 50, WAIT_MS = 30000 };

static uint32_t number_of(const struct ses_record *record)
{
    uint32_t number = UINT32_MAX;
    const struct ses_slice bytes = ses_blob_bytes(record->data);
    if (bytes.len == sizeof number)
        memcpy(&number, bytes.data, sizeof number);
    return number;
}

static struct ses_record record_of(const struct loader *loader, const uint32_t *number)
{
    return make_record((struct ses_slice){ number, sizeof *number }, loader->f->now + LIFE_MS);
}

/* Notes how a call went. */
static int noted(struct loader *loader, int64_t before_ms, int code)
{
    const int64_t took = monotonic_ms() - before_ms;
    loader->longest_ms = took > loader->longest_ms ? took : loader->longest_ms;
    loader->unavailable += code == SES_ERR_UNAVAILABLE;
    return code;
}

static int load_one(struct loader *loader, const struct ses_key *key, struct ses_record *ret)
{
    const int64_t before = monotonic_ms();
    return noted(loader, before, store_load(loader->f->store, key, loader->f->now, ret));
}

static void begin_account(struct loader *loader, struct account *account)
{
    const uint32_t first = 0;
    *account = (struct account){ .key = loader->draw(), .acknowledged = UINT32_MAX };
    struct ses_record record = record_of(loader, &first);
    const int64_t before = monotonic_ms();
    const int r =
        noted(loader, before,
              store_create(loader->f->store, &account->key, loader->f->now, NULL, &record));
    drop_record(&record);
    if (r == SES_OK)
        account->acknowledged = 0;
    loader->wrong += r != SES_OK && r != SES_ERR_UNAVAILABLE;
}

static void end_account(struct loader *loader, struct account *account)
{
    const int64_t before = monotonic_ms();
    const int r =
        noted(loader, before, store_destroy(loader->f->store, &account->key, loader->f->now));
    if (r == SES_OK && loader->ended_count < LOAD_ENDED_MOST)
        loader->ended[loader->ended_count++] = account->key;
    begin_account(loader, account); /* whether the old one is there is not known if it failed */
}

/* Adds one to what is there. @return was it acknowledged? */
static bool count_up(struct loader *loader, struct account *account)
{
    struct ses_record record = { 0 }, winner = { 0 };
    if (load_one(loader, &account->key, &record) != SES_OK)
        return false;
    const uint32_t next = number_of(&record) + 1;
    const uint64_t version = record.version;
    drop_record(&record);
    account->attempted = next > account->attempted ? next : account->attempted;
    record = record_of(loader, &next);
    const int64_t before = monotonic_ms();
    const int r = noted(
        loader, before,
        store_save(loader->f->store, &account->key, loader->f->now, version, &record, &winner));
    drop_record(&record);
    drop_record(&winner);
    if (r == SES_OK)
        account->acknowledged = next;
    return r == SES_OK;
}

static void *run_loader(void *arg)
{
    struct loader *loader = arg;
    int64_t last = monotonic_ms();
    for (uint32_t i = 0; !*loader->stop; i++) {
        struct account *account = &loader->accounts[i % LOAD_SESSIONS];
        const int64_t now = monotonic_ms();
        if (account->acknowledged == UINT32_MAX)
            begin_account(loader, account);
        else if (i % END_EVERY == END_EVERY - 1)
            end_account(loader, account);
        else if (count_up(loader, account)) {
            loader->writes++;
            loader->silent_ms = now - last > loader->silent_ms ? now - last : loader->silent_ms;
            last = now;
        }
    }
    return NULL;
}

void load_begin(struct load *load, struct fixture *f, struct ses_key (*draw)(void))
{
    *load = (struct load){ .stop = false };
    for (int i = 0; i < LOAD_THREADS; i++) {
        load->loaders[i].f = f;
        load->loaders[i].draw = draw;
        load->loaders[i].stop = &load->stop;
        for (int j = 0; j < LOAD_SESSIONS; j++)
            load->loaders[i].accounts[j].acknowledged = UINT32_MAX;
        assert_int_equal(pthread_create(&load->threads[i], NULL, run_loader, &load->loaders[i]), 0);
    }
}

void load_end(struct load *load)
{
    load->stop = true;
    for (int i = 0; i < LOAD_THREADS; i++)
        assert_int_equal(pthread_join(load->threads[i], NULL), 0);
}

static uint64_t count_writes(const struct load *load)
{
    uint64_t writes = 0;
    for (int i = 0; i < LOAD_THREADS; i++)
        writes += load->loaders[i].writes;
    return writes;
}

void load_wait(const struct load *load, uint64_t more)
{
    const struct timespec moment = { .tv_nsec = 2000000 };
    const struct deadline deadline = deadline_in(WAIT_MS);
    const uint64_t wanted = count_writes(load) + more;
    while (count_writes(load) < wanted) {
        assert_false(deadline_passed(deadline));
        (void)nanosleep(&moment, NULL); /* polls, with a bound */
    }
}

/* ---- afterwards ---- */

/* Sooner or later every store answers. */
static int load_surely(struct fixture *f, const struct ses_key *key, struct ses_record *ret)
{
    const struct deadline deadline = deadline_in(30000);
    int r;
    do {
        r = store_load(f->store, key, f->now, ret);
    } while (r == SES_ERR_UNAVAILABLE && !deadline_passed(deadline));
    return r;
}

static void audit_account(const struct account *account, struct fixture *f, struct losses *losses)
{
    struct ses_record record = { 0 };
    if (account->acknowledged == UINT32_MAX)
        return;
    const int r = load_surely(f, &account->key, &record);
    const uint32_t found = r == SES_OK ? number_of(&record) : 0;
    const uint32_t lowest = account->acknowledged;
    losses->lost += r == SES_ERR_NOT_FOUND ? lowest + 1 : 0;
    losses->lost += r == SES_OK && found < lowest ? lowest - found : 0;
    losses->invented += r == SES_OK && found > account->attempted;
    losses->wrong += r != SES_OK && r != SES_ERR_NOT_FOUND;
    drop_record(&record);
}

struct losses load_audit(const struct load *load, struct fixture *f)
{
    struct losses losses = { 0 };
    for (int i = 0; i < LOAD_THREADS; i++) {
        const struct loader *loader = &load->loaders[i];
        losses.writes += loader->writes;
        losses.unavailable += loader->unavailable;
        losses.wrong += loader->wrong;
        losses.longest_ms =
            loader->longest_ms > losses.longest_ms ? loader->longest_ms : losses.longest_ms;
        losses.silent_ms =
            loader->silent_ms > losses.silent_ms ? loader->silent_ms : losses.silent_ms;
        for (int j = 0; j < LOAD_SESSIONS; j++)
            audit_account(&loader->accounts[j], f, &losses);
        for (uint32_t j = 0; j < loader->ended_count; j++) {
            struct ses_record record = { 0 };
            losses.risen += load_surely(f, &loader->ended[j], &record) == SES_OK;
            drop_record(&record);
        }
    }
    return losses;
}

void losses_print(const char *what, const struct losses *losses)
{
    (void)printf("# %s: %llu writes acknowledged, %llu of them lost, %llu destroyed sessions back; "
                 "%llu calls unavailable, nothing written for %lld ms, the longest call %lld ms\n",
                 what, (unsigned long long)losses->writes, (unsigned long long)losses->lost,
                 (unsigned long long)losses->risen, (unsigned long long)losses->unavailable,
                 (long long)losses->silent_ms, (long long)losses->longest_ms);
}
