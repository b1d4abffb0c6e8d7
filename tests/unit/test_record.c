/* SPDX-License-Identifier: MIT */
#include "core/record.h"

#include "base/blob.h"
#include "base/cbor.h"
#include "base/slice.h"

#include "support/test.h"

/* libcbor has a type of the same name. */
#define cbor_type libcbor_type
#include <cbor.h>
#undef cbor_type

static const unsigned char handle[HANDLE_BYTES] = "0123456789abcdef";
static const unsigned char secret[32] = { 1, 2, 3, 0, 255 };

/* 2030-01-01 */
#define START_MS INT64_C(1893456000000)

static const struct record_header full = {
    .created_ms = START_MS,
    .absolute_base_ms = START_MS - 1000,
    .user = { "j\xc3\xbcrgen", 7 },
    .level = 2,
    .auth_ms = START_MS + 5,
    .csrf = { secret, sizeof secret },
    .handle = { handle, HANDLE_BYTES },
    .peer = { "2001:db8::1", 11 },
    .user_agent = { "test/1.0", 8 },
    .previous = { secret, sizeof secret },
    .idle_s = 600,
    .absolute_s = 7200,
};

/* ---- making records ---- */

static ses_blob *assemble(const struct record_header *header, uint64_t count,
                          struct ses_slice pairs)
{
    struct buffer out = { 0 };
    record_write_header(&out, header);
    assert_false(out.failed);
    ses_blob *blob = record_assemble(buffer_slice(&out), count, &pairs, 1);
    assert_non_null(blob);
    assert_int_equal(ses_blob_bytes(blob).len, record_size(buffer_slice(&out), count, pairs.len));
    buffer_free(&out);
    return blob;
}

/* The header above, and one value of each kind. */
static ses_blob *sample(void)
{
    struct buffer pairs = { 0 };
    cbor_write_text(&pairs, SLICE("b"));
    cbor_write_bool(&pairs, true);
    cbor_write_text(&pairs, SLICE("d"));
    cbor_write_double(&pairs, 0.1);
    cbor_write_text(&pairs, SLICE("i"));
    cbor_write_int(&pairs, INT64_MIN);
    cbor_write_text(&pairs, SLICE("n"));
    cbor_write_null(&pairs);
    cbor_write_text(&pairs, SLICE("list"));
    cbor_write_array(&pairs, 2);
    cbor_write_int(&pairs, 1);
    cbor_write_map(&pairs, 1);
    cbor_write_int(&pairs, -1);
    cbor_write_text(&pairs, SLICE("x"));
    cbor_write_text(&pairs, SLICE("text"));
    cbor_write_text(&pairs, SLICE("gr\xc3\xbc\xc3\x9f"));
    cbor_write_text(&pairs, SLICE("bytes"));
    cbor_write_bytes(&pairs, SLICE("\0\xff"));
    ses_blob *blob = assemble(&full, 7, buffer_slice(&pairs));
    buffer_free(&pairs);
    return blob;
}

static int decode(struct ses_slice bytes)
{
    struct record record;
    return record_decode(bytes, &record);
}

#define DECODE(bytes) decode(SLICE(bytes))

static void assert_same_header(const struct record_header *a, const struct record_header *b)
{
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->absolute_base_ms, b->absolute_base_ms);
    assert_true(slice_equal(a->user, b->user));
    assert_int_equal(a->level, b->level);
    assert_int_equal(a->auth_ms, b->auth_ms);
    assert_true(slice_equal(a->csrf, b->csrf));
    assert_true(slice_equal(a->handle, b->handle));
    assert_true(slice_equal(a->peer, b->peer));
    assert_true(slice_equal(a->user_agent, b->user_agent));
    assert_true(slice_equal(a->previous, b->previous));
    assert_int_equal(a->idle_s, b->idle_s);
    assert_int_equal(a->absolute_s, b->absolute_s);
    assert_int_equal(a->unknown_count, b->unknown_count);
    assert_true(slice_equal(a->unknown, b->unknown));
}

/* ---- the header ---- */

static void every_member_of_the_header_comes_back(void **state)
{
    (void)state;
    CLEANUP(blob_unref) ses_blob *blob = assemble(&full, 0, (struct ses_slice){ 0 });
    struct record record;
    assert_ok(record_decode(ses_blob_bytes(blob), &record));
    assert_same_header(&record.header, &full);
    assert_int_equal(record.count, 0);
}

