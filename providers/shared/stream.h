/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_STREAM_H
#define SES_SHARED_STREAM_H

#include "shared/deadline.h"

#include <sys/types.h>

/*
 * A connection to a server: TCP or a unix socket, with TLS or without. Every wait ends at a
 * deadline, and no SIGPIPE is ever raised (MSG_NOSIGNAL), whatever the process does with that
 * signal. A stream that answered -1 once is of no more use than to be closed.
 */

struct tls; /* what all connections of one server share (tls.h) */

struct endpoint {
    const char *path; /* a unix socket; NULL: TCP */
    const char *host;
    const char *port;
    const struct tls *tls; /* NULL: none */
};

struct stream {
    int fd;          /* -1: none */
    void *cipher;    /* NULL without TLS */
    int patience_ms; /* how long the kernel waits before we look at the deadline */
};

/* @p why gets what went wrong, for a log line. */
bool stream_open(struct stream *stream, const struct endpoint *endpoint, struct deadline deadline,
                 int patience_ms, const char **ret_why);
void stream_close(struct stream *stream); /* says nothing to the other side: a child may do it */

bool stream_send(struct stream *stream, const void *bytes, size_t len, struct deadline deadline);

/* At least one byte; 0: the other side has closed; -1: an error, or the deadline has passed. */
ssize_t stream_receive(struct stream *stream, void *bytes, size_t len, struct deadline deadline);

/* Is it open, with nothing to be read? What comes unasked is an end or a mistake. */
bool stream_is_quiet(const struct stream *stream);

#endif
