/* SPDX-License-Identifier: MIT */
#ifndef DEMO_HTTP_H
#define DEMO_HTTP_H

/* From a request to its handler, and from what the handler returns to an answer. */

#include <sesame/adapters/microhttpd.h>

enum { BODY_MAX = 256 << 10 };

/* What all requests have in common. */
struct site {
    ses_manager *manager;
    uint32_t fresh_s; /* how long ago a visitor may have logged in at most to change the e-mail */
};

/* What went wrong; the code is SES_OK when it was not the session. */
struct failure {
    int code;
    unsigned status;
    const char *sentence;
};

/* One request, and the answer that is being made. */
struct exchange {
    const struct site *site;
    struct MHD_Connection *connection;
    const struct face *face;
    const char *method;
    const char *path; /* as it came: percent-encoded */

    char *body; /* NUL-terminated; may hold NULs, too */
    size_t body_len;
    bool body_too_large;

    char *key;              /* what follows the route's path, decoded */
    ses_session *session;   /* NULL where the route has no use for it */
    struct failure known;   /* what its code means in this call; otherwise http.c says it */
    bool session_ended;     /* the removal cookie goes out, whatever else happens */
    struct ses_slice flash; /* what this page is to say once (flash.h) */

    unsigned status;
    struct MHD_Response *response;
};

/* Makes an answer with the functions of answers.h and returns SES_OK: it goes out with the
 * session's headers after a commit. Or returns a code: the answer is an error page, and nothing
 * more is committed. */
typedef int handler_fn(struct exchange *x);

enum route_trait {
    ROUTE_KEY = 1 << 0, /* the path ends in '/', and a key follows it */
    ROUTE_SESSIONLESS = 1 << 1,
    ROUTE_LOGOUT = 1 << 2 /* takes the cookies away, also while the store cannot be read */
};

struct route {
    const char *method; /* "GET" serves HEAD, too */
    const char *path;
    handler_fn *handle;
    unsigned traits; /* of enum route_trait */
};

/* A part of the site, with its own way of carrying a CSRF token and of telling errors. */
struct face {
    const struct route *routes;
    size_t count;
    int (*check_token)(struct exchange *x); /* SES_ERR_DENIED */
    const char *bad_token;                  /* what to say then */
    int (*fail)(struct exchange *x, const struct failure *failure);
};

extern const struct face pages_face; /* pages.c */
extern const struct face api_face;   /* api.c: /api/ */

/* Answers in the face's way. */
int exchange_fail(struct exchange *x, unsigned status, const char *sentence);

/* ---- for libmicrohttpd ---- */

enum MHD_Result http_handle(void *site, struct MHD_Connection *connection, const char *path,
                            const char *method, const char *version, const char *part,
                            size_t *part_len, void **state);
void http_completed(void *unused, struct MHD_Connection *connection, void **state,
                    enum MHD_RequestTerminationCode why);

/* Paths and arguments come to us as they were sent: decoded by libmicrohttpd, %2F would be a slash
 * and %00 an end. */
size_t http_keep_escapes(void *unused, struct MHD_Connection *connection, char *text);

#endif
