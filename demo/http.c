/* SPDX-License-Identifier: MIT */
#include "http.h"

#include "answers.h"
#include "form.h"
#include "origin.h"
#include "visitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A body over the limit whose length was not told is read to its end, so that the answer arrives,
 * but not for ever. */
enum { SWALLOW_MAX = 16 * BODY_MAX };

/* ---- errors ---- */

static const struct failure failures[] = {
    { SES_ERR_NOT_FOUND, 404, "There is no such value." },
    { SES_ERR_EXISTS, 409, "That exists already." },
    { SES_ERR_CONFLICT, 409, "Too many others changed this session at the same time; try again." },
    { SES_ERR_GONE, 409, "This session ended or changed its id meanwhile." },
    { SES_ERR_TOO_LARGE, 413, "That is more than a session may hold." },
    { SES_ERR_WRONG_TYPE, 409, "The value is there, but of another type." },
    { SES_ERR_DENIED, 403, "A policy forbids that." },
    { SES_ERR_FULL, 503, "The session store is full; try again later." },
    { SES_ERR_INVALID, 400,
      "The key or the value is not right: both are UTF-8, and the key is neither empty nor too "
      "long." },
    { SES_ERR_UNAVAILABLE, 503, "The session store cannot be reached; try again later." },
    { SES_ERR_UNSUPPORTED, 501, "This session store cannot do that." },
};

static struct failure failure_of(int code)
{
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (failures[i].code == code)
            return failures[i];
    }
    return (struct failure){ code, 500, "Something is broken here; the log says what." };
}

int exchange_fail(struct exchange *x, unsigned status, const char *sentence)
{
    const struct failure failure = { SES_OK, status, sentence };
    return x->face->fail(x, &failure);
}

/* ---- routes ---- */

static bool path_fits(const struct route *route, const char *path)
{
    return (route->traits & ROUTE_KEY) ? strncmp(path, route->path, strlen(route->path)) == 0
                                       : strcmp(path, route->path) == 0;
}

static bool method_fits(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(route->method, MHD_HTTP_METHOD_GET) == 0 &&
                                                  strcmp(method, MHD_HTTP_METHOD_HEAD) == 0);
}

static const struct route *find_route(const struct exchange *x)
{
    for (size_t i = 0; i < x->face->count; i++) {
        const struct route *route = &x->face->routes[i];
        if (path_fits(route, x->path) && method_fits(route, x->method))
            return route;
    }
    return NULL;
}

/* RFC 9110 15.5.6: a 405 names the methods that would do. */
static int answer_no_route(struct exchange *x)
{
    char allow[64] = "";
    for (size_t i = 0; i < x->face->count; i++) {
        const struct route *route = &x->face->routes[i];
        const size_t len = strlen(allow);
        if (path_fits(route, x->path))
            (void)snprintf(allow + len, sizeof allow - len, "%s%s%s", len > 0 ? ", " : "",
                           route->method, method_fits(route, "HEAD") ? ", HEAD" : "");
    }
    if (*allow == '\0')
        return exchange_fail(x, MHD_HTTP_NOT_FOUND, "There is nothing at this address.");
    int r =
        exchange_fail(x, MHD_HTTP_METHOD_NOT_ALLOWED, "This address does not take that method.");
    return r == SES_OK ? answer_header(x, MHD_HTTP_HEADER_ALLOW, allow) : r;
}

static bool take_key(struct exchange *x, const struct route *route)
{
    x->key = strdup(x->path + strlen(route->path));
    return x->key && url_decode(x->key);
}

static bool only_reads(const struct route *route)
{
    return strcmp(route->method, MHD_HTTP_METHOD_GET) == 0;
}

static int start(struct exchange *x, const struct route *route)
{
    struct ses_mhd_request request;
    ses_mhd_read(x->connection, &request);
    if (route->traits & ROUTE_LOGOUT)
        request.request.flags |= SES_REQUEST_LOGOUT;
    return ses_start(x->site->manager, &request.request, &x->session);
}

/* Without a session there is nothing that a forged request could be done with: where it comes from
 * is then all that is asked. */
static int handle(struct exchange *x, const struct route *route)
{
    int r = start(x, route);
    if (r == SES_OK && !only_reads(route) && visitor_has_session(x->session))
        r = x->face->check_token(x);
    if (r == SES_ERR_DENIED)
        return exchange_fail(x, MHD_HTTP_FORBIDDEN, x->face->bad_token);
    return r == SES_OK ? route->handle(x) : r;
}

static int dispatch(struct exchange *x)
{
    const struct route *route = find_route(x);
    if (!route)
        return answer_no_route(x);
    if (!only_reads(route) && !origin_is_ours(x->connection))
        return exchange_fail(x, MHD_HTTP_FORBIDDEN, "This request comes from another site.");
    if ((route->traits & ROUTE_KEY) && !take_key(x, route))
        return exchange_fail(x, MHD_HTTP_BAD_REQUEST,
                             "The key in the address is not percent-encoded text.");
    return (route->traits & ROUTE_SESSIONLESS) ? route->handle(x) : handle(x, route);
}

