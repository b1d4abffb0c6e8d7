/* SPDX-License-Identifier: MIT */
#ifndef SESAME_ADAPTERS_MICROHTTPD_H
#define SESAME_ADAPTERS_MICROHTTPD_H

/**
 * @file
 * Sessions for GNU libmicrohttpd (0.9.71 or newer). Header-only: link sesame and microhttpd.
 *
 * @code
 * static enum MHD_Result answer(void *manager, struct MHD_Connection *connection, ...,
 *                               size_t *body_bytes, void **state)
 * {
 *     if (!*state || *body_bytes > 0) {                   // the trap: see below
 *         *state = manager;
 *         *body_bytes = 0;
 *         return MHD_YES;
 *     }
 *     ses_session *session;
 *     int r = ses_mhd_start(manager, connection, &session);
 *     if (r < 0)
 *         return answer_error(connection, 503);
 *     r = ses_increment(session, "visits", 1);
 *     struct MHD_Response *response = ...;
 *     if (r == SES_OK)
 *         r = ses_mhd_queue(session, connection, MHD_HTTP_OK, response);
 *     MHD_destroy_response(response);
 *     ses_release(session);
 *     return r == SES_OK ? MHD_YES : answer_error(connection, 500);
 * }
 * @endcode
 *
 * The trap: libmicrohttpd calls the handler several times for one request, first when the headers
 * are there, then for each part of the body, then once more at its end. A handler that answers in
 * the first call works, but costs the connection: it is closed, and every request opens a new one.
 * So answer in the last call, and start the session there, too: it is then as new as it can be.
 *
 * Cookies are read from the fields as they came, so odd ones of others hide none of ours; but
 * libmicrohttpd 0.9.75 answers 431 by itself, before any handler, to a field whose last value is a
 * single quotation mark (`x="`).
 *
 * All functions are called from the handler, in its thread. examples/minimal_microhttpd.c is a
 * complete program.
 */

#include <sesame/session.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#if MHD_VERSION < 0x00097002
# error "sesame/adapters/microhttpd.h needs libmicrohttpd 0.9.71 or newer"
#endif

SES_BEGIN_DECLS

/** So many Cookie fields of a request are read, the first ones; clients send one, HTTP/2
 *  gateways a few. */
#define SES_MHD_COOKIE_FIELDS 32

/** A request as ses_start() takes it, and where its parts are kept. Points into itself and into
 *  the connection: neither copy it nor keep it beyond the handler. */
struct ses_mhd_request {
    struct ses_request request;                      /**< filled in, to be changed at will */
    struct ses_slice cookies[SES_MHD_COOKIE_FIELDS]; /**< what request.cookies points at */
    char peer[INET6_ADDRSTRLEN];                     /**< what request.peer points at */
};

/* ---- for this header only ---- */

/** What a walk over the header fields looks for. */
struct ses_mhd_search {
    const char *name;  /**< without regard to case */
    size_t skip;       /**< so many fields of that name come before the one that is wanted */
    size_t seen;       /**< fields of that name, so far */
    const char *value; /**< of the one that is wanted */
};

/** Compares names of fields: ASCII, whatever language the process speaks. */
static inline bool ses_mhd_same_name(const char *name, size_t len, const char *wanted)
{
    size_t i;
    for (i = 0; i < len; i++) {
        const bool upper = name[i] >= 'A' && name[i] <= 'Z';
        const bool wanted_upper = wanted[i] >= 'A' && wanted[i] <= 'Z';
        if (wanted[i] == '\0' ||
            (name[i] | (upper ? 0x20 : 0)) != (wanted[i] | (wanted_upper ? 0x20 : 0)))
            return false;
    }
    return wanted[len] == '\0';
}

/** Gathers the Cookie fields; the size comes along, so no byte in a value cuts it short. */
static inline enum MHD_Result ses_mhd_on_cookie(void *arg, enum MHD_ValueKind kind,
                                                const char *name, size_t name_len,
                                                const char *value, size_t value_len)
{
    struct ses_mhd_request *to = (struct ses_mhd_request *)arg;
    (void)kind;
    if (to->request.cookie_count == SES_MHD_COOKIE_FIELDS)
        return MHD_NO;
    if (ses_mhd_same_name(name, name_len, "cookie")) {
        struct ses_slice *cookie = &to->cookies[to->request.cookie_count++];
        cookie->data = value;
        cookie->len = value ? value_len : 0;
    }
    return MHD_YES;
}

/** Counts the fields of a name, and remembers one of them. */
static inline enum MHD_Result ses_mhd_on_field(void *arg, enum MHD_ValueKind kind, const char *name,
                                               size_t name_len, const char *value, size_t value_len)
{
    struct ses_mhd_search *search = (struct ses_mhd_search *)arg;
    (void)kind;
    (void)value_len;
    if (ses_mhd_same_name(name, name_len, search->name) && search->seen++ == search->skip)
        search->value = value;
    return MHD_YES;
}

