/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_ADAPTER_CLIENT_H
#define SES_TEST_ADAPTER_CLIENT_H

/* A client that sends what no HTTP library would: every byte of the request is the test's. */

#include "support/test.h"

#include <sys/socket.h>

struct response {
    int status;
    char head[4096]; /* status line and fields, each ended by CR LF */
    char body[16384];
    size_t body_len;
};

/* To the server at this address; a server that says nothing for ten seconds fails the test. */
int client_connect(const struct sockaddr *address, socklen_t len);

void client_send(int fd, const char *bytes, size_t len);

/* Exactly one response, so that nothing of the next one is taken. */
void client_receive(int fd, struct response *ret);

/* The same to HEAD, which has no body whatever its length says. */
void client_receive_head(int fd, struct response *ret);

/* A request with these fields, each ended by CR LF, and a body if that is not NULL. */
void client_ask(int fd, const char *method, const char *path, const char *fields, const char *body,
                struct response *ret);

/* Has the server closed its end? */
bool client_is_closed(int fd);

/* The value of the field, up to CR LF; NULL when there is none. */
const char *response_field(const struct response *response, const char *name);
size_t response_count(const struct response *response, const char *name);

/* "name=value" of the one Set-Cookie field, in @p out. */
void response_cookie(const struct response *response, char *out, size_t size);

#endif
