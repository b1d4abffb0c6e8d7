/* SPDX-License-Identifier: MIT */
#include "base/aead.h"

#include "base/cleanup.h"
#include "base/random.h"

#include <sesame/error.h>

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>

enum { BLOCK_BYTES = 16, GCM_NONCE_BYTES = 12 };

/* What one message at a time needs: more than this many at once make their own. */
enum { KITS_KEPT = 8 };

struct kit {
    EVP_CIPHER_CTX *block;   /* AES under the key itself, which derives */
    EVP_CIPHER_CTX *message; /* GCM under what was derived */
    unsigned char k1[BLOCK_BYTES];
};

struct aead {
    unsigned char key[AEAD_KEY_BYTES];
    _Atomic(struct kit *) kits[KITS_KEPT]; /* NULL: in use, or not made yet */
};

/* ---- kits ---- */

static void kit_free(struct kit *kit)
{
    EVP_CIPHER_CTX_free(kit->block);
    EVP_CIPHER_CTX_free(kit->message);
    OPENSSL_cleanse(kit, sizeof *kit);
    free(kit);
}

DEFINE_CLEANUP(struct kit *, kit_free)

static bool encrypt_blocks(struct kit *kit, unsigned char *blocks, int bytes)
{
    int len;
    return EVP_EncryptUpdate(kit->block, blocks, &len, blocks, bytes) == 1;
}

/* Times x in GF(2^128), in the bit order of CMAC. */
static void double_block(unsigned char block[BLOCK_BYTES])
{
    const unsigned carry = block[0] >> 7;
    for (size_t i = 0; i + 1 < BLOCK_BYTES; i++)
        block[i] = (unsigned char)(block[i] << 1 | block[i + 1] >> 7);
    block[BLOCK_BYTES - 1] = (unsigned char)(block[BLOCK_BYTES - 1] << 1 ^ (carry ? 0x87 : 0));
}

