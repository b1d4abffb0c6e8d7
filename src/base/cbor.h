/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_CBOR_H
#define SES_BASE_CBOR_H

/*
 * Deterministic CBOR (RFC 8949, section 4.2.1), the subset that records use:
 *   - null, true, false; integers within int64_t; doubles; UTF-8 text; byte strings;
 *   - arrays and maps of definite length, nested to CBOR_DEPTH_MAX levels;
 *   - every head in its shortest form, every floating-point number in the shortest form that keeps
 *     its value, one NaN (f97e00); map keys text or integers, in bytewise order of their
 *     encoding, none twice.
 * No tags, no other simple values, no indefinite lengths: the codec is data only (T-21).
 */

#include "base/buffer.h"

#include <sesame/common.h>

enum { CBOR_DEPTH_MAX = 16 };

enum cbor_type {
    CBOR_NONE = 0, /* end of input, or the reader has failed */
    CBOR_NULL,
    CBOR_BOOL,
    CBOR_INT,
    CBOR_DOUBLE,
    CBOR_TEXT,
    CBOR_BYTES,
    CBOR_ARRAY,
    CBOR_MAP,
};

/* A scalar or string whole; of an array or map only the head, its items follow. */
struct cbor_item {
    enum cbor_type type;
    bool boolean;
    int64_t integer;
    double number;
    struct ses_slice bytes; /* of text and bytes; borrowed from the input */
    uint64_t count;         /* items of an array, pairs of a map */
};

/* ---- reading: a bounds-checked cursor whose error sticks ---- */

struct cbor_reader {
    const unsigned char *at;
    const unsigned char *end;
    bool failed;
    bool trusted; /* was accepted before: bounds are checked, and types, nothing else */
};

struct cbor_reader cbor_reader_of(struct ses_slice input);

/* The next item; type CBOR_NONE at the end, or on failure. Checks everything that one item shows
 * by itself: not the keys of maps (their order and type), nor depth. */
struct cbor_item cbor_next(struct cbor_reader *r);

/* The same for an item that must be of one type: anything else fails the reader, and reads as zero.
 */
int64_t cbor_next_int(struct cbor_reader *r);
struct ses_slice cbor_next_text(struct cbor_reader *r);
struct ses_slice cbor_next_bytes(struct cbor_reader *r);
uint64_t cbor_next_map(struct cbor_reader *r);
uint64_t cbor_next_array(struct cbor_reader *r);

/* Passes over one whole item, nested ones included, checking all of it (map order, UTF-8, depth).
 * Returns its bytes. */
struct ses_slice cbor_skip(struct cbor_reader *r);

/* Passes over one whole item that cbor_skip() has accepted before: finds its end, checks bounds
 * only. */
struct ses_slice cbor_skip_trusted(struct cbor_reader *r);

/* Takes the first key and value, encoded, off the pairs of a map that was accepted before; false at
 * their end. */
bool cbor_take_pair(struct ses_slice *pairs, struct ses_slice *ret_key,
                    struct ses_slice *ret_value);

/* The encoded value of an encoded key among such pairs. */
bool cbor_find(struct ses_slice pairs, struct ses_slice key, struct ses_slice *ret_value);

/* Decodes an item that was accepted before, or its head; CBOR_NONE for no bytes. */
struct cbor_item cbor_item_trusted(struct ses_slice item);

/* Everything was read, and nothing failed. */
bool cbor_at_end(const struct cbor_reader *r);

/* Is this exactly one item of the subset? */
bool cbor_valid(struct ses_slice item);

/* Bytewise order of two encoded map keys: < 0, 0, > 0. */
int cbor_compare(struct ses_slice a, struct ses_slice b);

bool utf8_valid(struct ses_slice text);

/* ---- writing: into a buffer, always in the deterministic form ---- */

enum { CBOR_HEAD_MAX = 9 }; /* bytes that a head takes at most */

void cbor_write_null(struct buffer *b);
void cbor_write_bool(struct buffer *b, bool value);
void cbor_write_int(struct buffer *b, int64_t value);
void cbor_write_double(struct buffer *b, double value);
void cbor_write_text(struct buffer *b, struct ses_slice text); /* fails where it is not UTF-8 */
void cbor_write_bytes(struct buffer *b, struct ses_slice bytes);
void cbor_write_array(struct buffer *b, uint64_t count);
void cbor_write_map(struct buffer *b, uint64_t count);

#endif
