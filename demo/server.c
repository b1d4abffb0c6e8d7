/* SPDX-License-Identifier: MIT */
#include "server.h"

#include "http.h"

#include <arpa/inet.h>
#include <err.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IDLE_CONNECTION_S = 30, REQUEST_MEMORY = 64 << 10 };

/* ---- the socket: our own, so that a failure can be told exactly ---- */

static void name_address(const struct sockaddr_storage *address, struct server *server)
{
    char host[INET6_ADDRSTRLEN];
    const void *as = address;
    const bool v6 = address->ss_family == AF_INET6;
    const struct sockaddr_in *in = as;
    const struct sockaddr_in6 *in6 = as;
    const void *bytes = v6 ? (const void *)&in6->sin6_addr : &in->sin_addr;
    if (!inet_ntop(address->ss_family, bytes, host, sizeof host))
        host[0] = '\0';
    (void)snprintf(server->authority, sizeof server->authority, v6 ? "[%s]:%d" : "%s:%d", host,
                   ntohs(v6 ? in6->sin6_port : in->sin_port));
}

static bool bind_and_listen(int fd, const struct options *options)
{
    const int yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const struct sockaddr *address = (const void *)&options->address;
    return bind(fd, address, options->address_len) == 0 && listen(fd, SOMAXCONN) == 0;
}

static int open_socket(const struct options *options, struct server *server)
{
    name_address(&options->address, server);
    const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const int fd = socket(options->address.ss_family, kind, 0);
    if (fd < 0 || !bind_and_listen(fd, options)) {
        warn("cannot listen on %s", server->authority);
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    struct sockaddr_storage bound = options->address;
    socklen_t len = sizeof bound;
    if (getsockname(fd, (void *)&bound, &len) == 0)
        name_address(&bound, server); /* port 0 has become a real one */
    return fd;
}

/* ---- the daemon ---- */

bool server_start(struct server *server, const struct options *options, struct site *site)
{
    const int fd = open_socket(options, server);
    if (fd < 0)
        return false;
    /* A pool of one is no pool to libmicrohttpd. */
    const unsigned pool = options->threads > 1 ? options->threads : 0;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, http_handle, site, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_THREAD_POOL_SIZE, pool, MHD_OPTION_NOTIFY_COMPLETED, http_completed, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, http_keep_escapes, NULL, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_CONNECTION_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY,
        MHD_OPTION_END);
    if (!server->daemon) {
        warnx("cannot start the web server on %s with %u threads", server->authority,
              options->threads);
        (void)close(fd);
    }
    return server->daemon != NULL;
}

void server_stop(struct server *server)
{
    MHD_stop_daemon(server->daemon);
}
