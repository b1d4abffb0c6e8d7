/* SPDX-License-Identifier: MIT */
#include "core/seal.h"

#include "base/aead.h"
#include "base/base64url.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TOKEN_VERSION = 3,
    NAME_BYTES = 4, /* of a key */
    HEAD_BYTES = 1 + NAME_BYTES,
    KEYS_MAX = 8,
    PASSPHRASE_MIN = 16,
    KEY_FILE_MAX = 4096,
    CONTEXT_MAX = 512,
};

struct key {
    unsigned char name[NAME_BYTES];
    struct aead *aead;
};

struct sealer {
    unsigned char
        context[CONTEXT_MAX]; /* what a token is for, so that it passes for nothing else */
    size_t context_len;
    size_t count;
    struct key keys[KEYS_MAX]; /* the first one seals */
};

/* ---- keys ---- */

static int add_key(struct sealer *sealer, const unsigned char secret[AEAD_KEY_BYTES],
                   struct ses_error *error)
{
    unsigned char digest[SHA256_BYTES];
    const struct ses_slice parts[] = { slice_of_text("name of a sealing key"),
                                       { secret, AEAD_KEY_BYTES } };
    if (sealer->count == KEYS_MAX)
        return error_set(error, SES_ERR_INVALID, "there are more than %d sealing keys", KEYS_MAX);
    struct key *key = &sealer->keys[sealer->count];
    sha256(parts, 2, digest);
    memcpy(key->name, digest, NAME_BYTES);
    key->aead = aead_new(secret);
    sealer->count += key->aead != NULL;
    return key->aead ? SES_OK : SES_ERR_NO_MEMORY;
}

static char url_digit(char c)
{
    if (c == '+')
        return '-';
    if (c == '/')
        return '_';
    return c;
}

/* 32 bytes in base64, as "openssl rand -base64 32" gives them, or in base64url. */
static bool read_key(struct ses_slice text, unsigned char secret[AEAD_KEY_BYTES])
{
    enum { TEXT_BYTES = BASE64URL_LEN(AEAD_KEY_BYTES) };
    char plain[TEXT_BYTES];
    unsigned char bytes[AEAD_KEY_BYTES + 3];
    const char *at = text.data;
    if (text.len == TEXT_BYTES + 1 && at[TEXT_BYTES] == '=')
        text.len--;
    if (text.len != TEXT_BYTES)
        return false;
    for (size_t i = 0; i < TEXT_BYTES; i++)
        plain[i] = url_digit(at[i]);
    const bool sound = base64url_decode((struct ses_slice){ plain, TEXT_BYTES }, bytes);
    if (sound)
        memcpy(secret, bytes, AEAD_KEY_BYTES);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(plain, sizeof plain);
    return sound;
}

static int add_key_text(struct sealer *sealer, struct ses_slice text, const char *where,
                        struct ses_error *error)
{
    unsigned char secret[AEAD_KEY_BYTES];
    if (!read_key(text, secret))
        return error_set(error, SES_ERR_INVALID,
                         "%s: key %d is not 32 bytes in base64; make one with: openssl rand "
                         "-base64 32",
                         where, (int)sealer->count + 1);
    int r = add_key(sealer, secret, error);
    explicit_bzero(secret, sizeof secret);
    return r;
}

/* Keys between any of @p separators; empty places are passed over. */
static int add_keys(struct sealer *sealer, const char *text, const char *separators,
                    const char *where, struct ses_error *error)
{
    for (const char *at = text + strspn(text, separators); *at; at += strspn(at, separators)) {
        const size_t len = strcspn(at, separators);
        int r = add_key_text(sealer, (struct ses_slice){ at, len }, where, error);
        if (r < 0)
            return r;
        at += len;
    }
    return SES_OK;
}

static int fail_file(const char *path, const char *why, struct ses_error *error)
{
    return error_set(error, SES_ERR_INVALID, "\"sealKeyFile\": %.128s: %s", path, why);
}

/* Its group may read it, because a service's keys may be root's to change. */
static int check_key_file(int fd, const char *path, struct ses_error *error)
{
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return fail_file(path, strerrordesc_np(errno), error);
    if (!S_ISREG(stat.st_mode))
        return fail_file(path, "refused, because it is not a plain file", error);
    if (stat.st_uid != geteuid() && stat.st_uid != 0)
        return fail_file(path,
                         "refused, because it is another user's: it has to be root's or the "
                         "process's own",
                         error);
    if (stat.st_mode & (S_IWGRP | S_IRWXO))
        return fail_file(
            path, "refused, because others may read or change it: chmod g-w,o= mends that", error);
    return SES_OK;
}

static int read_key_file(int fd, const char *path, char text[KEY_FILE_MAX + 1],
                         struct ses_error *error)
{
    int r = check_key_file(fd, path, error);
    if (r < 0)
        return r;
    const ssize_t len = read(fd, text, KEY_FILE_MAX + 1);
    if (len < 0)
        return fail_file(path, strerrordesc_np(errno), error);
    if (len > KEY_FILE_MAX)
        return error_set(error, SES_ERR_INVALID, "\"sealKeyFile\": %.128s is over %d bytes", path,
                         KEY_FILE_MAX);
    text[len] = '\0';
    return SES_OK;
}

/* One key in each line, the sealing one first. */
static int add_key_file(struct sealer *sealer, const char *path, struct ses_error *error)
{
    char text[KEY_FILE_MAX + 1];
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail_file(path, strerrordesc_np(errno), error);
    int r = read_key_file(fd, path, text, error);
    (void)close(fd);
    if (r == SES_OK)
        r = add_keys(sealer, text, " \t\r\n", "\"sealKeyFile\"", error);
    explicit_bzero(text, sizeof text);
    return r;
}

