/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_BUFFER_H
#define SES_BASE_BUFFER_H

#include <sesame/common.h>

#include <string.h>

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
void buffer_free(struct buffer *b); /* a fixed one owns nothing */
struct ses_slice buffer_slice(const struct buffer *b);

/* Makes room for so many bytes more; false, and the buffer fails, when there is none to be had. */
bool buffer_make_room(struct buffer *b, size_t len);

/* Inline: to make a session is to write some hundred short pieces, a sixth of it in calls. */
static inline void buffer_append(struct buffer *b, const void *bytes, size_t len)
{
    const bool needs_room = !b->data || b->failed || len > b->cap - b->len;
    if (len == 0 || (needs_room && !buffer_make_room(b, len)))
        return;
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
}

static inline void buffer_byte(struct buffer *b, unsigned char byte)
{
    const bool needs_room = !b->data || b->failed || b->len == b->cap;
    if (!needs_room || buffer_make_room(b, 1))
        b->data[b->len++] = byte;
}

/* Without its NUL. */
static inline void buffer_text(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

static inline void buffer_free_p(struct buffer *b)
{
    buffer_free(b);
}

#endif
