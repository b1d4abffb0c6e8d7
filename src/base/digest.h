/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_DIGEST_H
#define SES_BASE_DIGEST_H

#include <sesame/common.h>

/*
 * All that we ask of a cryptographic library, so that another one can take OpenSSL's place here.
 */
enum { SHA256_BYTES = 32, SHA256_STATE_BYTES = 112 };

/* A key from a passphrase, at a cost: scrypt with N = 32768, r = 8, p = 1, which takes 32 MiB for a
 * tenth of a second. SES_OK, SES_ERR_NO_MEMORY. */
int scrypt_key(struct ses_slice passphrase, struct ses_slice salt, unsigned char out[SHA256_BYTES]);

/* SHA-256 of the parts, one after the other. */
void sha256(const struct ses_slice *parts, size_t count, unsigned char out[SHA256_BYTES]);

/* A key of HMAC-SHA256: what the hash has become after each of its two pads. Two of the four blocks
 * of a short message are behind it that way: 100 ns instead of 190. As secret as what it was made
 * of. */
struct hmac_key {
    unsigned char inner[SHA256_STATE_BYTES];
    unsigned char outer[SHA256_STATE_BYTES];
};

void hmac_key_init(struct hmac_key *key, struct ses_slice secret);
void hmac_key_wipe(struct hmac_key *key);

/* HMAC-SHA256 (RFC 2104) of the parts, one after the other. */
void hmac_sha256(const struct hmac_key *key, const struct ses_slice *parts, size_t count,
                 unsigned char out[SHA256_BYTES]);

/* Equal? How long it takes does not tell where they differ. */
bool digest_equal(const void *a, const void *b, size_t len);

#endif
