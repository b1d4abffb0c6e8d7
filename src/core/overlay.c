/* SPDX-License-Identifier: MIT */
#include "core/overlay.h"

#include "base/blob.h"
#include "base/cbor.h"

#include <sesame/error.h>

#include <string.h>

/* One step of computing a value: an update function, or an increment where there is none. */
struct op {
    struct op *next;
    ses_update_fn *fn;
    void *arg;
    int64_t delta;
};

/* Results of a change: on the snapshot that is shown, and on the one that a replay tries. */
enum view { VIEW_SHOWN, VIEW_TRIED, VIEW_COUNT };

struct change {
    struct ses_slice key;
    bool replaced;          /* starts from `start`, not from what is stored */
    struct ses_slice start; /* no bytes: absent */
    struct op *ops;
    struct op *last_op;
    struct ses_slice views[VIEW_COUNT]; /* no bytes: absent */
};

/* ---- finding and inserting ---- */

bool overlay_empty(const struct overlay *o)
{
    return o->count == 0 && !o->cleared;
}

void overlay_reset(struct overlay *o)
{
    *o = (struct overlay){ .limits = o->limits, .arena = o->arena };
}

static bool find_change(const struct overlay *o, struct ses_slice key, size_t *ret_at)
{
    size_t low = 0, high = o->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = cbor_compare(o->changes[middle]->key, key);
        if (order == 0) {
            *ret_at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_at = low;
    return false;
}

static bool make_room(struct overlay *o)
{
    if (o->count < o->capacity)
        return true;
    const size_t capacity = o->capacity > 0 ? o->capacity * 2 : 8;
    struct change **changes = arena_alloc(o->arena, capacity * sizeof *changes);
    if (!changes)
        return false;
    if (o->count > 0)
        memcpy(changes, o->changes, o->count * sizeof *changes);
    o->changes = changes;
    o->capacity = capacity;
    return true;
}

static struct change *insert_change(struct overlay *o, struct ses_slice key, size_t at)
{
    struct change *change = arena_alloc(o->arena, sizeof *change);
    void *key_bytes = arena_alloc(o->arena, key.len);
    if (!change || !key_bytes || !make_room(o))
        return NULL;

    memcpy(key_bytes, key.data, key.len);
    *change = (struct change){ .key = { key_bytes, key.len }, .replaced = o->cleared };
    memmove(&o->changes[at + 1], &o->changes[at], (o->count - at) * sizeof(struct change *));
    o->changes[at] = change;
    o->count++;
    return change;
}

static struct change *obtain_change(struct overlay *o, struct ses_slice key)
{
    size_t at;
    return find_change(o, key, &at) ? o->changes[at] : insert_change(o, key, at);
}

bool overlay_find(const struct overlay *o, const struct record *stored, struct ses_slice key,
                  struct ses_slice *ret_value)
{
    size_t at;
    if (!find_change(o, key, &at))
        return !o->cleared && record_find(stored, key, ret_value);
    if (o->changes[at]->views[VIEW_SHOWN].len == 0)
        return false;
    *ret_value = o->changes[at]->views[VIEW_SHOWN];
    return true;
}

/* ---- computing a value ---- */

static int add(struct arena *arena, struct ses_slice item, int64_t delta, struct ses_slice *ret)
{
    const struct ses_value current = value_decode(item);
    if (current.type != SES_TYPE_INT && current.type != SES_TYPE_ABSENT)
        return SES_ERR_WRONG_TYPE;
    struct ses_value sum = { .type = SES_TYPE_INT };
    if (__builtin_add_overflow(current.integer, delta, &sum.integer))
        return SES_ERR_TOO_LARGE;
    return value_encode(arena, &sum, ret);
}

static int run_op(const struct overlay *o, const struct op *op, struct ses_slice item,
                  struct ses_slice *ret)
{
    if (!op->fn)
        return add(o->arena, item, op->delta, ret);

    const struct ses_value current = value_decode(item);
    struct ses_value next = { .type = SES_TYPE_ABSENT };
    int r = op->fn(op->arg, &current, &next);
    if (r != 0)
        return r;
    if (next.bytes.len > o->limits->value_bytes)
        return SES_ERR_TOO_LARGE;
    return value_encode(o->arena, &next, ret);
}

static int compute(const struct overlay *o, struct change *change, const struct record *stored)
{
    struct ses_slice item = change->start;
    if (!change->replaced && !record_find(stored, change->key, &item))
        item = (struct ses_slice){ 0 };
    for (const struct op *op = change->ops; op; op = op->next) {
        int r = run_op(o, op, item, &item);
        if (r != 0)
            return r;
    }
    change->views[VIEW_TRIED] = item;
    return SES_OK;
}

static int compute_all(struct overlay *o, const struct record *stored)
{
    for (size_t i = 0; i < o->count; i++) {
        int r = compute(o, o->changes[i], stored);
        if (r != 0)
            return r;
    }
    return SES_OK;
}

/* ---- changes ---- */

int overlay_set(struct overlay *o, struct ses_slice key, struct ses_slice value)
{
    struct change *change = obtain_change(o, key);
    if (!change)
        return SES_ERR_NO_MEMORY;
    change->replaced = true;
    change->start = value;
    change->ops = change->last_op = NULL;
    change->views[VIEW_SHOWN] = value;
    return SES_OK;
}

/* Increments in a row are one: fewer steps to replay. */
static bool fold_increment(struct change *change, const struct op *op)
{
    int64_t sum;
    if (op->fn || !change->last_op || change->last_op->fn ||
        __builtin_add_overflow(change->last_op->delta, op->delta, &sum))
        return false;
    change->last_op->delta = sum;
    return true;
}

static int append_op(struct overlay *o, struct change *change, const struct op *op)
{
    struct op *copy = arena_alloc(o->arena, sizeof *copy);
    if (!copy)
        return SES_ERR_NO_MEMORY;
    *copy = *op;
    if (change->last_op)
        change->last_op->next = copy;
    else
        change->ops = copy;
    change->last_op = copy;
    return SES_OK;
}

/* Runs the step once for the view. On a value that was set here its result is final; otherwise the
 * step is kept, to be run again on what a replay finds stored. */
static int note_op(struct overlay *o, const struct record *stored, struct ses_slice key,
                   const struct op *op)
{
    struct ses_slice item = { 0 };
    (void)overlay_find(o, stored, key, &item);
    int r = run_op(o, op, item, &item);
    if (r != 0)
        return r;

    struct change *change = obtain_change(o, key);
    if (!change)
        return SES_ERR_NO_MEMORY;
    if (change->replaced && !change->ops)
        change->start = item;
    else if (!fold_increment(change, op))
        r = append_op(o, change, op);
    if (r == SES_OK)
        change->views[VIEW_SHOWN] = item;
    else if (!change->ops)
        overlay_forget(o, key); /* made just now, and shows nothing */
    return r;
}

int overlay_increment(struct overlay *o, const struct record *stored, struct ses_slice key,
                      int64_t delta)
{
    const struct op op = { .delta = delta };
    return note_op(o, stored, key, &op);
}

int overlay_update(struct overlay *o, const struct record *stored, struct ses_slice key,
                   ses_update_fn *fn, void *arg)
{
    const struct op op = { .fn = fn, .arg = arg };
    return note_op(o, stored, key, &op);
}

bool overlay_replaces(const struct overlay *o, struct ses_slice key)
{
    size_t at;
    return find_change(o, key, &at) ? o->changes[at]->replaced : o->cleared;
}

int overlay_compute(struct overlay *o, const struct record *stored, struct ses_slice key,
                    struct ses_slice *ret_value)
{
    size_t at;
    struct ses_slice item = { 0 };
    if (find_change(o, key, &at)) {
        int r = compute(o, o->changes[at], stored);
        if (r != 0)
            return r;
        item = o->changes[at]->views[VIEW_TRIED];
    } else if (!o->cleared && !record_find(stored, key, &item)) {
        item = (struct ses_slice){ 0 };
    }
    *ret_value = item;
    return SES_OK;
}

void overlay_clear(struct overlay *o)
{
    o->count = 0;
    o->cleared = true;
}

void overlay_forget(struct overlay *o, struct ses_slice key)
{
    size_t at;
    if (!find_change(o, key, &at))
        return;
    o->count--;
    memmove(&o->changes[at], &o->changes[at + 1], (o->count - at) * sizeof(struct change *));
}

/* ---- merging ---- */

static int merge(const struct overlay *o, const struct record *stored, enum view view,
                 overlay_pair_fn *fn, void *arg)
{
    struct ses_slice pairs = { 0 };
    if (!o->cleared)
        pairs = stored->pairs;
    struct pair pair;
    bool more = record_next(&pairs, &pair);
    size_t at = 0;
    while (more || at < o->count) {
        const int order = !more            ? 1
                          : at == o->count ? -1
                                           : cbor_compare(pair.key, o->changes[at]->key);
        struct pair merged = pair;
        if (order >= 0) {
            merged = (struct pair){ o->changes[at]->key, o->changes[at]->views[view] };
            at++;
        }
        if (order <= 0)
            more = record_next(&pairs, &pair);
        int r = merged.value.len > 0 ? fn(arg, &merged) : 0;
        if (r != 0)
            return r;
    }
    return SES_OK;
}

int overlay_each(const struct overlay *o, const struct record *stored, overlay_pair_fn *fn,
                 void *arg)
{
    return merge(o, stored, VIEW_SHOWN, fn, arg);
}

int overlay_rebase(struct overlay *o, const struct record *stored)
{
    int r = compute_all(o, stored);
    for (size_t i = 0; r == SES_OK && i < o->count; i++)
        o->changes[i]->views[VIEW_SHOWN] = o->changes[i]->views[VIEW_TRIED];
    return r;
}

/* The pieces of the new record: what lies side by side in the old one stays one piece. */
struct pieces {
    struct ses_slice *slices;
    size_t count;
    size_t bytes;
    uint64_t pairs;
};

static void add_piece(struct pieces *pieces, struct ses_slice slice)
{
    struct ses_slice *last = pieces->count > 0 ? &pieces->slices[pieces->count - 1] : NULL;
    pieces->bytes += slice.len;
    if (last && (const char *)last->data + last->len == slice.data)
        last->len += slice.len;
    else
        pieces->slices[pieces->count++] = slice;
}

static int add_pair(void *arg, const struct pair *pair)
{
    struct pieces *pieces = arg;
    add_piece(pieces, pair->key);
    add_piece(pieces, pair->value);
    pieces->pairs++;
    return 0;
}

int overlay_replay(struct overlay *o, const struct record *stored, struct ses_slice header_bytes,
                   ses_blob **ret_blob)
{
    int r = compute_all(o, stored);
    if (r != 0)
        return r;

    /* Each change adds its key, its value, and starts a new run of the old record. */
    struct pieces pieces = { 0 };
    pieces.slices = arena_alloc(o->arena, (3 * o->count + 1) * sizeof *pieces.slices);
    if (!pieces.slices)
        return SES_ERR_NO_MEMORY;
    (void)merge(o, stored, VIEW_TRIED, add_pair, &pieces);
    if (pieces.pairs > o->limits->values ||
        record_size(header_bytes, pieces.pairs, pieces.bytes) > o->limits->record_bytes)
        return SES_ERR_TOO_LARGE;

    *ret_blob = record_assemble(header_bytes, pieces.pairs, pieces.slices, pieces.count);
    return *ret_blob ? SES_OK : SES_ERR_NO_MEMORY;
}
