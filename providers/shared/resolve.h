/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_RESOLVE_H
#define SES_SHARED_RESOLVE_H

#include "shared/deadline.h"

#include <stddef.h>
#include <sys/socket.h>

/* Where a server listens, in the order in which to try. */
enum { ADDRESSES_MOST = 8 };

struct addresses {
    struct sockaddr_storage list[ADDRESSES_MOST];
    socklen_t len[ADDRESSES_MOST];
    size_t count;
};

/* Asks for a host's addresses. A name server may take longer than anybody waits for us, and
 * getaddrinfo() cannot be told so: a thread asks, and is left alone when the deadline has passed.
 * @return NULL, or what is wrong, for a log line. */
const char *resolve(const char *host, const char *port, struct deadline deadline,
                    struct addresses *ret_addresses);

#endif
