/* SPDX-License-Identifier: MIT */
#include "core/users.h"

#include "core/info.h"

#include "base/cbor.h"
#include "base/slice.h"

/* A pass that found something to end is followed by another, because a session may have changed its
 * id from a key not shown yet to one that was passed by. */
enum { PASSES_MAX = 16 };

/* A walk over everybody's sessions is no snapshot: it misses one that changes its id meanwhile from
 * a key that was not reached yet to one that was passed by. It is done once so many passes in a row
 * have found nothing; nobody changes an id in each of them. */
enum { QUIET_PASSES = 4 };

/* ---- names ---- */

/* Of ASCII, and of the 32 that ISO 8859 has beside: 0xc2 0x80 to 0xc2 0x9f. */
static bool is_control(const unsigned char *at)
{
    return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

int user_check(const char *user, struct ses_slice *ret_user)
{
    const size_t len = user ? strnlen(user, SES_USER_MAX + 1) : 0;
    const struct ses_slice slice = { user, len };
    if (len == 0 || len > SES_USER_MAX || !utf8_valid(slice))
        return SES_ERR_INVALID;
    for (size_t i = 0; i < len; i++) {
        if (is_control((const unsigned char *)user + i))
            return SES_ERR_INVALID;
    }
    *ret_user = slice;
    return SES_OK;
}

/* ---- showing ---- */

/* Everything that a user has: tokens and sessions, each read once. */
struct gathering {
    ses_manager *manager;
    struct ses_slice user;
    struct snapshot *snapshots;
    size_t count;
    size_t capacity;
};

static void gathering_drop(struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->count; i++)
        snapshot_drop(&gathering->snapshots[i]);
    free(gathering->snapshots);
}

DEFINE_CLEANUP_OF(struct gathering, gathering_drop)

/* As a load would judge it, and a token by the setting that holds now. */
static bool is_alive(const ses_manager *manager, const struct snapshot *snapshot)
{
    const struct record_header *header = &snapshot->record.header;
    const int64_t now_ms = manager_now_ms(manager);
    const bool outlasted = snapshot->kind == SES_KIND_TOKEN &&
                           now_ms - header->absolute_base_ms >= manager->config.remember_s * 1000;
    return now_ms < snapshot->expires_ms && now_ms < limits_absolute_end(manager, header) &&
           !outlasted;
}

static int read_shown(const struct ses_record *shown, struct snapshot *ret_snapshot)
{
    struct ses_record record = *shown;
    (void)ses_blob_ref(record.data);
    return snapshot_from(&record, ret_snapshot);
}

static bool make_room(struct gathering *g)
{
    if (g->count < g->capacity)
        return true;
    const size_t capacity = g->capacity > 0 ? 2 * g->capacity : 16;
    struct snapshot *grown = realloc(g->snapshots, capacity * sizeof *grown);
    if (!grown)
        return false;
    g->snapshots = grown;
    g->capacity = capacity;
    return true;
}

/* What does not decode is not shown: no request gets it, either. */
static int gather(void *arg, const struct ses_key *key, const struct ses_record *shown)
{
    struct gathering *g = arg;
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    (void)key;
    if (read_shown(shown, &snapshot) < 0 || !is_alive(g->manager, &snapshot) ||
        !slice_equal(snapshot.record.header.user, g->user))
        return 0;
    if (!make_room(g))
        return SES_ERR_NO_MEMORY;
    g->snapshots[g->count++] = snapshot;
    snapshot.blob = NULL;
    return 0;
}

/* Of one handle the session goes before the token, and of sessions the one used last: a browser may
 * have got several at once, and has only one cookie. */
static int by_handle(const void *left, const void *right)
{
    const struct snapshot *a = left, *b = right;
    const struct ses_slice x = a->record.header.handle, y = b->record.header.handle;
    if (x.len != y.len)
        return x.len < y.len ? -1 : 1;
    const int order = x.len > 0 ? memcmp(x.data, y.data, x.len) : 0; /* not secret */
    if (order != 0)
        return order;
    if (a->kind != b->kind)
        return a->kind == SES_KIND_SESSION ? -1 : 1;
    return (a->expires_ms < b->expires_ms) - (a->expires_ms > b->expires_ms);
}

static int show(ses_manager *manager, const struct snapshot *snapshot, ses_info_fn *fn, void *arg)
{
    _Alignas(8) unsigned char storage[1024];
    CLEANUP(arena_free) struct arena arena;
    struct ses_info info;
    arena_init(&arena, storage, sizeof storage);
    int r = info_fill(manager, snapshot, &arena, &info);
    return r < 0 ? r : fn(arg, &info);
}

