/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMCACHED_TALK_H
#define SES_MEMCACHED_TALK_H

#include "memcached/wire.h"

/*
 * The few commands that we need, in memcached's text protocol: every version speaks it, while the
 * binary one is deprecated, and an answer tells by itself where it ends and whose it is.
 *
 * An answer is understood as a whole or not at all: what is cut, repeated, of another name or
 * followed by more makes it ANSWER_LOST, and the connection is not used again.
 */
enum answer {
    ANSWER_LOST,      /* none in time, or none that is understood: what was written is unknown */
    ANSWER_REFUSED,   /* an error that we do not know: nothing was done; not to be used again */
    ANSWER_FULL,      /* nothing was done; not to be used again */
    ANSWER_NO_MEMORY, /* ours: nothing was sent */
    ANSWER_TOO_LARGE, /* nothing was done */
    ANSWER_DONE,      /* found, stored, deleted */
    ANSWER_ABSENT,    /* there is no such item */
    ANSWER_PRESENT,   /* add: there is one */
    ANSWER_CHANGED,   /* cas: another one than was asked for is there */
};

/* prefix + 64 hexadecimal digits */
enum { NAME_ROOM = 200 };
struct name {
    char text[NAME_ROOM];
    size_t len;
};

struct item {
    uint64_t unique;        /* memcached's own version of it, for a cas over the same connection */
    struct ses_slice value; /* borrowed until the connection is asked again */
};

enum answer talk_gets(struct wire *wire, const struct name *name, struct deadline deadline,
                      struct item *ret_item);

enum store_verb { STORE_ADD, STORE_SET, STORE_CAS };

struct storing {
    enum store_verb verb;
    uint64_t unique; /* of a cas */
    int64_t life;    /* memcached's exptime: 0, seconds up to 30 days, or a date */
    struct ses_slice head, data;
};

enum answer talk_store(struct wire *wire, const struct name *name, const struct storing *storing,
                       struct deadline deadline);
enum answer talk_delete(struct wire *wire, const struct name *name, struct deadline deadline);
enum answer talk_version(struct wire *wire, struct deadline deadline);

/* How the server was started. */
struct server_settings {
    uint64_t item_size_max;
    bool without_cas;
    bool without_evictions;
};
enum answer talk_settings(struct wire *wire, struct deadline deadline,
                          struct server_settings *ret_settings);

#endif