static void each_member_comes_back_alone(void **state)
{
    (void)state;
    const struct record_header one[] = {
        { .created_ms = 1 },
        { .absolute_base_ms = 24 },
        { .user = SLICE("u") },
        { .level = 1 },
        { .auth_ms = 256 },
        { .csrf = SLICE("\0") },
        { .handle = full.handle },
        { .peer = SLICE("::1") },
        { .user_agent = SLICE("a") },
        { .previous = SLICE("k") },
        { .idle_s = 1 },
        { .absolute_s = UINT32_MAX },
        { 0 },
    };
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++) {
        CLEANUP(blob_unref) ses_blob *blob = assemble(&one[i], 0, (struct ses_slice){ 0 });
        struct record record;
        assert_ok(record_decode(ses_blob_bytes(blob), &record));
        assert_same_header(&record.header, &one[i]);
    }
}

static void assert_same_place(struct ses_slice a, struct ses_slice b)
{
    assert_true(a.len > 0);
    assert_int_equal(a.len, b.len);
    assert_ptr_equal(a.data, b.data);
}

static void a_header_that_was_copied_is_read_at_its_new_place(void **state)
{
    (void)state;
    struct record_header all = full;
    all.unknown = SLICE("\x18\x40\x01"); /* 64: 1 */
    all.unknown_count = 1;
    CLEANUP(blob_unref) ses_blob *old = assemble(&all, 0, (struct ses_slice){ 0 });
    CLEANUP(blob_unref) ses_blob *copy = assemble(&all, 0, (struct ses_slice){ 0 });
    struct record before, moved, decoded;
    assert_ok(record_open(old, &before));
    assert_ok(record_open(copy, &decoded));
    assert_ok(record_open_like(copy, &before, &moved));
    assert_same_header(&moved.header, &all);
    assert_same_place(moved.header.user, decoded.header.user);
    assert_same_place(moved.header.csrf, decoded.header.csrf);
    assert_same_place(moved.header.handle, decoded.header.handle);
    assert_same_place(moved.header.peer, decoded.header.peer);
    assert_same_place(moved.header.user_agent, decoded.header.user_agent);
    assert_same_place(moved.header.previous, decoded.header.previous);
    assert_same_place(moved.header.unknown, decoded.header.unknown);
    assert_same_place(moved.header_bytes, decoded.header_bytes);
    assert_ptr_equal(moved.pairs.data, decoded.pairs.data);
    assert_int_equal(moved.count, decoded.count);
}

static void a_header_unlike_the_expected_one_is_decoded(void **state)
{
    (void)state;
    const struct record_header changed = { .created_ms = 1, .peer = SLICE("::1") };
    static const struct record nothing = { 0 };
    CLEANUP(blob_unref) ses_blob *old = assemble(&full, 0, (struct ses_slice){ 0 });
    CLEANUP(blob_unref) ses_blob *other = assemble(&changed, 0, (struct ses_slice){ 0 });
    struct record before, read;
    assert_ok(record_open(old, &before));
    assert_ok(record_open_like(other, &before, &read));
    assert_same_header(&read.header, &changed);
    assert_ok(record_open_like(other, &nothing, &read));
    assert_same_header(&read.header, &changed);
}

static void different_headers_and_values_never_encode_alike(void **state)
{
    (void)state;
    /* Each differs from the first in one place only; what moves from one member or value to
     * another is the classic injection (T-13). */
    const struct record_header headers[] = {
        { 0 },
        { .created_ms = 5 },
        { .absolute_base_ms = 5 },
        { .user = SLICE("ab") },
        { .peer = SLICE("ab") },
        { .user_agent = SLICE("ab") },
        { .user = SLICE("a"), .peer = SLICE("b") },
        { .csrf = SLICE("ab") },
        { .previous = SLICE("ab") },
        { .level = 5 },
        { .auth_ms = 5 },
        { .idle_s = 5 },
        { .absolute_s = 5 },
    };
    enum { HEADERS = sizeof headers / sizeof headers[0], ALL = 2 * HEADERS };
    ses_blob *blobs[ALL];
    for (size_t i = 0; i < ALL; i++)
        blobs[i] = assemble(&headers[i % HEADERS], i / HEADERS,
                            i < HEADERS ? (struct ses_slice){ 0 }
                                        : ((struct ses_slice){ "\x61"
                                                               "a\x05",
                                                               3 }));
    for (size_t i = 0; i < ALL; i++) {
        for (size_t j = i + 1; j < ALL; j++)
            assert_false(slice_equal(ses_blob_bytes(blobs[i]), ses_blob_bytes(blobs[j])));
    }
    for (size_t i = 0; i < ALL; i++)
        (void)ses_blob_unref(blobs[i]);
}

