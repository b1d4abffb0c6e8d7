/* SPDX-License-Identifier: MIT */
#include "provider/file_calls.h"
#include "provider/file_disk.h"
#include "provider/file_fixture.h"

#include "core/store.h"

#include <limits.h>
#include <unistd.h>

/*
 * What "durability" promises, shown: a store works, the power goes out after each of its system
 * calls in turn, and whatever the disk may then hold (file_disk.h) is opened and looked at.
 *
 * docs/providers/file.md, "What is lost", is what is checked, in verdict().
 */

enum { SESSIONS = 3, CAPACITY = 1536, LENGTH = 700 };

enum act { OPEN, CREATE, SAVE, GROW, TOUCH, END, DESTROY, SETTLED };

/* What a session is: before, after or between steps. */
struct state {
    uint64_t version; /* 0: there is none */
    size_t len;
    enum ses_kind kind;
    int64_t expires_ms;
};

struct step {
    enum act act;
    int session;
    bool full;         /* the disk, at the first write */
    size_t begin, end; /* calls made before it, and when it was answered */
    struct state after;
};

/* SETTLED: the kernel wrote everything. Not at "full", where nothing may depend on it. */
static const struct step plan[] = {
    { .act = OPEN },
    { .act = CREATE, .session = 0 },
    { .act = SAVE, .session = 0 },
    { .act = SETTLED },
    { .act = SAVE, .session = 0 },
    { .act = TOUCH, .session = 0 },
    { .act = CREATE, .session = 1 },
    { .act = SETTLED },
    { .act = SAVE, .session = 1 },
    { .act = SAVE, .session = 1 },
    { .act = GROW, .session = 0 },
    { .act = SAVE, .session = 0 },
    { .act = SETTLED },
    { .act = SAVE, .session = 0 },
    { .act = END, .session = 1 },
    { .act = DESTROY, .session = 0 },
    { .act = SETTLED },
    { .act = CREATE, .session = 2 },
    { .act = SAVE, .session = 2 },
    { .act = TOUCH, .session = 2 },
    { .act = DESTROY, .session = 1 },
    { .act = SETTLED },
    { .act = SAVE, .session = 2 },
    { .act = END, .session = 2, .full = true },
};

enum { STEPS = sizeof plan / sizeof *plan };

struct work {
    int durability;
    struct step steps[STEPS];
    struct shop shop;
    size_t calls;   /* before the crash that is looked at */
    size_t disks;   /* looked at so far */
    size_t corrupt; /* of which some session did not check */
};

static struct work work;
static const struct ses_key user = { { 0x77, 1 } };

static struct ses_key key_number(int session)
{
    return key_of((unsigned)session + 1);
}

static void settings(void *instance)
{
    file_plain(instance);
    ((struct file *)instance)->durability = work.durability;
}

static void settings_to_rebuild(void *instance)
{
    settings(instance);
    ((struct file *)instance)->rebuild_index = true;
}

/* ---- the work ---- */

static struct ses_record record_of(const struct state *state)
{
    static unsigned char bytes[4096];
    assert_true(state->len <= sizeof bytes);
    memset(bytes, (int)('a' + state->version), state->len);
    const struct ses_slice slice = { bytes, state->len };
    return (struct ses_record){ ses_blob_new(slice), state->version, state->expires_ms,
                                state->kind };
}

static int write_state(struct store *store, const struct ses_key *key, uint64_t expected,
                       const struct state *state)
{
    const struct ses_owner owner = { user, SESSIONS };
    struct ses_record winner = { 0 }, record = record_of(state);
    const int r = expected == 0 ? store_create(store, key, NOW_MS, &owner, &record)
                                : store_save(store, key, NOW_MS, expected, &record, &winner);
    (void)ses_blob_unref(record.data);
    (void)ses_blob_unref(winner.data);
    return r;
}

static struct state state_after(const struct step *step, struct state state)
{
    const int64_t life = step->act == END ? LIFE / 2 : LIFE;
    switch (step->act) {
    case TOUCH:
        state.expires_ms += LIFE;
        return state;
    case DESTROY:
        return (struct state){ 0 };
    case CREATE:
    case SAVE:
    case GROW:
    case END:
        state.len = step->act == GROW ? 3 * LENGTH : step->act == END ? 20 : LENGTH;
        state.version++;
        state.kind = step->act == END ? SES_KIND_DEAD : SES_KIND_SESSION;
        state.expires_ms = NOW_MS + life + (int64_t)state.version;
        return state;
    default:
        return state;
    }
}