/* scrypt once, so that guessing costs (S-43, ASVS 5.0 11.4.4). */
static int add_passphrase(struct sealer *sealer, const char *passphrase, struct ses_error *error)
{
    unsigned char secret[AEAD_KEY_BYTES];
    const struct ses_slice text = slice_of_text(passphrase);
    if (text.len < PASSPHRASE_MIN)
        return error_set(error, SES_ERR_INVALID,
                         "\"sealPassphrase\" (or \"securityKey\") must be at least %d characters",
                         PASSPHRASE_MIN);
    int r = scrypt_key(text, slice_of_text("sesame sealing key"), secret);
    if (r == SES_OK)
        r = add_key(sealer, secret, error);
    explicit_bzero(secret, sizeof secret);
    return r;
}

static int read_keys(struct sealer *sealer, const struct config *config, struct ses_error *error)
{
    int r = SES_OK;
    if (config->seal_keys)
        r = add_keys(sealer, config->seal_keys, ", ", "\"sealKeys\"", error);
    if (r == SES_OK && config->seal_key_file)
        r = add_key_file(sealer, config->seal_key_file, error);
    if (r == SES_OK && config->seal_passphrase)
        r = add_passphrase(sealer, config->seal_passphrase, error);
    if (r == SES_OK && sealer->count == 0)
        r = error_set(error, SES_ERR_INVALID,
                      "sealed sessions need \"sealKeyFile\", \"sealKeys\" or \"sealPassphrase\"");
    return r;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    for (size_t i = 0; i < sealer->count; i++)
        aead_free(sealer->keys[i].aead);
    free(sealer);
}

DEFINE_CLEANUP(struct sealer *, sealer_free)

static void set_context(struct sealer *sealer, const struct config *config)
{
    const struct ses_slice realm = slice_of_text(config->realm);
    struct buffer out = buffer_fixed(sealer->context, sizeof sealer->context);
    buffer_byte(&out, TOKEN_VERSION);
    buffer_byte(&out, (unsigned char)realm.len);
    buffer_append(&out, realm.data, realm.len);
    buffer_text(&out, config->cookie_name);
    sealer->context_len = out.len;
}

int sealer_new(const struct config *config, struct sealer **ret_sealer, struct ses_error *error)
{
    CLEANUP(sealer_free) struct sealer *sealer = calloc(1, sizeof *sealer);
    if (!sealer)
        return SES_ERR_NO_MEMORY;
    set_context(sealer, config);
    int r = read_keys(sealer, config, error);
    if (r == SES_OK)
        *ret_sealer = steal(&sealer);
    return r;
}

/* ---- tokens ---- */

static struct ses_slice context_of(const struct sealer *sealer)
{
    return (struct ses_slice){ sealer->context, sealer->context_len };
}

size_t seal_token_bytes(size_t content_bytes)
{
    return BASE64URL_LEN(HEAD_BYTES + AEAD_OVERHEAD + content_bytes);
}

int seal(const struct sealer *sealer, struct ses_slice content, struct arena *arena,
         const char **ret_token)
{
    const size_t len = HEAD_BYTES + AEAD_OVERHEAD + content.len;
    unsigned char *bytes = arena_alloc(arena, len);
    char *token = arena_alloc(arena, BASE64URL_LEN(len) + 1);
    if (!bytes || !token)
        return SES_ERR_NO_MEMORY;
    bytes[0] = TOKEN_VERSION;
    memcpy(bytes + 1, sealer->keys[0].name, NAME_BYTES);
    int r = aead_seal(sealer->keys[0].aead, context_of(sealer), content, bytes + HEAD_BYTES);
    if (r < 0)
        return r;
    base64url_encode(bytes, len, token);
    token[BASE64URL_LEN(len)] = '\0';
    *ret_token = token;
    return SES_OK;
}

static const struct key *find_key(const struct sealer *sealer, const unsigned char *name)
{
    for (size_t i = 0; i < sealer->count; i++) {
        if (digest_equal(sealer->keys[i].name, name, NAME_BYTES))
            return &sealer->keys[i];
    }
    return NULL;
}

int unseal(const struct sealer *sealer, struct ses_slice token, struct arena *arena,
           struct ses_slice *ret_content, bool *ret_old)
{
    const size_t len = token.len * 3 / 4;
    if (len < HEAD_BYTES + AEAD_OVERHEAD)
        return SES_ERR_NOT_FOUND;
    unsigned char *bytes = arena_alloc(arena, len + 3);
    unsigned char *content = arena_alloc(arena, len);
    if (!bytes || !content)
        return SES_ERR_NO_MEMORY;
    if (!base64url_decode(token, bytes) || bytes[0] != TOKEN_VERSION)
        return SES_ERR_NOT_FOUND;
    const struct key *key = find_key(sealer, bytes + 1);
    const struct ses_slice sealed = { bytes + HEAD_BYTES, len - HEAD_BYTES };
    int r = key ? aead_open(key->aead, context_of(sealer), sealed, content) : SES_ERR_CORRUPT;
    if (r < 0)
        return r == SES_ERR_CORRUPT ? SES_ERR_NOT_FOUND : r;
    *ret_content = (struct ses_slice){ content, sealed.len - AEAD_OVERHEAD };
    *ret_old = key != &sealer->keys[0];
    return SES_OK;
}
