/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_DIGEST_H
#define SES_BASE_DIGEST_H

#include <sesame/common.h>

/*
 * All that we ask of a cryptographic library, so that another one can take OpenSSL's place here.
 */
enum { SHA256_BYTES = 32 };

/* SHA-256 of the parts, one after the other. */
void sha256(const struct ses_slice *parts, size_t count, unsigned char out[SHA256_BYTES]);

#endif
