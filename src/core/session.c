/* SPDX-License-Identifier: MIT */
#include "core/carrier.h"

#include "base/slice.h"

/* ---- making and freeing ---- */

ses_session *session_new(ses_manager *manager)
{
    ses_session *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    memset(s, 0, offsetof(ses_session, storage));
    arena_init(&s->arena, s->storage, sizeof s->storage);
    s->manager = ses_manager_ref(manager);
    s->overlay = (struct overlay){ .limits = &manager->limits, .arena = &s->arena };
    s->fresh = true;
    return s;
}

struct kept_blob {
    struct kept_blob *next;
    ses_blob *blob;
};

static void drop_blobs(ses_session *s)
{
    snapshot_drop(&s->snapshot);
    for (struct kept_blob *kept = s->kept; kept; kept = kept->next)
        (void)ses_blob_unref(kept->blob);
}

/* What the application has asked for. That a renewed id has been used is noted by itself. */
bool session_has_wishes(const ses_session *session)
{
    return !overlay_empty(&session->overlay) || session->patch.limits || session->patch.csrf;
}

void ses_release(ses_session *session)
{
    if (!session)
        return;
    ses_manager *manager = session->manager;
    const bool lost = session->state == SESSION_OPEN && session_has_wishes(session);
    if (lost)
        session_tell(session, SES_EVENT_UNCOMMITTED);
    drop_blobs(session);
    arena_free(&session->arena);
    free(session);
    ses_manager_unref(manager);
}

/* ---- small services ---- */

void session_tell(ses_session *session, enum ses_event_type type)
{
    const struct happening happening = {
        .type = type,
        .key = session->id.text[0] != '\0' ? &session->id.key : NULL,
        .peer = session_peer(session),
        .user = session_header(session)->user,
    };
    events_tell(&session->manager->events, &happening);
}

const char *session_peer(const ses_session *session)
{
    return session->origin.peer[0] != '\0' ? session->origin.peer : NULL;
}

const struct record_header *session_header(const ses_session *session)
{
    static const struct record_header nothing = { 0 };
    const bool there = session->snapshot.blob && session->state != SESSION_ENDED;
    return there ? &session->snapshot.record.header : &nothing;
}

bool session_has_changes(const ses_session *session)
{
    return session_has_wishes(session) || session->patch.grace_ms > 0;
}

void session_reset_changes(ses_session *session)
{
    overlay_reset(&session->overlay);
    session->patch = (struct header_patch){ 0 };
}

int session_changeable(const ses_session *session)
{
    if (session->failed < 0)
        return session->failed;
    if (session->state == SESSION_ENDED)
        return SES_ERR_GONE;
    return session->state == SESSION_OPEN ? SES_OK : SES_ERR_INVALID;
}

int session_need_id(ses_session *session)
{
    return session->id.text[0] != '\0' ? SES_OK : id_make(&session->manager->ids, &session->id);
}

void session_tell_outcome(ses_session *session)
{
    const struct happening replayed = {
        .type = SES_EVENT_REPLAYED,
        .replays = session->replays,
        .key = &session->id.key,
    };
    const bool created = session->created, renewed = session->renewed;
    session->created = session->renewed = false;
    session->replays = 0;
    if (created)
        session_tell(session, SES_EVENT_CREATED);
    if (renewed)
        session_tell(session, SES_EVENT_RENEWED);
    if (replayed.replays > 0)
        events_tell(&session->manager->events, &replayed);
}

int session_prepare_adopt(ses_session *session)
{
    if (!session->spare)
        session->spare = arena_alloc(&session->arena, sizeof *session->spare);
    return session->spare ? SES_OK : SES_ERR_NO_MEMORY;
}

/* What was handed out points into the old snapshot, so that stays until release. */
static void keep_blob(ses_session *session, ses_blob *blob)
{
    if (!blob)
        return;
    struct kept_blob *kept = session->spare;
    *kept = (struct kept_blob){ .next = session->kept, .blob = blob };
    session->kept = kept;
    session->spare = NULL;
}

void session_adopt(ses_session *session, struct snapshot *snapshot)
{
    keep_blob(session, session->snapshot.blob);
    session->snapshot = *snapshot;
    snapshot->blob = NULL;
    /* A step that fails here fails the commit, too, and is reported there. */
    (void)overlay_rebase(&session->overlay, &session->snapshot.record);
}

/* The visitor has got its renewed id: for the former one the grace begins to run, with the next
 * commit. */
static void note_first_use(ses_session *session)
{
    const struct record_header *header = &session->snapshot.record.header;
    if (header->grace_ms != GRACE_UNTIL_USED)
        return;
    if (session->moved)
        session->cookie = COOKIE_SET; /* perhaps the response that brought the new id was lost */
    else
        session->patch.grace_ms =
            manager_now_ms(session->manager) + session->manager->config.grace_s * 1000;
}

