/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include "base/cleanup.h"

#include "support/cbor_rewrite.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ITEM_MAX = 256 };

/* ---- inputs ---- */

struct bytes {
    unsigned char data[ITEM_MAX];
    size_t len;
};

static struct bytes unhex(const char *hex)
{
    struct bytes out = { .len = strlen(hex) / 2 };
    assert_in_range(out.len, 0, ITEM_MAX);
    for (size_t i = 0; i < out.len; i++) {
        const char two[] = { hex[2 * i], hex[2 * i + 1], '\0' };
        out.data[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return out;
}

/* Exactly as large as it must be, so that ASan sees one byte too many. */
static bool valid(const void *bytes, size_t len)
{
    unsigned char *tight = test_malloc(len ? len : 1);
    memcpy(tight, bytes, len);
    const struct ses_slice item = { tight, len };
    const bool is_valid = cbor_valid(item);

    struct cbor_reader r = cbor_reader_of(item);
    while (cbor_next(&r).type != CBOR_NONE)
        ;
    if (is_valid)
        assert_true(cbor_at_end(&r));

    struct cbor_reader trusted = cbor_reader_of(item);
    const struct ses_slice passed = cbor_skip_trusted(&trusted);
    if (is_valid)
        assert_true(cbor_at_end(&trusted));
    assert_true(passed.len <= len);
    test_free(tight);
    return is_valid;
}

static bool hex_valid(const char *hex)
{
    const struct bytes item = unhex(hex);
    return valid(item.data, item.len);
}

static bool buffer_valid(const struct buffer *b)
{
    assert_false(b->failed);
    return valid(b->data, b->len);
}

static void assert_all(const char *const *hex, size_t count, bool expected)
{
    for (size_t i = 0; i < count; i++) {
        if (hex_valid(hex[i]) != expected)
            fail_msg("%s should be %s", hex[i], expected ? "accepted" : "refused");
    }
}

/* ---- the examples of RFC 8949, appendix A ---- */

static const char *const rfc_accepted[] = {
    /* 0, 1, 10, 23, 24, 25, 100, 1000, 1000000, 1000000000000, -1, -10, -100, -1000 */
    "00", "01", "0a", "17", "1818", "1819", "1864", "1903e8", "1a000f4240", "1b000000e8d4a51000",
    "20", "29", "3863", "3903e7",
    /* 0.0, -0.0, 1.0, 1.1, 1.5, 65504.0, 100000.0, 3.4028234663852886e+38, 1.0e+300 */
    "f90000", "f98000", "f93c00", "fb3ff199999999999a", "f93e00", "f97bff", "fa47c35000",
    "fa7f7fffff", "fb7e37e43c8800759c",
    /* 5.960464477539063e-8, 0.00006103515625, -4.0, -4.1, Infinity, NaN, -Infinity */
    "f90001", "f90400", "f9c400", "fbc010666666666666", "f97c00", "f97e00", "f9fc00",
    /* false, true, null, h'', h'01020304' */
    "f4", "f5", "f6", "40", "4401020304",
    /* "", "a", "IETF", "\"\\", "\u00fc", "\u6c34", "\ud800\udd51" */
    "60", "6161", "6449455446", "62225c", "62c3bc", "63e6b0b4", "64f0908591",
    /* [], [1,2,3], [1,[2,3],[4,5]], [1 to 25], {}, {1: 2, 3: 4} */
    "80", "83010203", "8301820203820405",
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819", "a0", "a201020304",
    /* {"a": 1, "b": [2, 3]}, ["a", {"b": "c"}], {"a": "A", ... "e": "E"} */
    "a26161016162820203", "826161a161626163", "a56161614161626142616361436164614461656145"
};

static const char *const rfc_refused[] = {
    /* 18446744073709551615, its successor, and the two below zero: beyond int64_t */
    "1bffffffffffffffff", "c249010000000000000000", "3bffffffffffffffff", "c349010000000000000000",
    /* Infinity, NaN, -Infinity, longer than necessary */
    "fa7f800000", "fa7fc00000", "faff800000", "fb7ff0000000000000", "fb7ff8000000000000",
    "fbfff0000000000000",
    /* undefined, simple(16), simple(255) */
    "f7", "f0", "f8ff",
    /* tags */
    "c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "c1fb41d452d9ec200000",
    "d74401020304", "d818456449455446", "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
    /* indefinite lengths */
    "5f42010243030405ff", "7f657374726561646d696e67ff", "9fff", "9f018202039f0405ffff",
    "9f01820203820405ff", "83018202039f0405ff", "83019f0203ff820405",
    "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", "bf61610161629f0203ffff",
    "826161bf61626163ff", "bf6346756ef563416d7421ff"
};

static void rfc_8949_examples_are_accepted_or_refused_as_the_subset_says(void **state)
{
    (void)state;
    assert_all(rfc_accepted, COUNT(rfc_accepted), true);
    assert_all(rfc_refused, COUNT(rfc_refused), false);
}

static void what_is_accepted_is_written_again_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_accepted); i++) {
        const struct bytes item = unhex(rfc_accepted[i]);
        CLEANUP(buffer_free) struct buffer out = { 0 };
        assert_true(cbor_rewrite((struct ses_slice){ item.data, item.len }, &out));
        assert_int_equal(out.len, item.len);
        assert_memory_equal(out.data, item.data, item.len);
    }
}