static void members_of_a_later_release_are_kept_as_they_stand(void **state)
{
    (void)state;
    /* 16: [1, {2: "x"}], 99: null, -1: h'00', "z": 1 */
    struct ses_slice later = SLICE("\x10\x82\x01\xa1\x02\x61x\x18\x63\xf6\x20\x41\x00\x61z\x01");
    struct record_header header = full;
    header.unknown = later;
    header.unknown_count = 4;
    CLEANUP(blob_unref) ses_blob *blob = assemble(&header, 0, (struct ses_slice){ 0 });
    struct record record;
    assert_ok(record_decode(ses_blob_bytes(blob), &record));
    assert_same_header(&record.header, &header);

    CLEANUP(blob_unref) ses_blob *again = assemble(&record.header, 0, (struct ses_slice){ 0 });
    assert_true(slice_equal(ses_blob_bytes(again), ses_blob_bytes(blob)));
}

static void a_header_that_is_not_deterministic_is_corrupt(void **state)
{
    (void)state;
    assert_ok(DECODE("\x82\xa1\x00\x01\xa0"));
    assert_ok(DECODE("\x82\xa3\x00\x01\x0d\x01\x0e\x01\xa0"));
    assert_code(DECODE("\x82\xa3\x00\x01\x0e\x01\x0d\x01\xa0"), SES_ERR_CORRUPT); /* order */
    assert_code(DECODE("\x82\xa3\x00\x01\x0d\x01\x0d\x01\xa0"), SES_ERR_CORRUPT); /* twice */
    assert_code(DECODE("\x82\xa3\x00\x01\x02\x01\x01\x01\xa0"), SES_ERR_CORRUPT); /* order */
    assert_code(DECODE("\x82\xa3\x00\x01\x01\x01\x01\x01\xa0"), SES_ERR_CORRUPT); /* twice */
    /* A known member behind an unknown one would be hidden from us, and not from others. */
    assert_code(DECODE("\x82\xa3\x00\x01\x0d\x01\x03\x61"
                       "u\xa0"),
                SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa2\x00\x01\x81\x01\x01\xa0"), SES_ERR_CORRUPT); /* an array as key */
    assert_code(DECODE("\x82\xa2\x00\x01\x41\x01\x01\xa0"), SES_ERR_CORRUPT); /* bytes as key */
    assert_code(DECODE("\x82\xa1\x18\x00\x01\xa0"), SES_ERR_CORRUPT);         /* a long head */
}

static void a_header_without_the_format_or_of_another_is_corrupt(void **state)
{
    (void)state;
    assert_code(DECODE("\x82\xa0\xa0"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x02\xa0"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x00\xa0"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x01\x01\xa0"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x0d\x01\xa0"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x61\x31\xa0"), SES_ERR_CORRUPT);
}

static void numbers_that_no_sum_could_bear_are_corrupt(void **state)
{
    (void)state;
    const struct record_header wild[] = {
        { .created_ms = INT64_MAX },
        { .created_ms = -1 },
        { .absolute_base_ms = INT64_MAX - 1 },
        { .absolute_base_ms = INT64_MIN },
        { .auth_ms = (int64_t)1 << 53 },
        { .idle_s = (int64_t)1 << 32 },
        { .idle_s = -1 },
        { .absolute_s = INT64_MAX / 1000 },
        { .level = (int64_t)INT32_MAX + 1 },
        { .level = -1 },
        { .handle = SLICE("short") },
    };
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        CLEANUP(blob_unref) ses_blob *blob = assemble(&wild[i], 0, (struct ses_slice){ 0 });
        if (decode(ses_blob_bytes(blob)) != SES_ERR_CORRUPT)
            fail_msg("number %zu was accepted", i);
    }
}

/* ---- the values ---- */

static void keys_of_one_to_255_bytes_are_taken_and_others_not(void **state)
{
    (void)state;
    char text[RECORD_KEY_MAX + 2];
    memset(text, 'k', sizeof text);
    for (size_t len = 0; len <= sizeof text; len++) {
        struct buffer pairs = { 0 };
        cbor_write_text(&pairs, (struct ses_slice){ text, len });
        cbor_write_int(&pairs, 1);
        CLEANUP(blob_unref) ses_blob *blob = assemble(&full, 1, buffer_slice(&pairs));
        buffer_free(&pairs);
        assert_code(decode(ses_blob_bytes(blob)),
                    len >= 1 && len <= RECORD_KEY_MAX ? SES_OK : SES_ERR_CORRUPT);
    }
    assert_code(DECODE("\x82\xa1\x00\x01\xa1\x63"
                       "a\0b\x01"),
                SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x01\xa1\x61\xff\x01"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x01\xa1\x01\x01"), SES_ERR_CORRUPT);
}

static void keys_out_of_order_or_twice_are_corrupt(void **state)
{
    (void)state;
    assert_ok(DECODE("\x82\xa1\x00\x01\xa2\x61"
                     "a\x01\x61"
                     "b\x01"));
    assert_code(DECODE("\x82\xa1\x00\x01\xa2\x61"
                       "b\x01\x61"
                       "a\x01"),
                SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x01\xa2\x61"
                       "a\x01\x61"
                       "a\x01"),
                SES_ERR_CORRUPT);
    /* A shorter key comes first, whatever its letters. */
    assert_ok(DECODE("\x82\xa1\x00\x01\xa2\x61"
                     "z\x01\x62"
                     "aa\x01"));
    assert_code(DECODE("\x82\xa1\x00\x01\xa2\x62"
                       "aa\x01\x61"
                       "z\x01"),
                SES_ERR_CORRUPT);
}