static int show_gathered(struct gathering *g, ses_info_fn *fn, void *arg)
{
    const struct ses_slice *before = NULL;
    int r = SES_OK;
    if (g->count > 0)
        qsort(g->snapshots, g->count, sizeof *g->snapshots, by_handle);
    for (size_t i = 0; i < g->count && r == SES_OK; i++) {
        const struct ses_slice *handle = &g->snapshots[i].record.header.handle;
        if (!before || handle->len == 0 || !slice_equal(*before, *handle))
            r = show(g->manager, &g->snapshots[i], fn, arg);
        before = handle;
    }
    return r;
}

static int list_user(ses_manager *manager, struct ses_slice user, ses_info_fn *fn, void *arg)
{
    const struct ses_key keys[] = { id_user_key(&manager->ids, user),
                                    id_user_key(&manager->token_ids, user) };
    CLEANUP(gathering_drop) struct gathering gathering = { .manager = manager, .user = user };
    for (size_t i = 0; i < 2; i++) {
        int r = store_list(manager->store, &keys[i], manager_now_ms(manager), gather, &gathering);
        if (r != SES_OK)
            return r;
    }
    return show_gathered(&gathering, fn, arg);
}

struct showing {
    ses_manager *manager;
    ses_info_fn *fn;
    void *arg;
};

static int show_any(void *arg, const struct ses_key *key, const struct ses_record *shown)
{
    const struct showing *showing = arg;
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    (void)key;
    if (read_shown(shown, &snapshot) < 0 || !is_alive(showing->manager, &snapshot))
        return 0;
    return show(showing->manager, &snapshot, showing->fn, showing->arg);
}

int ses_list(ses_manager *manager, const char *user_or_null, ses_info_fn *fn, void *arg)
{
    struct ses_slice user;
    struct showing showing = { manager, fn, arg };
    if (!user_or_null)
        return store_iterate(manager->store, manager_now_ms(manager), show_any, &showing);
    int r = user_check(user_or_null, &user);
    return r < 0 ? r : list_user(manager, user, fn, arg);
}

/* ---- the session that goes when there are too many ---- */

struct choice {
    ses_manager *manager;
    struct ses_slice spared; /* a handle */
    struct ses_key key;
    int64_t rank_ms; /* INT64_MAX: none was seen yet */
};

/* A token is not used between its making and its end. */
static int64_t rank(const ses_manager *manager, const struct snapshot *snapshot)
{
    const struct record_header *header = &snapshot->record.header;
    return manager->config.when_user_full == USER_FULL_END_OLDEST ||
                   snapshot->kind == SES_KIND_TOKEN
               ? header->created_ms
               : info_seen_ms(manager, header, snapshot->expires_ms);
}

static int consider(void *arg, const struct ses_key *key, const struct ses_record *shown)
{
    struct choice *choice = arg;
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    if (read_shown(shown, &snapshot) < 0)
        return 0;
    const int64_t rank_ms = rank(choice->manager, &snapshot);
    if (rank_ms >= choice->rank_ms || slice_equal(snapshot.record.header.handle, choice->spared))
        return 0;
    choice->rank_ms = rank_ms;
    choice->key = *key;
    return 0;
}

int users_make_room(ses_manager *manager, const struct id_format *format, struct ses_slice user,
                    struct ses_slice spared)
{
    const struct ses_key key = id_user_key(format, user);
    struct choice choice = { .manager = manager, .spared = spared, .rank_ms = INT64_MAX };
    int r = store_list(manager->store, &key, manager_now_ms(manager), consider, &choice);
    if (r != SES_OK || choice.rank_ms == INT64_MAX)
        return r;
    r = end_key(manager, &choice.key, SES_REASON_ENDED, NULL);
    if (r == SES_OK) {
        const struct happening ended = {
            .type = SES_EVENT_DESTROYED,
            .key = &choice.key,
            .user = user,
        };
        events_tell(&manager->events, &ended);
    }
    return r == SES_ERR_NOT_FOUND ? SES_OK : r;
}

/* ---- ending ---- */

/* One that has ended, until it is told. */
struct ended {
    struct ses_key key;
    ses_blob *blob;
};

struct ending {
    ses_manager *manager;
    const struct whose *whose;
    enum ses_reason reason;
    uint64_t ended;
    uint64_t missed; /* had changed or ended between being shown and being reached */
    int failure;     /* the last one; the others are ended all the same */
    struct ended *untold;
    size_t untold_count;
    size_t untold_capacity;
};

static void ending_drop(struct ending *ending)
{
    for (size_t i = 0; i < ending->untold_count; i++)
        (void)ses_blob_unref(ending->untold[i].blob);
    free(ending->untold);
}

DEFINE_CLEANUP_OF(struct ending, ending_drop)

static bool concerns(const struct whose *whose, const struct record_header *header)
{
    const bool spared = whose->except.len > 0 && slice_equal(whose->except, header->handle);
    return !spared && (whose->user.len == 0 || slice_equal(whose->user, header->user)) &&
           (whose->handle.len == 0 || slice_equal(whose->handle, header->handle));
}

