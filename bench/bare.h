/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "redis/script.h"

#include <stdint.h>

/*
 * hiredis as anybody uses it, beside which the provider is measured: one connection, and the
 * commands that the provider sends. Nothing is checked, and nothing may fail.
 */
struct bare;

/* By the unix socket or, without a path, the port. */
struct bare *bare_connect(const char *path, int port);
void bare_close(struct bare *bare);

/* A value that the script of saving takes for a record. */
void bare_set(struct bare *bare, const char *name, uint64_t version, size_t bytes);

/* GET; GET and the EVALSHA of a save. */
void bare_load(struct bare *bare, const char *name);
void bare_save(struct bare *bare, const struct script *script, const char *name, uint64_t version,
               size_t bytes);

#endif
