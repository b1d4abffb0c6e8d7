/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_ID_H
#define SES_CORE_ID_H

/*
 * The id that a visitor carries, and the key under which its record lies.
 *
 *   id   = prefix, then base64url of: version byte 1 | random bytes (16 to 64, 32 by default)
 *   key  = SHA-256 of: 1 | length of realm | realm | the decoded id
 *
 * So a stolen store holds no usable id, a lookup has no timing oracle (T-19), and two managers of
 * different realms in one store never meet (T-6). Version 2 is kept free for a keyed check.
 */

#include <sesame/ext/provider.h>

enum {
    ID_RANDOM_MIN = 16,
    ID_RANDOM_MAX = 64,
    ID_PREFIX_MAX = 64,
    ID_TEXT_MAX = ID_PREFIX_MAX + 88, /* base64url of 1 + 64 bytes is 87 characters */
    REALM_MAX = 255,
};

struct id_format {
    struct ses_slice prefix; /* at most ID_PREFIX_MAX, cookie octets */
    struct ses_slice realm;  /* at most REALM_MAX */
    size_t random_bytes;
};

struct id {
    char text[ID_TEXT_MAX + 1];
    struct ses_key key;
};

/* A new one. SES_OK, SES_ERR_NO_RANDOMNESS. */
int id_make(const struct id_format *format, struct id *ret_id);

/* One that a client sent. SES_ERR_NOT_FOUND if it is not of our form; reads no store. Ids of any
 * permitted length are taken, so that changing sessionIDLength logs nobody out. */
int id_parse(const struct id_format *format, struct ses_slice text, struct id *ret_id);

#endif