static void a_count_that_does_not_match_the_pairs_is_corrupt(void **state)
{
    (void)state;
    assert_code(DECODE("\x82\xa1\x00\x01\xa1"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x01\xa1\x61"
                       "a"),
                SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x01\xa0\x61"
                       "a\x01"),
                SES_ERR_CORRUPT);
    assert_code(DECODE("\x82\xa1\x00\x01\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x61"
                       "a\x01"),
                SES_ERR_CORRUPT);
    assert_code(DECODE("\x83\xa1\x00\x01\xa0\xa0"), SES_ERR_CORRUPT);
    assert_code(DECODE("\x81\xa1\x00\x01"), SES_ERR_CORRUPT);
    assert_code(DECODE(""), SES_ERR_CORRUPT);
}

static void every_value_is_found_by_its_key_and_no_other(void **state)
{
    (void)state;
    CLEANUP(blob_unref) ses_blob *blob = sample();
    struct record record;
    assert_ok(record_decode(ses_blob_bytes(blob), &record));
    assert_int_equal(record.count, 7);

    struct ses_slice pairs = record.pairs, value;
    struct pair pair, before = { 0 };
    size_t seen = 0;
    while (record_next(&pairs, &pair)) {
        assert_true(record_find(&record, pair.key, &value));
        assert_ptr_equal(value.data, pair.value.data);
        if (seen++ > 0)
            assert_true(cbor_compare(before.key, pair.key) < 0);
        before = pair;
    }
    assert_int_equal(seen, 7);
    assert_false(record_find(&record, SLICE("\x61x"), &value));
    assert_false(record_find(&record, SLICE("\x61"), &value));
}

/* ---- damage ---- */

static void every_truncation_and_every_added_byte_is_corrupt(void **state)
{
    (void)state;
    CLEANUP(blob_unref) ses_blob *blob = sample();
    const struct ses_slice whole = ses_blob_bytes(blob);
    for (size_t len = 0; len < whole.len; len++) {
        /* Of exactly that size, so that a sanitizer sees one step too far. */
        CLEANUP(free) void *copy = malloc(len ? len : 1);
        memcpy(copy, whole.data, len);
        assert_code(decode((struct ses_slice){ copy, len }), SES_ERR_CORRUPT);
    }
    CLEANUP(free) unsigned char *longer = malloc(whole.len + 1);
    memcpy(longer, whole.data, whole.len);
    for (int byte = 0; byte < 256; byte++) {
        longer[whole.len] = (unsigned char)byte;
        assert_code(decode((struct ses_slice){ longer, whole.len + 1 }), SES_ERR_CORRUPT);
    }
}

