/* SPDX-License-Identifier: MIT */
#include "core/session.h"

#include "core/binding.h"
#include "core/carrier.h"
#include "core/cookie.h"
#include "core/scan.h"

#include "base/abi.h"
#include "base/slice.h"

/* Of well-formed candidates in one request; each costs a store call. */
enum { CANDIDATES_MAX = 8 };

/* Of malformed ones only the first are told, or one request could set off thousands of events. */
enum { MALFORMED_TOLD = 8 };

/* Of one request. */
struct tries {
    unsigned malformed;
    unsigned looked_up;
};

/* ---- from where it comes ---- */

/* Bytes that are not printable ASCII would not be text in the record; an over-long field is cut. */
static int copy_user_agent(ses_session *session, struct ses_slice user_agent)
{
    char *copy = arena_text(&session->arena, user_agent);
    if (!copy)
        return SES_ERR_NO_MEMORY;
    for (size_t i = 0; i < user_agent.len; i++)
        copy[i] = agent_byte(copy[i]);
    session->user_agent = (struct ses_slice){ copy, user_agent.len };
    return SES_OK;
}

/* Kept for the record that a log-in makes. Usually it is what the present one has already. */
static int take_user_agent(ses_session *session, const char *user_agent)
{
    const struct ses_slice stored = session_header(session)->user_agent;
    if (!user_agent)
        return SES_OK;
    const struct ses_slice given = { user_agent, strnlen(user_agent, USER_AGENT_MAX) };
    if (!slice_equal(given, stored))
        return copy_user_agent(session, given);
    session->user_agent = stored;
    return SES_OK;
}

static void tell_binding(ses_session *session, enum ses_reason reason)
{
    const struct happening elsewhere = {
        .type = SES_EVENT_BINDING,
        .reason = reason,
        .key = &session->id.key,
        .peer = session_peer(session),
        .user = session_header(session)->user,
    };
    events_tell(&session->manager->events, &elsewhere);
}

/* A session that is used from elsewhere: a signal, or as good as none (S-63). */
static int check_binding(ses_session *session, const struct ses_request *request)
{
    const struct config *config = &session->manager->config;
    const char *agent = request->user_agent ? request->user_agent : "";
    const enum ses_reason reason =
        binding_fault(config, session_header(session), &session->origin, slice_of_text(agent));
    if (reason == SES_REASON_NONE)
        return SES_OK;
    tell_binding(session, reason);
    return binding_demanded(config, reason) ? session_refuse(session, reason) : SES_OK;
}

/* ---- finding the session of a request ---- */

/* Whoever tries too many ids does not reach the store with one more; unless it is vouched for. */
static bool is_shut_out(const ses_session *session)
{
    const ses_manager *manager = session->manager;
    return manager->config.scan_action == SCAN_REFUSE && !id_vouched(&manager->ids) &&
           scans_over(manager->scans, session_peer(session), (uint32_t)manager->config.scan_limit,
                      manager_now_ms(manager));
}

static int reject_malformed(ses_session *session, struct tries *tries)
{
    if (++tries->malformed <= MALFORMED_TOLD)
        (void)lookup_reject(session->manager, NULL, session_peer(session), SES_REASON_MALFORMED);
    return SES_ERR_NOT_FOUND;
}

static int find_by_id(ses_session *session, struct ses_slice value, struct tries *tries)
{
    int r = id_parse(&session->manager->ids, value, &session->id);
    if (r == SES_ERR_NOT_FOUND)
        return reject_malformed(session, tries);
    if (r < 0)
        return r;
    if (++tries->looked_up > CANDIDATES_MAX)
        return SES_ERR_TOO_LARGE;
    if (is_shut_out(session))
        return session_refuse(session, SES_REASON_SCANNING);
    return session_find(session);
}

/* A part of a token that did not come is as bad as all of it: no session, and no error. */
static int find_by_token(ses_session *session, const struct ses_request *request,
                         struct ses_slice value, struct tries *tries)
{
    struct ses_slice token = value;
    if (++tries->looked_up > CANDIDATES_MAX)
        return SES_ERR_TOO_LARGE;
    int r = session->by_header ? SES_OK : carrier_join(session, request, value, &token);
    if (r == SES_OK)
        r = carrier_read(session, token);
    if (r == SES_ERR_NOT_FOUND)
        return reject_malformed(session, tries);
    return r == SES_OK ? carrier_find(session) : r;
}

/* SES_ERR_NOT_FOUND: try the next candidate. */
static int try_candidate(ses_session *session, const struct ses_request *request,
                         struct ses_slice value, struct tries *tries)
{
    int r = is_sealed(session) ? find_by_token(session, request, value, tries)
                               : find_by_id(session, value, tries);
    return r == SES_OK ? check_binding(session, request) : r;
}

static int try_cookies(ses_session *session, const struct ses_request *request)
{
    const struct ses_slice name = slice_of_text(session->face->name);
    struct cookie_scan scan = cookie_scan_of(request->cookies, request->cookie_count);
    struct ses_slice value;
    struct tries tries = { 0 };
    while (cookie_next(&scan, name, &value)) {
        int r = try_candidate(session, request, value, &tries);
        if (r != SES_ERR_NOT_FOUND)
            return r;
        session->shadows = SHADOWS_SOME;
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
    struct tries tries = { 0 };
    if (id)
        session->by_header = true;
    int r = id ? try_candidate(session, request, slice_of_text(id), &tries)
               : try_cookies(session, request);
    if (r != SES_ERR_TOO_LARGE)
        return r;
    session->id.text[0] = '\0';
    session->shadows = SHADOWS_TOO_MANY;
    return lookup_reject(session->manager, NULL, session_peer(session), SES_REASON_TOO_MANY);
}

static bool is_background(const struct config *config, const struct ses_request *request)
{
    return (request->flags & SES_REQUEST_BACKGROUND) ||
           (config->background_header && request->header &&
            request->header(request->header_arg, config->background_header, 0));
}

/* Who wants to leave does not have to wait for the store. The first id is ended, should the store
 * be there again by then. */
static int leave_unread(ses_session *session, const struct ses_request *request)
{
    const struct ses_slice name = slice_of_text(session->face->name);
    struct cookie_scan scan = cookie_scan_of(request->cookies, request->cookie_count);
    struct ses_slice value;
    while (!is_sealed(session) && cookie_next(&scan, name, &value)) {
        if (id_parse(&session->manager->ids, value, &session->id) == SES_OK)
            break;
    }
    session->unread = true;
    session->failed = SES_ERR_UNAVAILABLE;
    return SES_OK;
}

/* Whoever is cut has logged in a moment ago, in another request. */
static int find_or_redeem(ses_session *session, const struct ses_request *request)
{
    int r = find_session(session, request);
    if (r < 0 && r != SES_ERR_NOT_FOUND)
        return r;
    int agent = take_user_agent(session, request->user_agent);
    if (agent < 0 || r == SES_OK || session->cut || session->by_header)
        return agent;
    return remember_redeem(session, request);
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
    session->background = is_background(&manager->config, &copy);
    r = find_or_redeem(session, &copy);
    if (r == SES_ERR_UNAVAILABLE && (copy.flags & SES_REQUEST_LOGOUT) && !session->by_header)
        r = leave_unread(session, &copy);
    if (r < 0)
        return r;

    *ret_session = session;
    if (session->read_stored)
        session_tell(session, SES_EVENT_LOADED);
    session = NULL;
    return SES_OK;
}
