/* SPDX-License-Identifier: MIT */
#include "core/session.h"

#include "base/slice.h"

/* How long an old id is told from an unknown one, if the session has no absolute end. */
#define FORMER_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

/* Made-up bytes that repeat three times in a row come from a source that is broken (T-31). */
enum { CREATE_TRIES = 3 };

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
    record_drop(&renewal->marker);
}

DEFINE_CLEANUP_OF(struct renewal, renewal_drop)

static int64_t marker_end(const ses_manager *manager, const struct record_header *header,
                          int64_t now_ms)
{
    const int64_t end_ms = limits_absolute_end(manager, header);
    return end_ms == INT64_MAX ? now_ms + FORMER_MS : end_ms;
}

static int make_marker(const ses_session *session, const struct renewal_plan *plan,
                       struct renewal *renewal)
{
    ses_manager *manager = session->manager;
    const int64_t now_ms = manager_now_ms(manager);
    int r = plan->leaves == SES_KIND_MOVED
                ? marker_make_moved(&manager->ids, &session->id, &renewal->id,
                                    marker_end(manager, &renewal->next.record.header, now_ms),
                                    &renewal->marker)
                : marker_make_dead(SES_REASON_CUT, now_ms, &renewal->marker);
    return r == SES_OK ? tags_next(manager->tags, &renewal->marker.version) : r;
}

/* The header as it will be, from the stored one or, where nothing is stored, from the request. */
static int next_header(const ses_session *session, const struct snapshot *base,
                       const struct renewal_plan *plan, struct header_secrets *secrets,
                       struct record_header *ret_header)
{
    struct record_header header = base->record.header;
    int r = base->blob ? SES_OK : session_first_header(session, secrets, &header);
    if (r < 0)
        return r;
    if (base->blob)
        header.previous = (struct ses_slice){ session->id.key.bytes, SES_KEY_BYTES };
    header.id_ms = manager_now_ms(session->manager);
    header.grace_ms = 0;
    patch_apply(&session->patch, &header);
    if (plan->leaves == SES_KIND_MOVED)
        header.grace_ms = GRACE_UNTIL_USED;
    if (plan->dress)
        plan->dress(plan->arg, &header);
    *ret_header = header;
    return SES_OK;
}

static int make_next(ses_session *session, const struct snapshot *base,
                     const struct renewal_plan *plan, struct snapshot *ret_snapshot)
{
    struct header_secrets secrets;
    struct record_header header;
    struct overlay nothing = { .limits = session->overlay.limits, .arena = &session->arena };
    ses_blob *blob;
    overlay_clear(&nothing);
    int r = next_header(session, base, plan, &secrets, &header);
    if (r == SES_OK)
        r = session_replay(plan->drop_values ? &nothing : &session->overlay, &base->record, &header,
                           &blob);
    return r == SES_OK ? session_dress(session, blob, ret_snapshot) : r;
}

/* After a write of unknown outcome: if the marker is there by now, all that is known of the session
 * leads to the new record. Where the store cannot say, that one stays, too: nobody knows its id
 * then. */
static bool may_lead_on(ses_manager *manager, const struct id *from, const struct renewal *renewal)
{
    CLEANUP(record_drop) struct ses_record record = { 0 };
    if (renewal->marker.kind != SES_KIND_MOVED)
        return false;
    int r = store_load(manager->store, &from->key, manager_now_ms(manager), &record);
    return r == SES_OK ? record.version == renewal->marker.version : r != SES_ERR_NOT_FOUND;
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
        record_drop(ret_winner);
        return SES_OK;
    }
    r = session_confirm(session, &session->id.key, renewal->marker.version, r);
    if (r < 0 && !(r == SES_ERR_UNAVAILABLE && may_lead_on(manager, &session->id, renewal)))
        (void)store_destroy(manager->store, &renewal->id.key, now_ms);
    return r == SES_ERR_NOT_FOUND ? SES_ERR_GONE : r;
}

