/* SPDX-License-Identifier: MIT */
#include "core/cookie.h"

#include "base/slice.h"

#include <sesame/error.h>

#include <stdio.h>
#include <time.h>

/* ---- reading ---- */

struct cookie_scan cookie_scan_of(const struct ses_slice *fields, size_t count)
{
    return (struct cookie_scan){ .fields = fields, .count = count, .budget = COOKIE_SCAN_MAX };
}

static bool pair_named(const unsigned char *start, const unsigned char *end, struct ses_slice name,
                       struct ses_slice *ret_value)
{
    const unsigned char *equals = memchr(start, '=', (size_t)(end - start));
    if (!equals || !slice_equal(slice_trim(slice_between(start, equals)), name))
        return false;
    *ret_value = slice_trim(slice_between(equals + 1, end));
    return true;
}

/* The next pair of the fields, without its ';'; false at the end of all or of the budget. */
static bool next_pair(struct cookie_scan *scan, const unsigned char **ret_start,
                      const unsigned char **ret_end)
{
    for (; scan->count > 0; scan->fields++, scan->count--, scan->at = 0) {
        const unsigned char *field = scan->fields->data;
        const size_t len = scan->fields->len;
        if (scan->at >= len)
            continue;

        const unsigned char *start = field + scan->at;
        const unsigned char *end = memchr(start, ';', len - scan->at);
        end = end ? end : field + len;
        const size_t used = (size_t)(end - start) + 1;
        if (used > scan->budget)
            return false;
        scan->budget -= used;
        scan->at += used;
        *ret_start = start;
        *ret_end = end;
        return true;
    }
    return false;
}

bool cookie_next(struct cookie_scan *scan, struct ses_slice name, struct ses_slice *ret_value)
{
    const unsigned char *start, *end;
    while (next_pair(scan, &start, &end)) {
        if (pair_named(start, end, name, ret_value))
            return true;
    }
    return false;
}

/* ---- checking ---- */

bool token_valid(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!ascii_is_alnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c))
            return false;
    }
    return *text != '\0';
}

static bool is_cookie_octet(unsigned char c)
{
    return c == 0x21 || (c >= 0x23 && c <= 0x2b) || (c >= 0x2d && c <= 0x3a) ||
           (c >= 0x3c && c <= 0x5b) || (c >= 0x5d && c <= 0x7e);
}

static bool value_valid(const char *value)
{
    for (; *value; value++) {
        if (!is_cookie_octet((unsigned char)*value))
            return false;
    }
    return true;
}

static bool path_valid(const char *path)
{
    const size_t len = strlen(path);
    if (*path != '/' || len > COOKIE_ATTRIBUTE_MAX || path[len - 1] == ' ')
        return false; /* browsers would trim the blank off */
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;
        if (c < 0x20 || c > 0x7e || c == ';')
            return false;
    }
    return true;
}

/* A host name: labels of letters, digits and inner hyphens (RFC 1034 3.5). */
static bool domain_valid(const char *domain)
{
    if (*domain == '\0' || strlen(domain) > 253)
        return false;
    char before = '.';
    for (; *domain; before = *domain++) {
        const char c = *domain;
        const bool edge = c == '.' || c == '-';
        if ((!ascii_is_alnum(c) && !edge) || (before == '.' && edge) || (before == '-' && c == '.'))
            return false;
    }
    return before != '.' && before != '-';
}

/* The promises that a prefixed name makes (RFC 6265bis 4.1.3); any case counts, as browsers do. */
static const char *prefix_fault(const struct ses_cookie *cookie)
{
    const bool host = ascii_starts(cookie->name, "__Host-");
    if ((host || ascii_starts(cookie->name, "__Secure-")) && !cookie->secure)
        return "a name with __Host- or __Secure- needs Secure";
    if (host && cookie->domain)
        return "a name with __Host- forbids a domain";
    if (host && strcmp(cookie->path, "/") != 0)
        return "a name with __Host- needs the path \"/\"";
    return NULL;
}

