/* SPDX-License-Identifier: MIT */
#include "core/carrier.h"

#include "core/cookie.h"

#include "base/slice.h"

/* Fields that are no cookies: the id's own header, Cache-Control, Vary and Clear-Site-Data.
 * Cookies: the id's and the token's; and those that are evicted, if any are. */
enum {
    PLAIN_MAX = 4,
    COOKIES_MAX = 2,
    EVICTED_MAX = (CONFIG_LIST_MAX + 1) * (CONFIG_LIST_MAX + 1),
};

/* In the session's arena, with room for all that this response may say. */
struct response {
    struct ses_header *fields;
    struct ses_cookie *cookies;
};

static void add_field(ses_session *session, const struct response *response, const char *name,
                      const char *value)
{
    response->fields[session->headers.count++] = (struct ses_header){ name, value };
}

/* ---- cookies ---- */

static struct ses_cookie describe_cookie(const ses_session *session, const char *name)
{
    const struct config *config = &session->manager->config;
    return (struct ses_cookie){
        .name = name,
        .value = "",
        .path = config->cookie_path,
        .domain = config->domain,
        .same_site = config_same_site(config),
        .secure = session->face->secure,
        .http_only = !config->no_http_only,
        .partitioned = config->partitioned,
    };
}

static int add_cookie(ses_session *session, const struct response *response,
                      const struct ses_cookie *cookie, int64_t now_ms)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    /* All of it but the id was checked with the configuration, and an id is made of letters. */
    int r = cookie_write_sound(&out, cookie, now_ms);
    if (r < 0)
        return r;
    const char *text = arena_text(&session->arena, (struct ses_slice){ out.data, out.len - 1 });
    if (!text)
        return SES_ERR_NO_MEMORY;
    add_field(session, response, "Set-Cookie", text);
    response->cookies[session->headers.cookie_count++] = *cookie;
    session->headers.cookies = response->cookies;
    return SES_OK;
}

static int64_t age_of_cookie(const ses_session *session)
{
    const int64_t age_s = session->manager->config.cookie_lifetime_s;
    return age_s > 0 ? age_s : -1;
}

static int add_id_cookie(ses_session *session, const struct response *response, int64_t now_ms)
{
    struct ses_cookie cookie = describe_cookie(session, session->face->name);
    if (session->cookie == COOKIE_SET) {
        cookie.value = session->id.text;
        cookie.max_age_s = age_of_cookie(session);
    }
    return add_cookie(session, response, &cookie, now_ms);
}

/* ---- a token, in as many cookies as it needs ---- */

static const char *part_value(ses_session *session, struct ses_slice rest, unsigned part,
                              unsigned parts)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    if (part == 0 && parts > 1) {
        buffer_byte(&out, (unsigned char)('0' + parts));
        buffer_byte(&out, '.');
    }
    buffer_append(&out, rest.data, rest.len);
    return out.failed ? NULL : arena_text(&session->arena, buffer_slice(&out));
}

/* Part by part; those that came along and are not needed any more are removed. */
static int add_part(ses_session *session, const struct response *response, struct ses_slice value,
                    unsigned part, unsigned parts, int64_t now_ms)
{
    const char *name = carrier_part_name(session, part);
    if (!name)
        return SES_ERR_NO_MEMORY;
    struct ses_cookie cookie = describe_cookie(session, name);
    if (part < parts) {
        cookie.value = part_value(session, value, part, parts);
        cookie.max_age_s = age_of_cookie(session);
    }
    return cookie.value ? add_cookie(session, response, &cookie, now_ms) : SES_ERR_NO_MEMORY;
}

static int add_parts(ses_session *session, const struct response *response, struct ses_slice token,
                     int64_t now_ms)
{
    const size_t room = carrier_part_max(session);
    const unsigned parts = (unsigned)((token.len + room - 1) / room);
    const char *at = token.data;
    size_t left = token.len;
    int r = SES_OK;
    for (unsigned part = 0;
         r == SES_OK && part < (parts > session->chunks ? parts : session->chunks); part++) {
        const size_t len = left < room ? left : room;
        r = add_part(session, response, (struct ses_slice){ at, len }, part, parts, now_ms);
        at += len;
        left -= len;
    }
    return r;
}

