/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_LOOKUP_H
#define SES_CORE_LOOKUP_H

/*
 * From an id to what lies under it, judged: load.c. Ending it from anywhere, and what an old id
 * that comes back leads to: end.c.
 */

#include "core/manager.h"
#include "core/marker.h"
#include "core/record.h"

/* A stored record as it was read, or as it was written. */
struct snapshot {
    ses_blob *blob; /* NULL: nothing is stored */
    struct record record;
    uint64_t version;
    int64_t expires_ms;
    enum ses_kind kind;
};

/* From what a provider handed over; takes its reference in any case. SES_ERR_GONE for a marker. */
int snapshot_from(struct ses_record *record, struct snapshot *ret_snapshot);
void snapshot_drop(struct snapshot *snapshot);

DEFINE_CLEANUP_OF(struct snapshot, snapshot_drop)

static inline void record_drop(struct ses_record *record)
{
    record->data = ses_blob_unref(record->data);
}

DEFINE_CLEANUP_OF(struct ses_record, record_drop)

/* How far a chain of renewed ids is followed: a session that is used all day and renewed each
 * quarter of an hour has had a hundred. */
enum { HOPS_MAX = 128 };

/* Where an id leads. */
struct found {
    struct id *id;             /* as it was sent; the present one, once something is found */
    struct snapshot *snapshot; /* filled in then */
    bool trusted;              /* it was found before: no grace runs out for it */
    bool moved;                /* what was sent is the id before the present one */
    enum ses_reason reason;    /* why there is nothing */
    int64_t suspected_ms;      /* when what was there was ended for a theft; 0: it was not */
};

/* Whatever lies under a key. What has run out and says nothing any more is SES_ERR_NOT_FOUND. */
int lookup_record(ses_manager *manager, const struct ses_key *key, int64_t now_ms,
                  struct ses_record *ret_record);

/* The record of an id that a client sent: alive, within its limits. SES_ERR_NOT_FOUND otherwise,
 * with events that say why, or the store's failure. */
int lookup(ses_manager *manager, const struct id_format *format, const char *peer,
           struct found *found);

/* The second half of it: is what was found within its limits? */
int lookup_judge(ses_manager *manager, const char *peer, struct found *found);

/* What a dead record says. SES_ERR_NOT_FOUND, with the reason. */
int lookup_dead(const struct ses_record *record, struct found *found);

/* Tells that an id was refused. @return SES_ERR_NOT_FOUND. @p key may be NULL. */
int lookup_reject(ses_manager *manager, const struct ses_key *key, const char *peer,
                  enum ses_reason reason);

/* The record to which a moved one leads in the end, and its id, for a session that was found before
 * the id was changed: no grace runs out for it. Takes the record's reference. SES_ERR_GONE. */
int lookup_moved(ses_manager *manager, struct ses_record *moved, struct id *id,
                 struct snapshot *ret_snapshot);

/* The session's own limit, or else the manager's. */
int64_t limits_next_expiry(const ses_manager *manager, const struct record_header *header,
                           int64_t now_ms);
/* INT64_MAX: never. */
int64_t limits_absolute_end(const ses_manager *manager, const struct record_header *header);

/* ---- end.c ---- */

/* Puts a marker in the place of the session or token under @p key, or under the key that it has
 * moved to. SES_ERR_NOT_FOUND: there was none any more. *@p ret_reason (may be NULL): why then. */
int end_key(ses_manager *manager, const struct ses_key *key, enum ses_reason reason,
            enum ses_reason *ret_reason);

/* The same from a record that was read; takes its reference. */
int end_record(ses_manager *manager, const struct ses_key *key, struct ses_record *given,
               enum ses_reason reason, enum ses_reason *ret_reason);

/* Ends all of a user's sessions and tokens of that handle (no handle: all), but for @p except.
 * *@p ret_ended is how many. */
struct whose {
    struct ses_slice user;   /* empty: everybody */
    struct ses_slice handle; /* empty: any */
    struct ses_slice except; /* empty: none */
    bool tokens_only;
};

int end_all(ses_manager *manager, const struct whose *whose, enum ses_reason reason,
            uint64_t *ret_ended);

/* An id came that was replaced by the one of @p key long ago. SES_ERR_NOT_FOUND, and @p found says
 * why; or the store's failure. */
int suspect_theft(ses_manager *manager, const struct ses_key *key, const char *peer,
                  struct found *found);

#endif
