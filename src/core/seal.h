/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_SEAL_H
#define SES_CORE_SEAL_H

/*
 * A record as a token that its visitor carries: encrypted, authenticated, and bound to the cookie's
 * name and the realm (S-17, S-42, S-47).
 *
 *   token = base64url of: version byte 3 | 4 bytes that name the key | XAES-256-GCM of the content
 *
 * The first key seals, each of them opens, so that keys can be exchanged without logging anyone out
 * (T-18). What does not open, for whatever reason, is refused in one way (T-15, T-17).
 */

#include "core/config.h"

#include "base/arena.h"
#include "base/buffer.h"

struct sealer;

/* From sealKeys, sealKeyFile and sealPassphrase. SES_ERR_INVALID with a message that holds no
 * secret. */
int sealer_new(const struct config *config, struct sealer **ret_sealer, struct ses_error *error);
void sealer_free(struct sealer *sealer);

/* The token, NUL-terminated, in the arena. */
int seal(const struct sealer *sealer, struct ses_slice content, struct arena *arena,
         const char **ret_token);

/* *@p ret_old: it was not the first key, so it should be sealed anew. SES_ERR_NOT_FOUND: not sealed
 * by us under this name. SES_ERR_NO_MEMORY. */
int unseal(const struct sealer *sealer, struct ses_slice token, struct arena *arena,
           struct ses_slice *ret_content, bool *ret_old);

/* Bytes of a token whose content is of so many. */
size_t seal_token_bytes(size_t content_bytes);

#endif
