/* SPDX-License-Identifier: MIT */
#ifndef SESAME_ADAPTERS_CIVETWEB_H
#define SESAME_ADAPTERS_CIVETWEB_H

/**
 * @file
 * Sessions for CivetWeb (1.15 or newer). Header-only: link sesame and civetweb.
 *
 * @code
 * static int answer(struct mg_connection *connection, void *manager)
 * {
 *     ses_session *session;
 *     int r = ses_civetweb_start((ses_manager *)manager, connection, &session);
 *     if (r < 0)
 *         return mg_send_http_error(connection, 503, "%s", ses_strerror(r)), 503;
 *     r = ses_increment(session, "visits", 1);
 *     if (r == SES_OK)
 *         r = ses_civetweb_send(session, connection, 200, "text/plain", "Hello.\n", 7);
 *     if (r < 0)
 *         mg_send_http_error(connection, 500, "%s", ses_strerror(r));
 *     ses_release(session);
 *     return r < 0 ? 500 : 200;
 * }
 * @endcode
 *
 * The trap: CivetWeb writes to the socket at once, so after the first mg_printf() or mg_write()
 * no cookie can be set any more. Answer with ses_civetweb_send(), or for a page in parts begin with
 * ses_civetweb_commit(): both commit before the first byte, and refuse when that has gone already.
 *
 * All functions are called from the handler, in its thread. examples/minimal_civetweb.c is a
 * complete program.
 */

#include <sesame/session.h>

#include <civetweb.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

SES_BEGIN_DECLS

/** A request as ses_start() takes it, and where its parts are kept. Points into itself and into
 *  the connection: neither copy it nor keep it beyond the handler. */
struct ses_civetweb_request {
    struct ses_request request;               /**< filled in, to be changed at will */
    struct ses_slice cookies[MG_MAX_HEADERS]; /**< what request.cookies points at */
};

/* ---- for this header only ---- */

/** Serves ses_request.header: the @p nth field from the last. CivetWeb keeps MG_MAX_HEADERS
 *  fields and drops the rest unseen. What a trusted proxy added comes last, so of a request
 *  that may have been cut nothing is told: a client could fake it by sending many fields. */
static inline const char *ses_civetweb_header(void *connection, const char *name, size_t nth)
{
    const struct mg_request_info *info =
        mg_get_request_info((const struct mg_connection *)connection);
    int i = info->num_headers;
    if (i >= MG_MAX_HEADERS)
        return NULL;
    while (i-- > 0) {
        if (mg_strcasecmp(info->http_headers[i].name, name) == 0 && nth-- == 0)
            return info->http_headers[i].value;
    }
    return NULL;
}

/* ---- for everybody ---- */

/**
 * Reads all that ses_start() wants to know of a request: every Cookie field apart, the peer's
 * address, TLS, User-Agent, and a way to the other headers.
 *
 * ses_civetweb_start() does this for you. Use it to change something first, such as the flag
 * #SES_REQUEST_BACKGROUND. Touches no store and cannot fail.
 */
static inline void ses_civetweb_read(struct mg_connection *connection,
                                     struct ses_civetweb_request *ret_request)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    struct ses_request *request = &ret_request->request;
    int i;
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
    request->cookies = ret_request->cookies;
    for (i = 0; i < info->num_headers; i++) {
        const struct mg_header *field = &info->http_headers[i];
        if (mg_strcasecmp(field->name, "Cookie") != 0)
            continue;
        struct ses_slice *cookie = &ret_request->cookies[request->cookie_count++];
        cookie->data = field->value;
        cookie->len = strlen(field->value);
    }
    request->header = ses_civetweb_header;
    request->header_arg = connection;
    request->tls = info->is_ssl != 0;
    request->peer = info->remote_addr;
    request->user_agent = mg_get_header(connection, "User-Agent");
}

/**
 * Finds the session of a connection's request, or makes a new, empty, unsaved one.
 *
 * @param ret_session  yours until ses_release()
 * @return as ses_start(): #SES_OK, #SES_ERR_UNAVAILABLE (answer 503), #SES_ERR_NO_MEMORY.
 */
static inline SES_MUST_USE int ses_civetweb_start(ses_manager *manager,
                                                  struct mg_connection *connection,
                                                  ses_session **ret_session)
{
    struct ses_civetweb_request request;
    ses_civetweb_read(connection, &request);
    return ses_start(manager, &request.request, ret_session);
}

/**
 * Commits, and begins the response: its status and the session's headers.
 *
 * Then add your own headers with mg_response_header_add(), end them with
 * mg_response_header_send(), and write the body with mg_write() or mg_send_chunk().
 *
 * @return as ses_commit(); when the commit fails nothing is begun, so that you can answer an
 *   error page instead. #SES_ERR_INVALID: the response had begun already; #SES_ERR_NO_MEMORY:
 *   it takes no more headers. With these two the changes may be stored, and no cookie is sent.
 */
static inline SES_MUST_USE int ses_civetweb_commit(ses_session *session,
                                                   struct mg_connection *connection, int status)
{
    const struct ses_headers *headers;
    const int r = ses_commit(session, &headers);
    size_t i;
    if (r < 0)
        return r;
    if (mg_response_header_start(connection, status) != 0)
        return SES_ERR_INVALID;
    for (i = 0; i < headers->count; i++) {
        if (mg_response_header_add(connection, headers->fields[i].name, headers->fields[i].value,
                                   -1) != 0)
            return SES_ERR_NO_MEMORY;
    }
    return SES_OK;
}

/**
 * Commits, and sends a complete response: status, the session's headers, and a body.
 *
 * HEAD gets the headers without the body; so do 1xx, 204 and 304, which have none. The
 * session may be released at once. That the client has gone meanwhile is no error.
 *
 * @param content_type  "text/html; charset=utf-8"; NULL: no such header
 * @param body          may be NULL when @p len is 0
 * @return as ses_civetweb_commit(); #SES_ERR_TOO_LARGE: more than INT_MAX bytes, nothing done.
 */
static inline SES_MUST_USE int ses_civetweb_send(ses_session *session,
                                                 struct mg_connection *connection, int status,
                                                 const char *content_type, const void *body,
                                                 size_t len)
{
    const bool bodyless = status < 200 || status == 204 || status == 304;
    char length[24];
    int r;
    if (len > INT_MAX)
        return SES_ERR_TOO_LARGE;
    (void)snprintf(length, sizeof length, "%lu", (unsigned long)len);

    r = ses_civetweb_commit(session, connection, status);
    if (r < 0)
        return r;
    if ((!bodyless && mg_response_header_add(connection, "Content-Length", length, -1) != 0) ||
        (content_type && mg_response_header_add(connection, "Content-Type", content_type, -1) != 0))
        return SES_ERR_NO_MEMORY;
    (void)mg_response_header_send(connection);
    if (!bodyless && len > 0 &&
        strcmp(mg_get_request_info(connection)->request_method, "HEAD") != 0)
        (void)mg_write(connection, body, len);
    return SES_OK;
}

SES_END_DECLS

#endif
