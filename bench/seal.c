/* SPDX-License-Identifier: MIT */

/*
 * Sealing and opening a token of 400 bytes beside the bare calls on the same bytes: XAES-256-GCM
 * with everything kept that can be, and base64url by table. Linked with the library's inside, which
 * no application sees; so it is a program of its own. Prints "seal FLOOR OURS" and "open FLOOR
 * OURS" in nanoseconds, once for each round.
 */

#include "core/seal.h"

#include "base/base64url.h"
#include "base/random.h"

#include "harness.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { CONTENT = 400, NONCE = 24, TAG = 16, SEALED = NONCE + CONTENT + TAG, HEAD = 5 };
enum { TOKEN = BASE64URL_LEN(HEAD + SEALED), OPERATIONS = 20000, ROUNDS = 9 };

static const char key_text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

struct bench_seal {
    struct sealer *sealer;
    EVP_CIPHER_CTX *block, *message;
    unsigned char content[CONTENT];
    char token[TOKEN + 1];
};

/* ---- the bare calls ---- */

static void derive(struct bench_seal *b, const unsigned char *nonce, unsigned char derived[32])
{
    int len;
    memcpy(derived, nonce, 12);
    memcpy(derived + 16, nonce, 12);
    if (EVP_EncryptUpdate(b->block, derived, &len, derived, 32) != 1)
        bench_fail("AES");
}

static void seal_bare(struct bench_seal *b, char token[TOKEN + 1])
{
    unsigned char bytes[HEAD + SEALED] = { 3 }, derived[32] = { 0 };
    unsigned char *nonce = bytes + HEAD, *text = nonce + NONCE;
    int len;
    if (random_bytes(nonce, NONCE) != SES_OK)
        bench_fail("getrandom");
    derive(b, nonce, derived);
    if (EVP_CipherInit_ex(b->message, NULL, NULL, derived, nonce + 12, 1) != 1 ||
        EVP_CipherUpdate(b->message, NULL, &len, derived, 6) != 1 ||
        EVP_CipherUpdate(b->message, text, &len, b->content, CONTENT) != 1 ||
        EVP_CipherFinal_ex(b->message, text + CONTENT, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(b->message, EVP_CTRL_AEAD_GET_TAG, TAG, text + CONTENT) != 1)
        bench_fail("GCM");
    base64url_encode(bytes, sizeof bytes, token);
}

/* Whether the tag is right does not matter to what it costs. */
static void open_bare(struct bench_seal *b)
{
    unsigned char bytes[HEAD + SEALED + 3], content[CONTENT + TAG], derived[32] = { 0 };
    unsigned char *nonce = bytes + HEAD, *text = nonce + NONCE;
    int len;
    if (!base64url_decode((struct ses_slice){ b->token, TOKEN }, bytes))
        bench_fail("base64url");
    derive(b, nonce, derived);
    if (EVP_CipherInit_ex(b->message, NULL, NULL, derived, nonce + 12, 0) != 1 ||
        EVP_CipherUpdate(b->message, NULL, &len, derived, 6) != 1 ||
        EVP_CipherUpdate(b->message, content, &len, text, CONTENT) != 1 ||
        EVP_CIPHER_CTX_ctrl(b->message, EVP_CTRL_AEAD_SET_TAG, TAG, text + CONTENT) != 1)
        bench_fail("GCM");
    (void)EVP_CipherFinal_ex(b->message, content + CONTENT, &len);
}

/* ---- ours ---- */

static void seal_ours(struct bench_seal *b, char token[TOKEN + 1])
{
    _Alignas(8) unsigned char storage[2048];
    struct arena arena;
    const char *text;
    arena_init(&arena, storage, sizeof storage);
    if (seal(b->sealer, (struct ses_slice){ b->content, CONTENT }, &arena, &text) != SES_OK)
        bench_fail("seal");
    memcpy(token, text, TOKEN + 1);
    arena_free(&arena);
}

static void open_ours(struct bench_seal *b)
{
    _Alignas(8) unsigned char storage[2048];
    struct arena arena;
    struct ses_slice content;
    bool old;
    arena_init(&arena, storage, sizeof storage);
    if (unseal(b->sealer, (struct ses_slice){ b->token, TOKEN }, &arena, &content, &old) != SES_OK)
        bench_fail("unseal");
    arena_free(&arena);
}

/* ---- both ---- */

static double time_sealing(struct bench_seal *b, void (*fn)(struct bench_seal *, char *))
{
    char token[TOKEN + 1];
    const uint64_t start = bench_now_ns();
    for (int i = 0; i < OPERATIONS; i++)
        fn(b, token);
    return (double)(bench_now_ns() - start) / OPERATIONS;
}

static double time_opening(struct bench_seal *b, void (*fn)(struct bench_seal *))
{
    const uint64_t start = bench_now_ns();
    for (int i = 0; i < OPERATIONS; i++)
        fn(b);
    return (double)(bench_now_ns() - start) / OPERATIONS;
}

int main(void)
{
    static const unsigned char raw[32] = { 1 };
    const struct config config = { .seal_keys = key_text, .realm = "id", .cookie_name = "id" };
    struct bench_seal b = { .block = EVP_CIPHER_CTX_new(), .message = EVP_CIPHER_CTX_new() };
    struct ses_error error;
    if (sealer_new(&config, &b.sealer, &error) != SES_OK || !b.block || !b.message ||
        EVP_EncryptInit_ex(b.block, EVP_aes_256_ecb(), NULL, raw, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(b.block, 0) != 1 ||
        EVP_CipherInit_ex(b.message, EVP_aes_256_gcm(), NULL, NULL, NULL, 1) != 1)
        bench_fail("cannot begin");
    bench_pin(0);
    seal_ours(&b, b.token);
    for (int i = 0; i < ROUNDS; i++) {
        const double floor = time_sealing(&b, seal_bare), ours = time_sealing(&b, seal_ours);
        printf("seal %.2f %.2f\n", floor, ours);
        const double bare = time_opening(&b, open_bare), open = time_opening(&b, open_ours);
        printf("open %.2f %.2f\n", bare, open);
    }
    sealer_free(b.sealer);
    EVP_CIPHER_CTX_free(b.block);
    EVP_CIPHER_CTX_free(b.message);
    return 0;
}
