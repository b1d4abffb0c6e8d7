/* SPDX-License-Identifier: MIT */
#include "answers.h"

#include <stdlib.h>

/* No script, nothing from elsewhere, and no other site may frame us or receive our forms. The
 * referrer policy is not "no-referrer": with that, browsers would send "Origin: null" (origin.c).
 */
static const struct ses_header common[] = {
    { "Content-Security-Policy",
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
      "base-uri 'none'; frame-ancestors 'none'" },
    { "X-Content-Type-Options", "nosniff" },
    { "Referrer-Policy", "same-origin" },
};

int answer_header(struct exchange *x, const char *name, const char *value)
{
    return MHD_add_response_header(x->response, name, value) == MHD_YES ? SES_OK
                                                                        : SES_ERR_NO_MEMORY;
}

/* Takes the response, which may be NULL. */
static int take(struct exchange *x, unsigned status, struct MHD_Response *response)
{
    answer_drop(x);
    x->status = status;
    x->response = response;
    int r = response ? SES_OK : SES_ERR_NO_MEMORY;
    for (size_t i = 0; r == SES_OK && i < sizeof common / sizeof common[0]; i++)
        r = answer_header(x, common[i].name, common[i].value);
    return r;
}

int answer_bytes(struct exchange *x, unsigned status, const char *type, void *bytes, size_t len)
{
    struct MHD_Response *response =
        bytes ? MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE) : NULL;
    if (!response)
        free(bytes);
    int r = take(x, status, response);
    return r == SES_OK ? answer_header(x, MHD_HTTP_HEADER_CONTENT_TYPE, type) : r;
}

int answer_asset(struct exchange *x, const char *type, const char *bytes, size_t len)
{
    /* Persistent means that libmicrohttpd only reads it. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)bytes, MHD_RESPMEM_PERSISTENT);
    int r = take(x, MHD_HTTP_OK, response);
    if (r == SES_OK)
        r = answer_header(x, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return r == SES_OK ? answer_header(x, MHD_HTTP_HEADER_CACHE_CONTROL, "max-age=3600") : r;
}

int answer_redirect(struct exchange *x, const char *path)
{
    int r = take(x, MHD_HTTP_SEE_OTHER,
                 MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
    return r == SES_OK ? answer_header(x, MHD_HTTP_HEADER_LOCATION, path) : r;
}

void answer_drop(struct exchange *x)
{
    if (x->response)
        MHD_destroy_response(x->response);
    x->response = NULL;
}
