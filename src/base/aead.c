/* SPDX-License-Identifier: MIT */
#include "base/aead.h"

#include "base/cleanup.h"
#include "base/random.h"

#include <sesame/error.h>

#include <limits.h>
#include <openssl/evp.h>

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)

static bool fits(struct ses_slice slice)
{
    return slice.len <= INT_MAX;
}

static bool seal(EVP_CIPHER_CTX *c, const unsigned char *key, struct ses_slice context,
                 struct ses_slice plain, unsigned char *out)
{
    int len;
    unsigned char *text = out + AEAD_NONCE_BYTES;
    return EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
           EVP_EncryptUpdate(c, NULL, &len, context.data, (int)context.len) == 1 &&
           EVP_EncryptUpdate(c, text, &len, plain.data, (int)plain.len) == 1 &&
           EVP_EncryptFinal_ex(c, text + plain.len, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, text + plain.len) == 1;
}

int aead_seal(const unsigned char key[AEAD_KEY_BYTES], struct ses_slice context,
              struct ses_slice plain, unsigned char *out)
{
    if (!fits(context) || !fits(plain))
        return SES_ERR_INVALID;
    int r = random_bytes(out, AEAD_NONCE_BYTES);
    if (r < 0)
        return r;
    CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    return cipher && seal(cipher, key, context, plain, out) ? SES_OK : SES_ERR_NO_MEMORY;
}

static int open_sealed(EVP_CIPHER_CTX *c, const unsigned char *key, struct ses_slice context,
                       struct ses_slice sealed, unsigned char *out)
{
    const unsigned char *nonce = sealed.data, *text = nonce + AEAD_NONCE_BYTES;
    const size_t text_len = sealed.len - AEAD_OVERHEAD;
    unsigned char tag[AEAD_TAG_BYTES];
    int len;
    memcpy(tag, text + text_len, sizeof tag);
    if (EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
        EVP_DecryptUpdate(c, NULL, &len, context.data, (int)context.len) != 1 ||
        EVP_DecryptUpdate(c, out, &len, text, (int)text_len) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) != 1)
        return SES_ERR_NO_MEMORY;
    return EVP_DecryptFinal_ex(c, out + text_len, &len) == 1 ? SES_OK : SES_ERR_CORRUPT;
}

int aead_open(const unsigned char key[AEAD_KEY_BYTES], struct ses_slice context,
              struct ses_slice sealed, unsigned char *out)
{
    if (!fits(context) || !fits(sealed) || sealed.len < AEAD_OVERHEAD)
        return SES_ERR_CORRUPT;
    CLEANUP(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    return cipher ? open_sealed(cipher, key, context, sealed, out) : SES_ERR_NO_MEMORY;
}