static void run_step(struct step *step, struct state *state)
{
    const struct ses_key key = key_number(step->session);
    const struct state before = *state;
    step->begin = disk_calls();
    *state = step->after = state_after(step, before);
    inject.full_once = step->full;
    inject.full_at = step->full ? CAPACITY : 0;
    if (step->act == OPEN)
        assert_ok(shop_open(&work.shop, work.shop.root, settings, &work.shop.store));
    else if (step->act == TOUCH)
        assert_ok(store_touch(work.shop.store, &key, NOW_MS, before.version, state->expires_ms));
    else if (step->act == DESTROY)
        assert_ok(store_destroy(work.shop.store, &key, NOW_MS));
    else if (step->act == SETTLED && work.durability != DURABLE_FULL)
        disk_settle();
    else if (step->act != SETTLED)
        assert_ok(write_state(work.shop.store, &key, before.version, state));
    assert_int_equal(inject.full_at, 0); /* it was, if it was to be */
    step->end = disk_calls();
}

static void do_the_work(int durability)
{
    struct state states[SESSIONS] = { 0 };
    char top[PATH_MAX], watched[PATH_MAX + 16];
    static unsigned number;
    assert_non_null(realpath(own_folder(), top));
    (void)snprintf(watched, sizeof watched, "%.80s/%u", top, number++);
    assert_int_equal(mkdir(watched, 0700), 0);
    memset(&work, 0, sizeof work);
    work.durability = durability;
    memcpy(work.steps, plan, sizeof plan);
    (void)snprintf(work.shop.root, sizeof work.shop.root, "%.100s/store", watched);
    inject.no_sync = true; /* the disk is ours */
    disk_watch(watched);
    for (size_t i = 0; i < STEPS; i++)
        run_step(&work.steps[i], &states[work.steps[i].session]);
    assert_nothing_was_missed();
    store_close(work.shop.store);
    call_seen = NULL;
}

/* ---- what is promised ---- */

/* What may be found of one session after the crash. */
struct promise {
    struct state may[STEPS + 3];
    size_t count;
    bool corrupt;      /* it may be that, too, and then gone */
    int64_t latest_ms; /* if not 0, a touch may be lost: any end until then */
};

/* What became of a session since the kernel last wrote, and what is under way. */
struct history {
    struct state states[STEPS + 1]; /* the first: what the kernel wrote */
    size_t count;
    struct state previous; /* in the other slot of the newest write */
    struct state settled;  /* what previous was when the kernel last wrote */
    unsigned writes;
    bool moved;   /* made, replaced or removed: a folder has to know */
    bool running; /* the last state has not been answered */
    bool torn;    /* and leaves nothing behind, if it is stopped */
};

static void add_step(struct history *h, const struct step *step)
{
    const struct state last = h->states[h->count - 1];
    const bool in_place = step->act == SAVE || step->act == END;
    h->states[h->count++] = step->after;
    h->running = step->end > work.calls;
    h->torn = h->running && (step->act == CREATE || step->full);
    h->writes += step->act != TOUCH;
    h->moved |= step->act == CREATE || step->act == GROW || step->act == DESTROY || step->full;
    if (step->act != TOUCH)
        h->previous = in_place ? last : (struct state){ 0 };
}

static struct history history_of(int session)
{
    struct history h = { .count = 1 };
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &work.steps[i];
        if (step->end > work.calls && step->begin >= work.calls)
            break;
        if (step->act == SETTLED && work.durability != DURABLE_FULL)
            h = (struct history){ .states = { h.states[h.count - 1] },
                                  .count = 1,
                                  .previous = h.previous,
                                  .settled = h.previous };
        else if (step->act != SETTLED && step->act != OPEN && step->session == session)
            add_step(&h, step);
    }
    return h;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct promise promise_of(const struct history *h)
{
    struct promise promise = { .corrupt = h->torn };
    const bool sure =
        work.durability == DURABLE_FULL || (work.durability == DURABLE_DATA && !h->moved);
    const size_t first = sure ? h->count - 1 - h->running : 0;
    for (size_t i = first; i < h->count; i++)
        promise.may[promise.count++] = h->states[i];
    for (size_t i = 0; i < h->count && work.durability != DURABLE_FULL; i++)
        promise.latest_ms = larger(promise.latest_ms, h->states[i].expires_ms);
    if (work.durability == DURABLE_NONE && (h->writes > 1 || h->moved)) {
        promise.corrupt = true;
        promise.may[promise.count++] = h->settled;
        promise.may[promise.count++] = (struct state){ 0 };
    }
    return promise;
}

/* ---- what there is ---- */

static bool is_one_of(const struct promise *promise, const struct ses_record *record)
{
    const struct ses_slice data = ses_blob_bytes(record->data);
    bool content = false, expiry = record->expires_ms <= promise->latest_ms;
    for (size_t i = 0; i < promise->count; i++) {
        const struct state *may = &promise->may[i];
        content |=
            may->version == record->version && may->len == data.len && may->kind == record->kind;
        expiry |= may->expires_ms == record->expires_ms;
    }
    for (size_t i = 0; i < data.len; i++)
        content &= ((const unsigned char *)data.data)[i] == 'a' + record->version;
    return content && expiry;
}

static bool may_be_gone(const struct promise *promise)
{
    bool may = promise->corrupt;
    for (size_t i = 0; i < promise->count; i++)
        may |= promise->may[i].version == 0;
    return may;
}

