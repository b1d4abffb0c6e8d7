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

#endif
