/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include "support/test.h"

enum { CHARACTER_MAX = 4, CODE_POINT_MAX = 0x10ffff };

/* Exactly as large as it must be, so that ASan sees one byte too many. */
static bool valid(const void *bytes, size_t len)
{
    unsigned char *tight = test_malloc(len ? len : 1);
    memcpy(tight, bytes, len);
    const bool is_valid = utf8_valid((struct ses_slice){ tight, len });
    test_free(tight);
    return is_valid;
}

/* ---- the oracle: decodes, and looks at the number, where the code looks at bytes ---- */

static size_t encode(uint32_t c, unsigned char *out)
{
    static const unsigned char marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    const size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (unsigned char)(0x80 | (c & 0x3f));
    out[0] = (unsigned char)(marks[len] | c);
    return len;
}

static bool is_surrogate(uint32_t c)
{
    return c >= 0xd800 && c <= 0xdfff;
}

/* Length of the character at the start, 0 if there is none. */
static size_t oracle_character(const unsigned char *bytes, size_t left)
{
    const unsigned char first = bytes[0];
    const size_t len = first < 0x80           ? 1
                       : (first >> 5) == 0x06 ? 2
                       : (first >> 4) == 0x0e ? 3
                       : (first >> 3) == 0x1e ? 4
                                              : 0;
    if (len == 0 || len > left)
        return 0;
    uint32_t c = len == 1 ? first : first & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if (bytes[i] >> 6 != 2)
            return 0;
        c = c << 6 | (bytes[i] & 0x3fU);
    }
    unsigned char again[CHARACTER_MAX];
    const bool shortest = c <= CODE_POINT_MAX && encode(c, again) == len;
    return shortest && !is_surrogate(c) ? len : 0;
}

static bool oracle(const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        const size_t character = oracle_character(bytes, len);
        if (character == 0)
            return false;
        bytes += character;
        len -= character;
    }
    return true;
}

/* ---- tests ---- */

static void every_character_of_unicode_is_accepted(void **state)
{
    (void)state;
    unsigned char bytes[CHARACTER_MAX];
    for (uint32_t c = 0; c <= CODE_POINT_MAX; c++) {
        const size_t len = encode(c, bytes);
        if (utf8_valid((struct ses_slice){ bytes, len }) != !is_surrogate(c))
            fail_msg("U+%04X", (unsigned)c);
    }
}

static void surrogates_overlong_forms_and_what_is_above_unicode_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80",
        "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",     "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf5\x80",     "\xff",         "\xf4\x90\x80\x80", "\xf8\x88\x80\x80", "\xfe\xbf\xbf\xbf",
        "\xc2\xc2",     "\xe2\x82\x28", "\xed\xa0\x81\xed", "\xf0\x9f\x98\x28", "\xf0\x9f\x28\x80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (valid(bad[i], strlen(bad[i])))
            fail_msg("number %zu", i);
    }
}

/* All of two bytes, and with those at the edges of a range behind them, of three and four. */
static void short_strings_are_judged_as_by_decoding_them(void **state)
{
    (void)state;
    static const unsigned char edges[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                           0x9f, 0xa0, 0xbf, 0xc0, 0xe1, 0xff };
    const size_t count = sizeof edges;
    for (uint32_t i = 0; i < 0x10000 * count * count; i++) {
        const unsigned char bytes[] = { (unsigned char)(i >> 8), (unsigned char)i,
                                        edges[(i >> 16) % count], edges[(i >> 16) / count] };
        bool same = true;
        for (size_t len = 1; len <= sizeof bytes; len++)
            same &= utf8_valid((struct ses_slice){ bytes, len }) == oracle(bytes, len);
        if (!same)
            fail_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    }
}

/* Whatever its place among the blocks of ASCII is. */
static void one_bad_byte_anywhere_is_found(void **state)
{
    (void)state;
    unsigned char text[72];
    for (size_t len = 1; len <= sizeof text; len++) {
        memset(text, 'a', len);
        assert_true(valid(text, len));
        for (size_t at = 0; at < len; at++) {
            text[at] = 0xff;
            assert_false(valid(text, len));
            text[at] = 0x80;
            assert_false(valid(text, len));
            text[at] = 'a';
        }
    }
}

static void every_character_anywhere_is_whole_or_refused(void **state)
{
    (void)state;
    static const char *const characters[] = { "\u00fc", "\u6c34", "\U0001f600" };
    unsigned char text[72];
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++) {
        const size_t whole = strlen(characters[i]);
        for (size_t at = 0; at + whole <= sizeof text; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, characters[i], whole);
            assert_true(valid(text, sizeof text));
            for (size_t part = 1; part < whole; part++)
                assert_false(valid(text, at + part));
            assert_true(valid(text, at + whole));
        }
    }
}

static void long_text_of_many_alphabets_is_accepted(void **state)
{
    (void)state;
    unsigned char text[4096];
    size_t len = 0;
    for (uint32_t c = 1; len + CHARACTER_MAX <= sizeof text; c = (c * 75 + 74) % 65537) {
        if (!is_surrogate(c))
            len += encode(c % 3 ? c % 0x7f : c, text + len);
    }
    assert_true(valid(text, len));
    assert_true(oracle(text, len));
    text[len / 2] = 0xff;
    assert_false(valid(text, len));
}

static void nothing_and_nul_are_text(void **state)
{
    (void)state;
    assert_true(utf8_valid((struct ses_slice){ NULL, 0 }));
    assert_true(valid("", 0));
    assert_true(valid("\0", 1));
    assert_true(valid("a\0b\0\0\0\0\0\0\0\0\0", 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_of_unicode_is_accepted),
        cmocka_unit_test(surrogates_overlong_forms_and_what_is_above_unicode_are_refused),
        cmocka_unit_test(short_strings_are_judged_as_by_decoding_them),
        cmocka_unit_test(one_bad_byte_anywhere_is_found),
        cmocka_unit_test(every_character_anywhere_is_whole_or_refused),
        cmocka_unit_test(long_text_of_many_alphabets_is_accepted),
        cmocka_unit_test(nothing_and_nul_are_text),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
