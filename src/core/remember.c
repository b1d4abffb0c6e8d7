/* SPDX-License-Identifier: MIT */
#include "core/login.h"

#include "core/cookie.h"
#include "core/users.h"

#include "base/slice.h"

/*
 * A remembered log-in: a token in a cookie of its own, which outlives sessions. It is stored as a
 * session is, under a key that no session can have, without values, and it changes its id with each
 * use, as a session does by time: so a lost response is repeated, requests side by side all
 * succeed, and a token that comes back later is a theft (S-69: kept apart from sessions).
 */

/* Browsers of one user; the one that was remembered first is forgotten for another. */
enum { TOKENS_PER_USER = 32 };

/* Ids that repeat three times in a row come from a source that is broken (T-31). */
enum { CREATE_TRIES = 3 };

/* Cookies of the token's name that are tried in one request. */
enum { CANDIDATES_MAX = 4 };

/* ---- making one ---- */

static struct record_header first_header(const ses_session *session, const struct login *login)
{
    const int64_t now_ms = manager_now_ms(session->manager);
    return (struct record_header){
        .created_ms = now_ms,
        .absolute_base_ms = now_ms,
        .user = login->user,
        .level = SES_LEVEL_REMEMBERED,
        .auth_ms = login->auth_ms,
        .handle = login->handle,
        .peer = slice_of_text(session->origin.peer),
        .user_agent = session->user_agent,
        .absolute_s = session->manager->config.remember_s,
        .id_ms = now_ms,
    };
}

static int make_token(ses_manager *manager, const struct record_header *header,
                      struct ses_record *ret_record)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    record_write_header(&out, header);
    if (out.failed)
        return SES_ERR_NO_MEMORY;
    *ret_record = (struct ses_record){
        .data = record_assemble(buffer_slice(&out), 0, NULL, 0),
        .expires_ms = limits_absolute_end(manager, header),
        .kind = SES_KIND_TOKEN,
    };
    return ret_record->data ? tags_next(manager->tags, &ret_record->version) : SES_ERR_NO_MEMORY;
}

static int store_token(ses_manager *manager, const struct id *id, struct ses_slice user,
                       uint32_t limit, const struct ses_record *record)
{
    const struct ses_owner owner = { id_user_key(&manager->token_ids, user), limit };
    int r = store_create(manager->store, &id->key, manager_now_ms(manager), &owner, record);
    if (r != SES_ERR_DENIED)
        return r;
    r = users_make_room(manager, &manager->token_ids, user, (struct ses_slice){ 0 });
    return r < 0 ? r
                 : store_create(manager->store, &id->key, manager_now_ms(manager), &owner, record);
}

static int hand_out(ses_session *session, const struct id *id, int64_t expires_ms)
{
    struct remembered *remembered = arena_alloc(&session->arena, sizeof *remembered);
    if (!remembered)
        return SES_ERR_NO_MEMORY;
    *remembered = (struct remembered){ .id = *id, .expires_ms = expires_ms };
    session->remembered = remembered;
    session->remember_cookie = COOKIE_SET;
    return SES_OK;
}

/* Of what may be in the store without being handed out, nothing is left. */
static int try_issue(ses_session *session, struct ses_slice user, const struct ses_record *token)
{
    ses_manager *manager = session->manager;
    struct id id;
    int r = id_make(&manager->token_ids, &id);
    if (r < 0)
        return r;
    r = store_token(manager, &id, user, TOKENS_PER_USER, token);
    if (r == SES_OK)
        r = hand_out(session, &id, token->expires_ms);
    if (ses_is_failure(r))
        (void)store_destroy(manager->store, &id.key, manager_now_ms(manager));
    return r;
}

int remember_issue(ses_session *session, const struct login *login)
{
    const struct record_header header = first_header(session, login);
    CLEANUP(record_drop) struct ses_record token = { 0 };
    int r = make_token(session->manager, &header, &token);
    if (r < 0)
        return r;
    r = SES_ERR_EXISTS;
    for (int tries = 0; tries < CREATE_TRIES && r == SES_ERR_EXISTS; tries++)
        r = try_issue(session, login->user, &token);
    return r == SES_ERR_EXISTS ? SES_ERR_NO_RANDOMNESS : r;
}

