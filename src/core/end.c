/* SPDX-License-Identifier: MIT */
#include "core/session.h"

#include "base/slice.h"

/* After so many saves of others in a row the record is destroyed, which no save can outrun. */
enum { END_TRIES = 64 };

/* ---- what lies under one key ---- */

/* A write whose reply was lost may have taken place. */
static int confirm(ses_manager *manager, const struct ses_key *key, uint64_t version, int code)
{
    CLEANUP(record_drop) struct ses_record record = { 0 };
    if (code != SES_ERR_UNAVAILABLE)
        return code;
    int r = lookup_record(manager, key, manager_now_ms(manager), &record);
    return r == SES_OK && record.version == version ? SES_OK : code;
}

/* SES_ERR_CONFLICT: @p ret_winner is what stands there now. Of a theft the visitor is to hear for
 * as long as the session would have lived. */
static int replace(ses_manager *manager, const struct ses_key *key, const struct ses_record *live,
                   enum ses_reason reason, struct ses_record *ret_winner)
{
    CLEANUP(record_drop) struct ses_record dead = { 0 };
    const int64_t now_ms = manager_now_ms(manager);
    int r = marker_make_dead(reason, now_ms, &dead);
    if (r == SES_OK)
        r = tags_next(manager->tags, &dead.version);
    if (r < 0)
        return r;
    if (reason == SES_REASON_STOLEN && live->expires_ms > dead.expires_ms)
        dead.expires_ms = live->expires_ms;
    r = store_save(manager->store, key, now_ms, live->version, &dead, ret_winner);
    if (r == SES_ERR_CONFLICT && ret_winner->version == dead.version) {
        record_drop(ret_winner);
        return SES_OK; /* our own write, whose reply was lost underneath */
    }
    return confirm(manager, key, dead.version, r);
}

/* From a record that has moved to the one that it points at. */
static int step(ses_manager *manager, struct ses_key *key, struct ses_record *record)
{
    struct marker marker;
    int r = marker_read(record, &marker);
    if (r < 0)
        return r;
    *key = marker.next;
    record_drop(record);
    return lookup_record(manager, key, manager_now_ms(manager), record);
}

static int end_dead(const struct ses_record *record, enum ses_reason *ret_reason)
{
    struct marker marker;
    int r = marker_read(record, &marker);
    if (r < 0)
        return r;
    if (ret_reason)
        *ret_reason = marker.reason;
    return SES_ERR_NOT_FOUND;
}

int end_record(ses_manager *manager, const struct ses_key *key, struct ses_record *given,
               enum ses_reason reason, enum ses_reason *ret_reason)
{
    CLEANUP(record_drop) struct ses_record record = *given;
    struct ses_key at = *key;
    given->data = NULL;
    for (int tries = 0; tries < END_TRIES + HOPS_MAX; tries++) {
        struct ses_record winner = { 0 };
        int r = SES_OK;
        if (record.kind == SES_KIND_DEAD)
            return end_dead(&record, ret_reason);
        if (record.kind == SES_KIND_MOVED) {
            r = step(manager, &at, &record);
            if (r < 0)
                return r;
            continue;
        }
        r = replace(manager, &at, &record, reason, &winner);
        if (!winner.data)
            return r;
        record_drop(&record);
        record = winner;
    }
    return store_destroy(manager->store, &at, manager_now_ms(manager));
}

int end_key(ses_manager *manager, const struct ses_key *key, enum ses_reason reason,
            enum ses_reason *ret_reason)
{
    struct ses_record record = { 0 };
    int r = lookup_record(manager, key, manager_now_ms(manager), &record);
    return r == SES_OK ? end_record(manager, key, &record, reason, ret_reason) : r;
}

/* ---- a session of this request ---- */

/* For this request it is over at once, and the visitor's cookie goes, even when the store cannot
 * be told now. A first save of unknown outcome may have left a record. */
static void end_here(ses_session *session)
{
    const bool stored = session->snapshot.blob || session->unread;
    session->destroyed = !stored && session->failed == SES_OK;
    session->state = SESSION_ENDED;
    session->failed = SES_OK;
    session->cookie = stored ? COOKIE_REMOVE : COOKIE_LEAVE;
    session_reset_changes(session);
    overlay_clear(&session->overlay);
}

static int end_stored(ses_session *session, enum ses_reason *ret_reason)
{
    ses_manager *manager = session->manager;
    const struct ses_key *key = &session->id.key;
    if (!session->snapshot.blob)
        return end_key(manager, key, SES_REASON_ENDED, ret_reason);
    struct ses_record record = snapshot_record(&session->snapshot);
    (void)ses_blob_ref(record.data);
    return end_record(manager, key, &record, SES_REASON_ENDED, ret_reason);
}

int session_end(ses_session *session)
{
    if (session->state == SESSION_COMMITTED)
        return SES_ERR_INVALID;
    if (session->state == SESSION_OPEN)
        end_here(session);
    if (session->destroyed)
        return SES_OK;

    enum ses_reason reason = SES_REASON_NONE;
    int r = end_stored(session, &reason);
    if (r < 0 && r != SES_ERR_NOT_FOUND)
        return r; /* the next call tries again */
    session->destroyed = true;
    /* A log-in in another request has given the session a new id, and the visitor's browser its
     * cookies: this late request is not to take them away. */
    if (reason == SES_REASON_CUT)
        session->cookie = session->remember_cookie = COOKIE_LEAVE;
    if (r == SES_OK)
        session_tell(session, SES_EVENT_DESTROYED);
    return SES_OK;
}

int ses_destroy(ses_session *session)
{
    return session_end(session);
}

int ses_destroy_id(ses_manager *manager, const char *id)
{
    struct id parsed;
    if (manager->sealer)
        return SES_ERR_UNSUPPORTED; /* by its handle: ses_end() */
    int r = id ? id_parse(&manager->ids, slice_of_text(id), &parsed) : SES_ERR_INVALID;
    if (r == SES_OK)
        r = end_key(manager, &parsed.key, SES_REASON_ENDED, NULL);
    if (r < 0)
        return r;
    const struct happening destroyed = { .type = SES_EVENT_DESTROYED, .key = &parsed.key };
    events_tell(&manager->events, &destroyed);
    return SES_OK;
}
