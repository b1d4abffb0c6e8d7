/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMCACHED_WIRE_H
#define SES_MEMCACHED_WIRE_H

#include "shared/pool.h"
#include "shared/stream.h"

#include <string.h>

#include <sesame/common.h>

/* One connection to a server, and what has come over it and was not read yet. */
struct wire {
    struct pooled pooled; /* first */
    struct stream stream;
    uint64_t item_most; /* the server's item_size_max */
    char *bytes;
    size_t room;
    size_t begin, end; /* of what was not read yet */
};

/* Does what the server said begin like that? */
static inline bool begins_with(struct ses_slice said, const void *text, size_t len)
{
    return said.len >= len && memcmp(said.data, text, len) == 0; /* not secret: it is theirs */
}

/* @return NULL when it failed; then *ret_why tells why, for a log line. */
struct wire *wire_open(const struct endpoint *endpoint, struct deadline deadline, int patience_ms,
                       const char **ret_why);
void wire_close(struct wire *wire);

bool wire_send(struct wire *wire, const void *bytes, size_t len, struct deadline deadline);

/* What they hand out is borrowed until the next of them. @return false: nothing to be had in time,
 * or a line longer than any answer's. */
bool wire_read_line(struct wire *wire, struct deadline deadline, struct ses_slice *ret_line);
bool wire_read(struct wire *wire, size_t len, struct deadline deadline,
               struct ses_slice *ret_bytes);

/* After a whole answer: was that all that came? It frees the memory of a large one. */
bool wire_rest(struct wire *wire);

#endif
