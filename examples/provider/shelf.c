/*
 * Provider "shelf": an array of records and one lock. Slow for many, right for all: copy it, give
 * it a name of your own, and put your store in the place of the array.
 *
 *   ProviderConfig   refused, it has nothing to say here
 *   shelfMaxRecords  records at most, beyond which create answers SES_ERR_FULL; 0: no limit
 *   layout           items in no order
 *   atomic save      the lock is held from the look at the version to the change
 *   expiry           gc(), which goes on where its last step ended
 *   loses            everything at close. After fork() the child makes a manager of its own
 */
#include <sesame/ext/provider.h>

#include <pthread.h>
#include <stdlib.h>

struct item {
    struct ses_key key;
    struct ses_key user; /* of whom, if it is owned; never changes */
    bool owned;
    struct ses_record record; /* with a reference of its own */
};

/* The core allocates this, zeroed, and writes the settings into it before open(). */
struct shelf {
    int64_t max_records;
    bool opened;
    pthread_mutex_t mutex;
    struct item *items;
    size_t count;
    size_t hand; /* where gc() goes on */
};

/* ---- helpers ---- */

static struct shelf *lock(void *self)
{
    struct shelf *shelf = self;
    (void)pthread_mutex_lock(&shelf->mutex);
    return shelf;
}

static void unlock(struct shelf *shelf)
{
    (void)pthread_mutex_unlock(&shelf->mutex);
}

/* A record for somebody else: its bytes are shared, and whoever holds it drops a reference. */
static struct ses_record share(const struct ses_record *record)
{
    struct ses_record shared = *record;
    (void)ses_blob_ref(shared.data);
    return shared;
}

static bool is_alive(const struct item *item, int64_t now_ms)
{
    return now_ms < item->record.expires_ms;
}

/* What iterate and list show: no marker that a change of id left. NULL: of every user. */
static bool is_shown(const struct item *item, const struct ses_key *user, int64_t now_ms)
{
    return is_alive(item, now_ms) && ses_kind_is_live(item->record.kind) &&
           (!user || (item->owned && ses_key_equal(&item->user, user)));
}

static size_t count_owned(const struct shelf *shelf, const struct ses_key *user, int64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < shelf->count; i++)
        count += is_shown(&shelf->items[i], user, now_ms);
    return count;
}

/* The last item takes its place. */
static void take_away(struct shelf *shelf, struct item *item)
{
    (void)ses_blob_unref(item->record.data);
    *item = shelf->items[--shelf->count];
}

/* NULL if there is none; one that has expired is none, and goes. */
static struct item *find(struct shelf *shelf, const struct ses_key *key, int64_t now_ms)
{
    for (size_t i = 0; i < shelf->count; i++) {
        struct item *item = &shelf->items[i];
        if (!ses_key_equal(&item->key, key))
            continue;
        if (is_alive(item, now_ms))
            return item;
        take_away(shelf, item);
        break;
    }
    return NULL;
}

/* Looks at @p budget items from the hand on. @return how many had expired and are gone. */
static size_t sweep(struct shelf *shelf, int64_t now_ms, size_t budget)
{
    size_t removed = 0;
    for (; budget > 0 && shelf->hand < shelf->count; budget--) {
        if (is_alive(&shelf->items[shelf->hand], now_ms)) {
            shelf->hand++;
        } else {
            take_away(shelf, &shelf->items[shelf->hand]);
            removed++;
        }
    }
    return removed;
}

static int append(struct shelf *shelf, const struct item *item, int64_t now_ms)
{
    if (shelf->max_records > 0 && shelf->count >= (size_t)shelf->max_records) {
        shelf->hand = 0;
        if (sweep(shelf, now_ms, SIZE_MAX) == 0)
            return SES_ERR_FULL;
    }
    struct item *items = realloc(shelf->items, (shelf->count + 1) * sizeof *items);
    if (!items)
        return SES_ERR_NO_MEMORY;
    shelf->items = items;
    items[shelf->count] = *item;
    items[shelf->count++].record = share(&item->record);
    return SES_OK;
}

/* ---- life time ---- */

static int shelf_open(void *self, ses_provider_host *host, const char *config)
{
    struct shelf *shelf = self;
    if (*config)
        return ses_provider_fail(host, SES_ERR_INVALID, "there is no ProviderConfig: leave it out");
    if (pthread_mutex_init(&shelf->mutex, NULL) != 0)
        return ses_provider_fail(host, SES_ERR_NO_MEMORY, "no mutex");
    shelf->opened = true;
    return SES_OK;
}

/* Runs after a failed open() as well. */
static void shelf_close(void *self)
{
    struct shelf *shelf = self;
    while (shelf->count > 0)
        take_away(shelf, shelf->items);
    free(shelf->items);
    if (shelf->opened)
        (void)pthread_mutex_destroy(&shelf->mutex);
}

/* ---- one record ---- */

