/* SPDX-License-Identifier: MIT */
#include "core/session.h"

#include "core/cookie.h"

#include "base/abi.h"
#include "base/slice.h"

/* Of well-formed candidates in one request; each costs a store call. */
enum { CANDIDATES_MAX = 4 };

/* Of malformed ones only the first are told, or one request could set off thousands of events. */
enum { MALFORMED_TOLD = 8 };

/* ---- making and freeing ---- */

static ses_session *session_new(ses_manager *manager)
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

void ses_release(ses_session *session)
{
    if (!session)
        return;
    ses_manager *manager = session->manager;
    const bool lost = session->state == SESSION_OPEN && !overlay_empty(&session->overlay);
    if (lost)
        session_tell(session, SES_EVENT_UNCOMMITTED);
    drop_blobs(session);
    arena_free(&session->arena);
    free(session);
    ses_manager_unref(manager);
}

DEFINE_CLEANUP(ses_session *, ses_release)

/* ---- small services ---- */

void session_tell(ses_session *session, enum ses_event_type type)
{
    const struct happening happening = {
        .type = type,
        .key = session->id.text[0] != '\0' ? &session->id.key : NULL,
        .peer = session->origin.peer[0] != '\0' ? session->origin.peer : NULL,
    };
    events_tell(&session->manager->events, &happening);
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
    const bool created = session->created;
    session->created = false;
    session->replays = 0;
    if (created)
        session_tell(session, SES_EVENT_CREATED);
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

/* ---- finding the session of a request ---- */

/* Bytes that are not printable ASCII would not be text in the record; an over-long field is cut. */
static int take_user_agent(ses_session *session, const char *user_agent)
{
    if (!user_agent)
        return SES_OK;
    const size_t len = strnlen(user_agent, USER_AGENT_MAX);
    char *copy = arena_text(&session->arena, (struct ses_slice){ user_agent, len });
    if (!copy)
        return SES_ERR_NO_MEMORY;
    for (size_t i = 0; i < len; i++) {
        if (copy[i] < 0x20 || copy[i] > 0x7e)
            copy[i] = '?';
    }
    session->user_agent = (struct ses_slice){ copy, len };
    return SES_OK;
}

static void tell_rejected(ses_session *session, enum ses_reason reason)
{
    const struct happening rejected = {
        .type = SES_EVENT_REJECTED,
        .reason = reason,
        .peer = session->origin.peer[0] != '\0' ? session->origin.peer : NULL,
    };
    events_tell(&session->manager->events, &rejected);
}

/* Of one request. */
struct tries {
    unsigned malformed;
    unsigned looked_up;
};

/* SES_ERR_NOT_FOUND: try the next candidate. */
static int try_candidate(ses_session *session, struct ses_slice value, struct tries *tries)
{
    struct id id;
    int r = id_parse(&session->manager->ids, value, &id);
    if (r == SES_ERR_NOT_FOUND && ++tries->malformed <= MALFORMED_TOLD)
        tell_rejected(session, SES_REASON_MALFORMED);
    if (r < 0)
        return r;
    if (++tries->looked_up > CANDIDATES_MAX)
        return SES_ERR_TOO_LARGE;

    enum ses_reason reason = SES_REASON_NONE;
    const char *peer = session->origin.peer[0] != '\0' ? session->origin.peer : NULL;
    r = session_lookup(session->manager, &id, peer, &session->snapshot, &reason);
    session->cut |= reason == SES_REASON_CUT;
    if (r < 0)
        return r;

    session->id = id;
    session->cookie_expires_ms = session->snapshot.expires_ms;
    session->fresh = session->cut = false;
    session->read_stored = true;
    return SES_OK;
}

static int try_cookies(ses_session *session, const struct ses_request *request)
{
    const struct ses_slice name = slice_of_text(session->face->name);
    struct cookie_scan scan = cookie_scan_of(request->cookies, request->cookie_count);
    struct ses_slice value;
    struct tries tries = { 0 };
    while (cookie_next(&scan, name, &value)) {
        int r = try_candidate(session, value, &tries);
        if (r != SES_ERR_NOT_FOUND)
            return r;
    }
    return SES_ERR_NOT_FOUND;
}

/* One request, one mechanism: an id in the header leaves the cookies unread (S-54). */
static int find_session(ses_session *session, const struct ses_request *request)
{
    const struct config *config = &session->manager->config;
    const char *id = config->header_transport && request->header
                         ? request->header(request->header_arg, config->header_name, 0)
                         : NULL;
    int r;
    if (id) {
        struct tries tries = { 0 };
        session->by_header = true;
        r = try_candidate(session, slice_of_text(id), &tries);
    } else {
        r = try_cookies(session, request);
    }
    if (r == SES_ERR_TOO_LARGE)
        tell_rejected(session, SES_REASON_TOO_MANY);
    return r == SES_ERR_NOT_FOUND || r == SES_ERR_TOO_LARGE ? SES_OK : r;
}

int ses_start(ses_manager *manager, const struct ses_request *request, ses_session **ret_session)
{
    struct ses_request copy;
    const size_t first_size = offsetof(struct ses_request, flags) + sizeof copy.flags;
    int r = abi_copy_in(&copy, sizeof copy, request, request->size, first_size);
    if (r < 0)
        return r;

    CLEANUP(ses_release) ses_session *session = session_new(manager);
    if (!session)
        return SES_ERR_NO_MEMORY;
    events_add(&manager->events, COUNT_STARTED, 1);
    session->origin = origin_of(manager->config.proxies, &copy);
    session->face = &manager->config.faces[session->origin.tls];
    session->background = (copy.flags & SES_REQUEST_BACKGROUND) != 0;
    r = find_session(session, &copy);
    if (r == SES_OK && session->fresh) /* only a new record will say who made it */
        r = take_user_agent(session, copy.user_agent);
    if (r < 0)
        return r;

    *ret_session = session;
    if (session->read_stored)
        session_tell(session, SES_EVENT_LOADED);
    session = NULL;
    return SES_OK;
}

/* ---- without HTTP ---- */

int ses_open(ses_manager *manager, const char *id_or_null, ses_session **ret_session)
{
    CLEANUP(ses_release) ses_session *session = session_new(manager);
    if (!session)
        return SES_ERR_NO_MEMORY;
    events_add(&manager->events, COUNT_STARTED, 1);
    if (id_or_null) {
        struct tries tries = { 0 };
        int r = try_candidate(session, slice_of_text(id_or_null), &tries);
        if (r < 0)
            return r;
        session_tell(session, SES_EVENT_LOADED);
    }
    *ret_session = steal(&session);
    return SES_OK;
}

int ses_exists(ses_manager *manager, const char *id)
{
    struct id parsed;
    int r = id_parse(&manager->ids, slice_of_text(id), &parsed);
    if (r < 0)
        return r;
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    enum ses_reason reason;
    return session_lookup(manager, &parsed, NULL, &snapshot, &reason);
}

int ses_destroy_id(ses_manager *manager, const char *id)
{
    ses_session *session;
    int r = ses_open(manager, id, &session);
    if (r < 0)
        return r;
    r = ses_destroy(session);
    ses_release(session);
    return r;
}

/* After a write of unknown outcome its changes may be stored already: on top of what is read now
 * they would be made twice, so they go. */
static int read_again(ses_session *session)
{
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    enum ses_reason reason;
    int r = session_prepare_adopt(session);
    if (r == SES_OK)
        r = session_lookup(session->manager, &session->id, NULL, &snapshot, &reason);
    if (r < 0)
        return r == SES_ERR_NOT_FOUND ? SES_ERR_GONE : r;
    if (session->failed < 0)
        overlay_reset(&session->overlay);
    session_adopt(session, &snapshot);
    return SES_OK;
}

int ses_reload(ses_session *session)
{
    if (session->state == SESSION_ENDED)
        return SES_ERR_GONE;
    int r = session->snapshot.blob ? read_again(session) : SES_OK;
    if (r < 0)
        return r;
    session->failed = SES_OK;
    /* A cookie that was not handed out yet, as after regenerate, is still due. */
    if (session->state == SESSION_COMMITTED)
        session->cookie = COOKIE_LEAVE;
    session->headers.size = 0; /* the next commit, or an end, makes its own */
    session->state = SESSION_OPEN;
    return SES_OK;
}

/* ---- about a session ---- */

const char *ses_session_id(ses_session *session)
{
    return session_need_id(session) == SES_OK ? session->id.text : NULL;
}

/* Out of memory is an error, not a text that is absent: NULL would say that nobody is logged in. */
static int info_text(ses_session *session, struct ses_slice text, const char **ret_text)
{
    *ret_text = text.len > 0 ? arena_text(&session->arena, text) : NULL;
    return text.len > 0 && !*ret_text ? SES_ERR_NO_MEMORY : SES_OK;
}

static int info_texts(ses_session *session, const struct record_header *header,
                      struct ses_info *info)
{
    int r = info_text(session, header->user, &info->user);
    if (r == SES_OK)
        r = info_text(session, header->peer, &info->peer);
    if (r == SES_OK)
        r = info_text(session, header->user_agent, &info->user_agent);
    return r;
}

static void write_hex(struct ses_slice bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes.data;
    for (size_t i = 0; i < bytes.len; i++) {
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    *out = '\0';
}

int ses_info(ses_session *session, struct ses_info *ret_info)
{
    const struct record_header *header = &session->snapshot.record.header;
    const int64_t now_ms = manager_now_ms(session->manager);
    struct ses_info info = { .is_new = session->fresh, .created_ms = now_ms };
    const struct record_header unsaved = { .absolute_base_ms = now_ms };
    info.expires_ms = session_next_expiry(session->manager, &unsaved, now_ms);
    if (session->snapshot.blob) {
        info.created_ms = header->created_ms;
        info.expires_ms = session->snapshot.expires_ms;
        info.level = (int)header->level;
        write_hex(header->handle, info.handle);
        int r = info_texts(session, header, &info);
        if (r < 0)
            return r;
    }
    const size_t first_size = sizeof info;
    return abi_copy_out(ret_info, ret_info->size, &info, sizeof info, first_size);
}