/* What is accepted can be walked, and written again it is a record of the same header and values.
 */
static void assert_sound(struct ses_slice bytes)
{
    struct record record, again;
    assert_ok(record_decode(bytes, &record));
    uint64_t count = 0;
    struct ses_slice pairs = record.pairs;
    struct pair pair;
    while (record_next(&pairs, &pair))
        count++;
    assert_int_equal(count, record.count);

    CLEANUP(blob_unref) ses_blob *blob = assemble(&record.header, record.count, record.pairs);
    assert_ok(record_decode(ses_blob_bytes(blob), &again));
    assert_same_header(&record.header, &again.header);
    assert_true(slice_equal(record.pairs, again.pairs));
}

static void a_flipped_bit_is_corrupt_or_another_sound_record(void **state)
{
    (void)state;
    CLEANUP(blob_unref) ses_blob *blob = sample();
    const struct ses_slice whole = ses_blob_bytes(blob);
    CLEANUP(free) unsigned char *copy = malloc(whole.len);
    memcpy(copy, whole.data, whole.len);
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        copy[bit / 8] ^= (unsigned char)(1u << bit % 8);
        const struct ses_slice damaged = { copy, whole.len };
        if (decode(damaged) == SES_OK)
            assert_sound(damaged);
        else
            assert_code(decode(damaged), SES_ERR_CORRUPT);
        copy[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_sound(whole);
}

static void a_flipped_bit_of_structure_is_corrupt(void **state)
{
    (void)state;
    /* Nothing in here but heads and keys: two members, two pairs. */
    unsigned char bytes[] = "\x82\xa2\x00\x01\x0c\x05\xa2\x61"
                            "a\xf5\x61"
                            "b\xf6";
    const size_t len = sizeof bytes - 1;
    size_t accepted = 0;
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        accepted += decode((struct ses_slice){ bytes, len }) == SES_OK;
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    /* Letters of keys, the limit's number and its key, true for false: nothing else. */
    assert_in_range(accepted, 1, 24);
}

/* ---- what others read ---- */

static cbor_item_t *member(const cbor_item_t *map, uint64_t number)
{
    for (size_t i = 0; i < cbor_map_size(map); i++) {
        const struct cbor_pair pair = cbor_map_handle(map)[i];
        if (cbor_isa_uint(pair.key) && cbor_get_int(pair.key) == number)
            return pair.value;
    }
    return NULL;
}

static cbor_item_t *value_of(const cbor_item_t *map, const char *key)
{
    for (size_t i = 0; i < cbor_map_size(map); i++) {
        const struct cbor_pair pair = cbor_map_handle(map)[i];
        assert_true(cbor_isa_string(pair.key));
        if (cbor_string_length(pair.key) == strlen(key) &&
            strncmp((const char *)cbor_string_handle(pair.key), key, strlen(key)) == 0)
            return pair.value;
    }
    return NULL;
}

static void assert_text(const cbor_item_t *item, struct ses_slice text)
{
    assert_non_null(item);
    assert_true(cbor_isa_string(item));
    assert_int_equal(cbor_string_length(item), text.len);
    assert_memory_equal(cbor_string_handle(item), text.data, text.len);
}

static void another_implementation_reads_the_same_record(void **state)
{
    (void)state;
    CLEANUP(blob_unref) ses_blob *blob = sample();
    const struct ses_slice bytes = ses_blob_bytes(blob);
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load(bytes.data, bytes.len, &result);
    assert_non_null(item);
    assert_int_equal(result.read, bytes.len);
    assert_true(cbor_isa_array(item) && cbor_array_is_definite(item));
    assert_int_equal(cbor_array_size(item), 2);

    cbor_item_t *const header = cbor_array_handle(item)[0], *const values =
                                                                cbor_array_handle(item)[1];
    assert_true(cbor_isa_map(header) && cbor_isa_map(values));
    assert_int_equal(cbor_map_size(header), 13);
    assert_int_equal(cbor_get_int(member(header, 0)), 1);
    assert_int_equal(cbor_get_int(member(header, 1)), full.created_ms);
    assert_int_equal(cbor_get_int(member(header, 2)), full.absolute_base_ms);
    assert_text(member(header, 3), full.user);
    assert_int_equal(cbor_get_int(member(header, 4)), full.level);
    assert_int_equal(cbor_get_int(member(header, 5)), full.auth_ms);
    assert_memory_equal(cbor_bytestring_handle(member(header, 6)), secret, sizeof secret);
    assert_memory_equal(cbor_bytestring_handle(member(header, 7)), handle, HANDLE_BYTES);
    assert_text(member(header, 8), full.peer);
    assert_text(member(header, 9), full.user_agent);
    assert_int_equal(cbor_get_int(member(header, 12)), full.absolute_s);

    assert_int_equal(cbor_map_size(values), 7);
    assert_true(cbor_get_bool(value_of(values, "b")));
    assert_true(cbor_float_get_float(value_of(values, "d")) == 0.1);
    assert_true(cbor_isa_negint(value_of(values, "i")));
    assert_true(cbor_get_int(value_of(values, "i")) == (uint64_t)INT64_MAX);
    assert_true(cbor_is_null(value_of(values, "n")));
    assert_int_equal(cbor_array_size(value_of(values, "list")), 2);
    assert_text(value_of(values, "text"), SLICE("gr\xc3\xbc\xc3\x9f"));
    assert_int_equal(cbor_bytestring_length(value_of(values, "bytes")), 2);
    cbor_decref(&item);
}

/* docs/internals/record.md takes it apart; a test compares the two. */
static void the_worked_example_is_what_is_written(void **state)
{
    (void)state;
    static const char example[] =
        "82a50001011b000001b8dac5b400021b000001b8dac5b40007503031323334353637383961626364"
        "656608693139322e302e322e37a2616e03647573657263616461";
    const struct record_header header = {
        .created_ms = START_MS,
        .absolute_base_ms = START_MS,
        .handle = { handle, HANDLE_BYTES },
        .peer = { "192.0.2.7", 9 },
    };
    CLEANUP(blob_unref)
    ses_blob *blob = assemble(&header, 2, SLICE("\x61n\x03\x64user\x63\x61\x64\x61"));
    const struct ses_slice bytes = ses_blob_bytes(blob);
    assert_ok(decode(bytes));
    assert_int_equal(2 * bytes.len, sizeof example - 1);
    for (size_t i = 0; i < bytes.len; i++) {
        char digits[3];
        (void)snprintf(digits, sizeof digits, "%02x", ((const unsigned char *)bytes.data)[i]);
        assert_memory_equal(digits, example + 2 * i, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_of_the_header_comes_back),
        cmocka_unit_test(the_worked_example_is_what_is_written),
        cmocka_unit_test(each_member_comes_back_alone),
        cmocka_unit_test(a_header_that_was_copied_is_read_at_its_new_place),
        cmocka_unit_test(a_header_unlike_the_expected_one_is_decoded),
        cmocka_unit_test(different_headers_and_values_never_encode_alike),
        cmocka_unit_test(members_of_a_later_release_are_kept_as_they_stand),
        cmocka_unit_test(a_header_that_is_not_deterministic_is_corrupt),
        cmocka_unit_test(a_header_without_the_format_or_of_another_is_corrupt),
        cmocka_unit_test(numbers_that_no_sum_could_bear_are_corrupt),
        cmocka_unit_test(keys_of_one_to_255_bytes_are_taken_and_others_not),
        cmocka_unit_test(keys_out_of_order_or_twice_are_corrupt),
        cmocka_unit_test(a_count_that_does_not_match_the_pairs_is_corrupt),
        cmocka_unit_test(every_value_is_found_by_its_key_and_no_other),
        cmocka_unit_test(every_truncation_and_every_added_byte_is_corrupt),
        cmocka_unit_test(a_flipped_bit_is_corrupt_or_another_sound_record),
        cmocka_unit_test(a_flipped_bit_of_structure_is_corrupt),
        cmocka_unit_test(another_implementation_reads_the_same_record),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
