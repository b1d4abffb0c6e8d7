/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include "support/test.h"

#include <math.h>

enum { HALF_COUNT = 0x10000, HALF_BYTES = 3, SINGLE_BYTES = 5, DOUBLE_BYTES = 9 };

/* ---- the oracle: arithmetic, where the code shifts bits ---- */

/* RFC 8949, appendix D. */
static double half_value(unsigned half)
{
    const int exponent = (int)(half >> 10 & 0x1f), fraction = (int)(half & 0x3ff);
    double value = NAN;
    if (exponent == 0)
        value = ldexp(fraction, -24);
    else if (exponent != 31)
        value = ldexp(fraction + 1024, exponent - 25);
    else if (fraction == 0)
        value = INFINITY;
    return half & 0x8000 ? -value : value;
}

static double positive_halves[HALF_COUNT / 2]; /* up to infinity, which is number 0x7c00 */

static int fill_halves(void **state)
{
    (void)state;
    for (unsigned half = 0; half < HALF_COUNT / 2; half++)
        positive_halves[half] = half_value(half);
    return 0;
}

/* The half of exactly this value, or -1: by search among all that there are. */
static int find_half(double value)
{
    const double magnitude = fabs(value);
    int low = 0, high = 0x7c00;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (positive_halves[middle] < magnitude)
            low = middle + 1;
        else
            high = middle;
    }
    if (positive_halves[low] != magnitude)
        return -1;
    return low | (signbit(value) ? 0x8000 : 0);
}

