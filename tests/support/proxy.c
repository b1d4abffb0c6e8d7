/* SPDX-License-Identifier: MIT */
#include "support/proxy.h"

#include "support/server.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16384, LOOK_MS = 20 };

struct pass {
    struct proxy *proxy;
    int client, server;
    unsigned passed; /* bytes of the server's, while this fault lasts */
};

static bool send_all(int fd, const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static bool send_slowly(struct pass *pass, const unsigned char *bytes, size_t len, unsigned ms)
{
    const struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };
    for (size_t i = 0; i < len && !pass->proxy->stopping; i++) {
        (void)nanosleep(&pause, NULL);
        if (!send_all(pass->client, bytes + i, 1))
            return false;
    }
    return true;
}

/* @return false: the connection is to be closed. */
static bool answer(struct pass *pass, unsigned char *bytes, size_t len)
{
    const unsigned amount = pass->proxy->amount, before = pass->passed;
    pass->passed += (unsigned)len;
    const int fault = pass->proxy->fault;
    switch (fault) {
    case PROXY_CUT:
    case PROXY_SWALLOW: {
        const size_t left = before < amount ? amount - before : 0;
        const bool sent = send_all(pass->client, bytes, len < left ? len : left);
        return sent && (len <= left || fault == PROXY_SWALLOW);
    }
    case PROXY_SLOW:
        return send_slowly(pass, bytes, len, amount);
    case PROXY_CORRUPT:
        for (size_t i = 0; i < len; i++) {
            if ((before + i + 1) % amount == 0)
                bytes[i] ^= (unsigned char)(1u << (before + i) % 8);
        }
        return send_all(pass->client, bytes, len);
    default:
        pass->passed = 0;
        return send_all(pass->client, bytes, len);
    }
}

static bool carry(struct pass *pass, bool from_server)
{
    unsigned char bytes[CHUNK];
    const ssize_t got = recv(from_server ? pass->server : pass->client, bytes, sizeof bytes, 0);
    if (got <= 0)
        return false;
    return from_server ? answer(pass, bytes, (size_t)got)
                       : send_all(pass->server, bytes, (size_t)got);
}

static void *pass_through(void *arg)
{
    struct pass *pass = arg;
    struct pollfd fds[2] = { { .fd = pass->client, .events = POLLIN },
                             { .fd = pass->server, .events = POLLIN } };
    bool open = pass->server >= 0;
    while (open && !pass->proxy->stopping) {
        if (poll(fds, 2, LOOK_MS) <= 0)
            continue;
        for (int i = 0; open && i < 2; i++)
            open = !fds[i].revents || carry(pass, i == 1);
    }
    (void)close(pass->client);
    if (pass->server >= 0)
        (void)close(pass->server);
    pass->proxy->threads--;
    free(pass);
    return NULL;
}

static void begin(struct proxy *proxy, int client)
{
    const int one = 1;
    pthread_t thread;
    struct pass *pass = malloc(sizeof *pass);
    if (!pass)
        err(2, "proxy");
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *pass = (struct pass){ proxy, client, server_connect(proxy->path, 0), 0 };
    proxy->connections++;
    if (pthread_create(&thread, NULL, pass_through, pass) != 0)
        errx(2, "proxy: no thread");
    (void)pthread_detach(thread);
}

static void *listen_for(void *arg)
{
    struct proxy *proxy = arg;
    struct pollfd fd = { .fd = proxy->listener, .events = POLLIN };
    while (!proxy->stopping) {
        const int client =
            poll(&fd, 1, LOOK_MS) > 0 ? accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (client < 0)
            continue;
        proxy->threads++;
        begin(proxy, client);
    }
    proxy->threads--;
    return NULL;
}

void proxy_start(struct proxy *proxy, const char *path)
{
    pthread_t thread;
    *proxy = (struct proxy){ .path = path, .port = free_port(), .threads = 1 };
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)proxy->port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int one = 1;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(proxy->listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(proxy->listener, 128) < 0)
        err(2, "proxy");
    if (pthread_create(&thread, NULL, listen_for, proxy) != 0)
        errx(2, "proxy: no thread");
    (void)pthread_detach(thread);
}

void proxy_set(struct proxy *proxy, enum proxy_fault fault, unsigned amount)
{
    proxy->amount = amount;
    proxy->fault = fault;
}

void proxy_stop(struct proxy *proxy)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    proxy->stopping = true;
    while (proxy->threads > 0)
        (void)nanosleep(&moment, NULL); /* each looks every 20 ms */
    (void)close(proxy->listener);
}
