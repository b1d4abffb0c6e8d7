/* SPDX-License-Identifier: MIT */
#include "base/aead.h"

#include <sesame/error.h>

#include "support/test.h"

#include <pthread.h>

static struct aead *key;

static int make_key(void **state)
{
    static const unsigned char secret[AEAD_KEY_BYTES] = { 1, 2, 3 };
    (void)state;
    key = aead_new(secret);
    return key ? 0 : -1;
}

static int free_key(void **state)
{
    (void)state;
    aead_free(key);
    return 0;
}

/* The test vectors of the specification (C2SP, XAES-256-GCM). */
static void the_published_messages_open(void **state)
{
    (void)state;
    static const struct {
        unsigned char key;
        const char *context;
        const char *sealed;
    } vectors[] = {
        { 1, "",
          "\xce\x54\x6e\xf6\x3c\x9c\xc6\x07\x65\x92\x36\x09\xb3\x3a"
          "\x9a\x19\x74\xe9\x6e\x52\xda\xf2\xfc\xf7\x07\x5e\x22\x71" },
        { 3, "c2sp.org/XAES-256-GCM",
          "\x98\x6e\xc1\x83\x25\x93\xdf\x54\x43\xa1\x79\x43\x7f\xd0"
          "\x83\xbf\x3f\xdb\x41\xab\xd7\x40\xa2\x1f\x71\xeb\x76\x9d" },
    };
    for (size_t i = 0; i < 2; i++) {
        unsigned char secret[AEAD_KEY_BYTES], sealed[AEAD_OVERHEAD + 12], plain[12];
        const struct ses_slice context = { vectors[i].context, strlen(vectors[i].context) };
        memset(secret, vectors[i].key, sizeof secret);
        memcpy(sealed, "ABCDEFGHIJKLMNOPQRSTUVWX", AEAD_NONCE_BYTES);
        memcpy(sealed + AEAD_NONCE_BYTES, vectors[i].sealed, 28);
        struct aead *aead = aead_new(secret);
        assert_non_null(aead);
        assert_ok(aead_open(aead, context, (struct ses_slice){ sealed, sizeof sealed }, plain));
        assert_memory_equal(plain, "XAES-256-GCM", 12);
        aead_free(aead);
    }
}

static void what_was_sealed_opens_at_every_length(void **state)
{
    (void)state;
    unsigned char text[200], sealed[sizeof text + AEAD_OVERHEAD], opened[sizeof text];
    const struct ses_slice context = { "context", 7 };
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)i;
    for (size_t len = 0; len <= sizeof text; len++) {
        assert_ok(aead_seal(key, context, (struct ses_slice){ text, len }, sealed));
        assert_ok(
            aead_open(key, context, (struct ses_slice){ sealed, len + AEAD_OVERHEAD }, opened));
        assert_memory_equal(opened, text, len);
    }
}

static void the_same_text_is_sealed_differently_each_time(void **state)
{
    (void)state;
    const struct ses_slice text = { "text", 4 }, none = { "", 0 };
    unsigned char one[4 + AEAD_OVERHEAD], two[4 + AEAD_OVERHEAD];
    assert_ok(aead_seal(key, none, text, one));
    assert_ok(aead_seal(key, none, text, two));
    assert_memory_not_equal(one, two, AEAD_NONCE_BYTES);
    assert_memory_not_equal(one + AEAD_NONCE_BYTES, two + AEAD_NONCE_BYTES, 4);
}

static void nothing_else_opens(void **state)
{
    (void)state;
    const struct ses_slice text = { "text", 4 }, context = { "here", 4 }, elsewhere = { "HERE", 4 };
    unsigned char sealed[4 + AEAD_OVERHEAD], opened[4], secret[AEAD_KEY_BYTES] = { 9 };
    struct aead *other = aead_new(secret);
    assert_non_null(other);
    const struct ses_slice whole = { sealed, sizeof sealed };
    assert_ok(aead_seal(key, context, text, sealed));
    assert_code(aead_open(other, context, whole, opened), SES_ERR_CORRUPT);
    assert_code(aead_open(key, elsewhere, whole, opened), SES_ERR_CORRUPT);
    for (size_t len = 0; len < sizeof sealed; len++)
        assert_code(aead_open(key, context, (struct ses_slice){ sealed, len }, opened),
                    SES_ERR_CORRUPT);
    for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
        sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_code(aead_open(key, context, whole, opened), SES_ERR_CORRUPT);
        sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_ok(aead_open(key, context, whole, opened));
    aead_free(other);
}

/* More messages at once than contexts are kept. */
enum { THREADS = 16, MESSAGES = 200 };

/* NULL: all went well. */
static void *seal_and_open(void *arg)
{
    static char wrong;
    unsigned char text[64], sealed[sizeof text + AEAD_OVERHEAD], opened[sizeof text];
    const struct ses_slice none = { "", 0 };
    (void)arg;
    for (int i = 0; i < MESSAGES; i++) {
        memset(text, i, sizeof text);
        if (aead_seal(key, none, (struct ses_slice){ text, sizeof text }, sealed) != SES_OK ||
            aead_open(key, none, (struct ses_slice){ sealed, sizeof sealed }, opened) != SES_OK ||
            opened[5] != text[5])
            return &wrong;
    }
    return NULL;
}

static void threads_do_not_disturb_one_another(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, seal_and_open, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        (void)pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_messages_open),
        cmocka_unit_test(what_was_sealed_opens_at_every_length),
        cmocka_unit_test(the_same_text_is_sealed_differently_each_time),
        cmocka_unit_test(nothing_else_opens),
        cmocka_unit_test(threads_do_not_disturb_one_another),
    };
    return cmocka_run_group_tests_name("aead", tests, make_key, free_key);
}