static int insert(ses_session *session, const struct renewal_plan *plan, struct renewal *renewal)
{
    ses_manager *manager = session->manager;
    int r = SES_ERR_EXISTS;
    for (int tries = 0; tries < CREATE_TRIES && r == SES_ERR_EXISTS; tries++) {
        r = id_make(&manager->ids, &renewal->id);
        if (r == SES_OK)
            r = session_insert(session, &renewal->id, &renewal->next, plan->limit);
    }
    if (r == SES_ERR_UNAVAILABLE) /* it may be there, and nobody will ever know its id */
        (void)store_destroy(manager->store, &renewal->id.key, manager_now_ms(manager));
    return r == SES_ERR_EXISTS ? SES_ERR_NO_RANDOMNESS : r;
}

static void settle(ses_session *session, struct renewal *renewal)
{
    session->created |= !session->snapshot.blob;
    session->id = renewal->id;
    session->cookie = COOKIE_SET;
    session->moved = session->cut = false;
    session_reset_changes(session);
    session_adopt(session, &renewal->next);
}

static int renew_once(ses_session *session, const struct renewal_plan *plan,
                      const struct snapshot *base, struct ses_record *ret_winner)
{
    CLEANUP(renewal_drop) struct renewal renewal = { 0 };
    int r = make_next(session, base, plan, &renewal.next);
    if (r == SES_OK)
        r = insert(session, plan, &renewal);
    if (r != SES_OK)
        return r;
    if (base->blob) {
        r = make_marker(session, plan, &renewal);
        if (r < 0)
            (void)store_destroy(session->manager->store, &renewal.id.key,
                                manager_now_ms(session->manager));
        if (r == SES_OK)
            r = cut_old(session, base, &renewal, ret_winner);
    }
    if (r == SES_OK)
        settle(session, &renewal);
    return r;
}

int session_renew(ses_session *session, const struct renewal_plan *plan)
{
    int r = session_prepare_adopt(session);
    if (r < 0)
        return r;
    CLEANUP(snapshot_drop) struct snapshot base = session->snapshot;
    (void)ses_blob_ref(base.blob);
    for (uint32_t tries = 0;; session->replays = ++tries) {
        struct ses_record winner = { 0 };
        r = renew_once(session, plan, &base, &winner);
        if (!winner.data)
            return r;
        r = session_rebase(session, &winner, &base);
        if (r == SES_OK && session->moved && plan->leaves == SES_KIND_MOVED)
            r = SES_ERR_EXISTS; /* one change of the id is enough, or the first would be a theft */
        if (r < 0)
            return r;
        if (tries == session->manager->config.max_replays) {
            events_add(&session->manager->events, COUNT_CONFLICTS, 1);
            return SES_ERR_CONFLICT;
        }
    }
}

/* ---- by a call ---- */

int ses_regenerate(ses_session *session)
{
    static const struct renewal_plan plan = { .leaves = SES_KIND_DEAD };
    int r = session_changeable(session);
    if (r < 0)
        return r;
    if (session->cut)
        return SES_ERR_GONE;
    if (!session->snapshot.blob) {
        session->id.text[0] = '\0'; /* nothing is stored under it */
        return session_need_id(session);
    }
    r = session_renew(session, &plan);
    session_tell_outcome(session);
    if (r == SES_OK)
        session_tell(session, SES_EVENT_REGENERATED);
    return r;
}

/* ---- by time ---- */

/* Only an answer that can carry the new id, to a request that came with the present one; and not
 * before the grace of the last change is over, or an id could be two changes behind. */
bool session_is_due(const ses_session *session, int64_t now_ms)
{
    const struct config *config = &session->manager->config;
    const struct record_header *header = &session->snapshot.record.header;
    const int64_t since_ms = header->id_ms > 0 ? header->id_ms : header->created_ms;
    const bool reaches = session->face && (session->by_header || config->set_cookie);
    return config->renewal_s > 0 && reaches && !session->moved && !session->background &&
           !session->transaction && header->grace_ms != GRACE_UNTIL_USED &&
           now_ms >= header->grace_ms && now_ms - since_ms >= config->renewal_s * 1000;
}

int session_move(ses_session *session)
{
    static const struct renewal_plan plan = { .leaves = SES_KIND_MOVED };
    return session_renew(session, &plan);
}