static void tell_end(ses_manager *manager, const struct ses_key *key, struct ses_slice user)
{
    const struct happening ended = { .type = SES_EVENT_DESTROYED, .key = key, .user = user };
    events_tell(&manager->events, &ended);
}

static void tell_ends(const struct ending *ending)
{
    for (size_t i = 0; i < ending->untold_count; i++) {
        struct record record = { 0 };
        if (record_open(ending->untold[i].blob, &record) == SES_OK)
            tell_end(ending->manager, &ending->untold[i].key, record.header.user);
    }
}

/* NULL: out of memory. */
static struct ended *next_untold(struct ending *ending)
{
    if (ending->untold_count == ending->untold_capacity) {
        const size_t capacity = ending->untold_capacity > 0 ? 2 * ending->untold_capacity : 16;
        struct ended *grown = realloc(ending->untold, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        ending->untold = grown;
        ending->untold_capacity = capacity;
    }
    return &ending->untold[ending->untold_count++];
}

/* A hook that never returns is not to keep the others alive, so all are ended before the first is
 * told (T-9); without memory for that, it is told now. */
static void note_end(struct ending *ending, const struct ses_key *key,
                     const struct snapshot *snapshot, int r)
{
    if (r == SES_OK) {
        struct ended *ended = next_untold(ending);
        ending->ended++;
        if (ended)
            *ended = (struct ended){ *key, ses_blob_ref(snapshot->blob) };
        else
            tell_end(ending->manager, key, snapshot->record.header.user);
    } else if (r == SES_ERR_NOT_FOUND) {
        ending->missed++;
    } else {
        ending->failure = r;
    }
}

/* What does not decode is nobody's, and no request gets it. */
static int end_shown(void *arg, const struct ses_key *key, const struct ses_record *shown)
{
    struct ending *ending = arg;
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    if (read_shown(shown, &snapshot) < 0 || !concerns(ending->whose, &snapshot.record.header))
        return 0;
    struct ses_record record = *shown;
    (void)ses_blob_ref(record.data);
    int r = end_record(ending->manager, key, &record, ending->reason, NULL);
    note_end(ending, key, &snapshot, r);
    return 0;
}

/* Tokens first: a session that one of them yields is stored before the token is asked again, so
 * either it is shown here, or it falls with its token. */
static int end_pass(struct ending *ending)
{
    ses_manager *manager = ending->manager;
    const int64_t now_ms = manager_now_ms(manager);
    if (ending->whose->user.len == 0)
        return store_iterate(manager->store, now_ms, end_shown, ending);

    const struct ses_key tokens = id_user_key(&manager->token_ids, ending->whose->user);
    const struct ses_key sessions = id_user_key(&manager->ids, ending->whose->user);
    int r = store_list(manager->store, &tokens, now_ms, end_shown, ending);
    if (r < 0 || ending->whose->tokens_only)
        return r;
    return store_list(manager->store, &sessions, now_ms, end_shown, ending);
}

static int end_in_passes(struct ending *ending)
{
    const int enough = ending->whose->user.len == 0 ? QUIET_PASSES : 1;
    int quiet = 0;
    for (int pass = 0; pass < PASSES_MAX && quiet < enough; pass++) {
        const uint64_t before = ending->ended + ending->missed;
        int r = end_pass(ending);
        if (r == SES_OK)
            r = ending->failure;
        if (r < 0)
            return r;
        quiet = ending->ended + ending->missed == before ? quiet + 1 : 0;
    }
    return quiet < enough ? SES_ERR_UNAVAILABLE
                          : SES_OK; /* one may have changed its id each time */
}

int end_all(ses_manager *manager, const struct whose *whose, enum ses_reason reason,
            uint64_t *ret_ended)
{
    CLEANUP(ending_drop)
    struct ending ending = { .manager = manager, .whose = whose, .reason = reason };
    int r = end_in_passes(&ending);
    tell_ends(&ending);
    if (r == SES_OK)
        *ret_ended = ending.ended;
    return r;
}

int ses_end(ses_manager *manager, const char *user, const char *handle)
{
    unsigned char bytes[HANDLE_BYTES];
    struct whose whose = { .handle = { bytes, sizeof bytes } };
    uint64_t ended = 0;
    int r = user_check(user, &whose.user);
    if (r == SES_OK && (!handle || !handle_parse(handle, bytes)))
        r = SES_ERR_INVALID;
    if (r == SES_OK)
        r = end_all(manager, &whose, SES_REASON_ENDED, &ended);
    if (r < 0)
        return r;
    return ended > 0 ? SES_OK : SES_ERR_NOT_FOUND;
}

int ses_end_user(ses_manager *manager, const char *user_or_null, const ses_session *except)
{
    struct whose whose = { 0 };
    uint64_t ended = 0;
    int r = user_or_null ? user_check(user_or_null, &whose.user) : SES_OK;
    if (r < 0)
        return r;
    if (except)
        whose.except = session_header(except)->handle;
    return end_all(manager, &whose, SES_REASON_ENDED, &ended);
}
