/* SPDX-License-Identifier: MIT */
#include "memcached/wire.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MOST = 1024, ROOM_LEAST = 4096, ROOM_KEPT = 64 << 10 };

struct wire *wire_open(const struct endpoint *endpoint, struct deadline deadline, int patience_ms,
                       const char **ret_why)
{
    struct wire *wire = calloc(1, sizeof *wire);
    *ret_why = "out of memory";
    if (!wire)
        return NULL;
    if (stream_open(&wire->stream, endpoint, deadline, patience_ms, ret_why))
        return wire;
    free(wire);
    return NULL;
}

void wire_close(struct wire *wire)
{
    stream_close(&wire->stream);
    free(wire->bytes);
    free(wire);
}

bool wire_send(struct wire *wire, const void *bytes, size_t len, struct deadline deadline)
{
    return stream_send(&wire->stream, bytes, len, deadline);
}

/* ---- reading ---- */

static bool make_room(struct wire *wire, size_t len)
{
    if (wire->begin > 0) {
        memmove(wire->bytes, wire->bytes + wire->begin, wire->end - wire->begin);
        wire->end -= wire->begin;
        wire->begin = 0;
    }
    const size_t wanted = len > ROOM_LEAST ? len : ROOM_LEAST;
    if (wire->room >= wanted)
        return true;
    char *bytes = realloc(wire->bytes, wanted);
    if (!bytes)
        return false;
    wire->bytes = bytes;
    wire->room = wanted;
    return true;
}

/* At least one byte more, where @p len of them shall fit. */
static bool receive(struct wire *wire, size_t len, struct deadline deadline)
{
    if (wire->room - wire->begin < len && !make_room(wire, len))
        return false;
    const ssize_t got =
        stream_receive(&wire->stream, wire->bytes + wire->end, wire->room - wire->end, deadline);
    wire->end += got > 0 ? (size_t)got : 0;
    return got > 0;
}

static void take(struct wire *wire, size_t len, struct ses_slice *ret)
{
    *ret = (struct ses_slice){ wire->bytes + wire->begin, len };
    wire->begin += len;
}

bool wire_read(struct wire *wire, size_t len, struct deadline deadline, struct ses_slice *ret_bytes)
{
    while (wire->end - wire->begin < len) {
        if (!receive(wire, len, deadline))
            return false;
    }
    take(wire, len, ret_bytes);
    return true;
}

bool wire_read_line(struct wire *wire, struct deadline deadline, struct ses_slice *ret_line)
{
    for (;;) {
        const size_t len = wire->end - wire->begin;
        const char *end = len > 0 ? memmem(wire->bytes + wire->begin, len, "\r\n", 2) : NULL;
        if (end) {
            take(wire, (size_t)(end - wire->bytes) - wire->begin, ret_line);
            wire->begin += 2;
            return true;
        }
        if (len >= LINE_MOST || !receive(wire, LINE_MOST + 2, deadline))
            return false;
    }
}

bool wire_rest(struct wire *wire)
{
    if (wire->begin != wire->end)
        return false;
    wire->begin = wire->end = 0;
    if (wire->room > ROOM_KEPT) {
        free(wire->bytes);
        wire->bytes = NULL;
        wire->room = 0;
    }
    return true;
}
