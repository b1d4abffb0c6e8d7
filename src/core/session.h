/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_SESSION_H
#define SES_CORE_SESSION_H

/*
 * A session from the inside. Its files: session.c (start to release), load.c (finding a record and
 * judging it), swap.c (the loop that commits), commit.c, renew.c (changing the id, ending),
 * response.c (headers), values.c (typed get and set).
 */

#include "core/manager.h"

#include <sesame/session.h>

enum session_state {
    SESSION_OPEN,
    SESSION_COMMITTED, /* can be read; a change is SES_ERR_INVALID */
    SESSION_ENDED,     /* destroyed; a change is SES_ERR_GONE */
};

enum cookie_action { COOKIE_LEAVE, COOKIE_SET, COOKIE_REMOVE };

/* A stored record as it was read, or as it was written. */
struct snapshot {
    ses_blob *blob; /* NULL: nothing is stored */
    struct record record;
    uint64_t version;
    int64_t expires_ms;
};

struct kept_blob;
struct text_copy;

/* With it a session is 1,024 bytes, the most that malloc() hands out by its fast path. */
enum { SESSION_STORAGE = 336 };

struct ses_session {
    ses_manager *manager;
    enum session_state state;
    int failed; /* a write whose outcome is unknown: it is not tried again */
    struct snapshot snapshot;
    struct overlay overlay;
    struct id id;     /* text "" until it is needed */
    bool fresh;       /* was not stored when the request came */
    bool destroyed;   /* of an ended one: the store knows it, too */
    bool created;     /* to be told at the end of the call */
    uint32_t replays; /* likewise */
    bool cut; /* came with an id that a log-in has replaced: stores nothing, sets no cookie */
    bool read_stored;
    bool background;
    bool by_header;                 /* the id came in the header, so it goes back there */
    const struct cookie_face *face; /* NULL: without HTTP */
    struct origin origin;
    struct ses_slice user_agent;
    enum cookie_action cookie;
    int64_t cookie_expires_ms; /* of the session, when the visitor last got its cookie */
    struct ses_headers headers;
    struct kept_blob *kept;  /* snapshots that pointers were handed out into */
    struct kept_blob *spare; /* room to keep one more */
    struct text_copy *texts; /* NUL-terminated copies that were handed out */
    struct arena arena;
    _Alignas(8) unsigned char storage[SESSION_STORAGE];
};

/* ---- load.c ---- */

/* The record of an id, judged: alive, a session, within its limits. SES_ERR_NOT_FOUND otherwise,
 * with an event that says why (the reason is in *ret_reason), or the store's failure. */
int session_lookup(ses_manager *manager, const struct id *id, const char *peer,
                   struct snapshot *ret_snapshot, enum ses_reason *ret_reason);

/* From what a provider handed over; takes its reference in any case. SES_ERR_GONE for a marker. */
int snapshot_from(struct ses_record *record, struct snapshot *ret_snapshot);
void snapshot_drop(struct snapshot *snapshot);

DEFINE_CLEANUP_OF(struct snapshot, snapshot_drop)

/* The session's own limit, or else the manager's. */
int64_t session_next_expiry(const ses_manager *manager, const struct record_header *header,
                            int64_t now_ms);
bool session_past_limits(const ses_manager *manager, const struct record_header *header,
                         int64_t now_ms);

/* ---- session.c ---- */

/* SES_OK, or why the session cannot be changed now. */
int session_changeable(const ses_session *session);

/* Makes sure that session_adopt() can keep the snapshot that it replaces. */
int session_prepare_adopt(ses_session *session);

/* Makes @p snapshot the session's (its reference moves), and shows the changes on top of it. */
void session_adopt(ses_session *session, struct snapshot *snapshot);

/* Makes the id if there is none yet. */
int session_need_id(ses_session *session);

void session_tell(ses_session *session, enum ses_event_type type);

/* The last act of a call that wrote: a hook that never returns leaves nothing half done (T-9). */
void session_tell_outcome(ses_session *session);

/* ---- swap.c ---- */

/* Replaces the stored record by itself with @p overlay on top, again and again until no other was
 * faster. Before each try @p inspect (may be NULL) sees the snapshot that is tried and may refuse.
 * @p ret_next is what is stored then; the caller settles its changes, and adopts it. */
typedef int swap_inspect_fn(void *arg, const struct record *record);

struct swap {
    struct overlay *overlay;
    swap_inspect_fn *inspect;
    void *arg;
};

int session_swap(ses_session *session, const struct swap *swap, struct snapshot *ret_next);

/* After a write whose reply was lost: did it take place? Then @p code becomes SES_OK. */
int session_confirm(ses_session *session, const struct ses_key *key, uint64_t version, int code);

/* As a provider takes it; the blob is borrowed. */
struct ses_record snapshot_record(const struct snapshot *snapshot);

/* The overlay on top of @p record, under a header that has changed. */
int session_replay(struct overlay *overlay, const struct record *record,
                   const struct record_header *header, ses_blob **ret_blob);

/* A record's bytes made ready to be stored: a new version and the expiry that is due. Takes the
 * blob in any case. */
int session_dress(const ses_session *session, ses_blob *blob, struct snapshot *ret_snapshot);

/* ---- commit.c ---- */

/* Creates the record of @p snapshot under @p id. */
int session_insert(ses_session *session, const struct id *id, const struct snapshot *snapshot);

/* ---- response.c ---- */

int session_build_headers(ses_session *session, int64_t now_ms);

#endif
