/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_ID_H
#define SES_CORE_ID_H

/*
 * The id that a visitor carries, and the key under which its record lies.
 *
 *   id   = prefix, then base64url of: version byte 1 | random bytes (16 to 64, 32 by default)
 *   key  = SHA-256 of: purpose | length of realm | realm | the decoded id
 *
 * So a stolen store holds no usable id, a lookup has no timing oracle (T-19), and two managers of
 * different realms in one store never meet (T-6).
 *
 * With secrets that the fleet shares (`idKey`) ids are of version 2, and only those are taken:
 *
 *   id   = prefix, then base64url of: version byte 2 | random bytes | check
 *   check = the first 8 bytes of HMAC-SHA256(secret, 2 | length of realm | realm | random bytes)
 *
 * An id that was made up is then told from one that has ended without a call to the store.
 */

#include "base/digest.h"

#include <sesame/ext/provider.h>

enum {
    ID_RANDOM_MIN = 16,
    ID_RANDOM_MAX = 64,
    ID_CHECK_BYTES = 8,
    ID_KEYS_MAX = 8,
    ID_PREFIX_MAX = 64,
    ID_TEXT_MAX = ID_PREFIX_MAX + 98, /* base64url of 1 + 64 + 8 bytes */
    REALM_MAX = 255,
};

/* What an id is for: part of its key, so that one kind never passes for another. */
enum id_purpose { ID_OF_SESSION = 1, ID_OF_TOKEN = 2 };

struct id_format {
    enum id_purpose purpose;
    struct ses_slice prefix; /* at most ID_PREFIX_MAX, cookie octets */
    struct ses_slice realm;  /* at most REALM_MAX */
    size_t random_bytes;
    const struct hmac_key *keys; /* borrowed; the first makes ids, each is believed */
    size_t key_count;            /* 0: ids carry no check */
};

struct id {
    char text[ID_TEXT_MAX + 1];
    struct ses_key key;
};

/* Do ids carry a check? One that id_parse() takes was then made by us, and is not made up. */
bool id_vouched(const struct id_format *format);

/* A new one. SES_OK, SES_ERR_NO_RANDOMNESS. */
int id_make(const struct id_format *format, struct id *ret_id);

/* One that a client sent. SES_ERR_NOT_FOUND if it is not of our form; reads no store. Ids of any
 * permitted length are taken, so that changing sessionIDLength logs nobody out. */
int id_parse(const struct id_format *format, struct ses_slice text, struct id *ret_id);

/* Under which the store's index has the records of a user that belong to ids of this format. */
struct ses_key id_user_key(const struct id_format *format, struct ses_slice user);

#endif