/* ---- forgetting it ---- */

struct former remember_former(const ses_session *session)
{
    const struct record_header *header = session_header(session);
    return (struct former){
        .user = header->user,
        .handle = header->handle,
        .remembered = session->remembered,
        .cookie = session->remember_cookie,
    };
}

void remember_withdraw(ses_session *session, const struct former *former)
{
    ses_manager *manager = session->manager;
    const struct remembered *issued = session->remembered;
    if (issued && issued != former->remembered)
        (void)store_destroy(manager->store, &issued->id.key, manager_now_ms(manager));
    session->remembered = former->remembered;
    session->remember_cookie = former->cookie;
}

static int end_browser(ses_manager *manager, struct ses_slice user, struct ses_slice handle,
                       bool tokens_only)
{
    const struct whose whose = { .user = user, .handle = handle, .tokens_only = tokens_only };
    uint64_t ended;
    return manager->config.remember_s > 0 && user.len > 0 && handle.len > 0
               ? end_all(manager, &whose, SES_REASON_ENDED, &ended)
               : SES_OK;
}

static void drop_cookie(ses_session *session)
{
    if (session->manager->config.remember_s > 0)
        session->remember_cookie = COOKIE_REMOVE;
}

void remember_forget(ses_session *session, const struct former *former)
{
    if (session->remembered == former->remembered)
        drop_cookie(session);
    (void)end_browser(session->manager, former->user, former->handle, true);
}

/* Whoever is cut has logged in a moment ago, in another request: those cookies are not ours. */
int remember_end(ses_session *session)
{
    const struct record_header *header = &session->snapshot.record.header;
    if (session->state == SESSION_OPEN && !session->cut)
        drop_cookie(session);
    return end_browser(session->manager, header->user, header->handle, false);
}

/* ---- a new one for each use ---- */

/* The present token, and what came of changing it. */
struct token {
    struct id id;
    struct snapshot snapshot;
    bool moved;
};

static void token_drop(struct token *token)
{
    snapshot_drop(&token->snapshot);
}

DEFINE_CLEANUP_OF(struct token, token_drop)

static int leave_marker(ses_session *session, const struct token *token, const struct id *next)
{
    ses_manager *manager = session->manager;
    CLEANUP(record_drop) struct ses_record marker = { 0 };
    CLEANUP(record_drop) struct ses_record winner = { 0 };
    int r = marker_make_moved(&manager->token_ids, &token->id, next, token->snapshot.expires_ms,
                              &marker);
    if (r == SES_OK)
        r = tags_next(manager->tags, &marker.version);
    if (r < 0)
        return r;
    r = store_save(manager->store, &token->id.key, manager_now_ms(manager), token->snapshot.version,
                   &marker, &winner);
    if (r == SES_ERR_CONFLICT && winner.version == marker.version)
        return SES_OK; /* our own write, whose reply was lost underneath */
    return session_confirm(session, &token->id.key, marker.version, r);
}

/* SES_ERR_CONFLICT, SES_ERR_NOT_FOUND: another request was faster, or it was ended. */
static int rotate(ses_session *session, const struct token *token)
{
    ses_manager *manager = session->manager;
    struct record_header header = token->snapshot.record.header;
    CLEANUP(record_drop) struct ses_record next = { 0 };
    struct id id;
    header.previous = (struct ses_slice){ token->id.key.bytes, SES_KEY_BYTES };
    header.id_ms = manager_now_ms(manager);
    header.grace_ms = GRACE_UNTIL_USED;
    int r = id_make(&manager->token_ids, &id);
    if (r == SES_OK)
        r = make_token(manager, &header, &next);
    if (r == SES_OK)
        r = store_token(manager, &id, header.user, 0, &next);
    if (r < 0)
        return r;
    r = leave_marker(session, token, &id);
    if (r < 0 && r != SES_ERR_UNAVAILABLE) /* otherwise the former one may point at it by now */
        (void)store_destroy(manager->store, &id.key, manager_now_ms(manager));
    return r < 0 ? r : hand_out(session, &id, token->snapshot.expires_ms);
}

