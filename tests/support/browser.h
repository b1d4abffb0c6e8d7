/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_BROWSER_H
#define SES_TEST_BROWSER_H

/*
 * What a browser makes of a Set-Cookie field: RFC 6265bis 5.6, word for word, written from the
 * document and without a look at src/core/cookie.c. Beyond it, the counts say whether an attribute
 * came twice or is none that the document (or CHIPS) knows.
 */

#include <sesame/common.h>

#include <string.h>

enum { BROWSER_PAIR_MAX = 4096, BROWSER_ATTRIBUTE_MAX = 1024 };

enum browser_same_site {
    BROWSER_SAME_SITE_DEFAULT,
    BROWSER_SAME_SITE_LAX,
    BROWSER_SAME_SITE_STRICT,
    BROWSER_SAME_SITE_NONE
};

struct browser_cookie {
    struct ses_slice name;
    struct ses_slice value;
    struct ses_slice path;   /* NULL data: the default path */
    struct ses_slice domain; /* NULL data: host-only; a leading dot is gone */
    enum browser_same_site same_site;
    int64_t max_age_s;
    int64_t expires_s; /* Unix time */
    bool has_max_age;
    bool has_expires;
    bool secure;
    bool http_only;
    bool partitioned;
    unsigned unknown; /* attributes that are ignored */
    unsigned twice;   /* attributes that came before */
};

static inline struct ses_slice browser_trim(const char *start, const char *end)
{
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct ses_slice){ start, (size_t)(end - start) };
}

static inline char browser_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool browser_word(struct ses_slice text, const char *word)
{
    const char *at = (const char *)text.data;
    if (text.len != strlen(word))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (browser_lower(at[i]) != browser_lower(word[i]))
            return false;
    }
    return true;
}

/* Digits from @p at to @p end; -1 if anything else is among them. */
static inline int64_t browser_number(const char *at, const char *end)
{
    int64_t number = 0;
    if (at == end || end - at > 17)
        return -1;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return -1;
        number = number * 10 + (*at - '0');
    }
    return number;
}

/* Days since 1970-01-01, counted year by year: slow, and plain to see. */
static inline int64_t browser_days(int64_t year, int64_t month, int64_t day)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t days = 0;
    for (int64_t y = 1970; y < year; y++)
        days += (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)) ? 366 : 365;
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int64_t m = 0; m < month; m++)
        days += lengths[m] + (m == 1 && leap);
    return days + day - 1;
}

static inline int64_t browser_name_index(const char *at, const char *names, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (strncmp(at, names + i * 3, 3) == 0)
            return i;
    }
    return -1;
}