/* ---- finding what is stored ---- */

void session_hit(ses_session *session, const struct found *found)
{
    session->fresh = session->cut = false;
    session->read_stored = true;
    session->moved = found->moved;
    session->suspected_ms = 0;
    session->cookie_expires_ms = session->snapshot.expires_ms;
    note_first_use(session);
}

int session_miss(ses_session *session, const struct found *found, int code)
{
    session->cut |= found->reason == SES_REASON_CUT;
    if (found->suspected_ms > 0)
        session->suspected_ms = found->suspected_ms;
    session->id.text[0] = '\0';
    return code;
}

int session_find(ses_session *session)
{
    ses_manager *manager = session->manager;
    struct found found = { .id = &session->id, .snapshot = &session->snapshot };
    int r = lookup(manager, &manager->ids, session_peer(session), &found);
    if (r < 0)
        return session_miss(session, &found, r);
    session_hit(session, &found);
    return SES_OK;
}

int session_refuse(ses_session *session, enum ses_reason reason)
{
    snapshot_drop(&session->snapshot);
    session->snapshot.record = (struct record){ 0 };
    session->fresh = true;
    session->read_stored = session->moved = false;
    session->cookie = COOKIE_LEAVE;
    session_reset_changes(session);
    (void)lookup_reject(session->manager, &session->id.key, session_peer(session), reason);
    session->id.text[0] = '\0';
    return SES_ERR_NOT_FOUND;
}

/* ---- without HTTP ---- */

static int find_plain(ses_session *session, const char *id)
{
    int r = id_parse(&session->manager->ids, slice_of_text(id), &session->id);
    return r == SES_OK ? session_find(session) : r;
}

int ses_open(ses_manager *manager, const char *id_or_null, ses_session **ret_session)
{
    CLEANUP(ses_release) ses_session *session = session_new(manager);
    if (!session)
        return SES_ERR_NO_MEMORY;
    events_add(&manager->events, COUNT_STARTED, 1);
    int r = SES_OK;
    if (id_or_null && is_sealed(session))
        r = carrier_open(session, slice_of_text(id_or_null));
    else if (id_or_null)
        r = find_plain(session, id_or_null);
    if (r < 0)
        return r;
    *ret_session = session;
    if (session->read_stored)
        session_tell(session, SES_EVENT_LOADED);
    session = NULL;
    return SES_OK;
}

static int token_exists(ses_manager *manager, const char *token)
{
    CLEANUP(ses_release) ses_session *session = session_new(manager);
    return session ? carrier_open(session, slice_of_text(token)) : SES_ERR_NO_MEMORY;
}

int ses_exists(ses_manager *manager, const char *id)
{
    struct id parsed;
    if (!id)
        return SES_ERR_INVALID;
    if (manager->sealer)
        return token_exists(manager, id);
    int r = id_parse(&manager->ids, slice_of_text(id), &parsed);
    if (r < 0)
        return r;
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    struct found found = { .id = &parsed, .snapshot = &snapshot };
    return lookup(manager, &manager->ids, NULL, &found);
}

/* After a write of unknown outcome its changes may be stored already: on top of what is read now
 * they would be made twice, so they go. */
static int read_again(ses_session *session)
{
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    struct found found = { .id = &session->id, .snapshot = &snapshot, .trusted = true };
    const struct ses_key before = session->id.key;
    int r = session_prepare_adopt(session);
    if (r == SES_OK)
        r = lookup(session->manager, &session->manager->ids, session_peer(session), &found);
    if (r < 0)
        return r == SES_ERR_NOT_FOUND ? SES_ERR_GONE : r;
    if (!ses_key_equal(&before, &session->id.key))
        session->patch.grace_ms = 0; /* that was for the id before */
    if (session->failed < 0)
        session_reset_changes(session);
    session_adopt(session, &snapshot);
    return SES_OK;
}

int ses_reload(ses_session *session)
{
    if (session->state == SESSION_ENDED)
        return SES_ERR_GONE;
    if (session->unread)
        return SES_ERR_UNAVAILABLE;
    int r = session->snapshot.blob ? read_again(session) : SES_OK;
    if (r < 0)
        return r;
    session->failed = SES_OK;
    /* A cookie that was not handed out yet, as after regenerate, is still due. */
    if (session->state == SESSION_COMMITTED && !session->within)
        session->cookie = COOKIE_LEAVE;
    session->within = false;
    session->headers.size = 0; /* the next commit, or an end, makes its own */
    session->state = SESSION_OPEN;
    return SES_OK;
}

/* ---- about a session ---- */

const char *ses_session_id(ses_session *session)
{
    if (is_sealed(session))
        return session->snapshot.blob && carrier_seal(session) == SES_OK ? session->token : NULL;
    return session_need_id(session) == SES_OK ? session->id.text : NULL;
}
