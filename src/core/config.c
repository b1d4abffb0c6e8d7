/* SPDX-License-Identifier: MIT */
#include "core/config.h"

#include "core/config_lists.h"
#include "core/cookie.h"
#include "core/preset.h"

#include "base/slice.h"

#include <stddef.h>
#include <stdio.h>

enum {
    YEARS_10_S = 10 * 366 * 24 * 60 * 60,
    DEFAULT_GC_S = 60,
    DEFAULT_IDLE_S = 30 * 60,
    DEFAULT_ABSOLUTE_S = 24 * 60 * 60,
    DEFAULT_RENEWAL_S = 60 * 60,
    DEFAULT_GRACE_S = 10,
    DEFAULT_SCAN_LIMIT = 60,
    DEFAULT_CHUNKS = 2,
    TOUCH_DEFAULT_MAX_S = 60,
    DEFAULT_VALUE_BYTES = 64 * 1024,
    DEFAULT_RECORD_BYTES = 256 * 1024,
    TEXT_MAX = 4096,
    BYTES_MAX = 16 * 1024 * 1024,
    LIFETIME_MAX_S = INT32_MAX, /* beyond browsers' 400 days it is clamped, not refused */
};

/* Indexes into the choices below. */
enum { PREFIX_AUTO, PREFIX_NONE, PREFIX_SECURE, PREFIX_HOST };
enum { SAME_SITE_DEFAULT = 1, SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };
enum { CREATION_LAZY, CREATION_EAGER };

static const char *const secure_words[] = { "false", "true", "auto", NULL };
static const char *const prefix_words[] = { "auto", "none", "secure", "host", NULL };
static const char *const same_site_words[] = { "", "default", "lax", "strict", "none", NULL };
static const char *const cache_words[] = { "no-store", "private", "none", NULL };
static const char *const creation_words[] = { "lazy", "eager", NULL };
static const char *const user_full_words[] = { "refuse", "endOldest", "endLeastRecent", NULL };
static const char *const stolen_words[] = { "end", "report", NULL };
static const char *const binding_words[] = { "off", "signal", "demand", NULL };
static const char *const scan_words[] = { "report", "refuse", NULL };

#define AT(member_) .offset = offsetof(struct config, member_)
#define BOOL(name_, member_, preset_)                                                              \
 {                                                                                                 \
  .name = (name_), .type = SES_SETTING_BOOL, AT(member_), .preset = (preset_)                      \
 }
#define INT(name_, member_, min_, max_, preset_)                                                   \
 {                                                                                                 \
  .name = (name_), .type = SES_SETTING_INT, AT(member_), .min = (min_), .max = (max_),             \
  .preset = (preset_)                                                                              \
 }
#define TEXT(name_, member_, max_)                                                                 \
 {                                                                                                 \
  .name = (name_), .type = SES_SETTING_TEXT, AT(member_), .max = (max_)                            \
 }
#define CHOICE(name_, member_, words_, preset_)                                                    \
 {                                                                                                 \
  .name = (name_), .type = SES_SETTING_CHOICE, AT(member_), .choices = (words_),                   \
  .preset = (preset_)                                                                              \
 }

#define LIST(name_, member_)                                                                       \
 {                                                                                                 \
  .name = (name_), .type = SES_SETTING_LIST, AT(member_)                                           \
 }

