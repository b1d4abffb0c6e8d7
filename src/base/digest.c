/* SPDX-License-Identifier: MIT */

/*
 * The plain SHA-256 functions, deprecated since OpenSSL 3.0 in favour of EVP, and still there in
 * all of 3.x: the hash of an id takes 53 ns with them; through EVP, with algorithm and context
 * kept, 204 ns, which would be a third of a whole request. They need no context that somebody has
 * to keep, either. HMAC stands on them for the same reason.
 */
#define OPENSSL_API_COMPAT 0x10100000L

#include "base/digest.h"

#include <sesame/error.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(SHA256_BYTES == SHA256_DIGEST_LENGTH, "one SHA-256");
_Static_assert(SHA256_STATE_BYTES == sizeof(SHA256_CTX), "what a hash has become fits exactly");

static void add_parts(SHA256_CTX *context, const struct ses_slice *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)SHA256_Update(context, parts[i].data, parts[i].len);
}

void sha256(const struct ses_slice *parts, size_t count, unsigned char out[SHA256_BYTES])
{
    SHA256_CTX context;
    (void)SHA256_Init(&context);
    add_parts(&context, parts, count);
    (void)SHA256_Final(out, &context);
}

/* ---- HMAC ---- */

static void start_with_pad(const unsigned char block[SHA256_CBLOCK], unsigned char pad,
                           unsigned char ret_state[SHA256_STATE_BYTES])
{
    unsigned char padded[SHA256_CBLOCK];
    SHA256_CTX context;
    for (size_t i = 0; i < sizeof padded; i++)
        padded[i] = block[i] ^ pad;
    (void)SHA256_Init(&context);
    (void)SHA256_Update(&context, padded, sizeof padded);
    memcpy(ret_state, &context, sizeof context);
    OPENSSL_cleanse(padded, sizeof padded);
    OPENSSL_cleanse(&context, sizeof context);
}

void hmac_key_init(struct hmac_key *key, struct ses_slice secret)
{
    unsigned char block[SHA256_CBLOCK] = { 0 };
    if (secret.len > sizeof block)
        sha256(&secret, 1, block);
    else if (secret.len > 0)
        memcpy(block, secret.data, secret.len);
    start_with_pad(block, 0x36, key->inner);
    start_with_pad(block, 0x5c, key->outer);
    OPENSSL_cleanse(block, sizeof block);
}

void hmac_key_wipe(struct hmac_key *key)
{
    OPENSSL_cleanse(key, sizeof *key);
}

void hmac_sha256(const struct hmac_key *key, const struct ses_slice *parts, size_t count,
                 unsigned char out[SHA256_BYTES])
{
    unsigned char inner[SHA256_BYTES];
    SHA256_CTX context;
    memcpy(&context, key->inner, sizeof context);
    add_parts(&context, parts, count);
    (void)SHA256_Final(inner, &context);
    memcpy(&context, key->outer, sizeof context);
    (void)SHA256_Update(&context, inner, sizeof inner);
    (void)SHA256_Final(out, &context);
}

bool digest_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

/* ---- passphrases ---- */

int scrypt_key(struct ses_slice passphrase, struct ses_slice salt, unsigned char out[SHA256_BYTES])
{
    enum { COST = 1 << 15, BLOCKS = 8, LANES = 1, MEMORY_MAX = 64 * 1024 * 1024 };
    const int done = EVP_PBE_scrypt(passphrase.data, passphrase.len, salt.data, salt.len, COST,
                                    BLOCKS, LANES, MEMORY_MAX, out, SHA256_BYTES);
    return done == 1 ? SES_OK : SES_ERR_NO_MEMORY;
}
