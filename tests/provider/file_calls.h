/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_FILE_CALLS_H
#define SES_TEST_PROVIDER_FILE_CALLS_H

/* Every system call that the provider "file" makes, in our hands: the linker puts ours before them
 * (`wrapped_calls` in meson.build). They may fail, and are told. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct call_faults {
    bool on;
    unsigned calls; /* made since it was turned on */
    unsigned at;    /* which one fails */
    int error;      /* and with what; 0: it does not, but before it is called */
    void (*before)(void *arg);
    void *arg;
    bool no_openat2;  /* an older kernel */
    bool interrupted; /* fail the calls only that a signal may interrupt */
    off_t full_at;    /* no room for what begins there; 0: there is */
    bool full_once;   /* but for the first such write only */
    bool no_sync;     /* nothing waits for the disk; another thread may run instead */
};

extern struct call_faults inject;

/* One that has changed something, or made it durable. */
enum call_kind {
    CALL_MAKE, /* a file or a folder */
    CALL_REMOVE,
    CALL_RENAME,
    CALL_SIZE,
    CALL_WRITE,
    CALL_TIMES,
    CALL_SYNC,
    CALL_DATASYNC,
};

struct call {
    enum call_kind kind;
    int fd;           /* of the file; or of the folder that path lies in */
    const char *path; /* NULL: the file is what counts */
    const char *to;   /* RENAME, in the folder to_fd */
    int to_fd;
    bool folder;               /* MAKE */
    off_t at;                  /* WRITE; SIZE: the size. -1: where the file ends */
    const struct iovec *parts; /* WRITE */
    size_t len;
    struct timespec mtime; /* TIMES */
};

/* Called after each of them that succeeded, if it is not NULL. */
extern void (*call_seen)(const struct call *call);

#endif