/* ---- using one ---- */

static int find_token(ses_session *session, struct ses_slice text, struct token *token)
{
    ses_manager *manager = session->manager;
    struct found found = { .id = &token->id, .snapshot = &token->snapshot };
    int r = id_parse(&manager->token_ids, text, &token->id);
    if (r == SES_OK)
        r = lookup(manager, &manager->token_ids, session_peer(session), &found);
    token->moved = found.moved;
    if (found.suspected_ms > 0)
        session->suspected_ms = found.suspected_ms;
    return r;
}

/* The setting may have been shortened since. */
static bool is_too_old(const ses_manager *manager, const struct token *token)
{
    const int64_t age_ms = manager_now_ms(manager) - token->snapshot.record.header.absolute_base_ms;
    return age_ms >= manager->config.remember_s * 1000;
}

static int log_in(ses_session *session, const struct token *token)
{
    const struct record_header *header = &token->snapshot.record.header;
    const struct login login = {
        .user = header->user,
        .level = SES_LEVEL_REMEMBERED,
        .auth_ms = header->auth_ms,
        .handle = header->handle,
    };
    return session_log_in(session, &login);
}

/* The token that a request side by side has made in the meantime, for this response too. */
static int repeat(ses_session *session, const struct token *used)
{
    struct token token = { .id = used->id };
    struct found found = { .id = &token.id, .snapshot = &token.snapshot };
    ses_manager *manager = session->manager;
    int r = lookup(manager, &manager->token_ids, session_peer(session), &found);
    if (r == SES_OK && token.snapshot.record.header.grace_ms == GRACE_UNTIL_USED)
        r = hand_out(session, &token.id, token.snapshot.expires_ms);
    token_drop(&token);
    return r;
}

/* The session stands before the token is asked again: whoever ends both, ends the token first. */
static int redeem(ses_session *session, const struct token *token)
{
    int r = log_in(session, token);
    if (r < 0)
        return r;
    const int64_t grace_ms = token->snapshot.record.header.grace_ms;
    const bool settled = !token->moved && (grace_ms == GRACE_UNTIL_USED ||
                                           manager_now_ms(session->manager) >= grace_ms);
    r = settled ? rotate(session, token) : SES_ERR_CONFLICT;
    if (r == SES_ERR_CONFLICT)
        r = repeat(session, token);
    if (r == SES_OK)
        return SES_OK;
    (void)end_key(session->manager, &session->id.key, SES_REASON_ENDED, NULL);
    (void)session_refuse(session, SES_REASON_ENDED);
    session->created = false; /* nobody is to hear of it */
    return r;
}

static int try_tokens(ses_session *session, const struct ses_request *request)
{
    const struct config *config = &session->manager->config;
    const struct ses_slice name = slice_of_text(config->remember_faces[session->origin.tls].name);
    struct cookie_scan scan = cookie_scan_of(request->cookies, request->cookie_count);
    struct ses_slice value;
    for (int tries = 0; tries < CANDIDATES_MAX && cookie_next(&scan, name, &value); tries++) {
        CLEANUP(token_drop) struct token token = { 0 };
        int r = find_token(session, value, &token);
        if (r == SES_ERR_NOT_FOUND || (r == SES_OK && is_too_old(session->manager, &token)))
            continue;
        return r < 0 ? r : redeem(session, &token);
    }
    return SES_ERR_NOT_FOUND;
}

int remember_redeem(ses_session *session, const struct ses_request *request)
{
    if (session->manager->config.remember_s == 0)
        return SES_OK;
    int r = try_tokens(session, request);
    if (r == SES_OK && session->snapshot.blob)
        session_tell(session, SES_EVENT_LOGIN);
    /* Whoever may not be logged in is a stranger; only a store that is down is no answer. */
    return ses_is_failure(r) ? r : SES_OK;
}
