/* SPDX-License-Identifier: MIT */
#include "core/id.h"

#include "base/base64url.h"
#include "base/random.h"
#include "base/slice.h"

enum { VERSION_PLAIN = 1, VERSION_VOUCHED = 2, ID_BYTES_MAX = 1 + ID_RANDOM_MAX + ID_CHECK_BYTES };

bool id_vouched(const struct id_format *format)
{
    return format->key_count > 0;
}

static unsigned char version_of(const struct id_format *format)
{
    return id_vouched(format) ? VERSION_VOUCHED : VERSION_PLAIN;
}

static size_t check_bytes(const struct id_format *format)
{
    return id_vouched(format) ? ID_CHECK_BYTES : 0;
}

/* First bytes of what is hashed, beside those of enum id_purpose: no hash has two meanings. */
enum { HASH_OF_USER = 4 };

static void derive_key(const struct id_format *format, const unsigned char *id, size_t len,
                       struct ses_key *ret_key)
{
    const unsigned char head[2] = { (unsigned char)format->purpose,
                                    (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, sizeof head }, format->realm, { id, len } };
    sha256(parts, 3, ret_key->bytes);
}

static void make_check(const struct id_format *format, const struct hmac_key *key,
                       struct ses_slice random, unsigned char out[SHA256_BYTES])
{
    const unsigned char head[2] = { VERSION_VOUCHED, (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, sizeof head }, format->realm, random };
    hmac_sha256(key, parts, 3, out);
}

int id_make(const struct id_format *format, struct id *ret_id)
{
    unsigned char bytes[ID_BYTES_MAX] = { version_of(format) };
    const struct ses_slice random = { bytes + 1, format->random_bytes };
    const size_t len = 1 + random.len + check_bytes(format);
    int r = random_bytes(bytes + 1, random.len);
    if (r < 0)
        return r;
    if (id_vouched(format)) {
        unsigned char mac[SHA256_BYTES];
        make_check(format, &format->keys[0], random, mac);
        memcpy(bytes + 1 + random.len, mac, ID_CHECK_BYTES);
    }

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

/* Which of the keys it was is no secret; how much of a check is right would be one. */
static bool check_right(const struct id_format *format, struct ses_slice random,
                        const unsigned char check[ID_CHECK_BYTES])
{
    for (size_t i = 0; i < format->key_count; i++) {
        unsigned char mac[SHA256_BYTES];
        make_check(format, &format->keys[i], random, mac);
        if (digest_equal(mac, check, ID_CHECK_BYTES))
            return true;
    }
    return false;
}

static bool is_ours(const struct id_format *format, const unsigned char *id, size_t len)
{
    const struct ses_slice random = { id + 1, len - 1 - check_bytes(format) };
    if (id[0] != version_of(format))
        return false;
    return !id_vouched(format) || check_right(format, random, id + 1 + random.len);
}

int id_parse(const struct id_format *format, struct ses_slice text, struct id *ret_id)
{
    const struct ses_slice body = without_prefix(format, text);
    const size_t len = body.len * 3 / 4, around = 1 + check_bytes(format);
    unsigned char bytes[ID_BYTES_MAX + 3];
    if (len < around + ID_RANDOM_MIN || len > around + ID_RANDOM_MAX ||
        !base64url_decode(body, bytes) || !is_ours(format, bytes, len))
        return SES_ERR_NOT_FOUND;

    memcpy(ret_id->text, text.data, text.len);
    ret_id->text[text.len] = '\0';
    derive_key(format, bytes, len, &ret_id->key);
    return SES_OK;
}

struct ses_key id_user_key(const struct id_format *format, struct ses_slice user)
{
    const unsigned char head[2] = { (unsigned char)(HASH_OF_USER + format->purpose),
                                    (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, sizeof head }, format->realm, user };
    struct ses_key key = { { 0 } };
    sha256(parts, 3, key.bytes);
    return key;
}