static const struct ses_setting settings[] = {
    /* the ancestor's */
    TEXT("cookieName", cookie_name, COOKIE_NAME_MAX),
    INT("gclifetime", gc_interval_s, 1, YEARS_10_S, 0),
    INT("maxLifetime", idle_s, 1, YEARS_10_S, 0),
    INT("cookieLifeTime", cookie_lifetime_s, 0, LIFETIME_MAX_S, 0),
    BOOL("enableSetCookie", set_cookie, true),
    BOOL("disableHTTPOnly", no_http_only, false),
    CHOICE("secure", secure, secure_words, -1),
    TEXT("domain", domain, COOKIE_ATTRIBUTE_MAX),
    { .name = "cookieSameSite",
      .type = SES_SETTING_CHOICE,
      AT(same_site),
      .min = SAME_SITE_DEFAULT,
      .max = SAME_SITE_NONE,
      .choices = same_site_words,
      .preset = SAME_SITE_LAX },
    INT("sessionIDLength", id_bytes, ID_RANDOM_MIN, ID_RANDOM_MAX, 32),
    TEXT("sessionIDPrefix", id_prefix, ID_PREFIX_MAX),
    BOOL("EnableSidInHTTPHeader", header_transport, false),
    TEXT("SessionNameInHTTPHeader", header_name, COOKIE_NAME_MAX),
    BOOL("EnableSidInURLQuery", query_transport, false),
    TEXT("providerConfig", provider_config, TEXT_MAX),
    /* ours */
    CHOICE("preset", preset, preset_words, 0),
    INT("idleTimeout", idle_s, 1, YEARS_10_S, 0),
    INT("absoluteTimeout", absolute_s, 0, YEARS_10_S, -1),
    INT("touchThreshold", touch_s, 0, YEARS_10_S, -1),
    TEXT("realm", realm, REALM_MAX),
    CHOICE("cookiePrefix", cookie_prefix, prefix_words, PREFIX_AUTO),
    TEXT("cookiePath", cookie_path, COOKIE_ATTRIBUTE_MAX),
    BOOL("cookiePartitioned", partitioned, false),
    CHOICE("cacheControl", cache, cache_words, CACHE_NO_STORE),
    CHOICE("creation", creation, creation_words, CREATION_LAZY),
    INT("maxRecordBytes", max_record_bytes, 1024, BYTES_MAX, DEFAULT_RECORD_BYTES),
    INT("maxValueBytes", max_value_bytes, 16, BYTES_MAX, 0),
    INT("maxKeyBytes", max_key_bytes, 1, 255, 255),
    INT("maxValues", max_values, 1, 65536, 1024),
    INT("maxReplays", max_replays, 0, 10000, 100),
    LIST("trustedProxies", trusted_proxies),
    /* log-ins */
    INT("renewalInterval", renewal_s, 0, YEARS_10_S, -1),
    INT("renewalGrace", grace_s, 1, 600, DEFAULT_GRACE_S),
    CHOICE("whenStolen", when_stolen, stolen_words, STOLEN_END),
    INT("maxSessionsPerUser", max_user_sessions, 0, 100000, 0),
    CHOICE("whenUserFull", when_user_full, user_full_words, USER_FULL_REFUSE),
    INT("rememberLifetime", remember_s, 0, COOKIE_AGE_MAX_S, 0),
    TEXT("rememberCookieName", remember_name, COOKIE_NAME_MAX),
    TEXT("backgroundHeader", background_header, COOKIE_NAME_MAX),
    /* sealed sessions */
    LIST("sealKeys", seal_keys),
    TEXT("sealKeyFile", seal_key_file, TEXT_MAX),
    TEXT("sealPassphrase", seal_passphrase, TEXT_MAX),
    INT("sealChunks", seal_chunks, 1, SEAL_PARTS_MAX, DEFAULT_CHUNKS),
    /* attacks */
    LIST("evictDomains", evict_domain_text),
    LIST("evictPaths", evict_path_text),
    CHOICE("bindUserAgent", bind_user_agent, binding_words, BINDING_OFF),
    CHOICE("bindNetwork", bind_network, binding_words, BINDING_OFF),
    INT("bindPrefix4", bind_prefix_4, 8, 32, 24),
    INT("bindPrefix6", bind_prefix_6, 16, 128, 48),
    INT("scanLimit", scan_limit, 0, 1000000, DEFAULT_SCAN_LIMIT),
    CHOICE("scanAction", scan_action, scan_words, SCAN_REPORT),
    LIST("idKey", id_key_text),
    { .name = NULL },
};

