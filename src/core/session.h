/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_SESSION_H
#define SES_CORE_SESSION_H

/*
 * A session from the inside. Its files: session.c (start to release), load.c (finding a record and
 * judging it), swap.c (the loop that commits), commit.c, within.c, renew.c (a new id), login.c,
 * end.c, remember.c, csrf.c, info.c, response.c (headers), values.c (typed get and set).
 */

#include "core/lookup.h"

#include <sesame/login.h>

enum session_state {
    SESSION_OPEN,
    SESSION_COMMITTED, /* can be read; a change is SES_ERR_INVALID */
    SESSION_ENDED,     /* destroyed; a change is SES_ERR_GONE */
};

enum cookie_action { COOKIE_LEAVE, COOKIE_SET, COOKIE_REMOVE };

/* What a commit changes in the header, beside the values. */
struct header_patch {
    bool limits; /* of ses_set_lifetime() */
    uint32_t idle_s;
    uint32_t absolute_s;
    int64_t grace_ms;          /* a renewed id has come back: until then the old one is taken */
    const unsigned char *csrf; /* for a record that has none; CSRF_BYTES */
};

/* Cookies of our name that came along and led nowhere. */
enum shadows { SHADOWS_NONE, SHADOWS_SOME, SHADOWS_TOO_MANY /* not all were tried */ };

struct kept_blob;
struct text_copy;
struct remembered;

/* With it a session is 1,024 bytes, the most that malloc() hands out by its fast path. */
enum { SESSION_STORAGE = 208 };

struct ses_session {
    ses_manager *manager;
    enum session_state state;
    int failed; /* a write whose outcome is unknown: it is not tried again */
    struct snapshot snapshot;
    struct overlay overlay;
    struct header_patch patch;
    struct id id;     /* text "" until it is needed */
    bool fresh;       /* was not stored when the request came */
    bool destroyed;   /* of an ended one: the store knows it, too */
    bool created;     /* to be told at the end of the call */
    bool renewed;     /* likewise */
    uint32_t replays; /* likewise */
    bool cut;    /* came with an id that a log-in has replaced: stores nothing, sets no cookie */
    bool moved;  /* came with the id before this one */
    bool unread; /* the store could not be asked: it can only be ended */
    bool read_stored;
    bool background;
    bool by_header; /* the id came in the header, so it goes back there */
    bool within;    /* committed in a transaction, which may still be undone */
    enum shadows shadows;
    bool clear_site;                /* of ses_logout() */
    const struct cookie_face *face; /* NULL: without HTTP */
    struct origin origin;
    struct ses_slice user_agent;
    int64_t suspected_ms; /* of a fresh one: when the one before it was ended for a theft */
    enum cookie_action cookie;
    int64_t cookie_expires_ms; /* of the session, when the visitor last got its cookie */
    enum cookie_action remember_cookie;
    struct remembered *remembered; /* what remember_cookie sets */
    const char *token;             /* of a sealed one, as carrier_seal() made it last */
    unsigned chunks;               /* in how many cookies it came; 0: none */
    void *transaction;             /* a connection of the application: ses_commit_within() */
    struct ses_headers headers;
    struct kept_blob *kept;  /* snapshots that pointers were handed out into */
    struct kept_blob *spare; /* room to keep one more */
    struct text_copy *texts; /* NUL-terminated copies that were handed out */
    struct arena arena;
    _Alignas(8) unsigned char storage[SESSION_STORAGE];
};

_Static_assert(sizeof(struct ses_session) <= 1024, "see SESSION_STORAGE");

/* ---- session.c ---- */

/* NULL: out of memory. */
ses_session *session_new(ses_manager *manager);
DEFINE_CLEANUP(ses_session *, ses_release)

/* What is stored under the id of a new one. SES_ERR_NOT_FOUND (then it has no id any more), or the
 * store's failure. */
int session_find(ses_session *session);

/* The two ends of finding it. session_miss() @return @p code. */
void session_hit(ses_session *session, const struct found *found);
int session_miss(ses_session *session, const struct found *found, int code);

/* As if nothing had been found. @return SES_ERR_NOT_FOUND. */
int session_refuse(ses_session *session, enum ses_reason reason);

/* SES_OK, or why the session cannot be changed now. */
int session_changeable(const ses_session *session);

/* Makes sure that session_adopt() can keep the snapshot that it replaces. */
int session_prepare_adopt(ses_session *session);

/* Makes @p snapshot the session's (its reference moves), and shows the changes on top of it. */
void session_adopt(ses_session *session, struct snapshot *snapshot);

