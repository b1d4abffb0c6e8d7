/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_AEAD_H
#define SES_BASE_AEAD_H

/*
 * Authenticated encryption: XAES-256-GCM (C2SP), which is AES-256-GCM under a key that is derived
 * for each message from half of its nonce. The nonce is of 192 random bits, so one key is good for
 * more messages than anybody sends. It goes first, the tag last.
 */

#include <sesame/common.h>

enum { AEAD_KEY_BYTES = 32, AEAD_NONCE_BYTES = 24, AEAD_TAG_BYTES = 16 };
enum { AEAD_OVERHEAD = AEAD_NONCE_BYTES + AEAD_TAG_BYTES };

/* A key, ready for use in any thread. What OpenSSL makes of it is kept: making it anew takes three
 * times as long as a short message. */
struct aead;

struct aead *aead_new(const unsigned char key[AEAD_KEY_BYTES]); /* NULL: out of memory */
void aead_free(struct aead *aead);                              /* accepts NULL */

/* Writes plain.len + AEAD_OVERHEAD bytes. SES_OK, SES_ERR_NO_RANDOMNESS, SES_ERR_NO_MEMORY. */
int aead_seal(struct aead *aead, struct ses_slice context, struct ses_slice plain,
              unsigned char *out);

/* Writes sealed.len - AEAD_OVERHEAD bytes, which count only on SES_OK. SES_ERR_CORRUPT: not sealed
 * by this key in this context. SES_ERR_NO_MEMORY. */
int aead_open(struct aead *aead, struct ses_slice context, struct ses_slice sealed,
              unsigned char *out);

#endif
