/* SPDX-License-Identifier: MIT */
#include "core/session.h"

/* How long a cut id is told apart from an unknown one: longer than any request in flight. */
enum { DEAD_MS = 60 * 1000 };

/* ---- a new id ---- */

/* The session under its new id, and the marker for the old one. */
struct renewal {
    struct id id;
    struct snapshot next;
    struct ses_record marker;
};

static void renewal_drop(struct renewal *renewal)
{
    snapshot_drop(&renewal->next);
    renewal->marker.data = ses_blob_unref(renewal->marker.data);
}

DEFINE_CLEANUP_OF(struct renewal, renewal_drop)

static int make_marker(const ses_session *session, struct ses_record *ret_marker)
{
    struct ses_record marker = { .kind = SES_KIND_DEAD };
    int r = tags_next(session->manager->tags, &marker.version);
    if (r < 0)
        return r;
    marker.expires_ms = manager_now_ms(session->manager) + DEAD_MS;
    marker.data = ses_blob_new((struct ses_slice){ 0 });
    if (!marker.data)
        return SES_ERR_NO_MEMORY;
    *ret_marker = marker;
    return SES_OK;
}

static int make_next(ses_session *session, const struct snapshot *base,
                     struct snapshot *ret_snapshot)
{
    struct record_header header = base->record.header;
    header.previous = (struct ses_slice){ session->id.key.bytes, SES_KEY_BYTES };
    if (session->overlay.relimited) {
        header.idle_s = session->overlay.idle_s;
        header.absolute_s = session->overlay.absolute_s;
    }
    ses_blob *blob;
    int r = session_replay(&session->overlay, &base->record, &header, &blob);
    return r == SES_OK ? session_dress(session, blob, ret_snapshot) : r;
}

/* The new record stands before the old one falls: a crash between leaves two, never none. */
static int cut_old(ses_session *session, const struct snapshot *base, const struct renewal *renewal,
                   struct ses_record *ret_winner)
{
    ses_manager *manager = session->manager;
    const int64_t now_ms = manager_now_ms(manager);
    int r = store_save(manager->store, &session->id.key, now_ms, base->version, &renewal->marker,
                       ret_winner);
    if (r == SES_ERR_CONFLICT && ret_winner->version == renewal->marker.version) {
        ret_winner->data = ses_blob_unref(ret_winner->data);
        return SES_OK;
    }
    r = session_confirm(session, &session->id.key, renewal->marker.version, r);
    if (r < 0)
        (void)store_destroy(manager->store, &renewal->id.key, now_ms);
    return r == SES_ERR_NOT_FOUND ? SES_ERR_GONE : r;
}

static int renew_once(ses_session *session, const struct snapshot *base,
                      struct ses_record *ret_winner)
{
    CLEANUP(renewal_drop) struct renewal renewal = { 0 };
    int r = id_make(&session->manager->ids, &renewal.id);
    if (r == SES_OK)
        r = make_next(session, base, &renewal.next);
    if (r == SES_OK)
        r = make_marker(session, &renewal.marker);
    if (r != SES_OK)
        return r;
    r = session_insert(session, &renewal.id, &renewal.next);
    if (r == SES_ERR_UNAVAILABLE) /* it may be there, and nobody will ever know its id */
        (void)store_destroy(session->manager->store, &renewal.id.key,
                            manager_now_ms(session->manager));
    if (r != SES_OK)
        return r == SES_ERR_EXISTS ? SES_ERR_NO_RANDOMNESS : r;
    r = cut_old(session, base, &renewal, ret_winner);
    if (r != SES_OK)
        return r;

    session->id = renewal.id;
    overlay_reset(&session->overlay);
    session_adopt(session, &renewal.next);
    session->cookie = COOKIE_SET;
    return SES_OK;
}

static int renew(ses_session *session)
{
    int r = session_prepare_adopt(session);
    if (r < 0)
        return r;
    CLEANUP(snapshot_drop) struct snapshot base = session->snapshot;
    (void)ses_blob_ref(base.blob);
    for (uint32_t tries = 0;; session->replays = ++tries) {
        struct ses_record winner = { 0 };
        r = renew_once(session, &base, &winner);
        if (!winner.data)
            return r;
        snapshot_drop(&base);
        r = snapshot_from(&winner, &base);
        if (r < 0)
            return r;
        if (tries == session->manager->config.max_replays) {
            events_add(&session->manager->events, COUNT_CONFLICTS, 1);
            return SES_ERR_CONFLICT;
        }
    }
}

int ses_regenerate(ses_session *session)
{
    int r = session_changeable(session);
    if (r < 0)
        return r;
    if (session->cut)
        return SES_ERR_GONE;
    if (!session->snapshot.blob) {
        session->id.text[0] = '\0'; /* nothing is stored under it */
        return session_need_id(session);
    }
    r = renew(session);
    session_tell_outcome(session);
    if (r == SES_OK)
        session_tell(session, SES_EVENT_REGENERATED);
    return r;
}

/* ---- the end ---- */

/* For this request it is over at once, and the visitor's cookie goes, even when the store cannot
 * be told now. A first save of unknown outcome may have left a record. */
static void end(ses_session *session)
{
    const bool stored = session->snapshot.blob != NULL;
    session->destroyed = !stored && session->failed == SES_OK;
    session->state = SESSION_ENDED;
    session->failed = SES_OK;
    session->cookie = stored ? COOKIE_REMOVE : COOKIE_LEAVE;
    overlay_reset(&session->overlay);
    overlay_clear(&session->overlay);
}

/* A log-in in another request has given the session a new id, and the visitor's browser its cookie:
 * this late request is not to take that away. If the store cannot tell, the end comes first. */
static bool was_replaced(const ses_session *session)
{
    ses_manager *manager = session->manager;
    struct ses_record record;
    if (store_load(manager->store, &session->id.key, manager_now_ms(manager), &record) != SES_OK)
        return false;
    (void)ses_blob_unref(record.data);
    return record.kind != SES_KIND_SESSION;
}

int ses_destroy(ses_session *session)
{
    if (session->state == SESSION_COMMITTED)
        return SES_ERR_INVALID;
    if (session->state == SESSION_OPEN)
        end(session);
    if (session->destroyed)
        return SES_OK;
    if (was_replaced(session)) {
        session->destroyed = true;
        session->cookie = COOKIE_LEAVE;
        return SES_OK;
    }

    ses_manager *manager = session->manager;
    int r = store_destroy(manager->store, &session->id.key, manager_now_ms(manager));
    if (r < 0)
        return r; /* the next call tries again */
    session->destroyed = true;
    session_tell(session, SES_EVENT_DESTROYED);
    return SES_OK;
}
