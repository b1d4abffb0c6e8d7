/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_ENVELOPE_H
#define SES_SHARED_ENVELOPE_H

#include "shared/crc.h"

#include <sesame/ext/provider.h>

/*
 * A record as one value of a store with a server. Numbers are little-endian.
 *
 *      0  "SESV"
 *      4  format, 1
 *      5  kind
 *      6  zero, 2 bytes
 *      8  version, 8
 *     16  length of the bytes, 4
 *     20  CRC-32C of the key, of the 20 bytes before and of the record's bytes, 4
 *     24  expires_ms, 8
 *     32  CRC-32C of the key and of the 8 bytes before, 4
 *     36  hash of the user, or zeros, 32
 *     68  birth: which create it comes from, 8; zero without a user
 *     76  CRC-32C of the key and of the 40 bytes before, 4
 *     80  the record's bytes
 *
 * Three parts that each check by themselves, because a store changes each without the others: a
 * touch writes the second, a save keeps the third. The key is not stored: a value under another
 * name does not check.
 */
enum {
    ENVELOPE_FRAME = 0, /* where the parts begin */
    ENVELOPE_VERSION = 8,
    ENVELOPE_EXPIRY = 24,
    ENVELOPE_OWNER = 36,
    ENVELOPE_HEAD = 80,
    ENVELOPE_EXPIRY_LEN = ENVELOPE_OWNER - ENVELOPE_EXPIRY,
    ENVELOPE_OWNER_LEN = ENVELOPE_HEAD - ENVELOPE_OWNER,
};

struct envelope {
    enum ses_kind kind;
    uint64_t version;
    int64_t expires_ms;
    bool owned;
    struct ses_key user;   /* if owned */
    uint64_t birth;        /* if owned; never 0 */
    struct ses_slice data; /* borrowed */
};

/* What goes before envelope->data. */
void envelope_write_head(const struct crc *crc, const struct ses_key *key,
                         const struct envelope *envelope, unsigned char head[ENVELOPE_HEAD]);

/* The second part alone, for a touch. */
void envelope_write_expiry(const struct crc *crc, const struct ses_key *key, int64_t expires_ms,
                           unsigned char part[ENVELOPE_EXPIRY_LEN]);

/* Does it check? Then it is filled, and data borrows from @p value. */
bool envelope_read(const struct crc *crc, const struct ses_key *key, struct ses_slice value,
                   struct envelope *ret_envelope);

/* The same without looking at the record's bytes, of which any number may be missing. */
bool envelope_read_head(const struct crc *crc, const struct ses_key *key, struct ses_slice value,
                        struct envelope *ret_envelope);

/* The third part alone: SES_OK, SES_ERR_NOT_FOUND (nobody's), SES_ERR_CORRUPT. */
int envelope_read_owner(const struct crc *crc, const struct ses_key *key,
                        const unsigned char part[ENVELOPE_OWNER_LEN], struct ses_key *ret_user,
                        uint64_t *ret_birth);

#endif