static int fail(struct ses_error *error, const char *sentence)
{
    return error_set(error, SES_ERR_INVALID, "%s", sentence);
}

/* ---- what follows from what was given ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A default yields to a limit that was given, rather than contradict it. */
static int64_t default_idle(const struct config *c)
{
    if (c->gc_interval_s > 0)
        return c->gc_interval_s;
    const int64_t idle_s = preset_idle_s(c->preset, DEFAULT_IDLE_S);
    return c->absolute_s > 0 ? smaller(c->absolute_s, idle_s) : idle_s;
}

static int64_t default_absolute(const struct config *c)
{
    const int64_t absolute_s = preset_absolute_s(c->preset, DEFAULT_ABSOLUTE_S);
    return c->idle_s > absolute_s ? c->idle_s : absolute_s;
}

static void fill_limits(struct config *c)
{
    if (c->secure < 0)
        c->secure = c->preset > 0 ? SECURE_TRUE : SECURE_AUTO;
    if (c->max_value_bytes == 0)
        c->max_value_bytes = smaller(c->max_record_bytes, DEFAULT_VALUE_BYTES);
    if (c->idle_s == 0)
        c->idle_s = default_idle(c);
    if (c->gc_interval_s == 0)
        c->gc_interval_s = DEFAULT_GC_S;
    if (c->absolute_s < 0)
        c->absolute_s = default_absolute(c);
    if (c->renewal_s < 0)
        c->renewal_s = DEFAULT_RENEWAL_S;
    if (c->touch_s < 0)
        c->touch_s = smaller(c->idle_s / 10, TOUCH_DEFAULT_MAX_S);
    c->cookie_lifetime_s = smaller(c->cookie_lifetime_s, COOKIE_AGE_MAX_S);
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* An empty text means the default, as the ancestor's zero values do. */
static void fill_texts(struct config *c)
{
    c->cookie_path = or_else(c->cookie_path, "/");
    c->id_prefix = or_else(c->id_prefix, "");
    c->provider_config = or_else(c->provider_config, "");
    c->background_header = or_else(c->background_header, NULL);
    c->domain = or_else(c->domain, NULL);
    if (c->domain && *c->domain == '.')
        c->domain++; /* RFC 6265bis 5.6.3 ignores it, and so does the ancestor */
}

static size_t prefix_len(const char *name)
{
    if (ascii_starts(name, "__Host-"))
        return strlen("__Host-");
    return ascii_starts(name, "__Secure-") ? strlen("__Secure-") : 0;
}

static const char *prefix_text(const struct config *c, bool named)
{
    switch (c->cookie_prefix) {
    case PREFIX_SECURE:
        return "__Secure-";
    case PREFIX_HOST:
        return "__Host-";
    case PREFIX_AUTO:
        if (named)
            return "";
        return c->domain || strcmp(c->cookie_path, "/") != 0 ? "__Secure-" : "__Host-";
    default:
        return "";
    }
}

/* On a request without TLS, unless Secure is demanded, the cookie goes by its bare name. */
static int fill_faces(struct config *c, struct ses_error *error)
{
    const bool named = c->cookie_name && *c->cookie_name;
    c->cookie_name = or_else(c->cookie_name, "id");
    c->realm = or_else(c->realm, c->cookie_name);

    const bool prefixed = prefix_len(c->cookie_name) > 0;
    if (prefixed && c->cookie_prefix >= PREFIX_SECURE)
        return fail(error, "\"cookieName\" has a prefix already; leave out \"cookiePrefix\"");
    if (c->secure == SECURE_FALSE && (prefixed || c->cookie_prefix >= PREFIX_SECURE))
        return fail(error,
                    "a cookie name with __Host- or __Secure- needs \"secure\": true or \"auto\"");

    for (int tls = 0; tls < 2; tls++) {
        struct cookie_face *face = &c->faces[tls];
        face->secure = prefixed || c->secure == SECURE_TRUE || (c->secure == SECURE_AUTO && tls);
        const int len = snprintf(face->name, sizeof face->name, "%s%s",
                                 face->secure ? prefix_text(c, named) : "", c->cookie_name);
        if (len < 0 || (size_t)len >= sizeof face->name)
            return error_set(error, SES_ERR_INVALID,
                             "\"cookieName\" must be at most %d bytes, with its prefix",
                             COOKIE_NAME_MAX);
    }
    return SES_OK;
}

/* Marked as the session's cookie is, and by default named after it. */
static int name_remembered(struct config *c, bool tls, struct ses_error *error)
{
    const struct cookie_face *own = &c->faces[tls];
    struct cookie_face face = { .secure = own->secure };
    const bool named = c->remember_name && *c->remember_name;
    const char *bare = named ? c->remember_name : c->cookie_name + prefix_len(c->cookie_name);
    const int len = snprintf(face.name, sizeof face.name, "%.*s%s%s", (int)prefix_len(own->name),
                             own->name, bare, named ? "" : "-remember");
    if (len < 0 || (size_t)len >= sizeof face.name)
        return error_set(error, SES_ERR_INVALID,
                         "\"rememberCookieName\" must be at most %d bytes, with its prefix",
                         COOKIE_NAME_MAX);
    if (strcmp(face.name, own->name) == 0)
        return fail(error, "\"rememberCookieName\" must differ from \"cookieName\"");
    c->remember_faces[tls] = face;
    return SES_OK;
}

static int fill_remember_faces(struct config *c, struct ses_error *error)
{
    if (c->remember_s == 0)
        return SES_OK;
    if (c->remember_name && prefix_len(c->remember_name) > 0)
        return fail(error, "\"rememberCookieName\" is given without __Host- or __Secure-: it gets "
                           "what \"cookieName\" has");
    const int r = name_remembered(c, false, error);
    return r < 0 ? r : name_remembered(c, true, error);
}

/* ---- what contradicts ---- */

static int check_cookie(const struct config *c, const struct cookie_face *face, bool tls,
                        struct ses_error *error)
{
    const struct ses_cookie cookie = {
        .name = face->name,
        .value = "",
        .path = c->cookie_path,
        .domain = c->domain,
        .same_site = config_same_site(c),
        .max_age_s = c->cookie_lifetime_s,
        .secure = face->secure,
        .partitioned = c->partitioned,
    };
    const char *fault = cookie_fault(&cookie);
    const char *when = !tls && c->secure == SECURE_AUTO && !cookie.secure
                           ? " on requests without TLS (\"secure\": true excludes them)"
                           : "";
    if (fault)
        return error_set(error, SES_ERR_INVALID, "cookie \"%s\"%s: %s", cookie.name, when, fault);
    return SES_OK;
}

static int check_cookies(const struct config *c, struct ses_error *error)
{
    /* With TLS first: what is wrong there has nothing to do with its absence. */
    int r = check_cookie(c, &c->faces[true], true, error);
    if (r == SES_OK)
        r = check_cookie(c, &c->faces[false], false, error);
    for (int tls = 1; tls >= 0 && r == SES_OK && c->remember_s > 0; tls--)
        r = check_cookie(c, &c->remember_faces[tls], tls, error);
    return r;
}

static bool prefix_valid(const char *prefix)
{
    for (; *prefix; prefix++) {
        const char c = (char)(*prefix | 0x20);
        if (!(c >= 'a' && c <= 'z') && !(*prefix >= '0' && *prefix <= '9') &&
            !strchr("-_.~", *prefix))
            return false;
    }
    return true;
}

/* Headers that mean something already: an id in one of them would break the message or leak. */
static bool header_taken(const char *name)
{
    static const char *const taken[] = {
        "Cookie",     "Set-Cookie",        "Content-Length", "Content-Type", "Host", "Location",
        "Connection", "Transfer-Encoding", "Cache-Control",  "Vary",         "Date", NULL,
    };
    for (size_t i = 0; taken[i]; i++) {
        if (ascii_same(taken[i], name))
            return true;
    }
    return false;
}

static int check_ids(const struct config *c, struct ses_error *error)
{
    if (c->query_transport)
        return fail(error,
                    "\"EnableSidInURLQuery\": an id in a URL leaks through logs, history and "
                    "Referer (ASVS 5.0 14.2.1); use the cookie");
    if (!prefix_valid(c->id_prefix))
        return fail(error, "\"sessionIDPrefix\" must be letters, digits and -_.~");
    if (c->header_transport && (!c->header_name || !token_valid(c->header_name)))
        return fail(error,
                    "\"EnableSidInHTTPHeader\" needs \"SessionNameInHTTPHeader\", a header's name "
                    "such as \"X-Session\"");
    if (c->header_transport && header_taken(c->header_name))
        return fail(error, "\"SessionNameInHTTPHeader\" names a header that has a meaning of its "
                           "own; take another, such as \"X-Session\"");
    return SES_OK;
}

static int check_logins(const struct config *c, struct ses_error *error)
{
    if (c->remember_s > 0 && !c->set_cookie)
        return fail(error, "\"rememberLifetime\" needs \"enableSetCookie\": the browser remembers "
                           "by a cookie");
    if (c->background_header && !token_valid(c->background_header))
        return fail(error, "\"backgroundHeader\" must be a header's name such as "
                           "\"X-Background\"");
    return SES_OK;
}

static bool is_given(const struct config *c, const char *name)
{
    const char *given;
    json_t *value;
    json_object_foreach(c->json, given, value)
    {
        if (ascii_same(given, name))
            return true;
    }
    return false;
}

/* The key that the idle timeout was taken from. */
static const char *idle_key(const struct config *c)
{
    static const char *const keys[] = { "idleTimeout", "maxLifetime", "gclifetime" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (is_given(c, keys[i]))
            return keys[i];
    }
    return keys[0];
}

static int check_limits(const struct config *c, struct ses_error *error)
{
    if (c->absolute_s > 0 && c->absolute_s < c->idle_s)
        return error_set(error, SES_ERR_INVALID,
                         "\"absoluteTimeout\" must be at least \"%s\"; 0 means no limit",
                         idle_key(c));
    if (c->touch_s >= c->idle_s)
        return error_set(error, SES_ERR_INVALID, "\"touchThreshold\" must be less than \"%s\"",
                         idle_key(c));
    if (c->max_value_bytes > c->max_record_bytes)
        return fail(error, "\"maxValueBytes\" must be at most \"maxRecordBytes\"");
    return SES_OK;
}

static int fail_proxy(struct ses_slice bad, struct ses_error *error)
{
    const int len = (int)(bad.len < 64 ? bad.len : 64);
    const char *text = bad.data;
    char network[NETWORK_TEXT_MAX];
    if (proxy_network_of(bad, network)) /* 10.0.0.1/8 may mean either */
        return error_set(error, SES_ERR_INVALID,
                         "\"trustedProxies\": \"%.*s\" is an address in a network; the network is "
                         "%s, the address %.*s",
                         len, text, network, (int)strcspn(text, "/"), text);
    return error_set(error, SES_ERR_INVALID,
                     "\"trustedProxies\": \"%.*s\" is not an address or network such as "
                     "192.0.2.7 or 10.0.0.0/8",
                     len, text);
}

static int read_proxies(struct config *c, struct ses_error *error)
{
    struct ses_slice bad = { 0 };
    int r = proxy_list_parse(or_else(c->trusted_proxies, ""), &c->proxies, &bad);
    return r == SES_ERR_INVALID ? fail_proxy(bad, error) : r;
}

static int complete(struct config *c, struct ses_error *error)
{
    fill_limits(c);
    fill_texts(c);
    c->eager = c->creation == CREATION_EAGER;
    int (*const steps[])(struct config *, struct ses_error *) = { fill_faces, fill_remember_faces,
                                                                  read_proxies, config_read_lists };
    int (*const checks[])(const struct config *, struct ses_error *) = { check_ids, check_cookies,
                                                                         check_logins,
                                                                         check_limits };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int r = steps[i](c, error);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int r = checks[i](c, error);
        if (r < 0)
            return r;
    }
    return SES_OK;
}

