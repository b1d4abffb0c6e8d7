/* SPDX-License-Identifier: MIT */
#include "base/base64url.h"

#include "support/test.h"

#include <openssl/evp.h>

enum { BYTES_MAX = 200, TEXT_SPACE = 4 * BYTES_MAX };

/* OpenSSL's base64, in the alphabet of URLs and without padding. */
static size_t oracle(const unsigned char *bytes, size_t len, char *out)
{
    int written = EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
    for (char *c = out; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    while (written > 0 && out[written - 1] == '=')
        written--;
    return (size_t)written;
}

static void fill(unsigned char *bytes, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (unsigned char)(seed >> 56);
    }
}

/* Exactly as large as it must be, so that ASan sees one byte too many. */
static bool decode_exactly(struct ses_slice text, unsigned char *ret_bytes, size_t *ret_len)
{
    const size_t len = text.len * 3 / 4;
    unsigned char *tight = malloc(len ? len : 1);
    char *copy = malloc(text.len ? text.len : 1);
    memcpy(copy, text.data, text.len);
    const bool ok = base64url_decode((struct ses_slice){ copy, text.len }, tight);
    if (ok && ret_bytes) {
        memcpy(ret_bytes, tight, len);
        *ret_len = len;
    }
    free(copy);
    free(tight);
    return ok;
}

static void every_length_is_written_as_openssl_writes_it(void **state)
{
    (void)state;
    unsigned char bytes[BYTES_MAX];
    char expected[TEXT_SPACE];
    for (size_t len = 0; len <= BYTES_MAX; len++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            fill(bytes, len, seed * 1000 + len);
            const size_t text_len = oracle(bytes, len, expected);
            assert_int_equal(text_len, BASE64URL_LEN(len));
            char *out = malloc(text_len ? text_len : 1);
            base64url_encode(bytes, len, out);
            assert_memory_equal(out, expected, text_len);
            free(out);
        }
    }
}

static void what_was_written_reads_back(void **state)
{
    (void)state;
    unsigned char bytes[BYTES_MAX], back[BYTES_MAX];
    char text[TEXT_SPACE];
    for (size_t len = 0; len <= BYTES_MAX; len++) {
        size_t back_len = SIZE_MAX;
        fill(bytes, len, len + 7);
        base64url_encode(bytes, len, text);
        assert_true(
            decode_exactly((struct ses_slice){ text, BASE64URL_LEN(len) }, back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, bytes, len);
    }
}

static void every_text_of_up_to_three_characters_has_one_meaning(void **state)
{
    (void)state;
    unsigned char text[3], bytes[3];
    char again[4];
    size_t accepted[4] = { 0 };
    for (size_t len = 1; len <= 3; len++) {
        const uint32_t count = 1u << (8 * len);
        for (uint32_t n = 0; n < count; n++) {
            for (size_t i = 0; i < len; i++)
                text[i] = (unsigned char)(n >> (8 * i));
            if (!base64url_decode((struct ses_slice){ text, len }, bytes))
                continue;
            accepted[len]++;
            base64url_encode(bytes, len * 3 / 4, again);
            assert_memory_equal(again, text, len);
        }
    }
    assert_int_equal(accepted[1], 0);
    assert_int_equal(accepted[2], 256);
    assert_int_equal(accepted[3], 65536);
}

static void stray_bits_at_the_end_are_refused(void **state)
{
    (void)state;
    assert_true(decode_exactly(SLICE("AA"), NULL, NULL));
    assert_false(decode_exactly(SLICE("AB"), NULL, NULL));
    assert_false(decode_exactly(SLICE("AP"), NULL, NULL));
    assert_true(decode_exactly(SLICE("AQ"), NULL, NULL));
    assert_true(decode_exactly(SLICE("AAA"), NULL, NULL));
    assert_false(decode_exactly(SLICE("AAB"), NULL, NULL));
    assert_true(decode_exactly(SLICE("AAE"), NULL, NULL));
    assert_true(decode_exactly(SLICE("AAAB"), NULL, NULL));
    assert_false(decode_exactly(SLICE("AAAAAB"), NULL, NULL));
}

static void padding_blanks_and_the_other_alphabet_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "AA==", "AA=",   "AAA=", "=",    "AAAA====", "AA\n",
                                         "AA ",  " AA",   "A A",  "AA+A", "AA/A",     "AA\r\n",
                                         "A",    "AAAAA", "AA.A", "AA~A", "AA,A",     "AA%A" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(decode_exactly((struct ses_slice){ texts[i], strlen(texts[i]) }, NULL, NULL));
    assert_false(decode_exactly(SLICE("AA\0A"), NULL, NULL));
    assert_false(decode_exactly(SLICE("\xff\xff\xff\xff"), NULL, NULL));
}

static void nothing_is_the_text_of_nothing(void **state)
{
    (void)state;
    unsigned char out = 0x5a;
    assert_int_equal(BASE64URL_LEN(0), 0);
    assert_true(base64url_decode((struct ses_slice){ NULL, 0 }, &out));
    assert_int_equal(out, 0x5a);
}

static void each_character_has_its_own_value(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char out[3];
    for (unsigned c = 0; c < 256; c++) {
        const unsigned char text[4] = { (unsigned char)c, 'A', 'A', 'A' };
        const char *place = c ? strchr(alphabet, (int)c) : NULL;
        assert_int_equal(base64url_decode((struct ses_slice){ text, 4 }, out), place != NULL);
        if (place)
            assert_int_equal(out[0] >> 2, place - alphabet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_written_as_openssl_writes_it),
        cmocka_unit_test(what_was_written_reads_back),
        cmocka_unit_test(every_text_of_up_to_three_characters_has_one_meaning),
        cmocka_unit_test(stray_bits_at_the_end_are_refused),
        cmocka_unit_test(padding_blanks_and_the_other_alphabet_are_refused),
        cmocka_unit_test(nothing_is_the_text_of_nothing),
        cmocka_unit_test(each_character_has_its_own_value),
    };
    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