/* IMF-fixdate (RFC 9110 5.6.7) and nothing else: "Sun, 06 Nov 1994 08:49:37 GMT". */
static inline bool browser_date(struct ses_slice text, int64_t *ret_unix_s)
{
    const char *at = (const char *)text.data;
    if (text.len != 29 || strncmp(at + 3, ", ", 2) != 0 || strncmp(at + 25, " GMT", 4) != 0 ||
        at[7] != ' ' || at[11] != ' ' || at[16] != ' ' || at[19] != ':' || at[22] != ':')
        return false;
    const int64_t weekday = browser_name_index(at, "SunMonTueWedThuFriSat", 7);
    const int64_t month = browser_name_index(at + 8, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
    const int64_t day = browser_number(at + 5, at + 7), year = browser_number(at + 12, at + 16);
    const int64_t hour = browser_number(at + 17, at + 19),
                  minute = browser_number(at + 20, at + 22);
    const int64_t second = browser_number(at + 23, at + 25);
    if (weekday < 0 || month < 0 || day < 1 || day > 31 || year < 1970 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    const int64_t days = browser_days(year, month, day);
    if ((days + 4) % 7 != weekday)
        return false;
    *ret_unix_s = ((days * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

static inline void browser_max_age(struct browser_cookie *c, struct ses_slice value)
{
    const char *at = (const char *)value.data, *end = at + value.len;
    const bool minus = at < end && *at == '-';
    const int64_t number = browser_number(at + minus, end);
    c->twice += c->has_max_age;
    if (number < 0) {
        c->unknown++;
        return;
    }
    c->has_max_age = true;
    c->max_age_s = minus ? -number : number;
}

static inline void browser_domain(struct browser_cookie *c, struct ses_slice value)
{
    c->twice += c->domain.data != NULL;
    if (value.len > 0 && *(const char *)value.data == '.')
        value = (struct ses_slice){ (const char *)value.data + 1, value.len - 1 };
    c->domain = value;
    c->unknown += value.len == 0;
}

static inline void browser_path(struct browser_cookie *c, struct ses_slice value)
{
    c->twice += c->path.data != NULL;
    if (value.len > 0 && *(const char *)value.data == '/')
        c->path = value;
    else
        c->unknown++;
}

static inline void browser_same_site(struct browser_cookie *c, struct ses_slice value)
{
    c->twice += c->same_site != BROWSER_SAME_SITE_DEFAULT;
    if (browser_word(value, "Lax"))
        c->same_site = BROWSER_SAME_SITE_LAX;
    else if (browser_word(value, "Strict"))
        c->same_site = BROWSER_SAME_SITE_STRICT;
    else if (browser_word(value, "None"))
        c->same_site = BROWSER_SAME_SITE_NONE;
    else
        c->unknown++;
}

static inline void browser_flag(struct browser_cookie *c, bool *flag, struct ses_slice value)
{
    c->twice += *flag;
    c->unknown += value.data != NULL; /* harmless to a browser, but not what RFC 6265bis 4.1 says */
    *flag = true;
}

/* @p value has NULL data when there was no '='. */
static inline void browser_attribute(struct browser_cookie *c, struct ses_slice name,
                                     struct ses_slice value)
{
    if (value.len > BROWSER_ATTRIBUTE_MAX) {
        c->unknown++;
        return;
    }
    if (browser_word(name, "Expires")) {
        c->twice += c->has_expires;
        c->has_expires = browser_date(value, &c->expires_s);
        c->unknown += !c->has_expires;
    } else if (browser_word(name, "Max-Age")) {
        browser_max_age(c, value);
    } else if (browser_word(name, "Domain")) {
        browser_domain(c, value);
    } else if (browser_word(name, "Path")) {
        browser_path(c, value);
    } else if (browser_word(name, "SameSite")) {
        browser_same_site(c, value);
    } else if (browser_word(name, "Secure")) {
        browser_flag(c, &c->secure, value);
    } else if (browser_word(name, "HttpOnly")) {
        browser_flag(c, &c->http_only, value);
    } else if (browser_word(name, "Partitioned")) {
        browser_flag(c, &c->partitioned, value);
    } else {
        c->unknown++;
    }
}

static inline bool browser_starts(struct ses_slice text, const char *word)
{
    const size_t len = strlen(word);
    return text.len >= len && browser_word((struct ses_slice){ text.data, len }, word);
}

/* 5.7, the steps that drop a cookie for what it says of itself. */
static inline bool browser_stores(const struct browser_cookie *c)
{
    const bool host = browser_starts(c->name, "__Host-");
    if (c->name.len == 0)
        return false; /* allowed to a browser, never to us (S-75) */
    if (c->same_site == BROWSER_SAME_SITE_NONE && !c->secure)
        return false;
    if (c->partitioned && !c->secure)
        return false;
    if ((host || browser_starts(c->name, "__Secure-")) && !c->secure)
        return false;
    return !host || (!c->domain.data && browser_word(c->path, "/"));
}

/* True if a browser keeps the cookie. The slices lie within @p field. */
static inline bool browser_reads(struct ses_slice field, struct browser_cookie *ret)
{
    const char *at = (const char *)field.data, *end = at + field.len;
    struct browser_cookie c = { .unknown = 0 };
    for (const char *x = at; x < end; x++) {
        if ((*x >= 0 && *x < ' ' && *x != '\t') || *x == 0x7f)
            return false;
    }
    for (bool first = true; first || at < end; first = false) {
        at += !first; /* the ';' */
        const char *stop = (const char *)memchr(at, ';', (size_t)(end - at));
        stop = stop ? stop : end;
        const char *equals = (const char *)memchr(at, '=', (size_t)(stop - at));
        const struct ses_slice none = { NULL, 0 };
        const struct ses_slice left = browser_trim(at, equals ? equals : stop);
        const struct ses_slice right = equals ? browser_trim(equals + 1, stop) : none;
        if (first) {
            c.name = equals ? left : none;
            c.value = equals ? right : left;
            if (c.name.len + c.value.len > BROWSER_PAIR_MAX)
                return false;
        } else {
            browser_attribute(&c, left, right);
        }
        at = stop;
    }
    *ret = c;
    return browser_stores(&c);
}

#endif
