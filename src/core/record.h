/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_RECORD_H
#define SES_CORE_RECORD_H

/*
 * What is stored of a session: deterministic CBOR, read in place.
 *
 *     [ { 0: format, 1: created, ... }, { "key": value, ... } ]
 *
 * docs/internals/record.md has the numbers of the header's members and a worked example. Members
 * that this build does not know are kept. Keys of values are text of 1 to 255 bytes without NUL.
 */

#include "base/buffer.h"

#include <sesame/blob.h>

enum {
    RECORD_FORMAT = 1,
    RECORD_KEY_MAX = 255,
    HANDLE_BYTES = 16,
    CSRF_BYTES = 16,
    USER_AGENT_MAX = 256, /* longer ones are cut */
};

/* Of an id that was renewed and has not come back yet: the one before it is still taken. */
#define GRACE_UNTIL_USED (-1)

/* Slices are borrowed; an empty one, or a zero, is absent. */
struct record_header {
    int64_t created_ms;
    int64_t absolute_base_ms; /* the absolute timeout counts from here; survives regenerate */
    struct ses_slice user;
    int64_t level;
    int64_t auth_ms;
    struct ses_slice csrf;
    struct ses_slice handle;
    struct ses_slice peer;
    struct ses_slice user_agent;
    struct ses_slice previous; /* key of the record that this one replaced */
    int64_t idle_s;            /* the session's own limits; 0: the manager's */
    int64_t absolute_s;
    int64_t id_ms;            /* when this id was made */
    int64_t grace_ms;         /* until when the id before this one is taken */
    int64_t suspected_ms;     /* when an id that it had had before came back */
    struct ses_slice unknown; /* pairs of a later release, as they stand */
    uint64_t unknown_count;
};

struct record {
    struct record_header header;
    struct ses_slice header_bytes; /* the header's map, encoded */
    struct ses_slice pairs;        /* the values: key, value, key, value ... in bytewise order */
    uint64_t count;                /* of pairs */
};

/* Checks all of @p bytes once. SES_OK, SES_ERR_CORRUPT. What it fills in is borrowed from them, and
 * worth nothing when they are corrupt. */
int record_decode(struct ses_slice bytes, struct record *record);

/* The same of a blob. One that record_assemble() has made in this process comes back from a
 * provider in memory as it is: it is not checked again, which would cost more than the rest of a
 * load. */
int record_open(const ses_blob *blob, struct record *record);

/* The same of one whose header is most likely that of @p like, byte for byte: then there is nothing
 * to decode. */
int record_open_like(const ses_blob *blob, const struct record *like, struct record *record);

/* The header's map, encoded. Texts and bytes are the caller's to have checked. */
void record_write_header(struct buffer *out, const struct record_header *header);

/* Bytes of the whole record that these parts make. */
size_t record_size(struct ses_slice header_bytes, uint64_t count, size_t pair_bytes);

/* A whole record from an encoded header and encoded pairs that are in order. NULL: no memory. */
ses_blob *record_assemble(struct ses_slice header_bytes, uint64_t count,
                          const struct ses_slice *parts, size_t part_count);

/* One pair of a checked record; false at the end. */
struct pair {
    struct ses_slice key;   /* encoded */
    struct ses_slice value; /* encoded */
};

bool record_next(struct ses_slice *pairs, struct pair *ret_pair);

/* The encoded value of an encoded key. */
bool record_find(const struct record *record, struct ses_slice key, struct ses_slice *ret_value);

#endif
