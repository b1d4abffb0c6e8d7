/* SPDX-License-Identifier: MIT */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

/* The rows of the table, and the parts of them that run in a process of their own. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
    bool quick;
};

/* cycles: read, write and create */
struct cycle_choice {
    bool read, write, create;
};
void row_cycles(const struct options *options, size_t sessions, const struct cycle_choice *choice);

void row_memory(const struct options *options, size_t sessions);
int child_memory(size_t sessions);
/* Bytes of one record of the bench, as a provider gets it. */
size_t record_bytes(void);

void row_expiry(const struct options *options);

/* login, protected, list, reject */
void row_logins(const struct options *options);

/* seal, open */
void row_seal(void);

/* read, write, create and gc of the provider "file" */
void row_file(const struct options *options, size_t sessions);

/* load, save: the provider "redis"; near: its near cache */
void row_redis(const struct options *options);

/* load, save and gc of a provider over SQL: "sqlite", "mysql", "postgres" */
void row_sql(const struct options *options, const char *provider, size_t rows);

void row_page(const struct options *options);

void row_instructions(const struct options *options);
int child_instructions(const char *work, uint64_t operations);

#endif
