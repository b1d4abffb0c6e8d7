/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_SUPPORT_PROXY_H
#define SES_TEST_SUPPORT_PROXY_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Stands between a client and a server, on a loopback port, and spoils what the server answers. A
 * thread for each connection; all end with proxy_stop().
 */
enum proxy_fault {
    PROXY_NONE,
    PROXY_CUT,     /* closes both sides after `amount` bytes of the server's */
    PROXY_SWALLOW, /* the same bytes arrive, the others never do */
    PROXY_SLOW,    /* one byte every `amount` milliseconds */
    PROXY_HANG_UP, /* closes the client's side at its first byte, and reads no more */
    PROXY_CORRUPT, /* every `amount`-th byte has a bit turned */
};

struct proxy {
    const char *path; /* of the server's unix socket */
    int port;         /* where it listens */
    _Atomic int fault;
    atomic_uint amount;
    atomic_uint connections; /* that there ever were */
    atomic_uint answers;     /* pieces of what the server said */
    /* its own */
    int listener;
    atomic_bool stopping;
    atomic_uint threads;
};

void proxy_start(struct proxy *proxy, const char *path);
void proxy_set(struct proxy *proxy, enum proxy_fault fault, unsigned amount);
void proxy_stop(struct proxy *proxy);

#endif
