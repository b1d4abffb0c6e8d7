/* SPDX-License-Identifier: MIT */
#ifndef SES_FILE_STATE_H
#define SES_FILE_STATE_H

#include "shared/crc.h"

#include <sesame/ext/provider.h>

#include <stdatomic.h>
#include <sys/types.h>

enum durability { DURABLE_NONE, DURABLE_DATA, DURABLE_FULL };

/* Keys that were read of a folder, and how far they were looked at. */
struct walk {
    struct ses_key *keys;
    size_t count, next;
};

/* Where gc's walk stands. No descriptor is kept from step to step, so a fork may happen at any
 * moment: what the parent's walk had is the child's own copy, or is dropped by it. */
struct cursor {
    atomic_int walker; /* the process that is at it; 0: none */
    uint32_t folder;   /* the next one to read: those of records, then those of users */
    struct walk records, users, entries;
    struct ses_key user; /* whose entries they are */
};

struct file {
    ses_provider_host *host;
    int root; /* descriptor of the folder; -1: not open */
    int64_t depth;
    int64_t width;
    int durability;
    bool rebuild_index;
    struct cursor cursor;
    struct crc crc;
};

/* Reports that a system call failed, and answers with the code for it. @p error is an errno. */
int file_fail(const struct file *file, int error, const char *what);

/* The same for what takes room: that there is none is SES_ERR_FULL, and has changed nothing. */
int file_fail_write(const struct file *file, int error, const char *what);

#endif
