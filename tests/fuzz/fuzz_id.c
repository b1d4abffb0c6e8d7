/* SPDX-License-Identifier: MIT */

/*
 * What a client sends as an id: the first byte says how long the prefix is, then prefix and text.
 * An id that is taken is the one text of its value: written again, it is the same. With a key, an
 * id is taken with the right check only, and the input is tried with that as well.
 */

#include "core/id.h"

#include "base/base64url.h"
#include "base/digest.h"
#include "base/slice.h"

#include <stdlib.h>

enum { BYTES_MAX = 1 + ID_RANDOM_MAX + ID_CHECK_BYTES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* The long way round: decode without a look at id.c, encode, hash. */
static void check_taken(const struct id_format *format, struct ses_slice text, const struct id *id)
{
    const struct ses_slice prefix = format->prefix;
    const struct ses_slice body = { (const char *)text.data + prefix.len, text.len - prefix.len };
    unsigned char bytes[BYTES_MAX + 3], digest[SHA256_BYTES];
    char again[ID_TEXT_MAX + 1] = "";
    demand(text.len <= ID_TEXT_MAX && strlen(id->text) == text.len);
    demand(slice_equal(slice_of_text(id->text), text));
    demand(slice_equal((struct ses_slice){ text.data, prefix.len }, prefix));

    const size_t len = body.len * 3 / 4;
    const size_t check = id_vouched(format) ? ID_CHECK_BYTES : 0;
    demand(len >= 1 + ID_RANDOM_MIN + check && len <= 1 + ID_RANDOM_MAX + check);
    demand(base64url_decode(body, bytes) && bytes[0] == (check > 0 ? 2 : 1));
    demand(BASE64URL_LEN(len) == body.len);
    base64url_encode(bytes, len, again);
    demand(slice_equal(slice_of_text(again), body));

    const unsigned char head[2] = { 1, (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, 2 }, format->realm, { bytes, len } };
    sha256(parts, 3, digest);
    demand(slice_equal((struct ses_slice){ digest, SHA256_BYTES },
                       (struct ses_slice){ id->key.bytes, SES_KEY_BYTES }));
}

static void write_check(const struct id_format *format, size_t key, unsigned char *bytes,
                        size_t random)
{
    const unsigned char head[2] = { 2, (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, 2 }, format->realm, { bytes + 1, random } };
    unsigned char mac[SHA256_BYTES];
    hmac_sha256(&format->keys[key], parts, 3, mac);
    memcpy(bytes + 1 + random, mac, ID_CHECK_BYTES);
}

static bool taken(const struct id_format *format, const unsigned char *bytes, size_t len)
{
    char text[ID_TEXT_MAX + 1] = "";
    struct id id;
    base64url_encode(bytes, len, text);
    if (id_parse(format, slice_of_text(text), &id) != SES_OK)
        return false;
    check_taken(format, slice_of_text(text), &id);
    return true;
}

/* The input as the random bytes of an id: taken with its check, and refused with one bit off. */
static void try_with_check(const uint8_t *data, size_t size)
{
    struct hmac_key keys[2];
    hmac_key_init(&keys[0], slice_of_text("a secret of 32 bytes, or so long"));
    hmac_key_init(&keys[1], slice_of_text("another one of 32 bytes, as long"));
    const struct id_format format = {
        .purpose = ID_OF_SESSION, .realm = { "id", 2 }, .keys = keys, .key_count = 2
    };
    unsigned char bytes[BYTES_MAX] = { 2 };
    const size_t random = size - 1 < ID_RANDOM_MAX ? size - 1 : ID_RANDOM_MAX;
    const size_t len = 1 + random + ID_CHECK_BYTES;
    memcpy(bytes + 1, data + 1, random);
    for (size_t key = 0; key < 2; key++) {
        write_check(&format, key, bytes, random);
        demand(taken(&format, bytes, len) == (random >= ID_RANDOM_MIN));
        bytes[data[0] % len] ^= (unsigned char)(1u << data[0] % 8);
        demand(!taken(&format, bytes, len));
        bytes[data[0] % len] ^= (unsigned char)(1u << data[0] % 8);
    }
    const struct ses_slice text = { data + 1, size - 1 };
    struct id id;
    if (id_parse(&format, text, &id) == SES_OK)
        check_taken(&format, text, &id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const size_t asked = data[0] % (ID_PREFIX_MAX + 1);
    const struct ses_slice text = { data + 1, size - 1 };
    /* A configured prefix holds no NUL. */
    const size_t prefix_len = strnlen((const char *)data + 1, asked < text.len ? asked : text.len);
    const struct id_format format = {
        .purpose = ID_OF_SESSION,
        .prefix = { data + 1, prefix_len },
        .realm = { "id", 2 },
        .random_bytes = 32,
    };
    const struct id_format other = { .purpose = ID_OF_SESSION,
                                     .prefix = { "s-", 2 },
                                     .realm = { "other", 5 } };
    struct id id, foreign;
    if (id_parse(&format, text, &id) == SES_OK)
        check_taken(&format, text, &id);
    if (id_parse(&other, text, &foreign) == SES_OK)
        check_taken(&other, text, &foreign);
    try_with_check(data, size);
    return 0;
}