static void every_truncation_is_refused_by_each_way_of_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_accepted); i++) {
        const struct bytes item = unhex(rfc_accepted[i]);
        for (size_t len = 0; len < item.len; len++) {
            assert_false(valid(item.data, len));
            struct cbor_reader trusted = cbor_reader_of((struct ses_slice){ item.data, len });
            assert_int_equal(cbor_skip_trusted(&trusted).len, 0);
            assert_true(trusted.failed);
        }
    }
}

static void an_item_with_more_behind_it_is_not_one_item(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_accepted); i++) {
        struct bytes item = unhex(rfc_accepted[i]);
        item.data[item.len++] = 0x00;
        assert_false(valid(item.data, item.len));
    }
    assert_false(cbor_valid((struct ses_slice){ NULL, 0 }));
}

/* ---- heads ---- */

static void integers_are_read_and_written_at_every_edge(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *hex;
    } edges[] = {
        { 0, "00" },
        { 23, "17" },
        { 24, "1818" },
        { 255, "18ff" },
        { 256, "190100" },
        { 65535, "19ffff" },
        { 65536, "1a00010000" },
        { UINT32_MAX, "1affffffff" },
        { INT64_C(1) << 32, "1b0000000100000000" },
        { INT64_MAX, "1b7fffffffffffffff" },
        { -1, "20" },
        { -24, "37" },
        { -25, "3818" },
        { -256, "38ff" },
        { -257, "390100" },
        { -65536, "39ffff" },
        { -65537, "3a00010000" },
        { -(INT64_C(1) << 32), "3affffffff" },
        { -(INT64_C(1) << 32) - 1, "3b0000000100000000" },
        { INT64_MIN, "3b7fffffffffffffff" },
    };
    for (size_t i = 0; i < COUNT(edges); i++) {
        const struct bytes expected = unhex(edges[i].hex);
        CLEANUP(buffer_free) struct buffer out = { 0 };
        cbor_write_int(&out, edges[i].value);
        assert_int_equal(out.len, expected.len);
        assert_memory_equal(out.data, expected.data, expected.len);
        assert_true(buffer_valid(&out));
        struct cbor_reader r = cbor_reader_of(buffer_slice(&out));
        assert_true(cbor_next_int(&r) == edges[i].value);
        assert_true(cbor_at_end(&r));
    }
}

static void integers_beyond_int64_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "1b8000000000000000", "3b8000000000000000",
                                       "1bffffffffffffffff", "3bffffffffffffffff" };
    assert_all(bad, COUNT(bad), false);
}

/* What has to follow a head of this major type, in the subset. */
static void write_content(struct buffer *out, unsigned major, size_t argument)
{
    for (size_t i = 0; i < argument && major >= 2; i++) {
        if (major < 4)
            buffer_byte(out, 'a');
        if (major == 5)
            cbor_write_int(out, (int64_t)i);
        if (major >= 4)
            cbor_write_null(out);
    }
}

static void write_head(struct buffer *out, unsigned major, uint64_t argument, size_t width)
{
    static const unsigned char infos[] = { [1] = 24, [2] = 25, [4] = 26, [8] = 27 };
    const unsigned info = width > 0 ? infos[width] : (unsigned)argument;
    buffer_byte(out, (unsigned char)(major << 5 | info));
    for (size_t i = width; i > 0; i--)
        buffer_byte(out, (unsigned char)(argument >> (8 * (i - 1))));
}

static bool head_valid(unsigned major, size_t argument, size_t width)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    write_head(&out, major, argument, width);
    write_content(&out, major, argument);
    return buffer_valid(&out);
}