/* ---- answering ---- */

static int queue(struct exchange *x)
{
    return MHD_queue_response(x->connection, x->status, x->response) == MHD_YES ? SES_OK
                                                                                : SES_ERR_INVALID;
}

static int add_if_missing(struct exchange *x, const char *name, const char *value)
{
    return MHD_get_response_header(x->response, name) ? SES_OK : answer_header(x, name, value);
}

/* The library speaks of answers that a stored session went into. One that says "nobody is logged
 * in" depends on the cookie as well. */
static int forbid_caching(struct exchange *x)
{
    int r = add_if_missing(x, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return r == SES_OK ? add_if_missing(x, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_COOKIE) : r;
}

static int queue_answer(struct exchange *x)
{
    int r = x->session ? ses_mhd_commit(x->session, x->response) : SES_OK;
    if (r == SES_OK && x->session)
        r = forbid_caching(x);
    return r == SES_OK ? queue(x) : r;
}

static int queue_failure(struct exchange *x, int code)
{
    const struct failure failure = x->known.code == code ? x->known : failure_of(code);
    int r = x->face->fail(x, &failure);
    if (r == SES_OK && failure.status == MHD_HTTP_SERVICE_UNAVAILABLE)
        r = answer_header(x, MHD_HTTP_HEADER_RETRY_AFTER, "5");
    if (r == SES_OK && x->session_ended)
        r = ses_mhd_commit(x->session, x->response);
    if (r == SES_OK)
        r = forbid_caching(x);
    return r == SES_OK ? queue(x) : r;
}

static enum MHD_Result answer(struct exchange *x)
{
    int r = x->body_too_large ? exchange_fail(x, MHD_HTTP_CONTENT_TOO_LARGE,
                                              "The body of the request is too long.")
                              : dispatch(x);
    if (r == SES_OK)
        r = queue_answer(x);
    if (r != SES_OK)
        r = queue_failure(x, r);
    return r == SES_OK ? MHD_YES : MHD_NO;
}

/* ---- gathering the request ---- */

static const struct face *face_of(const char *path)
{
    const bool api = strncmp(path, "/api", 4) == 0 && (path[4] == '/' || path[4] == '\0');
    return api ? &api_face : &pages_face;
}

static bool announces_too_much(struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length && strtoull(length, NULL, 10) > BODY_MAX;
}

/* libmicrohttpd closes a connection that is answered in the first call: right when the body that
 * follows is one that nobody wants to read. */
static enum MHD_Result begin(struct exchange *x, void **state)
{
    x->body = calloc(1, 1);
    *state = x;
    if (!x->body)
        return MHD_NO;
    x->body_too_large = announces_too_much(x->connection);
    return x->body_too_large ? answer(x) : MHD_YES;
}

static enum MHD_Result add_part(struct exchange *x, const char *part, size_t len)
{
    const size_t sum = x->body_len + len;
    if (sum > BODY_MAX) {
        x->body_too_large = true;
        x->body_len = sum;
        return sum > SWALLOW_MAX ? MHD_NO : MHD_YES;
    }
    char *body = realloc(x->body, sum + 1);
    if (!body)
        return MHD_NO;
    memcpy(body + x->body_len, part, len);
    body[sum] = '\0';
    x->body = body;
    x->body_len = sum;
    return MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd says which parameters */
enum MHD_Result http_handle(void *site, struct MHD_Connection *connection, const char *path,
                            const char *method, const char *version, const char *part,
                            size_t *part_len, void **state)
{
    (void)version;
    struct exchange *x = *state;
    if (!x) {
        x = calloc(1, sizeof *x);
        if (!x)
            return MHD_NO;
        *x = (struct exchange){ .site = site,
                                .connection = connection,
                                .face = face_of(path),
                                .method = method,
                                .path = path };
        return begin(x, state);
    }
    if (*part_len == 0)
        return answer(x);
    enum MHD_Result result = add_part(x, part, *part_len);
    *part_len = 0;
    return result;
}

void http_completed(void *unused, struct MHD_Connection *connection, void **state,
                    enum MHD_RequestTerminationCode why)
{
    (void)unused;
    (void)connection;
    (void)why;
    struct exchange *x = *state;
    if (!x)
        return;
    answer_drop(x);
    ses_release(x->session);
    free(x->key);
    free(x->body);
    free(x);
    *state = NULL;
}

size_t http_keep_escapes(void *unused, struct MHD_Connection *connection, char *text)
{
    (void)unused;
    (void)connection;
    return strlen(text);
}
