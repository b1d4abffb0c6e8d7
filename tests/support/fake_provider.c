/* SPDX-License-Identifier: MIT */
/*
 * Provider "fake": records in a list, for tests.
 *
 *   ProviderConfig  ignored
 *   atomic save     the one lock is held from the look at the version to the change
 *   expiry          gc() walks the list
 *   loses           everything at close
 */

#include "support/fake_provider.h"

#include <pthread.h>
#include <stdlib.h>

struct node {
    struct node *next;
    struct ses_key key;
    struct ses_key user;
    bool owned;
    struct ses_record record;
};

struct fake {
    pthread_mutex_t mutex;
    struct node *first;
    uint32_t count;
    uint32_t turn; /* records that this turn of gc has not looked at yet */
};

/* ---- what a test may ask of it ---- */

static struct fake_provider_control control;
static _Thread_local bool in_hook;

struct fake_provider_control *fake_provider_control(void)
{
    return &control;
}

void fake_provider_reset(void)
{
    for (int op = 0; op < FAKE_OPS; op++) {
        atomic_store(&control.calls[op], 0);
        atomic_store(&control.failures[op].countdown, 0);
    }
    control.open_code = SES_OK;
    control.before = NULL;
}

void fake_provider_fail_call(enum fake_op op, unsigned nth, int code, enum fake_when when)
{
    control.failures[op].code = code;
    control.failures[op].when = when;
    atomic_store(&control.failures[op].countdown, nth);
}

/* What is to happen to this call. */
struct fate {
    int code; /* SES_OK: nothing special */
    enum fake_when when;
};

static struct fate begin(enum fake_op op, const struct ses_key *key)
{
    struct fate fate = { .code = SES_OK };
    if (in_hook)
        return fate;

    atomic_fetch_add(&control.calls[op], 1);
    if (control.before) {
        in_hook = true;
        control.before(control.before_arg, op, key);
        in_hook = false;
    }
    struct fake_failure *failure = &control.failures[op];
    unsigned left = atomic_load(&failure->countdown);
    while (left > 0 && !atomic_compare_exchange_weak(&failure->countdown, &left, left - 1))
        ;
    if (left == 1)
        fate = (struct fate){ failure->code, failure->when };
    return fate;
}

static bool fails_early(struct fate fate)
{
    return fate.code != SES_OK && fate.when == FAKE_BEFORE_ACT;
}

/* The answer of a call that took place: its own, unless the reply is lost. */
static int answer(struct fate fate, int code)
{
    return fate.code != SES_OK ? fate.code : code;
}

/* The same for a call that hands out a record. */
static int answer_record(struct fate fate, int code, int with_record, struct ses_record *record)
{
    if (fate.code != SES_OK && code == with_record)
        record->data = ses_blob_unref(record->data);
    return answer(fate, code);
}

/* ---- the list; all of this with the lock held ---- */

static void unlock(pthread_mutex_t **mutex)
{
    (void)pthread_mutex_unlock(*mutex);
}

static pthread_mutex_t *lock(struct fake *fake)
{
    (void)pthread_mutex_lock(&fake->mutex);
    return &fake->mutex;
}

#define HOLD(fake) __attribute__((cleanup(unlock), unused)) pthread_mutex_t *held_ = lock(fake)

static struct ses_record record_ref(const struct ses_record *record)
{
    struct ses_record copy = *record;
    (void)ses_blob_ref(copy.data);
    return copy;
}

static bool is_alive(const struct node *node, int64_t now_ms)
{
    return now_ms < node->record.expires_ms;
}

static bool is_shown(const struct node *node, int64_t now_ms)
{
    return ses_kind_is_live(node->record.kind) && is_alive(node, now_ms);
}

static struct node **link_of(struct fake *fake, const struct ses_key *key)
{
    struct node **link = &fake->first;
    while (*link && !ses_key_equal(&(*link)->key, key))
        link = &(*link)->next;
    return link;
}

static struct node *find(struct fake *fake, const struct ses_key *key, int64_t now_ms)
{
    struct node *node = *link_of(fake, key);
    return node && is_alive(node, now_ms) ? node : NULL;
}