static void explain(int session, const char *what, uint64_t version)
{
    static const char *const levels[] = { "none", "data", "full" };
    fail_msg("%s: crash after call %zu: session %d is %s (version %u)", levels[work.durability],
             work.calls, session, what, (unsigned)version);
}

/* @return the version that is there, 0 for none. */
static uint64_t judge_session(struct store *store, int session, enum ses_kind *ret_kind)
{
    const struct ses_key key = key_number(session);
    const struct history history = history_of(session);
    const struct promise promise = promise_of(&history);
    struct ses_record record = { 0 };
    int r = store_load(store, &key, NOW_MS, &record);
    if (r == SES_ERR_CORRUPT) {
        work.corrupt++;
        if (!promise.corrupt)
            explain(session, "corrupt", 0);
        r = store_load(store, &key, NOW_MS, &record);
        assert_code(r, SES_ERR_NOT_FOUND);
        return 0;
    }
    if (r == SES_ERR_NOT_FOUND && !may_be_gone(&promise))
        explain(session, "gone", 0);
    if (r == SES_ERR_NOT_FOUND)
        return 0;
    assert_ok(r);
    if (!is_one_of(&promise, &record))
        explain(session, "not as promised", record.version);
    (void)ses_blob_unref(record.data);
    *ret_kind = record.kind;
    return record.version;
}

/* Only at "full" the index has all; where it lacks some, it is made again. */
static void judge_index(const char *root, struct store *store, unsigned alive)
{
    const unsigned shown = listed(store, &user);
    if (work.durability == DURABLE_FULL)
        assert_int_equal(shown, alive);
    assert_true(shown <= alive);
    if (shown == alive)
        return;
    struct store *other;
    assert_ok(shop_open(&work.shop, root, settings_to_rebuild, &other));
    assert_int_equal(listed(other, &user), alive);
    store_close(other);
}

/* It goes on from there. */
static void use_session(struct store *store, int session, uint64_t version)
{
    const struct ses_key key = key_number(session);
    const struct state next = { version + 10, LENGTH, SES_KIND_SESSION, NOW_MS + LIFE };
    uint64_t found = 0;
    assert_ok(write_state(store, &key, version, &next));
    assert_ok(load(store, &key, &found));
    assert_int_equal(found, next.version);
    assert_ok(store_destroy(store, &key, NOW_MS));
    assert_code(load(store, &key, &found), SES_ERR_NOT_FOUND);
}

static void look_at_disk(void *arg, const char *folder)
{
    char root[256];
    uint64_t versions[SESSIONS];
    unsigned alive = 0;
    struct store *store;
    (void)arg;
    work.disks++;
    (void)snprintf(root, sizeof root, "%.200s/store", folder);
    assert_ok(shop_open(&work.shop, root, settings, &store));
    for (int i = 0; i < SESSIONS; i++) {
        enum ses_kind kind = SES_KIND_DEAD;
        versions[i] = judge_session(store, i, &kind);
        alive += ses_kind_is_live(kind);
    }
    judge_index(root, store, alive);
    for (int i = 0; i < SESSIONS; i++)
        use_session(store, i, versions[i]);
    assert_int_equal(listed(store, &user), 0);
    store_close(store);
}

/* What was looked at under one promise need not be looked at again under it. */
static bool is_boundary(size_t calls)
{
    for (size_t i = 0; i < STEPS; i++) {
        if (work.steps[i].end == calls || work.steps[i].begin + 1 == calls)
            return true;
    }
    return false;
}

static void crash_everywhere(int durability)
{
    struct disks_seen seen = { 0 };
    do_the_work(durability);
    for (work.calls = 0; work.calls <= disk_calls(); work.calls++) {
        if (is_boundary(work.calls))
            disks_forget(&seen);
        (void)disks_after(work.calls, &seen, look_at_disk, NULL);
    }
    print_message("# %zu calls, %zu disks, %zu sessions that did not check\n", disk_calls(),
                  work.disks, work.corrupt);
    disks_forget(&seen);
    disk_leave();
    assert_true(work.disks > 100);
}

static void power_cut_at_full_loses_nothing_that_was_answered(void **state)
{
    (void)state;
    crash_everywhere(DURABLE_FULL);
}

static void power_cut_at_data_loses_no_save_of_a_session_that_was_settled(void **state)
{
    (void)state;
    crash_everywhere(DURABLE_DATA);
}

static void power_cut_at_none_leaves_each_session_whole_or_gone(void **state)
{
    (void)state;
    crash_everywhere(DURABLE_NONE);
    assert_true(work.corrupt > 0); /* it is as bad as documented: the test can see it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cut_at_full_loses_nothing_that_was_answered),
        cmocka_unit_test(power_cut_at_data_loses_no_save_of_a_session_that_was_settled),
        cmocka_unit_test(power_cut_at_none_leaves_each_session_whole_or_gone),
    };
    prefer_memory();
    return cmocka_run_group_tests_name("file_durability", tests, NULL, NULL);
}
