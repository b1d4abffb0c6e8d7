/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <stdlib.h>

enum { BUFFER_MIN = 256 };

struct buffer buffer_fixed(void *storage, size_t cap)
{
    return (struct buffer){ .data = storage, .cap = cap, .fixed = true };
}

/* Doubles, so that many small writes cost as much as one large one. */
static bool grow(struct buffer *b, size_t needed)
{
    size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
    if (cap < BUFFER_MIN)
        cap = BUFFER_MIN;
    if (cap < needed)
        cap = needed;

    unsigned char *data = realloc(b->data, cap);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

bool buffer_make_room(struct buffer *b, size_t len)
{
    if (b->failed)
        return false;
    if (len <= b->cap - b->len)
        return true;

    b->failed = b->fixed || len > SIZE_MAX - b->len || !grow(b, b->len + len);
    return !b->failed;
}

void buffer_free(struct buffer *b)
{
    if (!b->fixed)
        free(b->data);
    /* What was fixed must not start to allocate: it stays so, now without any room. */
    *b = (struct buffer){ .fixed = b->fixed };
}

struct ses_slice buffer_slice(const struct buffer *b)
{
    return (struct ses_slice){ .data = b->data, .len = b->len };
}