static void only_the_shortest_head_is_accepted(void **state)
{
    (void)state;
    static const struct {
        size_t argument;
        size_t shortest;
    } arguments[] = { { 0, 0 },   { 1, 0 },   { 23, 0 },    { 24, 1 },
                      { 255, 1 }, { 256, 2 }, { 65535, 2 }, { 65536, 4 } };
    static const size_t widths[] = { 0, 1, 2, 4, 8 };
    for (unsigned major = 0; major <= 5; major++) {
        for (size_t i = 0; i < COUNT(arguments) * COUNT(widths); i++) {
            const size_t argument = arguments[i / COUNT(widths)].argument;
            const size_t shortest = arguments[i / COUNT(widths)].shortest;
            const size_t width = widths[i % COUNT(widths)];
            if (width >= shortest)
                assert_int_equal(head_valid(major, argument, width), width == shortest);
        }
    }
}

static void assert_refused_at_once(struct ses_slice input)
{
    struct cbor_reader r = cbor_reader_of(input);
    assert_int_equal(cbor_skip(&r).len, 0);
    assert_true(r.failed);
    r = cbor_reader_of(input);
    assert_int_equal(cbor_next(&r).type, CBOR_NONE);
    assert_true(r.failed);
}

/* Tags, other simple values, reserved and indefinite heads: whatever follows them. */
static void first_bytes_outside_the_subset_are_refused(void **state)
{
    (void)state;
    static const unsigned char fillings[] = { 0x00, 0x20, 0x60, 0x7f, 0x80, 0xa0, 0xff };
    for (unsigned first = 0; first <= UINT8_MAX; first++) {
        const unsigned major = first >> 5, info = first & 0x1f;
        const bool outside =
            info > 27 || major == 6 || (major == 7 && (info < 20 || info == 23 || info == 24));
        for (size_t i = 0; outside && i < COUNT(fillings); i++) {
            unsigned char item[64];
            memset(item, fillings[i], sizeof item);
            item[0] = (unsigned char)first;
            for (size_t len = 1; len <= sizeof item; len++)
                assert_refused_at_once((struct ses_slice){ item, len });
        }
    }
}

static void a_claim_that_cannot_be_true_fails_before_it_costs_anything(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "9b7fffffffffffffff000000",
        "9bffffffffffffffff000000",
        "bb7fffffffffffffff000000",
        "bbffffffffffffffff000000",
        "bb8000000000000000000000",
        "5b7fffffffffffffff000000",
        "7bffffffffffffffff000000",
        "9a0001000000",
        "8200",
        "83820000",
        "a20000",
        "a100",
        "a2000001",
        "430000",
        "6261",
        "828282828282828282",
        "9a10000000f6f6f6f6",
    };
    assert_all(bad, COUNT(bad), false);
}

/* Nobody who loops over a count, or allocates by it, does more than the input's length allows. */
static void a_count_is_handed_out_only_if_the_rest_has_room_for_it(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool fits;
    } cases[] = {
        { "83f6f6f6", true },  { "83f6f6", false }, { "a2000001f6", true }, { "a20000f6", false },
        { "a3000102", false }, { "80", true },      { "a0", true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct bytes item = unhex(cases[i].hex);
        struct cbor_reader r = cbor_reader_of((struct ses_slice){ item.data, item.len });
        assert_int_equal(cbor_next(&r).type != CBOR_NONE, cases[i].fits);
        assert_int_equal(r.failed, !cases[i].fits);
    }
}

/* ---- maps, depth, text ---- */

static void map_keys_are_text_or_integers_in_the_order_of_their_bytes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a20af66161f6",     /* 10, "a" */
        "a200f61864f6",     /* 0, 100 */
        "a21864f620f6",     /* 100, -1: RFC 8949, 4.2.1 */
        "a220f66161f6",     /* -1, "a" */
        "a26161f66162f6",   /* "a", "b" */
        "a2617af6626161f6", /* "z", "aa": the shorter first, as the length is in the head */
        "a260f66161f6",     /* "", "a" */
        "a26161a2617800617900616200", /* nested: {"a": {"x": 0, "y": 0}, "b": 0} */
    };
    static const char *const bad[] = {
        "a26161f66161f6",             /* "a" twice */
        "a200f600f6",                 /* 0 twice */
        "a26162f66161f6",             /* "b", "a" */
        "a2626161f6617af6",           /* "aa", "z" */
        "a26161f60af6",               /* "a", 10 */
        "a220f61864f6",               /* -1, 100 */
        "a301f603f602f6",             /* 1, 3, 2 */
        "a26161a2617900617800616200", /* nested out of order */
        "81a200f600f6",               /* in an array */
        "a1f600",
        "a1f400",
        "a1f93c0000", /* null, false, 1.0 as a key */
        "a1410000",
        "a18000",
        "a1a000",   /* h'00', [], {} as a key */
        "a1c000f6", /* 0(0) as a key */
    };
    assert_all(good, COUNT(good), true);
    assert_all(bad, COUNT(bad), false);
}

