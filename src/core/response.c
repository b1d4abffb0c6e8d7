/* SPDX-License-Identifier: MIT */
#include "core/session.h"

#include "core/cookie.h"

#include "base/slice.h"

enum { FIELDS_MAX = 4 };

/* All of it lives in the session's arena. */
struct response {
    struct ses_header fields[FIELDS_MAX];
    struct ses_cookie cookie;
};

static void add_field(ses_session *session, struct response *response, const char *name,
                      const char *value)
{
    response->fields[session->headers.count++] = (struct ses_header){ name, value };
}

static struct ses_cookie describe_cookie(const ses_session *session)
{
    const struct config *config = &session->manager->config;
    const bool removes = session->cookie == COOKIE_REMOVE;
    return (struct ses_cookie){
        .name = session->face->name,
        .value = removes ? "" : session->id.text,
        .path = config->cookie_path,
        .domain = config->domain,
        .same_site = config_same_site(config),
        .max_age_s = removes                         ? 0
                     : config->cookie_lifetime_s > 0 ? config->cookie_lifetime_s
                                                     : -1,
        .secure = session->face->secure,
        .http_only = !config->no_http_only,
        .partitioned = config->partitioned,
    };
}

static int add_cookie(ses_session *session, struct response *response, int64_t now_ms)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    response->cookie = describe_cookie(session);
    /* All of it but the id was checked with the configuration, and an id is made of letters. */
    int r = cookie_write_sound(&out, &response->cookie, now_ms);
    if (r < 0)
        return r;
    const char *text = arena_text(&session->arena, (struct ses_slice){ out.data, out.len - 1 });
    if (!text)
        return SES_ERR_NO_MEMORY;
    add_field(session, response, "Set-Cookie", text);
    session->headers.cookies = &response->cookie;
    session->headers.cookie_count = 1;
    return SES_OK;
}

/* An id that came in the header goes back there; a new visitor gets it by every way that is on. */
static int add_id(ses_session *session, struct response *response, int64_t now_ms)
{
    const struct config *config = &session->manager->config;
    if (session->cookie == COOKIE_SET && config->header_transport)
        add_field(session, response, config->header_name, session->id.text);
    return config->set_cookie && !session->by_header ? add_cookie(session, response, now_ms)
                                                     : SES_OK;
}

/* RFC 9111 5.2.2.5, T-29. A response that sets a cookie is never stored, whatever the setting. */
static void add_cache_control(ses_session *session, struct response *response)
{
    const int policy = session->manager->config.cache;
    const bool sets = session->cookie != COOKIE_LEAVE;
    if (!sets && (!session->read_stored || policy == CACHE_NONE))
        return;
    add_field(session, response, "Cache-Control",
              !sets && policy == CACHE_PRIVATE ? "private, no-cache" : "no-store");
    add_field(session, response, "Vary",
              session->by_header ? session->manager->config.header_name : "Cookie");
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
    return session->cookie == COOKIE_LEAVE && !session->by_header &&
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

static int build(ses_session *session, int64_t now_ms)
{
    if (!session->face || (session->cookie == COOKIE_LEAVE && !session->read_stored))
        return SES_OK;
    if (is_usual(session)) {
        session->headers = usual_headers;
        return SES_OK;
    }
    struct response *response = arena_alloc(&session->arena, sizeof *response);
    if (!response)
        return SES_ERR_NO_MEMORY;
    session->headers.fields = response->fields;
    int r = session->cookie != COOKIE_LEAVE ? add_id(session, response, now_ms) : SES_OK;
    if (r < 0)
        return r;
    add_cache_control(session, response);
    return join_fields(session);
}

int session_build_headers(ses_session *session, int64_t now_ms)
{
    session->headers = (struct ses_headers){ .text = "" };
    int r = build(session, now_ms);
    if (r == SES_OK)
        session->headers.size = sizeof session->headers;
    return r;
}