static bool fits_single(double value)
{
    return isinf(value) || (fabs(value) <= 0x1.fffffep127 && (double)(float)value == value);
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static size_t spell(unsigned char first, uint64_t bits, size_t width, unsigned char *out)
{
    out[0] = first;
    for (size_t i = 0; i < width; i++)
        out[1 + i] = (unsigned char)(bits >> (8 * (width - 1 - i)));
    return 1 + width;
}

static size_t spell_half(unsigned half, unsigned char *out)
{
    return spell(0xf9, half, 2, out);
}

static size_t spell_single(double value, unsigned char *out)
{
    const float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return spell(0xfa, bits, 4, out);
}

static size_t spell_double(double value, unsigned char *out)
{
    return spell(0xfb, bits_of(value), 8, out);
}

/* ---- what is tested ---- */

static void assert_refused(const unsigned char *item, size_t len)
{
    if (cbor_valid((struct ses_slice){ item, len }))
        fail_msg("%02x %02x %02x ... of %zu bytes", item[0], item[1], item[2], len);
}

static void assert_only_form(double value, const unsigned char *form, size_t len)
{
    unsigned char storage[CBOR_HEAD_MAX];
    struct buffer out = buffer_fixed(storage, sizeof storage);
    cbor_write_double(&out, value);
    if (out.len != len || memcmp(out.data, form, len) != 0)
        fail_msg("%a is written in %zu bytes, not in %zu", value, out.len, len);

    struct cbor_reader r = cbor_reader_of(buffer_slice(&out));
    const struct cbor_item item = cbor_next(&r);
    assert_true(cbor_at_end(&r));
    assert_int_equal(item.type, CBOR_DOUBLE);
    assert_true(bits_of(item.number) == bits_of(value)); /* so that -0.0 is not 0.0 */
    assert_true(cbor_valid(buffer_slice(&out)));
}

static void check_number(double value)
{
    unsigned char as_half[HALF_BYTES], as_single[SINGLE_BYTES], as_double[DOUBLE_BYTES];
    const int half = find_half(value);
    const bool single = fits_single(value);
    if (half >= 0) {
        spell_half((unsigned)half, as_half);
        assert_only_form(value, as_half, sizeof as_half);
    }
    if (single) {
        spell_single(value, as_single);
        if (half >= 0)
            assert_refused(as_single, sizeof as_single);
        else
            assert_only_form(value, as_single, sizeof as_single);
    }
    spell_double(value, as_double);
    if (single)
        assert_refused(as_double, sizeof as_double);
    else
        assert_only_form(value, as_double, sizeof as_double);
}

static void every_half_is_read_and_written_and_every_longer_form_refused(void **state)
{
    (void)state;
    for (unsigned half = 0; half < HALF_COUNT; half++) {
        const double value = half_value(half);
        if (isnan(value))
            continue;
        assert_int_equal(find_half(value), half);
        check_number(value);
    }
}

static void every_exponent_takes_the_shortest_form_that_keeps_the_value(void **state)
{
    (void)state;
    const uint64_t all = (UINT64_C(1) << 52) - 1;
    uint64_t random = 1;
    for (uint64_t top = 0; top < 0x1000; top++) { /* sign and exponent */
        if ((top & 0x7ff) == 0x7ff)
            continue;
        for (unsigned lowest = 0; lowest < 52; lowest++) {
            const uint64_t bit = UINT64_C(1) << lowest;
            random = random * 6364136223846793005U + 1442695040888963407U;
            check_number(double_of(top << 52 | bit));
            check_number(double_of(top << 52 | (all & ~(bit - 1))));
            check_number(double_of(top << 52 | ((random | bit) & all & ~(bit - 1))));
        }
        check_number(double_of(top << 52));
    }
}

static void random_numbers_of_each_width_take_their_one_form(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (unsigned i = 0; i < 200000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        const double value = double_of(random);
        const uint32_t single_bits = (uint32_t)(random >> 32);
        float single;
        memcpy(&single, &single_bits, sizeof single);
        if (!isnan(value))
            check_number(value);
        if (!isnan(single))
            check_number((double)single);
    }
}

static void infinities_are_halves(void **state)
{
    (void)state;
    assert_only_form(INFINITY, (const unsigned char *)"\xf9\x7c\x00", HALF_BYTES);
    assert_only_form(-INFINITY, (const unsigned char *)"\xf9\xfc\x00", HALF_BYTES);
    check_number(INFINITY);
    check_number(-INFINITY);
}

static void every_nan_is_written_as_the_one_nan(void **state)
{
    (void)state;
    static const uint64_t nans[] = { 0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001,
                                     0x7fffffffffffffff, 0xffffffffffffffff, 0x7ffc000000000000 };
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
        unsigned char storage[CBOR_HEAD_MAX];
        struct buffer out = buffer_fixed(storage, sizeof storage);
        cbor_write_double(&out, double_of(nans[i]));
        assert_int_equal(out.len, HALF_BYTES);
        assert_memory_equal(out.data, "\xf9\x7e\x00", HALF_BYTES);
        struct cbor_reader r = cbor_reader_of(buffer_slice(&out));
        assert_true(isnan(cbor_next(&r).number));
        assert_true(cbor_at_end(&r));
    }
}

static void every_other_nan_is_refused(void **state)
{
    (void)state;
    unsigned char item[CBOR_HEAD_MAX];
    for (unsigned half = 0; half < HALF_COUNT; half++) {
        if (isnan(half_value(half)) && half != 0x7e00)
            assert_refused(item, spell_half(half, item));
    }
    for (unsigned bit = 0; bit < 23; bit++) {
        assert_refused(item, spell(0xfa, 0x7f800000 | UINT64_C(1) << bit, 4, item));
        assert_refused(item, spell(0xfa, 0xff800000 | UINT64_C(1) << bit, 4, item));
    }
    for (unsigned bit = 0; bit < 52; bit++) {
        assert_refused(item, spell(0xfb, 0x7ff0000000000000 | UINT64_C(1) << bit, 8, item));
        assert_refused(item, spell(0xfb, 0xfff0000000000000 | UINT64_C(1) << bit, 8, item));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_read_and_written_and_every_longer_form_refused),
        cmocka_unit_test(every_exponent_takes_the_shortest_form_that_keeps_the_value),
        cmocka_unit_test(random_numbers_of_each_width_take_their_one_form),
        cmocka_unit_test(infinities_are_halves),
        cmocka_unit_test(every_nan_is_written_as_the_one_nan),
        cmocka_unit_test(every_other_nan_is_refused),
    };
    return cmocka_run_group_tests_name("cbor-float", tests, fill_halves, NULL);
}
