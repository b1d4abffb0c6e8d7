/* SPDX-License-Identifier: MIT */
#ifndef SESAME_HTTP_H
#define SESAME_HTTP_H

/**
 * @file
 * All that sesame asks of a web server: the request in strings, the response
 * headers in strings. An adapter (sesame/adapters/) fills the one in and sends the
 * other; a server without an adapter needs nothing more than this:
 *
 * @code
 * struct ses_slice cookie = { field, strlen(field) };      // "id=...; lang=de"
 * struct ses_request request = {
 *     .size = sizeof request, .cookies = &cookie, .cookie_count = 1, .peer = "192.0.2.7",
 * };
 * @endcode
 */

#include <sesame/common.h>

SES_BEGIN_DECLS

/** Bits of ses_request.flags. */
enum ses_request_flag {
    /** Nobody is at the keyboard (polling): read, but do not extend the idle timeout. */
    SES_REQUEST_BACKGROUND = 1 << 0,
    /** All that this request is for is to log out: while the store cannot be read, ses_start()
     * gives a session that can only be ended, so that the browser loses its cookie all the same. */
    SES_REQUEST_LOGOUT = 1 << 1
};

/** One HTTP request. Everything is borrowed for the length of ses_start(). */
struct ses_request {
    size_t size; /**< sizeof(struct ses_request) */

    /** The value of every Cookie field, each apart and in order: HTTP/2 splits
     *  them, and joining them again would lose where one ends (RFC 6265bis 5.8.3). */
    const struct ses_slice *cookies;
    size_t cookie_count; /**< how many fields */

    /** Looks up a request header without regard to case: the @p nth field of that
     *  name counted from the LAST (0), or NULL. Asked only for the headers of trusted
     *  proxies and of a configured header transport; may be NULL. */
    const char *(*header)(void *arg, const char *name, size_t nth);
    void *header_arg; /**< handed to header */

    bool tls;               /**< the connection itself came by TLS */
    const char *peer;       /**< numeric address of the connection's other end, no port; or NULL */
    const char *user_agent; /**< the User-Agent field, or NULL */
    unsigned flags;         /**< of enum ses_request_flag */
};

/** A header field to send. */
struct ses_header {
    const char *name;  /**< "Set-Cookie" */
    const char *value; /**< without line break */
};

/** A cookie to set, taken apart, for servers that build the field themselves. */
struct ses_cookie {
    const char *name;      /**< a token, prefix included */
    const char *value;     /**< cookie-octets; empty when the cookie is removed */
    const char *path;      /**< never NULL */
    const char *domain;    /**< NULL: host-only */
    const char *same_site; /**< "Lax", "Strict" or "None" */
    int64_t max_age_s;     /**< 0 removes, -1: until the browser closes */
    bool secure;           /**< Secure */
    bool http_only;        /**< HttpOnly */
    bool partitioned;      /**< Partitioned (CHIPS) */
};

/** What to add to the response. Owned by the session, valid until its release. */
struct ses_headers {
    size_t size;                      /**< sizeof(struct ses_headers) of the library */
    const struct ses_header *fields;  /**< finished fields; add each, replace none */
    size_t count;                     /**< how many */
    const char *text;                 /**< the same as one block, each line ended by CR LF */
    const struct ses_cookie *cookies; /**< the Set-Cookie fields again, taken apart */
    size_t cookie_count;              /**< how many */
};

SES_END_DECLS

#endif