enum nesting { IN_ARRAYS, IN_MAPS, IN_BOTH };

static bool nested_valid(enum nesting nesting, unsigned levels, unsigned char innermost)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    for (unsigned i = 0; i < levels; i++) {
        if (nesting == IN_ARRAYS || (nesting == IN_BOTH && i % 2)) {
            cbor_write_array(&out, 1);
        } else {
            cbor_write_map(&out, 1);
            cbor_write_int(&out, 0);
        }
    }
    buffer_byte(&out, innermost);
    return buffer_valid(&out);
}

static void items_nest_to_the_limit_and_not_one_level_deeper(void **state)
{
    (void)state;
    static const unsigned char null = 0xf6, empty_array = 0x80, empty_map = 0xa0;
    for (enum nesting nesting = IN_ARRAYS; nesting <= IN_BOTH; nesting++) {
        for (unsigned levels = 0; levels <= 2 * CBOR_DEPTH_MAX; levels++) {
            assert_int_equal(nested_valid(nesting, levels, null), levels <= CBOR_DEPTH_MAX);
            assert_int_equal(nested_valid(nesting, levels, empty_array), levels < CBOR_DEPTH_MAX);
            assert_int_equal(nested_valid(nesting, levels, empty_map), levels < CBOR_DEPTH_MAX);
        }
    }
}

static void items_beside_each_other_do_not_count_as_depth(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer out = { 0 };
    const uint64_t count = 4 * (uint64_t)CBOR_DEPTH_MAX;
    cbor_write_array(&out, count);
    for (uint64_t i = 0; i < count; i++) {
        cbor_write_array(&out, 1);
        cbor_write_map(&out, 0);
    }
    assert_true(buffer_valid(&out));
}

static void an_enormous_depth_is_refused_like_any_other(void **state)
{
    (void)state;
    const size_t len = (size_t)1 << 20;
    unsigned char *deep = test_malloc(len);
    memset(deep, 0x81, len - 1);
    deep[len - 1] = 0xf6;
    assert_false(valid(deep, len));
    struct cbor_reader r = cbor_reader_of((struct ses_slice){ deep, len });
    assert_int_equal(cbor_skip_trusted(&r).len, len); /* which needs no stack */
    test_free(deep);
}

static void text_that_is_not_utf8_is_refused_wherever_it_is(void **state)
{
    (void)state;
    static const char *const bad[] = { "61ff",     "62c080", "63eda080",     "8161ff", "a161ff00",
                                       "a10061ff", "61c3",   "83000061c3bc", "6361c3" };
    assert_all(bad, COUNT(bad), false);
    assert_true(hex_valid("41ff"));
}

static void text_that_is_not_utf8_is_not_written(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer out = { 0 };
    cbor_write_text(&out, SLICE("\xff"));
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
}

/* T-13: no byte means anything in a key or a value but itself. */
static void every_byte_in_keys_and_values_comes_back_as_it_was(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
        for (size_t len = 0; len <= 300; len += len < 30 ? 1 : 90) {
            char same[300];
            memset(same, (int)byte, len);
            CLEANUP(buffer_free) struct buffer out = { 0 };
            cbor_write_map(&out, 1);
            if (byte < 0x80)
                cbor_write_text(&out, (struct ses_slice){ same, len });
            else
                cbor_write_int(&out, (int64_t)byte);
            cbor_write_bytes(&out, (struct ses_slice){ same, len });
            assert_true(buffer_valid(&out));

            struct cbor_reader r = cbor_reader_of(buffer_slice(&out));
            assert_int_equal(cbor_next_map(&r), 1);
            const struct cbor_item key = cbor_next(&r);
            const struct ses_slice value = cbor_next_bytes(&r);
            assert_true(cbor_at_end(&r));
            assert_int_equal(key.bytes.len, byte < 0x80 ? len : 0);
            assert_memory_equal(key.bytes.len ? key.bytes.data : same, same, key.bytes.len);
            assert_int_equal(value.len, len);
            assert_memory_equal(value.data, same, len);
        }
    }
}