static int add_token_cookies(ses_session *session, const struct response *response, int64_t now_ms)
{
    struct ses_slice token = { "", 0 };
    if (session->cookie == COOKIE_SET) {
        int r = carrier_seal(session);
        if (r < 0)
            return r;
        token = slice_of_text(session->token);
    }
    return add_parts(session, response, token, now_ms);
}

/* An id that came in the header goes back there; a new visitor gets it by every way that is on. */
static int add_id(ses_session *session, const struct response *response, int64_t now_ms)
{
    const struct config *config = &session->manager->config;
    if (session->cookie == COOKIE_LEAVE)
        return SES_OK;
    if (is_sealed(session) && !session->by_header)
        return add_token_cookies(session, response, now_ms);
    if (session->cookie == COOKIE_SET && config->header_transport)
        add_field(session, response, config->header_name, ses_session_id(session));
    return config->set_cookie && !session->by_header ? add_id_cookie(session, response, now_ms)
                                                     : SES_OK;
}

static int add_token(ses_session *session, const struct response *response, int64_t now_ms)
{
    const struct config *config = &session->manager->config;
    if (session->remember_cookie == COOKIE_LEAVE)
        return SES_OK;
    struct ses_cookie cookie =
        describe_cookie(session, config->remember_faces[session->origin.tls].name);
    if (session->remember_cookie == COOKIE_SET) {
        cookie.value = session->remembered->id.text;
        cookie.max_age_s = (session->remembered->expires_ms - now_ms) / 1000;
    }
    return add_cookie(session, response, &cookie, now_ms);
}

/* Case does not tell domains apart (RFC 6265bis 5.1.3); paths, it does. */
static bool same_scope(const struct ses_cookie *a, const struct ses_cookie *b)
{
    const bool domain =
        a->domain && b->domain ? ascii_same(a->domain, b->domain) : a->domain == b->domain;
    return domain && strcmp(a->path, b->path) == 0;
}

/* Of one name, domain and path a response sets one cookie at most (S-75). */
static bool is_added(const ses_session *session, const struct ses_cookie *cookie)
{
    for (size_t i = 0; i < session->headers.cookie_count; i++) {
        const struct ses_cookie *added = &session->headers.cookies[i];
        if (strcmp(added->name, cookie->name) == 0 && same_scope(added, cookie))
            return true;
    }
    return false;
}

/* A cookie of our name that a parent domain or another path has planted: it would come first, for
 * ever. Ours, at its own domain and path, stays. */
static int evict(ses_session *session, const struct response *response, const char *domain,
                 const char *path, int64_t now_ms)
{
    const struct ses_cookie own = describe_cookie(session, session->face->name);
    struct ses_cookie cookie = own;
    cookie.domain = domain;
    cookie.path = path;
    return same_scope(&cookie, &own) || is_added(session, &cookie)
               ? SES_OK
               : add_cookie(session, response, &cookie, now_ms);
}

/* What has the prefix __Host- has no other domain or path, and a browser takes no removal there. */
static bool evicts(const ses_session *session)
{
    const struct config *config = &session->manager->config;
    const bool configured = config->evict_domains.count + config->evict_paths.count > 0 &&
                            !ascii_starts(session->face->name, "__Host-");
    const bool ours = session->read_stored || session->cookie == COOKIE_SET;
    return configured &&
           (session->shadows == SHADOWS_TOO_MANY || (session->shadows == SHADOWS_SOME && ours));
}

static int evict_shadows(ses_session *session, const struct response *response, int64_t now_ms)
{
    const struct config *config = &session->manager->config;
    const struct config_list *domains = &config->evict_domains, *paths = &config->evict_paths;
    int r = SES_OK;
    for (size_t d = 0; evicts(session) && d <= domains->count; d++) {
        const char *domain = d < domains->count ? domains->items[d] : config->domain;
        for (size_t p = 0; r == SES_OK && p <= paths->count; p++)
            r = evict(session, response, domain,
                      p < paths->count ? paths->items[p] : config->cookie_path, now_ms);
    }
    return r;
}

