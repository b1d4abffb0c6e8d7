/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_TLS_H
#define SES_SHARED_TLS_H

#include "shared/stream.h"

#include <stddef.h>

/*
 * TLS for streams, by OpenSSL: 1.2 or newer, and the server's certificate has to be good for its
 * name. It does not write to the socket by itself, so that no SIGPIPE is raised.
 */

struct tls_options {
    const char *ca_file;   /* NULL: the system's certificates */
    const char *cert_file; /* NULL: none; a client certificate, and its key */
    const char *key_file;
    const char *name; /* what the server's certificate is for; NULL: the host's name */
};

/* @return NULL, with one line of what is wrong. */
struct tls *tls_new(const struct tls_options *options, char *why, size_t why_size);
void tls_free(struct tls *tls);

/* Of stream.c. @return NULL, or what went wrong. */
const char *tls_begin(struct stream *stream, const struct tls *tls, const char *host,
                      struct deadline deadline);
void tls_end(struct stream *stream);
bool tls_send(struct stream *stream, const void *bytes, size_t len, struct deadline deadline);
ssize_t tls_receive(struct stream *stream, void *bytes, size_t len, struct deadline deadline);

#endif
