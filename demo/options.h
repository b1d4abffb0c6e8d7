/* SPDX-License-Identifier: MIT */
#ifndef DEMO_OPTIONS_H
#define DEMO_OPTIONS_H

/* The command line. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct options {
    struct sockaddr_storage address;
    socklen_t address_len;
    const char *provider;
    const char *config; /* JSON; NULL: the defaults */
    char *config_file;  /* holds config when that came from a file */
    unsigned threads;
    uint32_t fresh_s;
    bool policy;        /* tell it instead of serving */
    const char *preset; /* what to measure it against; NULL: the configured one */
};

enum options_outcome { OPTIONS_RUN, OPTIONS_TOLD, OPTIONS_BAD };

/* What is wrong has been told on standard error, what was asked for on standard output. Fills in
 * *options in any case; free it with options_free(). */
enum options_outcome options_parse(int argc, char **argv, struct options *options);
void options_free(struct options *options);

#endif
