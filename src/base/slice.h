/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_SLICE_H
#define SES_BASE_SLICE_H

#include <sesame/common.h>

#include <string.h>

static inline struct ses_slice slice_of_text(const char *text)
{
    return (struct ses_slice){ .data = text, .len = strlen(text) };
}

/* Not for secrets: those are compared as keys, by ses_key_equal(). */
static inline bool slice_equal(struct ses_slice a, struct ses_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0); /* not secret */
}

/* Without the blanks (SP, HT) at both ends. */
static inline struct ses_slice slice_trim(struct ses_slice text)
{
    const char *start = (const char *)text.data, *end = start + text.len;
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct ses_slice){ start, (size_t)(end - start) };
}

static inline struct ses_slice slice_between(const void *start, const void *end)
{
    return (struct ses_slice){ start, (size_t)((const char *)end - (const char *)start) };
}

/* By ASCII, as the protocols have it: <ctype.h> and strcasecmp() follow the process's locale, in
 * which \xe4 may be a letter and 'I' no capital 'i'. */
static inline bool ascii_is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static inline char ascii_lower(char c)
{
    if (c < 'A' || c > 'Z')
        return c;
    return (char)(c - 'A' + 'a');
}

static inline bool ascii_starts(const char *text, const char *prefix)
{
    while (*prefix && ascii_lower(*text) == ascii_lower(*prefix)) {
        text++;
        prefix++;
    }
    return *prefix == '\0';
}

static inline bool ascii_same(const char *a, const char *b)
{
    while (*a && ascii_lower(*a) == ascii_lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

#endif