static void remove_at(struct fake *fake, struct node **link)
{
    struct node *node = *link;
    *link = node->next;
    fake->count--;
    (void)ses_blob_unref(node->record.data);
    free(node);
}

static uint32_t count_owned(const struct fake *fake, const struct ses_key *user, int64_t now_ms)
{
    uint32_t count = 0;
    for (const struct node *node = fake->first; node; node = node->next)
        count += node->owned && ses_key_equal(&node->user, user) && is_shown(node, now_ms);
    return count;
}

/* ---- the operations ---- */

static int fake_open(void *self, ses_provider_host *host, const char *config)
{
    struct fake *fake = self;
    (void)config;
    (void)pthread_mutex_init(&fake->mutex, NULL);
    return control.open_code == SES_OK
               ? SES_OK
               : ses_provider_fail(host, control.open_code, "told not to open");
}

static void fake_close(void *self)
{
    struct fake *fake = self;
    while (fake->first)
        remove_at(fake, &fake->first);
    (void)pthread_mutex_destroy(&fake->mutex);
}

static int load(struct fake *fake, const struct ses_key *key, int64_t now_ms,
                struct ses_record *ret_record)
{
    HOLD(fake);
    const struct node *node = find(fake, key, now_ms);
    if (!node)
        return SES_ERR_NOT_FOUND;
    *ret_record = record_ref(&node->record);
    return SES_OK;
}

static int fake_load(void *self, const struct ses_key *key, int64_t now_ms,
                     struct ses_record *ret_record)
{
    const struct fate fate = begin(FAKE_LOAD, key);
    if (fails_early(fate))
        return fate.code;
    return answer_record(fate, load(self, key, now_ms, ret_record), SES_OK, ret_record);
}

static int create(struct fake *fake, const struct ses_key *key, int64_t now_ms,
                  const struct ses_owner *owner, const struct ses_record *record)
{
    HOLD(fake);
    if (find(fake, key, now_ms))
        return SES_ERR_EXISTS;
    if (owner && owner->limit > 0 && count_owned(fake, &owner->user, now_ms) >= owner->limit)
        return SES_ERR_DENIED;
    struct node *node = calloc(1, sizeof *node);
    if (!node)
        return SES_ERR_NO_MEMORY;

    struct node **expired = link_of(fake, key);
    if (*expired)
        remove_at(fake, expired);
    node->key = *key;
    node->owned = owner != NULL;
    if (owner)
        node->user = owner->user;
    node->record = record_ref(record);
    node->next = fake->first;
    fake->first = node;
    fake->count++;
    return SES_OK;
}

static int fake_create(void *self, const struct ses_key *key, int64_t now_ms,
                       const struct ses_owner *owner, const struct ses_record *record)
{
    const struct fate fate = begin(FAKE_CREATE, key);
    if (fails_early(fate))
        return fate.code;
    return answer(fate, create(self, key, now_ms, owner, record));
}

static int save(struct fake *fake, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                const struct ses_record *record, struct ses_record *ret_winner)
{
    HOLD(fake);
    struct node *node = find(fake, key, now_ms);
    if (!node)
        return SES_ERR_NOT_FOUND;
    if (node->record.version != expected) {
        *ret_winner = record_ref(&node->record);
        return SES_ERR_CONFLICT;
    }
    (void)ses_blob_unref(node->record.data);
    node->record = record_ref(record);
    return SES_OK;
}

static int fake_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                     const struct ses_record *record, struct ses_record *ret_winner)
{
    const struct fate fate = begin(FAKE_SAVE, key);
    if (fails_early(fate))
        return fate.code;
    int r = save(self, key, now_ms, expected, record, ret_winner);
    return answer_record(fate, r, SES_ERR_CONFLICT, ret_winner);
}

static int touch(struct fake *fake, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                 int64_t expires_ms)
{
    HOLD(fake);
    struct node *node = find(fake, key, now_ms);
    if (!node)
        return SES_ERR_NOT_FOUND;
    if (node->record.version != expected)
        return SES_ERR_CONFLICT;
    if (expires_ms > node->record.expires_ms)
        node->record.expires_ms = expires_ms;
    return SES_OK;
}

static int fake_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                      int64_t expires_ms)
{
    const struct fate fate = begin(FAKE_TOUCH, key);
    if (fails_early(fate))
        return fate.code;
    return answer(fate, touch(self, key, now_ms, expected, expires_ms));
}

