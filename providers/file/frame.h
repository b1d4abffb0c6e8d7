/* SPDX-License-Identifier: MIT */
#ifndef SES_FILE_FRAME_H
#define SES_FILE_FRAME_H

#include "shared/crc.h"

#include <sesame/ext/provider.h>

/*
 * What lies in a record's file: two slots of one capacity, each for a frame.
 *
 *      0  "SESF"
 *      4  format, 1
 *      5  kind
 *      6  zero, 2 bytes
 *      8  capacity of a slot, 4
 *     12  length of the bytes, 4
 *     16  sequence number, 8: the newest valid frame of the two counts
 *     24  version, 8
 *     32  expires_ms, 8
 *     40  hash of the user, or zeros, 32
 *     72  CRC-32C of the key and of all that is before and after these four bytes, 4
 *     76  zero, 4
 *     80  the bytes
 *
 * Numbers are little-endian. The key is not stored: a frame under another name is not valid.
 */
enum {
    FRAME_HEAD = 80,
    SLOT_UNIT = 512,
    FRAME_MOST = 32 << 20, /* bytes of a record at most; the core's limit is half of it */
    SLOTS_MOST = 2 * (FRAME_MOST + FRAME_MOST / 2 + SLOT_UNIT),
};

struct frame {
    enum ses_kind kind;
    uint64_t sequence;
    uint64_t version;
    int64_t expires_ms;
    struct ses_key user;   /* zeros: nobody's */
    uint32_t capacity;     /* of each slot of the file */
    struct ses_slice data; /* borrowed */
};

/* What was read of a file. */
struct slots {
    int newest;         /* 0 or 1; -1: neither is valid */
    bool blank;         /* nothing was ever written */
    struct frame frame; /* the newest */
};

/* The head that goes before frame->data. */
void frame_write_head(const struct crc *crc, const struct ses_key *key, const struct frame *frame,
                      unsigned char head[FRAME_HEAD]);

/* @p len: as many bytes as there are from the slot's start on, or more than its capacity. */
bool frame_read(const struct crc *crc, const struct ses_key *key, const unsigned char *slot,
                size_t len, struct frame *ret_frame);

void slots_read(const struct crc *crc, const struct ses_key *key, const unsigned char *bytes,
                size_t len, struct slots *ret_slots);

/* The capacity of new slots for so many bytes, with room to grow. */
uint32_t slot_capacity(size_t data_len);

bool frame_has_user(const struct frame *frame);

#endif
