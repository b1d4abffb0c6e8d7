/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_BUFFER_H
#define SES_BASE_BUFFER_H

#include <sesame/common.h>

/*
 * Where all output goes. The first failure sticks (no memory, or a fixed buffer that is full):
 * later writes do nothing, and the writer checks `failed` once at the end.
 *
 *     CLEANUP(buffer_free) struct buffer out = { 0 };        // grows
 *     struct buffer out = buffer_fixed(storage, sizeof storage);   // fails instead of growing
 */
struct buffer {
    unsigned char *data;
    size_t len;
    size_t cap;
    bool fixed;
    bool failed;
};

struct buffer buffer_fixed(void *storage, size_t cap);
void buffer_append(struct buffer *b, const void *bytes, size_t len);
void buffer_byte(struct buffer *b, unsigned char byte);
void buffer_text(struct buffer *b, const char *text); /* without its NUL */
void buffer_free(struct buffer *b);                   /* a fixed one owns nothing */
struct ses_slice buffer_slice(const struct buffer *b);

static inline void buffer_free_p(struct buffer *b)
{
    buffer_free(b);
}

#endif