/* ---- the whole ---- */

/* Without the text that jansson found near by: it may be a part of a password. */
static int fail_syntax(const json_error_t *where, struct ses_error *error)
{
    if (json_error_code(where) == json_error_numeric_overflow)
        return error_set(error, SES_ERR_INVALID,
                         "a number in the configuration is out of range (line %d, column %d)",
                         where->line, where->column);
    const char *near = strstr(where->text, " near ");
    const size_t len = near ? (size_t)(near - where->text) : strlen(where->text);
    return error_set(error, SES_ERR_INVALID,
                     "the configuration is not JSON: %.*s (line %d, column %d)", (int)len,
                     where->text, where->line, where->column);
}

static int parse_json(const char *text, json_t **ret_json, struct ses_error *error)
{
    json_error_t where;
    const size_t flags =
        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY; /* what else it is, is said below */
    json_t *json = json_loads(text && *text ? text : "{}", flags, &where);
    if (!json)
        return fail_syntax(&where, error);
    if (!json_is_object(json)) {
        json_decref(json);
        return fail(error,
                    "the configuration must be a JSON object, such as {\"cookieName\":\"id\"}");
    }
    *ret_json = json;
    return SES_OK;
}

int config_read(struct config *config, const char *text, const struct ses_provider_ops *provider,
                void *instance, struct ses_error *error)
{
    *config = (struct config){ 0 };
    int r = parse_json(text, &config->json, error);
    if (r < 0)
        return r;

    static const struct ses_setting none[] = { { .name = NULL } };
    const struct ses_setting *own = provider && provider->settings ? provider->settings : none;
    const struct settings_table tables[] = {
        { settings, config, NULL },
        { own, instance, provider ? provider->name : NULL },
    };
    r = settings_read(config->json, tables, 2, error);
    return r < 0 ? r : complete(config, error);
}

