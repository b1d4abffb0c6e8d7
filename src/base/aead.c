/* SPDX-License-Identifier: MIT */
#include "base/aead.h"

#include "base/cleanup.h"
#include "base/random.h"

#include <sesame/error.h>

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { BLOCK_BYTES = 16, GCM_NONCE_BYTES = 12 };

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)

static bool fits(struct ses_slice slice)
{
    return slice.len <= INT_MAX;
}

/* ---- the key of one message (NIST SP 800-108 with CMAC, as C2SP XAES-256-GCM narrows it) ---- */

/* Times x in GF(2^128), in the bit order of CMAC. */
static void double_block(unsigned char block[BLOCK_BYTES])
{
    const unsigned carry = block[0] >> 7;
    for (size_t i = 0; i + 1 < BLOCK_BYTES; i++)
        block[i] = (unsigned char)(block[i] << 1 | block[i + 1] >> 7);
    block[BLOCK_BYTES - 1] = (unsigned char)(block[BLOCK_BYTES - 1] << 1 ^ (carry ? 0x87 : 0));
}

static bool encrypt_blocks(EVP_CIPHER_CTX *c, unsigned char *blocks, int bytes)
{
    int len;
    return EVP_EncryptUpdate(c, blocks, &len, blocks, bytes) == 1;
}

static bool derive(EVP_CIPHER_CTX *c, const unsigned char *key, const unsigned char *nonce,
                   unsigned char derived[AEAD_KEY_BYTES])
{
    unsigned char k1[BLOCK_BYTES] = { 0 };
    if (EVP_EncryptInit_ex(c, EVP_aes_256_ecb(), NULL, key, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(c, 0) != 1 || !encrypt_blocks(c, k1, BLOCK_BYTES))
        return false;
    double_block(k1);
    for (unsigned char half = 0; half < 2; half++) {
        const unsigned char head[] = { 0, (unsigned char)(half + 1), 'X', 0 };
        unsigned char *block = derived + (size_t)half * BLOCK_BYTES;
        memcpy(block, head, sizeof head);
        memcpy(block + sizeof head, nonce, GCM_NONCE_BYTES);
        for (size_t i = 0; i < BLOCK_BYTES; i++)
            block[i] ^= k1[i];
    }
    OPENSSL_cleanse(k1, sizeof k1);
    return encrypt_blocks(c, derived, AEAD_KEY_BYTES);
}

/* ---- the message ---- */

static bool encrypt(EVP_CIPHER_CTX *c, const unsigned char *nonce, struct ses_slice context,
                    struct ses_slice plain, const unsigned char *key, unsigned char *text)
{
    int len;
    return EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
           EVP_EncryptUpdate(c, NULL, &len, context.data, (int)context.len) == 1 &&
           EVP_EncryptUpdate(c, text, &len, plain.data, (int)plain.len) == 1 &&
           EVP_EncryptFinal_ex(c, text + plain.len, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, text + plain.len) == 1;
}

int aead_seal(const unsigned char key[AEAD_KEY_BYTES], struct ses_slice context,
              struct ses_slice plain, unsigned char *out)
{
    unsigned char derived[AEAD_KEY_BYTES];
    if (!fits(context) || !fits(plain))
        return SES_ERR_INVALID;
    int r = random_bytes(out, AEAD_NONCE_BYTES);
    if (r < 0)
        return r;
    CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    const bool done =
        c && derive(c, key, out, derived) &&
        encrypt(c, out + GCM_NONCE_BYTES, context, plain, derived, out + AEAD_NONCE_BYTES);
    OPENSSL_cleanse(derived, sizeof derived);
    return done ? SES_OK : SES_ERR_NO_MEMORY;
}

static int decrypt(EVP_CIPHER_CTX *c, const unsigned char *key, struct ses_slice context,
                   struct ses_slice sealed, unsigned char *out)
{
    const unsigned char *nonce = sealed.data, *text = nonce + AEAD_NONCE_BYTES;
    const size_t text_len = sealed.len - AEAD_OVERHEAD;
    unsigned char tag[AEAD_TAG_BYTES];
    int len;
    memcpy(tag, text + text_len, sizeof tag);
    if (EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce + GCM_NONCE_BYTES) != 1 ||
        EVP_DecryptUpdate(c, NULL, &len, context.data, (int)context.len) != 1 ||
        EVP_DecryptUpdate(c, out, &len, text, (int)text_len) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) != 1)
        return SES_ERR_NO_MEMORY;
    return EVP_DecryptFinal_ex(c, out + text_len, &len) == 1 ? SES_OK : SES_ERR_CORRUPT;
}

int aead_open(const unsigned char key[AEAD_KEY_BYTES], struct ses_slice context,
              struct ses_slice sealed, unsigned char *out)
{
    unsigned char derived[AEAD_KEY_BYTES];
    if (!fits(context) || !fits(sealed) || sealed.len < AEAD_OVERHEAD)
        return SES_ERR_CORRUPT;
    CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int r = SES_ERR_NO_MEMORY;
    if (c && derive(c, key, sealed.data, derived))
        r = decrypt(c, derived, context, sealed, out);
    OPENSSL_cleanse(derived, sizeof derived);
    return r;
}
