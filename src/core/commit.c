/* SPDX-License-Identifier: MIT */
#include "core/carrier.h"

#include "base/random.h"
#include "base/slice.h"

/* Ids of 256 random bits do not repeat; if they do three times, the source is broken (T-31). */
enum { CREATE_TRIES = 3 };

enum { CLOCK_SKEW_MS = 60 * 1000 };

/* ---- a session that is not stored yet ---- */

int session_first_header(const ses_session *session, struct header_secrets *secrets,
                         struct record_header *ret_header)
{
    const int64_t now_ms = manager_now_ms(session->manager);
    struct record_header header = {
        .created_ms = now_ms,
        .absolute_base_ms = now_ms,
        .id_ms = now_ms,
        .handle = { secrets->handle, HANDLE_BYTES },
        .peer = slice_of_text(session->origin.peer),
        .user_agent = session->user_agent,
    };
    patch_apply(&session->patch, &header);
    if (header.csrf.len == 0)
        header.csrf = (struct ses_slice){ secrets->csrf, CSRF_BYTES };
    *ret_header = header;
    return random_bytes(secrets, sizeof *secrets);
}

static int make_first(ses_session *session, struct snapshot *ret_snapshot)
{
    static const struct record nothing = { 0 };
    struct header_secrets secrets;
    struct record_header header;
    ses_blob *blob;
    int r = session_first_header(session, &secrets, &header);
    if (r == SES_OK)
        r = session_replay(&session->overlay, &nothing, &header, &blob);
    return r == SES_OK ? session_dress(session, blob, ret_snapshot) : r;
}

int session_insert(ses_session *session, const struct id *id, const struct snapshot *snapshot,
                   uint32_t limit)
{
    ses_manager *manager = session->manager;
    const struct ses_slice user = snapshot->record.header.user;
    struct ses_owner owner = { .limit = limit };
    if (user.len > 0)
        owner.user = id_user_key(&manager->ids, user);
    int r = carrier_create(session, id, user.len > 0 ? &owner : NULL, snapshot);
    return session_confirm(session, &id->key, snapshot->version, r);
}

static int create(ses_session *session)
{
    CLEANUP(snapshot_drop) struct snapshot first = { 0 };
    int r = make_first(session, &first);
    if (r != SES_OK)
        return r;
    for (int tries = 0; tries < CREATE_TRIES; tries++) {
        r = session_need_id(session);
        if (r == SES_OK)
            r = session_insert(session, &session->id, &first, 0);
        if (r != SES_ERR_EXISTS)
            break;
        session->id.text[0] = '\0';
    }
    if (r < 0)
        return r == SES_ERR_EXISTS ? SES_ERR_NO_RANDOMNESS : r;

    session_reset_changes(session);
    session_adopt(session, &first);
    session->cookie = COOKIE_SET;
    session->created = true;
    return SES_OK;
}

static int note_pair(void *arg, const struct pair *pair)
{
    (void)pair;
    *(bool *)arg = true;
    return 1;
}

/* Lazily: a visitor about whom nothing is to be remembered costs no record and no cookie (T-28). */
static int commit_fresh(ses_session *session)
{
    static const struct record nothing = { 0 };
    bool any = false;
    (void)overlay_each(&session->overlay, &nothing, note_pair, &any);
    if (session->cut) /* whoever holds the new id is not to lose it to this late request */
        return any ? SES_ERR_GONE : SES_OK;
    return any || session->patch.csrf || session->manager->config.eager ? create(session) : SES_OK;
}

/* ---- a stored session ---- */

/* Only when enough of the idle time has passed: so reads stay reads. Whether the session was saved
 * by another meanwhile, or ended, this response does not depend on it any more; nor does it on a
 * store that is full. */
static int touch(ses_session *session, int64_t now_ms)
{
    ses_manager *manager = session->manager;
    struct snapshot *now = &session->snapshot;
    const int64_t due = limits_next_expiry(manager, &now->record.header, now_ms);
    if (session->background || session->transaction ||
        due - now->expires_ms < manager->config.touch_s * 1000 || due == now->expires_ms)
        return SES_OK;

    int r = carrier_touch(session, now_ms, due);
    if (r < 0)
        return r == SES_ERR_NOT_FOUND || r == SES_ERR_CONFLICT || r == SES_ERR_FULL ? SES_OK : r;
    now->expires_ms = due;
    events_add(&manager->events, COUNT_TOUCHED, 1);
    return SES_OK;
}

/* The changes are done with before the new snapshot is shown: they are not run on it again. */
static int save_changes(ses_session *session)
{
    CLEANUP(snapshot_drop) struct snapshot next = { 0 };
    const struct swap swap = { .overlay = &session->overlay, .patch = &session->patch };
    int r = session_swap(session, &swap, &next);
    if (r != SES_OK)
        return r;
    session_reset_changes(session);
    session_adopt(session, &next);
    return SES_OK;
}

/* A cookie with an age of its own slides with the session. */
static void slide_cookie(ses_session *session)
{
    const int64_t expires_ms = session->snapshot.expires_ms;
    if (session->manager->config.cookie_lifetime_s > 0 && expires_ms > session->cookie_expires_ms)
        session->cookie = COOKIE_SET;
    session->cookie_expires_ms = expires_ms;
}

/* The policy was made stricter since the expiry was stored, which a touch cannot move back. More
 * than the clocks of two machines may differ by, or each use would be a write. */
static bool outlives_policy(const ses_session *session, int64_t now_ms)
{
    const int64_t due =
        limits_next_expiry(session->manager, &session->snapshot.record.header, now_ms);
    return session->snapshot.expires_ms - due > CLOCK_SKEW_MS;
}

/* A store that takes no further record, or no longer one, keeps the session under its id. */
static bool stays_as_it_is(int code)
{
    return code == SES_ERR_FULL || code == SES_ERR_TOO_LARGE || code == SES_ERR_EXISTS;
}

static int save(ses_session *session, int64_t now_ms)
{
    const bool due = session_is_due(session, now_ms);
    int r = due ? session_move(session) : SES_ERR_EXISTS;
    session->renewed = r == SES_OK;
    if (!stays_as_it_is(r))
        return r;
    return session_has_changes(session) || outlives_policy(session, now_ms) ? save_changes(session)
                                                                            : SES_OK;
}

/* The time is asked once: each time costs as much as a lookup's hash bucket. */
static int commit_stored(ses_session *session, int64_t now_ms)
{
    const uint64_t before = session->snapshot.version;
    int r = save(session, now_ms);
    if (r == SES_OK && session->snapshot.version == before)
        r = touch(session, now_ms);
    if (r == SES_OK)
        slide_cookie(session);
    return r;
}

/* ---- the call ---- */

static int commit_open(ses_session *session, int64_t now_ms)
{
    int r = session->snapshot.blob ? commit_stored(session, now_ms) : commit_fresh(session);
    if (r != SES_OK)
        return r;
    session_reset_changes(session);
    session->state = SESSION_COMMITTED;
    return SES_OK;
}

int session_commit(ses_session *session, const struct ses_headers **ret_headers)
{
    const int64_t now_ms = manager_now_ms(session->manager);
    int r = session->failed;
    if (r == SES_OK && session->state == SESSION_OPEN)
        r = commit_open(session, now_ms);
    if (r == SES_OK && session->headers.size == 0)
        r = session_build_headers(session, now_ms);
    if (r == SES_OK && ret_headers)
        *ret_headers = &session->headers;
    return r;
}

int ses_commit(ses_session *session, const struct ses_headers **ret_headers)
{
    int r = session_commit(session, ret_headers);
    session_tell_outcome(session);
    return r;
}
