/* SPDX-License-Identifier: MIT */
#include "core/carrier.h"

int session_confirm(ses_session *session, const struct ses_key *key, uint64_t version, int code)
{
    if (code != SES_ERR_UNAVAILABLE || session->transaction)
        return code; /* what is lost with its connection is undone */
    struct ses_record record;
    ses_manager *manager = session->manager;
    if (store_load(manager->store, key, manager_now_ms(manager), &record) != SES_OK)
        return session->failed = code;
    (void)ses_blob_unref(record.data);
    return record.version == version ? SES_OK : (session->failed = code);
}

struct ses_record snapshot_record(const struct snapshot *snapshot)
{
    return (struct ses_record){
        .data = snapshot->blob,
        .version = snapshot->version,
        .expires_ms = snapshot->expires_ms,
        .kind = snapshot->kind,
    };
}

/* ---- one try ---- */

void patch_apply(const struct header_patch *patch, struct record_header *header)
{
    if (patch->limits) {
        header->idle_s = patch->idle_s;
        header->absolute_s = patch->absolute_s;
    }
    if (patch->grace_ms > 0 && header->grace_ms == GRACE_UNTIL_USED)
        header->grace_ms = patch->grace_ms;
    if (patch->csrf && header->csrf.len == 0)
        header->csrf = (struct ses_slice){ patch->csrf, CSRF_BYTES };
}

static bool patch_is_empty(const struct header_patch *patch)
{
    return !patch || (!patch->limits && patch->grace_ms == 0 && !patch->csrf);
}

static int replay(const struct swap *swap, const struct record *record, ses_blob **ret_blob)
{
    if (patch_is_empty(swap->patch))
        return overlay_replay(swap->overlay, record, record->header_bytes, ret_blob);

    struct record_header header = record->header;
    patch_apply(swap->patch, &header);
    return session_replay(swap->overlay, record, &header, ret_blob);
}

int session_replay(struct overlay *overlay, const struct record *record,
                   const struct record_header *header, ses_blob **ret_blob)
{
    CLEANUP(buffer_free) struct buffer bytes = { 0 };
    record_write_header(&bytes, header);
    if (bytes.failed)
        return SES_ERR_NO_MEMORY;
    return overlay_replay(overlay, record, buffer_slice(&bytes), ret_blob);
}

/* @p like: what was replayed on; its header is nearly always the new one's. */
static int dress(const ses_session *session, ses_blob *blob, const struct record *like,
                 struct snapshot *ret_snapshot)
{
    ses_manager *manager = session->manager;
    struct record record;
    uint64_t version;
    int r = tags_next(manager->tags, &version);
    if (r == SES_OK)
        r = record_open_like(blob, like, &record);
    if (r < 0) {
        (void)ses_blob_unref(blob);
        return r;
    }
    *ret_snapshot = (struct snapshot){
        .blob = blob,
        .record = record,
        .version = version,
        .expires_ms = limits_next_expiry(manager, &record.header, manager_now_ms(manager)),
        .kind = SES_KIND_SESSION,
    };
    return SES_OK;
}

int session_dress(const ses_session *session, ses_blob *blob, struct snapshot *ret_snapshot)
{
    static const struct record nothing = { 0 };
    return dress(session, blob, &nothing, ret_snapshot);
}

static int save(ses_session *session, const struct snapshot *base, struct snapshot *next,
                struct ses_record *ret_winner)
{
    int r = carrier_save(session, base->version, next, ret_winner);
    if (r == SES_ERR_NOT_FOUND)
        return SES_ERR_GONE;
    if (r == SES_ERR_CONFLICT && ret_winner->version == next->version) {
        ret_winner->data = ses_blob_unref(ret_winner->data);
        return SES_OK; /* our own write, whose reply was lost underneath */
    }
    return session_confirm(session, &session->id.key, next->version, r);
}

/* SES_ERR_CONFLICT: @p ret_winner is the record to try next. */
static int attempt(ses_session *session, const struct swap *swap, const struct snapshot *base,
                   struct ses_record *ret_winner, struct snapshot *ret_next)
{
    int r = swap->inspect ? swap->inspect(swap->arg, &base->record) : SES_OK;
    if (r != SES_OK)
        return r;
    ses_blob *blob;
    r = replay(swap, &base->record, &blob);
    if (r != SES_OK)
        return r;

    CLEANUP(snapshot_drop) struct snapshot next = { 0 };
    r = dress(session, blob, &base->record, &next);
    if (r < 0)
        return r;
    if (session->background && next.expires_ms > base->expires_ms)
        next.expires_ms = base->expires_ms;
    r = save(session, base, &next, ret_winner);
    if (r != SES_OK)
        return r;
    events_add(&session->manager->events, COUNT_SAVED, 1);
    *ret_next = next;
    next.blob = NULL;
    return SES_OK;
}

/* ---- until no other is faster ---- */

int session_rebase(ses_session *session, struct ses_record *winner, struct snapshot *base)
{
    struct snapshot fresh = { 0 };
    if (is_sealed(session) && ses_kind_is_live(winner->kind)) {
        record_drop(winner); /* whose values are in another response's cookie */
        return SES_ERR_CONFLICT;
    }
    const bool moved = winner->kind == SES_KIND_MOVED;
    int r = moved ? lookup_moved(session->manager, winner, &session->id, &fresh)
                  : snapshot_from(winner, &fresh);
    if (r < 0)
        return r;
    snapshot_drop(base);
    *base = fresh;
    session->moved |= moved;
    if (moved)
        session->patch.grace_ms = 0; /* that was for the id before */
    if (moved && fresh.record.header.grace_ms == GRACE_UNTIL_USED)
        session->cookie = COOKIE_SET; /* perhaps the response that brought the new id was lost */
    return SES_OK;
}

int session_swap(ses_session *session, const struct swap *swap, struct snapshot *ret_next)
{
    int r = session_prepare_adopt(session);
    if (r < 0)
        return r;
    CLEANUP(snapshot_drop) struct snapshot base = session->snapshot;
    (void)ses_blob_ref(base.blob);
    for (uint32_t replays = 0;; session->replays = ++replays) {
        struct ses_record winner = { 0 };
        r = attempt(session, swap, &base, &winner, ret_next);
        if (!winner.data)
            break; /* done, or failed otherwise than by a conflict */
        r = session_rebase(session, &winner, &base);
        if (r < 0)
            break;
        r = SES_ERR_CONFLICT;
        if (replays == session->manager->config.max_replays)
            break;
    }
    if (r == SES_ERR_CONFLICT)
        events_add(&session->manager->events, COUNT_CONFLICTS, 1);
    return r;
}
