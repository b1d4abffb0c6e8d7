/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_BASE64URL_H
#define SES_BASE_BASE64URL_H

#include <sesame/common.h>

/* base64url without padding (RFC 4648, section 5). By table: ten times faster than a library's
 * constant-time form, and what is encoded here is looked up by its hash, never compared. */

#define BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)

/* Writes BASE64URL_LEN(len) characters, no NUL. */
void base64url_encode(const unsigned char *bytes, size_t len, char *out);

/* Accepts only what base64url_encode() writes: no padding, no line break, no stray bits at the end,
 * so that each value has one text. Writes text.len * 3 / 4 bytes. */
bool base64url_decode(struct ses_slice text, unsigned char *out);

#endif
