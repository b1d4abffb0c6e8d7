/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_OVERLAY_H
#define SES_CORE_OVERLAY_H

/*
 * The changes of one request, and how they are replayed.
 *
 * Per key there is one change: where its value starts from (what is stored, or a value set here)
 * and what is then done to it (increments, update functions). `view` is its result on the snapshot
 * that the session shows now; a replay computes it anew on another snapshot. Keys do not depend on
 * one another, so the order of changes to different keys does not matter.
 */

#include "core/record.h"

#include "base/arena.h"

#include <sesame/session.h>

struct change;

struct overlay_limits {
    size_t record_bytes;
    size_t value_bytes;
    size_t values;
};

struct overlay {
    const struct overlay_limits *limits;
    struct arena *arena;     /* where everything below lives */
    struct change **changes; /* in bytewise order of their keys */
    size_t count;
    size_t capacity;
    bool cleared; /* nothing that is stored counts */
};

bool overlay_empty(const struct overlay *overlay);
void overlay_reset(struct overlay *overlay);

/* Keys are encoded CBOR texts. They are borrowed for the call. */

/* The value that a reader sees: encoded, or false if there is none. */
bool overlay_find(const struct overlay *overlay, const struct record *stored, struct ses_slice key,
                  struct ses_slice *ret_value);

/* Does the value of this key not depend on what is stored? */
bool overlay_replaces(const struct overlay *overlay, struct ses_slice key);

/* The value of a key as it would be on top of @p stored; no bytes: absent. */
int overlay_compute(struct overlay *overlay, const struct record *stored, struct ses_slice key,
                    struct ses_slice *ret_value);

/* A value of no bytes deletes; others live in the arena. */
int overlay_set(struct overlay *overlay, struct ses_slice key, struct ses_slice value);
int overlay_increment(struct overlay *overlay, const struct record *stored, struct ses_slice key,
                      int64_t delta);
int overlay_update(struct overlay *overlay, const struct record *stored, struct ses_slice key,
                   ses_update_fn *fn, void *arg);
void overlay_clear(struct overlay *overlay);
void overlay_forget(struct overlay *overlay, struct ses_slice key);

/* Calls @p fn for each pair of the merged values, in order; stops at its first result that is not
 * 0. */
typedef int overlay_pair_fn(void *arg, const struct pair *pair);
int overlay_each(const struct overlay *overlay, const struct record *stored, overlay_pair_fn *fn,
                 void *arg);

/* Computes every view anew, for a snapshot that has changed. On failure the views are as before. */
int overlay_rebase(struct overlay *overlay, const struct record *stored);

/*
 * The changes on top of @p stored, as a new record with @p header (encoded). SES_ERR_WRONG_TYPE and
 * SES_ERR_TOO_LARGE as ses_commit() has them, and whatever an update function returns.
 */
int overlay_replay(struct overlay *overlay, const struct record *stored,
                   struct ses_slice header_bytes, ses_blob **ret_blob);

/* ---- values ---- */

/* Decodes an encoded value that was checked. */
struct ses_value value_decode(struct ses_slice item);

/* Encodes into the arena. SES_OK, SES_ERR_INVALID (text not UTF-8, not an item), SES_ERR_NO_MEMORY.
 * A value of type ABSENT encodes to no bytes. */
int value_encode(struct arena *arena, const struct ses_value *value, struct ses_slice *ret_item);

#endif
