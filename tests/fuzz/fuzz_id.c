/* SPDX-License-Identifier: MIT */

/*
 * What a client sends as an id: the first byte says how long the prefix is, then prefix and text.
 * An id that is taken is the one text of its value: written again, it is the same.
 */

#include "core/id.h"

#include "base/base64url.h"
#include "base/digest.h"
#include "base/slice.h"

#include <stdlib.h>

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
    unsigned char bytes[1 + ID_RANDOM_MAX + 3], digest[SHA256_BYTES];
    char again[ID_TEXT_MAX + 1] = "";
    demand(text.len <= ID_TEXT_MAX && strlen(id->text) == text.len);
    demand(slice_equal(slice_of_text(id->text), text));
    demand(slice_equal((struct ses_slice){ text.data, prefix.len }, prefix));

    const size_t len = body.len * 3 / 4;
    demand(len >= 1 + ID_RANDOM_MIN && len <= 1 + ID_RANDOM_MAX);
    demand(base64url_decode(body, bytes) && bytes[0] == 1);
    demand(BASE64URL_LEN(len) == body.len);
    base64url_encode(bytes, len, again);
    demand(slice_equal(slice_of_text(again), body));

    const unsigned char head[2] = { 1, (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, 2 }, format->realm, { bytes, len } };
    sha256(parts, 3, digest);
    demand(slice_equal((struct ses_slice){ digest, SHA256_BYTES },
                       (struct ses_slice){ id->key.bytes, SES_KEY_BYTES }));
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
        .prefix = { data + 1, prefix_len },
        .realm = { "id", 2 },
        .random_bytes = 32,
    };
    const struct id_format other = { .prefix = { "s-", 2 }, .realm = { "other", 5 } };
    struct id id, foreign;
    if (id_parse(&format, text, &id) == SES_OK)
        check_taken(&format, text, &id);
    if (id_parse(&other, text, &foreign) == SES_OK)
        check_taken(&other, text, &foreign);
    return 0;
}