static int shelf_load(void *self, const struct ses_key *key, int64_t now_ms,
                      struct ses_record *ret_record)
{
    struct shelf *shelf = lock(self);
    const struct item *item = find(shelf, key, now_ms);
    if (item)
        *ret_record = share(&item->record);
    unlock(shelf);
    return item ? SES_OK : SES_ERR_NOT_FOUND;
}

static int shelf_create(void *self, const struct ses_key *key, int64_t now_ms,
                        const struct ses_owner *owner, const struct ses_record *record)
{
    struct item item = { .key = *key, .owned = owner != NULL, .record = *record };
    if (owner)
        item.user = owner->user;

    int r;
    struct shelf *shelf = lock(self);
    if (find(shelf, key, now_ms))
        r = SES_ERR_EXISTS;
    else if (owner && owner->limit && count_owned(shelf, &item.user, now_ms) >= owner->limit)
        r = SES_ERR_DENIED;
    else
        r = append(shelf, &item, now_ms);
    unlock(shelf);
    return r;
}

static int shelf_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                      const struct ses_record *record, struct ses_record *ret_winner)
{
    int r = SES_OK;
    struct shelf *shelf = lock(self);
    struct item *item = find(shelf, key, now_ms);
    if (!item) {
        r = SES_ERR_NOT_FOUND;
    } else if (item->record.version != expected) {
        r = SES_ERR_CONFLICT; /* with the winner, so that a replay needs no load */
        *ret_winner = share(&item->record);
    } else {
        (void)ses_blob_unref(item->record.data);
        item->record = share(record);
    }
    unlock(shelf);
    return r;
}

static int shelf_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       int64_t expires_ms)
{
    int r = SES_OK;
    struct shelf *shelf = lock(self);
    struct item *item = find(shelf, key, now_ms);
    if (!item)
        r = SES_ERR_NOT_FOUND;
    else if (item->record.version != expected)
        r = SES_ERR_CONFLICT;
    else if (expires_ms > item->record.expires_ms)
        item->record.expires_ms = expires_ms;
    unlock(shelf);
    return r;
}

static int shelf_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    struct shelf *shelf = lock(self);
    struct item *item = find(shelf, key, now_ms);
    if (item)
        take_away(shelf, item);
    unlock(shelf);
    return SES_OK;
}

/* ---- the whole store ---- */

static int shelf_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    struct shelf *shelf = lock(self);
    ret_step->removed = sweep(shelf, now_ms, budget);
    ret_step->more = shelf->hand < shelf->count;
    if (!ret_step->more)
        shelf->hand = 0;
    unlock(shelf);
    return SES_OK;
}

static int shelf_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    struct shelf *shelf = lock(self);
    *ret_count = 0;
    for (size_t i = 0; i < shelf->count; i++) {
        const struct item *item = &shelf->items[i];
        *ret_count += is_alive(item, now_ms) && item->record.kind == SES_KIND_SESSION;
    }
    unlock(shelf);
    return SES_OK;
}

/* Shows copies: @p fn runs without the lock, and may call into the store itself. */
static int shelf_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
                      void *arg)
{
    int r = SES_OK;
    size_t count = 0;
    struct shelf *shelf = lock(self);
    struct item *shown = malloc((shelf->count + 1) * sizeof *shown);
    for (size_t i = 0; shown && i < shelf->count; i++) {
        if (is_shown(&shelf->items[i], user, now_ms)) {
            shown[count] = shelf->items[i];
            shown[count++].record = share(&shelf->items[i].record);
        }
    }
    unlock(shelf);
    if (!shown)
        return SES_ERR_NO_MEMORY;

    for (size_t i = 0; i < count; i++) {
        if (r == SES_OK)
            r = fn(arg, &shown[i].key, &shown[i].record);
        (void)ses_blob_unref(shown[i].record.data);
    }
    free(shown);
    return r;
}

static int shelf_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    return shelf_list(self, NULL, now_ms, fn, arg);
}

/* ---- the vtable; without ping: an array is always there ---- */

static const struct ses_setting settings[] = {
    { .name = "shelfMaxRecords",
      .type = SES_SETTING_INT,
      .offset = offsetof(struct shelf, max_records),
      .max = INT32_MAX },
    { .name = NULL },
};

/* sesame/shelf.so is searched for ses_provider_shelf. Linked in: ses_provider_register() takes it.
 */
extern const struct ses_provider_ops ses_provider_shelf;

SES_API const struct ses_provider_ops ses_provider_shelf = {
    .size = sizeof(struct ses_provider_ops),
    .abi = SES_PROVIDER_ABI,
    .name = "shelf",
    .instance_size = sizeof(struct shelf),
    .settings = settings,
    .open = shelf_open,
    .close = shelf_close,
    .load = shelf_load,
    .create = shelf_create,
    .save = shelf_save,
    .touch = shelf_touch,
    .destroy = shelf_destroy,
    .gc = shelf_gc,
    .count = shelf_count,
    .iterate = shelf_iterate,
    .list = shelf_list,
};
