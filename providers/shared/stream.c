/* SPDX-License-Identifier: MIT */
#include "shared/stream.h"

#include "shared/resolve.h"
#include "shared/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- connecting ---- */

static bool wait_for(int fd, short events, struct deadline deadline)
{
    struct pollfd wanted = { .fd = fd, .events = events };
    int r;
    do {
        r = poll(&wanted, 1, deadline_left_ms(deadline));
    } while (r < 0 && errno == EINTR);
    if (r == 0)
        errno = ETIMEDOUT;
    return r > 0;
}

static bool finish_connect(int fd, struct deadline deadline)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, deadline) ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return false;
    errno = error;
    return error == 0;
}

/* From here on reading and writing block, but not for longer than the patience: a reply that comes
 * soon, as nearly all do, costs no call of poll(). */
static bool make_patient(int fd, int patience_ms)
{
    const struct timeval patience = { patience_ms / 1000, patience_ms % 1000 * 1000L };
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0;
}

static bool connect_to(struct stream *stream, const struct sockaddr *address, socklen_t len,
                       struct deadline deadline)
{
    const int one = 1;
    stream->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream->fd < 0)
        return false;
    if (address->sa_family != AF_UNIX) {
        (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    if ((connect(stream->fd, address, len) == 0 || finish_connect(stream->fd, deadline)) &&
        make_patient(stream->fd, stream->patience_ms))
        return true;
    const int error = errno;
    stream_close(stream);
    errno = error;
    return false;
}

static bool connect_unix(struct stream *stream, const char *path, struct deadline deadline)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const size_t len = strlen(path);
    if (len >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, path, len + 1);
    return connect_to(stream, (const struct sockaddr *)&address, sizeof address, deadline);
}

static const char *connect_tcp(struct stream *stream, const struct endpoint *endpoint,
                               struct deadline deadline)
{
    struct addresses addresses;
    const char *problem = resolve(endpoint->host, endpoint->port, deadline, &addresses);
    if (problem)
        return problem;
    for (size_t i = 0; i < addresses.count; i++) {
        if (connect_to(stream, (const struct sockaddr *)&addresses.list[i], addresses.len[i],
                       deadline))
            return NULL;
    }
    return strerrordesc_np(errno);
}

bool stream_open(struct stream *stream, const struct endpoint *endpoint, struct deadline deadline,
                 int patience_ms, const char **ret_why)
{
    *stream = (struct stream){ .fd = -1, .patience_ms = patience_ms };
    const char *problem = NULL;
    if (!endpoint->path)
        problem = connect_tcp(stream, endpoint, deadline);
    else if (!connect_unix(stream, endpoint->path, deadline))
        problem = strerrordesc_np(errno);
    if (!problem && endpoint->tls)
        problem = tls_begin(stream, endpoint->tls, endpoint->host, deadline);
    if (!problem)
        return true;
    stream_close(stream);
    *ret_why = problem;
    return false;
}

void stream_close(struct stream *stream)
{
    if (stream->cipher)
        tls_end(stream);
    if (stream->fd >= 0)
        (void)close(stream->fd);
    stream->fd = -1;
}

/* ---- talking ---- */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Before a call that may block for as long as the patience: is there time for that, or is something
 * ready sooner? */
static bool may_block(const struct stream *stream, short events, struct deadline deadline)
{
    return deadline_left_ms(deadline) >= stream->patience_ms ||
           wait_for(stream->fd, events, deadline);
}

bool stream_send(struct stream *stream, const void *bytes, size_t len, struct deadline deadline)
{
    if (stream->cipher)
        return tls_send(stream, bytes, len, deadline);
    const char *at = bytes;
    while (len > 0) {
        if (!may_block(stream, POLLOUT, deadline))
            return false;
        const ssize_t sent = send(stream->fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && !would_block())
            return false;
        at += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

ssize_t stream_receive(struct stream *stream, void *bytes, size_t len, struct deadline deadline)
{
    if (stream->cipher)
        return tls_receive(stream, bytes, len, deadline);
    for (;;) {
        if (!may_block(stream, POLLIN, deadline))
            return -1;
        const ssize_t got = recv(stream->fd, bytes, len, 0);
        if (got >= 0 || !would_block())
            return got;
    }
}

bool stream_is_quiet(const struct stream *stream)
{
    char byte;
    return recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && would_block();
}
