/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdio.h>
#include <strings.h>
#include <sys/time.h>

int client_connect(const struct sockaddr *address, socklen_t len)
{
    const int fd = socket(address->sa_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    const struct timeval patience = { .tv_sec = 10 };
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, address, len), 0);
    return fd;
}

void client_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void receive_exactly(int fd, char *to, size_t len)
{
    while (len > 0) {
        const ssize_t got = recv(fd, to, len, 0);
        if (got <= 0)
            fail_msg("the connection ended or stalled, %zu bytes missing", len);
        to += got;
        len -= (size_t)got;
    }
}

void client_receive_head(int fd, struct response *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; !strstr(ret->head, "\r\n\r\n"); i++) {
        assert_true(i < sizeof ret->head - 1);
        receive_exactly(fd, ret->head + i, 1);
    }
    ret->status = (int)strtol(ret->head + strlen("HTTP/1.1 "), NULL, 10);
}

void client_receive(int fd, struct response *ret)
{
    client_receive_head(fd, ret);
    const char *length = response_field(ret, "Content-Length");
    ret->body_len = length ? strtoul(length, NULL, 10) : 0;
    assert_true(ret->body_len < sizeof ret->body);
    receive_exactly(fd, ret->body, ret->body_len);
}

void client_ask(int fd, const char *method, const char *path, const char *fields, const char *body,
                struct response *ret)
{
    char *request;
    char length[48] = "";
    if (body)
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    const int len = asprintf(&request, "%s %s HTTP/1.1\r\n%s%sHost: a.test\r\n\r\n%s", method, path,
                             fields, length, body ? body : "");
    assert_true(len > 0);
    client_send(fd, request, (size_t)len);
    free(request);
    client_receive(fd, ret);
}

bool client_is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) == 0;
}

static const char *next_field(const char *at, const char *name)
{
    const size_t len = strlen(name);
    while ((at = strstr(at, "\r\n"))) {
        at += 2;
        if (strncasecmp(at, name, len) == 0 && strncmp(at + len, ": ", 2) == 0)
            return at + len + 2;
    }
    return NULL;
}

const char *response_field(const struct response *response, const char *name)
{
    return next_field(response->head, name);
}

size_t response_count(const struct response *response, const char *name)
{
    size_t count = 0;
    for (const char *at = response->head; (at = next_field(at, name));)
        count++;
    return count;
}

void response_cookie(const struct response *response, char *out, size_t size)
{
    assert_int_equal(response_count(response, "Set-Cookie"), 1);
    const char *value = response_field(response, "Set-Cookie");
    const size_t len = strcspn(value, ";\r");
    assert_true(len < size);
    memcpy(out, value, len);
    out[len] = '\0';
}
