/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_AEAD_H
#define SES_BASE_AEAD_H

/*
 * Authenticated encryption: AES-256-GCM with a random nonce, which goes first. Good for a few
 * billion messages under one key (NIST SP 800-38D 8.3).
 */

#include <sesame/common.h>

enum { AEAD_KEY_BYTES = 32, AEAD_NONCE_BYTES = 12, AEAD_TAG_BYTES = 16 };
enum { AEAD_OVERHEAD = AEAD_NONCE_BYTES + AEAD_TAG_BYTES };

/* Writes plain.len + AEAD_OVERHEAD bytes. SES_OK, SES_ERR_NO_RANDOMNESS, SES_ERR_NO_MEMORY. */
int aead_seal(const unsigned char key[AEAD_KEY_BYTES], struct ses_slice context,
              struct ses_slice plain, unsigned char *out);

/* Writes sealed.len - AEAD_OVERHEAD bytes, which count only on SES_OK. SES_ERR_CORRUPT: not sealed
 * by this key in this context. SES_ERR_NO_MEMORY. */
int aead_open(const unsigned char key[AEAD_KEY_BYTES], struct ses_slice context,
              struct ses_slice sealed, unsigned char *out);

#endif
