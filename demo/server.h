/* SPDX-License-Identifier: MIT */
#ifndef DEMO_SERVER_H
#define DEMO_SERVER_H

/* libmicrohttpd with a pool of threads. */

#include "options.h"

#include <netinet/in.h>
#include <stdbool.h>

struct MHD_Daemon;
struct site;

struct server {
    struct MHD_Daemon *daemon;
    char authority[INET6_ADDRSTRLEN + sizeof "[]:65535"]; /* "127.0.0.1:8080" */
};

/* When it fails, why has been told on standard error. */
bool server_start(struct server *server, const struct options *options, struct site *site);

/* Answers what is under way, then frees. */
void server_stop(struct server *server);

#endif