static void keys_compare_as_the_bytes_that_they_are_encoded_in(void **state)
{
    (void)state;
    const struct ses_slice sorted[] = { { NULL, 0 },           SLICE("\x0a"),
                                        SLICE("\x18\x64"),     SLICE("\x20"),
                                        SLICE("\x60"),         SLICE("\x61\x61"),
                                        SLICE("\x61z"),        SLICE("\x61z\x01"),
                                        SLICE("\x62\x61\x61"), SLICE("\x62\xc3\xbc") };
    for (size_t i = 0; i < COUNT(sorted); i++) {
        for (size_t j = 0; j < COUNT(sorted); j++) {
            const int order = cbor_compare(sorted[i], sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

/* ---- whole items, and room ---- */

static void skipping_returns_one_whole_item_and_stops_behind_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_accepted); i++) {
        struct bytes input = unhex(rfc_accepted[i]);
        const size_t whole = input.len;
        input.data[input.len++] = 0xff; /* nothing that could be read */
        const struct cbor_reader start =
            cbor_reader_of((struct ses_slice){ input.data, input.len });
        struct cbor_reader checked = start, trusted = start;
        const struct ses_slice item = cbor_skip(&checked), same = cbor_skip_trusted(&trusted);
        assert_ptr_equal(item.data, input.data);
        assert_int_equal(item.len, whole);
        assert_ptr_equal(same.data, input.data);
        assert_int_equal(same.len, whole);
        assert_ptr_equal(checked.at, input.data + whole);
        assert_ptr_equal(trusted.at, checked.at);
        assert_false(checked.failed || trusted.failed || cbor_at_end(&checked));
    }
}

/* Bytes that cbor_skip() would refuse may come out as anything, but nothing outside is read. */
static void trusted_skip_stays_within_any_bytes(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (unsigned round = 0; round < 200000; round++) {
        unsigned char bytes[16];
        for (size_t i = 0; i < sizeof bytes; i++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            bytes[i] = (unsigned char)(random >> 56);
        }
        (void)valid(bytes, 1 + (random >> 33) % sizeof bytes);
    }
}

static void a_writer_without_room_fails_and_never_writes_outside(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc_accepted); i++) {
        const struct bytes item = unhex(rfc_accepted[i]);
        for (size_t room = 0; room <= item.len; room++) {
            unsigned char *storage = test_malloc(room ? room : 1);
            struct buffer out = buffer_fixed(storage, room);
            const bool ok = cbor_rewrite((struct ses_slice){ item.data, item.len }, &out);
            assert_int_equal(ok, room == item.len);
            test_free(storage);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_8949_examples_are_accepted_or_refused_as_the_subset_says),
        cmocka_unit_test(what_is_accepted_is_written_again_byte_by_byte),
        cmocka_unit_test(every_truncation_is_refused_by_each_way_of_reading),
        cmocka_unit_test(an_item_with_more_behind_it_is_not_one_item),
        cmocka_unit_test(integers_are_read_and_written_at_every_edge),
        cmocka_unit_test(integers_beyond_int64_are_refused),
        cmocka_unit_test(only_the_shortest_head_is_accepted),
        cmocka_unit_test(first_bytes_outside_the_subset_are_refused),
        cmocka_unit_test(a_claim_that_cannot_be_true_fails_before_it_costs_anything),
        cmocka_unit_test(a_count_is_handed_out_only_if_the_rest_has_room_for_it),
        cmocka_unit_test(map_keys_are_text_or_integers_in_the_order_of_their_bytes),
        cmocka_unit_test(items_nest_to_the_limit_and_not_one_level_deeper),
        cmocka_unit_test(items_beside_each_other_do_not_count_as_depth),
        cmocka_unit_test(an_enormous_depth_is_refused_like_any_other),
        cmocka_unit_test(text_that_is_not_utf8_is_refused_wherever_it_is),
        cmocka_unit_test(text_that_is_not_utf8_is_not_written),
        cmocka_unit_test(every_byte_in_keys_and_values_comes_back_as_it_was),
        cmocka_unit_test(keys_compare_as_the_bytes_that_they_are_encoded_in),
        cmocka_unit_test(skipping_returns_one_whole_item_and_stops_behind_it),
        cmocka_unit_test(trusted_skip_stays_within_any_bytes),
        cmocka_unit_test(a_writer_without_room_fails_and_never_writes_outside),
    };
    return cmocka_run_group_tests_name("cbor", tests, NULL, NULL);
}