static const char *attribute_fault(const struct ses_cookie *cookie)
{
    const bool none = strcmp(cookie->same_site, "None") == 0;
    if (!none && strcmp(cookie->same_site, "Lax") != 0 && strcmp(cookie->same_site, "Strict") != 0)
        return "SameSite must be Lax, Strict or None";
    if (none && !cookie->secure)
        return "SameSite=None needs Secure";
    if (cookie->partitioned && !cookie->secure)
        return "Partitioned needs Secure";
    if (cookie->max_age_s < -1 || cookie->max_age_s > COOKIE_AGE_MAX_S)
        return "Max-Age must be 0 to 400 days";
    return NULL;
}

const char *cookie_fault(const struct ses_cookie *cookie)
{
    if (!token_valid(cookie->name))
        return "the name must be a token (letters, digits and !#$%&'*+-.^_`|~)";
    if (!value_valid(cookie->value))
        return "the value must be cookie octets (printable, no space, quote, comma, semicolon, "
               "backslash)";
    if (strlen(cookie->name) + strlen(cookie->value) > COOKIE_PAIR_MAX)
        return "name and value are over 4096 bytes";
    if (!path_valid(cookie->path))
        return "the path must start with \"/\" and be printable ASCII without \";\", at most 1024 "
               "bytes";
    if (cookie->domain && !domain_valid(cookie->domain))
        return "the domain must be a host name (letters, digits, hyphens, dots)";
    const char *fault = prefix_fault(cookie);
    return fault ? fault : attribute_fault(cookie);
}

/* ---- writing ---- */

/* IMF-fixdate (RFC 9110 5.6.7); strftime would speak the process's language. */
static void write_date(struct buffer *out, int64_t unix_s)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int64_t year_9999 = 253402300799;
    const time_t at = (time_t)(unix_s < 0 ? 0 : unix_s > year_9999 ? year_9999 : unix_s);
    struct tm tm;
    if (!gmtime_r(&at, &tm)) {
        out->failed = true;
        return;
    }
    char text[64];
    (void)snprintf(text, sizeof text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + (ptrdiff_t)tm.tm_wday * 3, tm.tm_mday, months + (ptrdiff_t)tm.tm_mon * 3,
                   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    buffer_text(out, text);
}

/* Both, because old clients know only Expires; Max-Age wins where both are known (5.6.2). */
static void write_age(struct buffer *out, int64_t max_age_s, int64_t now_ms)
{
    if (max_age_s < 0)
        return;
    char age[32];
    (void)snprintf(age, sizeof age, "; Max-Age=%lld", (long long)max_age_s);
    buffer_text(out, age);
    buffer_text(out, "; Expires=");
    write_date(out, max_age_s == 0 ? 0 : now_ms / 1000 + max_age_s);
}

int cookie_write(struct buffer *out, const struct ses_cookie *cookie, int64_t now_ms)
{
    return cookie_fault(cookie) ? SES_ERR_INVALID : cookie_write_sound(out, cookie, now_ms);
}

int cookie_write_sound(struct buffer *out, const struct ses_cookie *cookie, int64_t now_ms)
{
    buffer_text(out, cookie->name);
    buffer_text(out, "=");
    buffer_text(out, cookie->value);
    buffer_text(out, "; Path=");
    buffer_text(out, cookie->path);
    if (cookie->domain) {
        buffer_text(out, "; Domain=");
        buffer_text(out, cookie->domain);
    }
    write_age(out, cookie->max_age_s, now_ms);
    buffer_text(out, cookie->http_only ? "; HttpOnly" : "");
    buffer_text(out, cookie->secure ? "; Secure" : "");
    buffer_text(out, "; SameSite=");
    buffer_text(out, cookie->same_site);
    buffer_text(out, cookie->partitioned ? "; Partitioned" : "");
    buffer_byte(out, '\0');
    return out->failed ? SES_ERR_NO_MEMORY : SES_OK;
}