static bool kit_init(struct kit *kit, const unsigned char *key)
{
    kit->block = EVP_CIPHER_CTX_new();
    kit->message = EVP_CIPHER_CTX_new();
    if (!kit->block || !kit->message ||
        EVP_EncryptInit_ex(kit->block, EVP_aes_256_ecb(), NULL, key, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(kit->block, 0) != 1 ||
        EVP_CipherInit_ex(kit->message, EVP_aes_256_gcm(), NULL, NULL, NULL, 1) != 1 ||
        !encrypt_blocks(kit, kit->k1, BLOCK_BYTES))
        return false;
    double_block(kit->k1);
    return true;
}

static struct kit *kit_take(struct aead *aead)
{
    for (size_t i = 0; i < KITS_KEPT; i++) {
        struct kit *kept = atomic_exchange(&aead->kits[i], NULL);
        if (kept)
            return kept;
    }
    CLEANUP(kit_free) struct kit *kit = calloc(1, sizeof *kit);
    return kit && kit_init(kit, aead->key) ? steal(&kit) : NULL;
}

static void kit_give(struct aead *aead, struct kit *kit)
{
    for (size_t i = 0; i < KITS_KEPT; i++) {
        struct kit *none = NULL;
        if (atomic_compare_exchange_strong(&aead->kits[i], &none, kit))
            return;
    }
    kit_free(kit);
}

struct aead *aead_new(const unsigned char key[AEAD_KEY_BYTES])
{
    struct aead *aead = calloc(1, sizeof *aead);
    if (aead)
        memcpy(aead->key, key, AEAD_KEY_BYTES);
    return aead;
}

void aead_free(struct aead *aead)
{
    if (!aead)
        return;
    for (size_t i = 0; i < KITS_KEPT; i++) {
        if (atomic_load(&aead->kits[i]))
            kit_free(aead->kits[i]);
    }
    OPENSSL_cleanse(aead->key, sizeof aead->key);
    free(aead);
}

/* ---- the key of one message (NIST SP 800-108 with CMAC, as C2SP XAES-256-GCM narrows it) ---- */

/* Of the nonce, of which GCM gets the rest. */
static bool derive(struct kit *kit, const unsigned char *nonce,
                   unsigned char derived[AEAD_KEY_BYTES])
{
    for (unsigned char half = 0; half < 2; half++) {
        const unsigned char head[] = { 0, (unsigned char)(half + 1), 'X', 0 };
        unsigned char *block = derived + (size_t)half * BLOCK_BYTES;
        memcpy(block, head, sizeof head);
        memcpy(block + sizeof head, nonce, GCM_NONCE_BYTES);
        for (size_t i = 0; i < BLOCK_BYTES; i++)
            block[i] ^= kit->k1[i];
    }
    return encrypt_blocks(kit, derived, AEAD_KEY_BYTES);
}

/* @p encrypt: 1, or 0 to decrypt. */
static bool begin(struct kit *kit, const unsigned char *nonce, struct ses_slice context,
                  int encrypt)
{
    unsigned char derived[AEAD_KEY_BYTES];
    int len;
    const bool done =
        derive(kit, nonce, derived) &&
        EVP_CipherInit_ex(kit->message, NULL, NULL, derived, nonce + GCM_NONCE_BYTES, encrypt) ==
            1 &&
        EVP_CipherUpdate(kit->message, NULL, &len, context.data, (int)context.len) == 1;
    OPENSSL_cleanse(derived, sizeof derived);
    return done;
}

/* ---- messages ---- */

static bool fits(struct ses_slice slice)
{
    return slice.len <= INT_MAX;
}

static bool seal(struct kit *kit, struct ses_slice context, struct ses_slice plain,
                 unsigned char *out)
{
    unsigned char *text = out + AEAD_NONCE_BYTES, *tag = text + plain.len;
    int len;
    return begin(kit, out, context, 1) &&
           EVP_CipherUpdate(kit->message, text, &len, plain.data, (int)plain.len) == 1 &&
           EVP_CipherFinal_ex(kit->message, tag, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(kit->message, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, tag) == 1;
}

int aead_seal(struct aead *aead, struct ses_slice context, struct ses_slice plain,
              unsigned char *out)
{
    if (!fits(context) || !fits(plain))
        return SES_ERR_INVALID;
    int r = random_bytes(out, AEAD_NONCE_BYTES);
    if (r < 0)
        return r;
    struct kit *kit = kit_take(aead);
    if (!kit)
        return SES_ERR_NO_MEMORY;
    r = seal(kit, context, plain, out) ? SES_OK : SES_ERR_NO_MEMORY;
    kit_give(aead, kit);
    return r;
}

static int open_sealed(struct kit *kit, struct ses_slice context, struct ses_slice sealed,
                       unsigned char *out)
{
    const unsigned char *text = (const unsigned char *)sealed.data + AEAD_NONCE_BYTES;
    const size_t text_len = sealed.len - AEAD_OVERHEAD;
    unsigned char tag[AEAD_TAG_BYTES];
    int len;
    memcpy(tag, text + text_len, sizeof tag);
    if (!begin(kit, sealed.data, context, 0) ||
        EVP_CipherUpdate(kit->message, out, &len, text, (int)text_len) != 1 ||
        EVP_CIPHER_CTX_ctrl(kit->message, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) != 1)
        return SES_ERR_NO_MEMORY;
    return EVP_CipherFinal_ex(kit->message, out + text_len, &len) == 1 ? SES_OK : SES_ERR_CORRUPT;
}

int aead_open(struct aead *aead, struct ses_slice context, struct ses_slice sealed,
              unsigned char *out)
{
    if (!fits(context) || !fits(sealed) || sealed.len < AEAD_OVERHEAD)
        return SES_ERR_CORRUPT;
    struct kit *kit = kit_take(aead);
    if (!kit)
        return SES_ERR_NO_MEMORY;
    int r = open_sealed(kit, context, sealed, out);
    kit_give(aead, kit);
    return r;
}
