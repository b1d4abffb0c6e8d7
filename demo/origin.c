/* SPDX-License-Identifier: MIT */
#include "origin.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* "http://127.0.0.1:8080" against "127.0.0.1:8080". An opaque origin ("null") is nobody's. */
static bool same_host(const char *origin, const char *host)
{
    const char *authority = strstr(origin, "://");
    return authority && host && strcasecmp(authority + 3, host) == 0;
}

bool origin_is_ours(struct MHD_Connection *connection)
{
    const char *site = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Sec-Fetch-Site");
    if (site) /* the browser's own word, where it gives one: only over TLS and to this machine */
        return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    const char *origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin");
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    return !origin || same_host(origin, host); /* without either it is no browser */
}
