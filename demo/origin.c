/* SPDX-License-Identifier: MIT */
#include "origin.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* What the fields of a request say about where it comes from. A field may come several times: then
 * each has to tell of this site. */
struct testimony {
    const char *host;
    bool by_site;     /* the browser has given its own word, */
    bool site_ours;   /* and always that of our pages */
    bool origin_ours; /* as does each Origin */
};

/* "http://127.0.0.1:8080" against "127.0.0.1:8080": http is what this server speaks. An opaque
 * origin ("null") is nobody's. */
static bool is_origin_of(const char *origin, const char *host)
{
    static const char scheme[] = "http://";
    const size_t len = sizeof scheme - 1;
    return origin && host && strncasecmp(origin, scheme, len) == 0 &&
           strcasecmp(origin + len, host) == 0;
}

static bool is_our_word(const char *site)
{
    return site && (strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0);
}

static enum MHD_Result hear(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct testimony *testimony = arg;
    (void)kind;
    if (strcasecmp(name, "Sec-Fetch-Site") == 0) {
        testimony->by_site = true;
        testimony->site_ours &= is_our_word(value);
    } else if (strcasecmp(name, MHD_HTTP_HEADER_ORIGIN) == 0) {
        testimony->origin_ours &= is_origin_of(value, testimony->host);
    }
    return MHD_YES;
}

bool origin_is_ours(struct MHD_Connection *connection)
{
    struct testimony testimony = {
        .host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST),
        .site_ours = true,
        .origin_ours = true, /* without any field it is no browser */
    };
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, hear, &testimony);
    /* The browser's word comes first: it is given over TLS and to this machine only, and is right
     * behind a proxy, too, for which https:// is ours. */
    return testimony.by_site ? testimony.site_ours : testimony.origin_ours;
}