void config_free(struct config *config)
{
    proxy_list_free(config->proxies);
    config_free_lists(config);
    json_decref(config->json);
}

const char *config_same_site(const struct config *config)
{
    if (config->same_site == SAME_SITE_STRICT)
        return "Strict";
    return config->same_site == SAME_SITE_NONE ? "None" : "Lax";
}

const char *config_warning(const struct config *config, size_t index)
{
    const struct {
        bool holds;
        const char *sentence;
    } warnings[] = {
        { config->no_http_only, "disableHTTPOnly: scripts can read the session's id" },
        { config->secure == SECURE_FALSE, "secure is false: the cookie travels unencrypted" },
        { strncmp(config->faces[1].name, "__Host-", 7) != 0,
          "the cookie's name has no __Host- prefix: a sibling domain can plant one" },
        { config->absolute_s == 0, "absoluteTimeout is 0: a session in use never ends" },
        { config->partitioned && config->same_site != SAME_SITE_NONE,
          "cookiePartitioned is meant for SameSite=None" },
        { config->header_name && *config->header_name && !config->header_transport,
          "SessionNameInHTTPHeader does nothing without EnableSidInHTTPHeader" },
        { proxy_list_trusts_all(config->proxies),
          "trustedProxies holds a network of all addresses: every client is believed about its own "
          "address and TLS" },
    };
    for (size_t i = 0; i < sizeof warnings / sizeof warnings[0]; i++) {
        if (warnings[i].holds && index-- == 0)
            return warnings[i].sentence;
    }
    return NULL;
}