/** Serves ses_request.header: the @p nth field from the last. */
static inline const char *ses_mhd_header(void *connection, const char *name, size_t nth)
{
    struct MHD_Connection *from = (struct MHD_Connection *)connection;
    struct ses_mhd_search search = { name, SIZE_MAX, 0, NULL };
    (void)MHD_get_connection_values_n(from, MHD_HEADER_KIND, ses_mhd_on_field, &search);
    if (nth >= search.seen)
        return NULL;
    search.skip = search.seen - 1 - nth;
    search.seen = 0;
    (void)MHD_get_connection_values_n(from, MHD_HEADER_KIND, ses_mhd_on_field, &search);
    return search.value;
}

/** Writes the peer's address without port; false when it has none, as on a local socket. */
static inline bool ses_mhd_peer(struct MHD_Connection *connection, char out[INET6_ADDRSTRLEN])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr)
        return false;

    const void *address = info->client_addr;
    if (info->client_addr->sa_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out,
                         INET6_ADDRSTRLEN) != NULL;
    if (info->client_addr->sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    /* A socket that serves both shows an IPv4 client as ::ffff:192.0.2.7. */
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return inet_ntop(AF_INET, v6->s6_addr + 12, out, INET6_ADDRSTRLEN) != NULL;
    return inet_ntop(AF_INET6, v6, out, INET6_ADDRSTRLEN) != NULL;
}

/** A field of a response: is it there already? */
struct ses_mhd_match {
    const struct ses_header *field; /**< the one to look for */
    bool found;                     /**< it is there, with that very value */
};

/** Compares one field of a response. */
static inline enum MHD_Result ses_mhd_on_response_field(void *arg, enum MHD_ValueKind kind,
                                                        const char *name, const char *value)
{
    struct ses_mhd_match *match = (struct ses_mhd_match *)arg;
    (void)kind;
    match->found = ses_mhd_same_name(name, strlen(name), match->field->name) &&
                   strcmp(value, match->field->value) == 0;
    return match->found ? MHD_NO : MHD_YES;
}

/* ---- for everybody ---- */

/**
 * Reads all that ses_start() wants to know of a request: every Cookie field apart, the peer's
 * address (an IPv4-mapped one as IPv4), TLS, User-Agent, and a way to the other headers.
 *
 * ses_mhd_start() does this for you. Use it to change something first, such as the flag
 * #SES_REQUEST_BACKGROUND. Touches no store and cannot fail.
 */
static inline void ses_mhd_read(struct MHD_Connection *connection,
                                struct ses_mhd_request *ret_request)
{
    struct ses_request *request = &ret_request->request;
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
    request->cookies = ret_request->cookies;
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, ses_mhd_on_cookie, ret_request);
    request->header = ses_mhd_header;
    request->header_arg = connection;
    request->tls = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION) != NULL;
    request->peer = ses_mhd_peer(connection, ret_request->peer) ? ret_request->peer : NULL;
    request->user_agent =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_USER_AGENT);
}

/**
 * Finds the session of a connection's request, or makes a new, empty, unsaved one.
 *
 * @param ret_session  yours until ses_release()
 * @return as ses_start(): #SES_OK, #SES_ERR_UNAVAILABLE (answer 503), #SES_ERR_NO_MEMORY.
 */
static inline SES_MUST_USE int ses_mhd_start(ses_manager *manager,
                                             struct MHD_Connection *connection,
                                             ses_session **ret_session)
{
    struct ses_mhd_request request;
    ses_mhd_read(connection, &request);
    return ses_start(manager, &request.request, ret_session);
}

/**
 * Commits, and adds the session's headers to a response. Once is enough; again does no harm.
 *
 * @p response is made for this request alone: a response that is shared by many, as
 * libmicrohttpd allows, would give one visitor's cookie to all.
 *
 * @return as ses_commit(); #SES_ERR_NO_MEMORY also when the response takes no more headers: the
 *   changes may be stored then, the response must not be sent.
 */
static inline SES_MUST_USE int ses_mhd_commit(ses_session *session, struct MHD_Response *response)
{
    const struct ses_headers *headers;
    const int r = ses_commit(session, &headers);
    size_t i;
    if (r < 0)
        return r;
    for (i = 0; i < headers->count; i++) {
        struct ses_mhd_match match = { &headers->fields[i], false };
        (void)MHD_get_response_headers(response, ses_mhd_on_response_field, &match);
        if (!match.found && MHD_add_response_header(response, headers->fields[i].name,
                                                    headers->fields[i].value) != MHD_YES)
            return SES_ERR_NO_MEMORY;
    }
    return SES_OK;
}

/**
 * Commits, adds the session's headers to @p response, and queues it.
 *
 * @p response stays yours: MHD_destroy_response() as ever. The session may be released at once.
 *
 * @return as ses_mhd_commit(); when the commit fails nothing is queued, so that you can answer an
 *   error page instead. #SES_ERR_INVALID: libmicrohttpd took no response in this call of the
 *   handler (one is queued already, or the body is still coming); return MHD_NO.
 */
static inline SES_MUST_USE int ses_mhd_queue(ses_session *session,
                                             struct MHD_Connection *connection, unsigned status,
                                             struct MHD_Response *response)
{
    const int r = ses_mhd_commit(session, response);
    if (r < 0)
        return r;
    return MHD_queue_response(connection, status, response) == MHD_YES ? SES_OK : SES_ERR_INVALID;
}

SES_END_DECLS

#endif
