/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_COOKIE_H
#define SES_CORE_COOKIE_H

/*
 * Cookies by RFC 6265bis, both ways.
 *
 * Reading: split on ';' only, names compared with case, every field of its own, duplicates kept in
 * order, nothing decoded, and no other cookie's syntax ever stops the scan (S-41, S-77).
 * Writing: what would not come back as exactly this one cookie is refused (S-74 to S-81, T-14).
 */

#include "base/buffer.h"

#include <sesame/http.h>

enum {
    COOKIE_SCAN_MAX = 64 * 1024,           /* bytes of Cookie fields looked at per request */
    COOKIE_PAIR_MAX = 4096,                /* name and value (RFC 6265bis 5.6) */
    COOKIE_ATTRIBUTE_MAX = 1024,           /* octets of an attribute's value (the same) */
    COOKIE_AGE_MAX_S = 400 * 24 * 60 * 60, /* browsers cap it there (5.6.2) */
};

struct cookie_scan {
    const struct ses_slice *fields;
    size_t count;
    size_t at;     /* within fields[0] */
    size_t budget; /* bytes that may still be looked at */
};

struct cookie_scan cookie_scan_of(const struct ses_slice *fields, size_t count);

/* The next value of a cookie of that name; false when there is none left. Borrowed. */
bool cookie_next(struct cookie_scan *scan, struct ses_slice name, struct ses_slice *ret_value);

/* Why this cookie cannot be sent, as the end of a sentence; NULL when it can. */
const char *cookie_fault(const struct ses_cookie *cookie);

/* The value of a Set-Cookie field, NUL-terminated. SES_ERR_INVALID if cookie_fault() finds one. */
int cookie_write(struct buffer *out, const struct ses_cookie *cookie, int64_t now_ms);

/* The same of a cookie that is known to have no fault. */
int cookie_write_sound(struct buffer *out, const struct ses_cookie *cookie, int64_t now_ms);

/* RFC 9110: is this a token (a header's name, a cookie's name)? */
bool token_valid(const char *text);

#endif