/* ---- the other fields ---- */

static bool sets_cookies(const ses_session *session)
{
    return session->cookie != COOKIE_LEAVE || session->remember_cookie != COOKIE_LEAVE ||
           evicts(session);
}

/* RFC 9111 5.2.2.5, T-29. A response that sets a cookie is never stored, whatever the setting. */
static void add_cache_control(ses_session *session, const struct response *response)
{
    const int policy = session->manager->config.cache;
    const bool sets = sets_cookies(session);
    if (!sets && (!session->read_stored || policy == CACHE_NONE))
        return;
    add_field(session, response, "Cache-Control",
              !sets && policy == CACHE_PRIVATE ? "private, no-cache" : "no-store");
    add_field(session, response, "Vary",
              session->by_header ? session->manager->config.header_name : "Cookie");
}

static void add_clear_site(ses_session *session, const struct response *response)
{
    if (session->clear_site)
        add_field(session, response, "Clear-Site-Data", "\"cache\", \"cookies\", \"storage\"");
}

static int join_fields(ses_session *session)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    for (size_t i = 0; i < session->headers.count; i++) {
        buffer_text(&out, session->headers.fields[i].name);
        buffer_text(&out, ": ");
        buffer_text(&out, session->headers.fields[i].value);
        buffer_text(&out, "\r\n");
    }
    session->headers.text = out.failed ? NULL : arena_text(&session->arena, buffer_slice(&out));
    return session->headers.text ? SES_OK : SES_ERR_NO_MEMORY;
}

/* The usual answer, to a request that has read and set no cookie, is made once for all: building it
 * would be a tenth of such a request. */
static bool is_usual(const ses_session *session)
{
    return session->cookie == COOKIE_LEAVE && session->remember_cookie == COOKIE_LEAVE &&
           session->shadows == SHADOWS_NONE && !session->clear_site && !session->by_header &&
           session->manager->config.cache == CACHE_NO_STORE;
}

static const struct ses_header usual_fields[] = {
    { "Cache-Control", "no-store" },
    { "Vary", "Cookie" },
};

static const struct ses_headers usual_headers = {
    .fields = usual_fields,
    .count = 2,
    .text = "Cache-Control: no-store\r\nVary: Cookie\r\n",
};

static bool has_nothing_to_say(const ses_session *session)
{
    return !session->face ||
           (!session->read_stored && !session->clear_site && !sets_cookies(session));
}

static int make_response(ses_session *session, struct response *ret_response)
{
    const size_t cookies = COOKIES_MAX + (evicts(session) ? EVICTED_MAX : 0) +
                           (is_sealed(session) ? SEAL_PARTS_MAX : 0);
    const struct response response = {
        .fields = arena_alloc(&session->arena, (PLAIN_MAX + cookies) * sizeof(struct ses_header)),
        .cookies = arena_alloc(&session->arena, cookies * sizeof(struct ses_cookie)),
    };
    if (!response.fields || !response.cookies)
        return SES_ERR_NO_MEMORY;
    *ret_response = response;
    return SES_OK;
}

static int fill(ses_session *session, const struct response *response, int64_t now_ms)
{
    session->headers.fields = response->fields;
    int r = add_id(session, response, now_ms);
    if (r == SES_OK)
        r = add_token(session, response, now_ms);
    if (r == SES_OK)
        r = evict_shadows(session, response, now_ms);
    if (r < 0)
        return r;
    add_cache_control(session, response);
    add_clear_site(session, response);
    return join_fields(session);
}

static int build(ses_session *session, int64_t now_ms)
{
    if (has_nothing_to_say(session))
        return SES_OK;
    if (is_usual(session)) {
        session->headers = usual_headers;
        return SES_OK;
    }
    struct response response;
    int r = make_response(session, &response);
    return r < 0 ? r : fill(session, &response, now_ms);
}

int session_build_headers(ses_session *session, int64_t now_ms)
{
    session->headers = (struct ses_headers){ .text = "" };
    int r = build(session, now_ms);
    if (r == SES_OK)
        session->headers.size = sizeof session->headers;
    return r;
}
