/* SPDX-License-Identifier: MIT */
#include "base/aead.h"

#include <sesame/error.h>

#include "support/test.h"

static const unsigned char key[AEAD_KEY_BYTES] = { 1, 2, 3 };

/* Test case 14 of the GCM specification (McGrew, Viega): key, nonce and plain text are zero. */
static void a_published_message_opens(void **state)
{
    (void)state;
    static const unsigned char zeros[AEAD_KEY_BYTES] = { 0 };
    unsigned char sealed[AEAD_OVERHEAD + 16] = { 0 }, plain[16];
    memcpy(sealed + AEAD_NONCE_BYTES,
           "\xce\xa7\x40\x3d\x4d\x60\x6b\x6e\x07\x4e\xc5\xd3\xba\xf3\x9d\x18"
           "\xd0\xd1\xc8\xa7\x99\x99\x6b\xf0\x26\x5b\x98\xb5\xd4\x8a\xb9\x19",
           32);
    const struct ses_slice none = { "", 0 };
    assert_ok(aead_open(zeros, none, (struct ses_slice){ sealed, sizeof sealed }, plain));
    assert_memory_equal(plain, zeros, sizeof plain);
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
    unsigned char sealed[4 + AEAD_OVERHEAD], opened[4], other[AEAD_KEY_BYTES] = { 9 };
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
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_message_opens),
        cmocka_unit_test(what_was_sealed_opens_at_every_length),
        cmocka_unit_test(the_same_text_is_sealed_differently_each_time),
        cmocka_unit_test(nothing_else_opens),
    };
    return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
