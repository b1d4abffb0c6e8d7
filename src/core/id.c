/* SPDX-License-Identifier: MIT */
#include "core/id.h"

#include "base/base64url.h"
#include "base/digest.h"
#include "base/random.h"
#include "base/slice.h"

enum { ID_VERSION = 1, ID_BYTES_MAX = 1 + ID_RANDOM_MAX };

static void derive_key(const struct id_format *format, const unsigned char *id, size_t len,
                       struct ses_key *ret_key)
{
    const unsigned char head[2] = { 1, (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, sizeof head }, format->realm, { id, len } };
    sha256(parts, 3, ret_key->bytes);
}

int id_make(const struct id_format *format, struct id *ret_id)
{
    unsigned char bytes[ID_BYTES_MAX] = { ID_VERSION };
    const size_t len = 1 + format->random_bytes;
    int r = random_bytes(bytes + 1, format->random_bytes);
    if (r < 0)
        return r;

    struct id id = { 0 };
    memcpy(id.text, format->prefix.data, format->prefix.len);
    base64url_encode(bytes, len, id.text + format->prefix.len);
    derive_key(format, bytes, len, &id.key);
    *ret_id = id;
    return SES_OK;
}

/* What follows the prefix; empty when the text does not start with it. */
static struct ses_slice without_prefix(const struct id_format *format, struct ses_slice text)
{
    const struct ses_slice prefix = format->prefix;
    const struct ses_slice start = { text.data, text.len < prefix.len ? text.len : prefix.len };
    if (prefix.len == 0)
        return text;
    if (!slice_equal(start, prefix))
        return (struct ses_slice){ 0 };
    return (struct ses_slice){ (const char *)text.data + prefix.len, text.len - prefix.len };
}

int id_parse(const struct id_format *format, struct ses_slice text, struct id *ret_id)
{
    const struct ses_slice body = without_prefix(format, text);
    const size_t len = body.len * 3 / 4;
    unsigned char bytes[ID_BYTES_MAX + 3];
    if (len < 1 + ID_RANDOM_MIN || len > ID_BYTES_MAX || !base64url_decode(body, bytes) ||
        bytes[0] != ID_VERSION)
        return SES_ERR_NOT_FOUND;

    memcpy(ret_id->text, text.data, text.len);
    ret_id->text[text.len] = '\0';
    derive_key(format, bytes, len, &ret_id->key);
    return SES_OK;
}