static int fake_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    struct fake *fake = self;
    const struct fate fate = begin(FAKE_DESTROY, key);
    (void)now_ms;
    if (fails_early(fate))
        return fate.code;

    HOLD(fake);
    struct node **link = link_of(fake, key);
    if (*link)
        remove_at(fake, link);
    return answer(fate, SES_OK);
}

/* Looks at the first record: it goes, or becomes the last one. */
static bool sweep_first(struct fake *fake, int64_t now_ms)
{
    struct node *node = fake->first;
    if (!is_alive(node, now_ms)) {
        remove_at(fake, &fake->first);
        return true;
    }
    fake->first = node->next;
    node->next = NULL;
    struct node **end = &fake->first;
    while (*end)
        end = &(*end)->next;
    *end = node;
    return false;
}

static int fake_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    struct fake *fake = self;
    const struct fate fate = begin(FAKE_GC, NULL);
    if (fails_early(fate))
        return fate.code;

    HOLD(fake);
    *ret_step = (struct ses_gc_step){ 0 };
    if (fake->turn == 0 || fake->turn > fake->count)
        fake->turn = fake->count;
    for (; fake->turn > 0 && budget > 0; fake->turn--, budget--)
        ret_step->removed += sweep_first(fake, now_ms);
    ret_step->more = fake->turn > 0;
    return answer(fate, SES_OK);
}

static int fake_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    struct fake *fake = self;
    const struct fate fate = begin(FAKE_COUNT, NULL);
    if (fails_early(fate))
        return fate.code;

    HOLD(fake);
    *ret_count = 0;
    for (const struct node *node = fake->first; node; node = node->next)
        *ret_count += node->record.kind == SES_KIND_SESSION && is_alive(node, now_ms);
    return answer(fate, SES_OK);
}

/* ---- iterate and list: copied under the lock, shown without it ---- */

struct shown {
    struct ses_key key;
    struct ses_record record;
};

/* @p ret_count of them, or NULL when out of memory. */
static struct shown *copy_shown(struct fake *fake, const struct ses_key *user, int64_t now_ms,
                                uint32_t *ret_count)
{
    HOLD(fake);
    struct shown *shown = calloc(fake->count + 1, sizeof *shown);
    uint32_t count = 0;
    for (const struct node *node = fake->first; shown && node; node = node->next) {
        const bool is_theirs = !user || (node->owned && ses_key_equal(&node->user, user));
        if (is_theirs && is_shown(node, now_ms))
            shown[count++] = (struct shown){ node->key, record_ref(&node->record) };
    }
    *ret_count = count;
    return shown;
}

static int show(struct fake *fake, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                void *arg)
{
    uint32_t count;
    struct shown *shown = copy_shown(fake, user, now_ms, &count);
    if (!shown)
        return SES_ERR_NO_MEMORY;

    int r = SES_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (r == SES_OK)
            r = fn(arg, &shown[i].key, &shown[i].record);
        (void)ses_blob_unref(shown[i].record.data);
    }
    free(shown);
    return r;
}

static int fake_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    const struct fate fate = begin(FAKE_ITERATE, NULL);
    if (fails_early(fate))
        return fate.code;
    return answer(fate, show(self, NULL, now_ms, fn, arg));
}

static int fake_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                     void *arg)
{
    const struct fate fate = begin(FAKE_LIST, NULL);
    if (fails_early(fate))
        return fate.code;
    return answer(fate, show(self, user, now_ms, fn, arg));
}

static int fake_ping(void *self)
{
    (void)self;
    return begin(FAKE_PING, NULL).code;
}

const struct ses_provider_ops ses_provider_fake = {
    .size = sizeof ses_provider_fake,
    .abi = SES_PROVIDER_ABI,
    .name = "fake",
    .instance_size = sizeof(struct fake),
    .open = fake_open,
    .close = fake_close,
    .load = fake_load,
    .create = fake_create,
    .save = fake_save,
    .touch = fake_touch,
    .destroy = fake_destroy,
    .gc = fake_gc,
    .count = fake_count,
    .iterate = fake_iterate,
    .list = fake_list,
    .ping = fake_ping,
};