/* Forgets what was to be changed, because it is stored, or shall not be. */
void session_reset_changes(ses_session *session);
bool session_has_changes(const ses_session *session);
bool session_has_wishes(const ses_session *session); /* changes that the application made */

/* Makes the id if there is none yet. */
int session_need_id(ses_session *session);

/* The header as it is stored; empty for a session that is new or has ended. */
const struct record_header *session_header(const ses_session *session);

/* Numeric; NULL when it is not known. */
const char *session_peer(const ses_session *session);

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
    const struct header_patch *patch; /* NULL: the header stays */
    swap_inspect_fn *inspect;
    void *arg;
};

int session_swap(ses_session *session, const struct swap *swap, struct snapshot *ret_next);

/* Goes on from what another has stored meanwhile: @p base becomes it. Takes the winner's reference.
 * If the id was changed by time, the session has the new one from here on. SES_ERR_GONE. */
int session_rebase(ses_session *session, struct ses_record *winner, struct snapshot *base);

/* After a write whose reply was lost: did it take place? Then @p code becomes SES_OK. */
int session_confirm(ses_session *session, const struct ses_key *key, uint64_t version, int code);

/* As a provider takes it; the blob is borrowed. */
struct ses_record snapshot_record(const struct snapshot *snapshot);

void patch_apply(const struct header_patch *patch, struct record_header *header);

/* The overlay on top of @p record, under a header that has changed. */
int session_replay(struct overlay *overlay, const struct record *record,
                   const struct record_header *header, ses_blob **ret_blob);

/* A record's bytes made ready to be stored: a new version and the expiry that is due. Takes the
 * blob in any case. */
int session_dress(const ses_session *session, ses_blob *blob, struct snapshot *ret_snapshot);

/* ---- commit.c ---- */

/* ses_commit(); within session->transaction, if there is one. */
int session_commit(ses_session *session, const struct ses_headers **ret_headers);

/* What a header needs that no request brings. */
struct header_secrets {
    unsigned char handle[HANDLE_BYTES];
    unsigned char csrf[CSRF_BYTES];
};

/* @p secrets is filled in, and lives as long as the header is used. */
int session_first_header(const ses_session *session, struct header_secrets *secrets,
                         struct record_header *ret_header);

/* Creates the record of @p snapshot under @p id. @p limit: of sessions of its user; 0: none. */
int session_insert(ses_session *session, const struct id *id, const struct snapshot *snapshot,
                   uint32_t limit);

/* ---- renew.c ---- */

/* How a session gets a new id. */
struct renewal_plan {
    enum ses_kind leaves; /* under the old id: SES_KIND_DEAD, or SES_KIND_MOVED */
    uint32_t limit;       /* as session_insert() has it */
    bool drop_values;
    void (*dress)(void *arg, struct record_header *header); /* what else changes; may be NULL */
    void *arg;
};

/* The changes go along. A session that is not stored yet is stored by it. */
int session_renew(ses_session *session, const struct renewal_plan *plan);

/* Is its id so old that the coming response should bring a new one? */
bool session_is_due(const ses_session *session, int64_t now_ms);

/* By time, with all that is to be committed. SES_ERR_EXISTS: another request has changed it just
 * now, and the session has that id; what is to be committed is not. */
int session_move(ses_session *session);

/* ---- end.c ---- */

/* Ends it here, whether or not the store can be told. */
int session_end(ses_session *session);

/* ---- remember.c ---- */

struct login;

/* Logs a request in that has no session, by the token that its browser was given. SES_OK also when
 * it has none. */
int remember_redeem(ses_session *session, const struct ses_request *request);

/* Gives the browser a token for @p login, whose handle it shares. */
int remember_issue(ses_session *session, const struct login *login);

/* Who was logged in here before, and what the response would have handed out then. */
struct former {
    struct ses_slice user;
    struct ses_slice handle;
    struct remembered *remembered;
    enum cookie_action cookie;
};

struct former remember_former(const ses_session *session);

/* Takes the token back, because the log-in failed: all is as it was before. */
void remember_withdraw(ses_session *session, const struct former *former);

/* The log-in stands: what this browser was remembered by before ends. Should the store fail just
 * now, the browser forgets it all the same. */
void remember_forget(ses_session *session, const struct former *former);

/* Ends what this browser is remembered by, and all its sessions: a log-out. */
int remember_end(ses_session *session);

/* The token that the response hands out. */
struct remembered {
    struct id id;
    int64_t expires_ms;
};

/* ---- response.c ---- */

int session_build_headers(ses_session *session, int64_t now_ms);

#endif
