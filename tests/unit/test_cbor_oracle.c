/* SPDX-License-Identifier: MIT */
/* libcbor's headers name an enum as ours do. */
#define cbor_type libcbor_type
#include <cbor.h>
#undef cbor_type

#include "base/cbor.h"
#include "base/cleanup.h"

#include "support/cbor_rewrite.h"
#include "support/test.h"

/*
 * libcbor, which shares no code with us, as the oracle: it makes up items, reads what we write, and
 * says what an item consists of.
 */

DEFINE_CLEANUP_OF(cbor_item_t *, cbor_decref)

enum { ROUNDS = 20000, CHILDREN_MAX = 5, TEXT_MAX = 30 };

static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(random_state >> 33) % limit;
}

static uint64_t random_bits(void)
{
    const uint64_t high = random_below(1U << 31), low = random_below(1U << 31);
    return (high << 33 ^ low << 5) >> random_below(64);
}

/* ---- made up items ---- */

/* One chance in so many that something outside the subset is chosen; 0: never. */
static unsigned odds_of_flaw;

static bool flaw(void)
{
    return odds_of_flaw > 0 && random_below(odds_of_flaw) == 0;
}

static cbor_item_t *make_item(unsigned depth_left);

static cbor_item_t *make_integer(void)
{
    uint64_t value = flaw() ? random_bits() | UINT64_C(1) << 63 : random_bits() >> 1;
    const unsigned least = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : 2;
    const unsigned width = flaw() ? least + random_below(2) : least;
    cbor_item_t *item = value > UINT32_MAX ? cbor_build_uint64(value)
                        : width == 0       ? cbor_build_uint8((uint8_t)value)
                        : width == 1       ? cbor_build_uint16((uint16_t)value)
                        : width == 2       ? cbor_build_uint32((uint32_t)value)
                                           : cbor_build_uint64(value);
    if (random_below(2))
        cbor_mark_negint(item);
    return item;
}

static cbor_item_t *make_text(void)
{
    static const char *const pieces[] = { "a", "b", "Fun", "\u00fc", "\u6c34", "\U0001f600", " " };
    CLEANUP(buffer_free) struct buffer text = { 0 };
    for (unsigned left = random_below(TEXT_MAX); left > 0; left--)
        buffer_text(&text, pieces[random_below(7)]);
    if (flaw())
        buffer_text(&text, "\xed\xa0\x80");
    buffer_byte(&text, '\0');
    return cbor_build_stringn((const char *)text.data, text.len - random_below(2));
}

static cbor_item_t *make_bytes(void)
{
    unsigned char bytes[300];
    const size_t len = random_below(random_below(4) ? 20 : sizeof bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)random_below(256);
    return cbor_build_bytestring(bytes, len);
}

static cbor_item_t *make_double(void)
{
    const double halves[] = { 0.0, -0.0, 1.5, 65504.0, 0x1p-24, -0x1p-14 };
    const float singles[] = { 100000.0f, 0x1p-25f, 0x1.fffffep127f, -3.3f, 0x1p-149f };
    const double doubles[] = { 1.1, -4.1, 1e300, 0x1p-1074, 0x1.0000001p0 };
    const unsigned width = random_below(3), longer = flaw() ? 1 : 0;
    if (width == 0 && longer == 0)
        return cbor_build_float2((float)halves[random_below(6)]);
    if (width == 0)
        return cbor_build_float4((float)halves[random_below(6)]);
    if (width == 1 && longer == 0)
        return cbor_build_float4(singles[random_below(5)]);
    return cbor_build_float8(width == 1 ? (double)singles[random_below(5)]
                                        : doubles[random_below(5)]);
}

static cbor_item_t *make_flawed(unsigned depth_left)
{
    switch (random_below(5)) {
    case 0:
        return cbor_new_undef();
    case 1:
        return cbor_build_ctrl((uint8_t)random_below(20));
    case 2:
        return cbor_build_tag(random_bits(), cbor_move(make_item(depth_left - 1)));
    case 3: {
        cbor_item_t *chunked = cbor_new_indefinite_string();
        CLEANUP(cbor_decref) cbor_item_t *chunk = cbor_build_string("chunk");
        assert_true(cbor_string_add_chunk(chunked, chunk));
        return chunked;
    }
    default: {
        cbor_item_t *array = cbor_new_indefinite_array();
        assert_true(cbor_array_push(array, cbor_move(make_item(depth_left - 1))));
        return array;
    }
    }
}

static cbor_item_t *make_array(unsigned depth_left)
{
    const unsigned count = random_below(CHILDREN_MAX + 1);
    cbor_item_t *array = cbor_new_definite_array(count);
    for (unsigned i = 0; i < count; i++)
        assert_true(cbor_array_push(array, cbor_move(make_item(depth_left - 1))));
    return array;
}

static struct buffer serialize(const cbor_item_t *item)
{
    struct buffer out = { 0 };
    out.len = cbor_serialize_alloc(item, &out.data, &out.cap);
    assert_true(out.len > 0);
    return out;
}

static int compare_keys(const cbor_item_t *a, const cbor_item_t *b)
{
    CLEANUP(buffer_free) struct buffer x = serialize(a);
    CLEANUP(buffer_free) struct buffer y = serialize(b);
    const int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct cbor_pair *x = a, *y = b;
    return compare_keys(x->key, y->key);
}

/* Often one of few, so that some meet themselves. */
static cbor_item_t *make_key(unsigned depth_left)
{
    if (flaw())
        return make_item(depth_left - 1);
    if (random_below(2))
        return cbor_build_uint8((uint8_t)random_below(8));
    return random_below(2) ? make_text() : make_integer();
}

static cbor_item_t *make_map(unsigned depth_left)
{
    struct cbor_pair pairs[CHILDREN_MAX];
    const unsigned count = random_below(CHILDREN_MAX + 1);
    for (unsigned i = 0; i < count; i++) {
        pairs[i].key = make_key(depth_left);
        pairs[i].value = make_item(depth_left - 1);
    }
    if (!flaw())
        qsort(pairs, count, sizeof pairs[0], compare_pairs);

    cbor_item_t *map = cbor_new_definite_map(count);
    size_t kept = 0;
    for (unsigned i = 0; i < count; i++) {
        const bool twice =
            kept > 0 && compare_keys(cbor_map_handle(map)[kept - 1].key, pairs[i].key) == 0;
        if (!twice || flaw()) {
            assert_true(cbor_map_add(map, pairs[i]));
            kept++;
        }
        cbor_decref(&pairs[i].key);
        cbor_decref(&pairs[i].value);
    }
    return map;
}

static cbor_item_t *make_item(unsigned depth_left)
{
    if (depth_left > 0 && flaw())
        return make_flawed(depth_left);
    switch (random_below(depth_left > 0 ? 9 : 6)) {
    case 0:
        return random_below(2) ? cbor_new_null() : cbor_build_bool(random_below(2));
    case 1:
    case 2:
        return make_integer();
    case 3:
        return make_text();
    case 4:
        return make_bytes();
    case 5:
        return make_double();
    case 6:
        return make_array(depth_left);
    default:
        return make_map(depth_left);
    }
}

/* ---- what the subset says about an item of libcbor ---- */

static bool in_subset(const cbor_item_t *item, unsigned depth_left);

static bool integer_in_subset(const cbor_item_t *item)
{
    static const uint64_t least[] = { 0, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32 };
    const uint64_t value = cbor_get_int(item);
    return value >= least[cbor_int_get_width(item)] && value <= INT64_MAX;
}

/* As libcbor decodes them; its encoder (0.8) rounds most subnormal ones. */
static double positive_halves[0x7c01];

static int fill_halves(void **state)
{
    (void)state;
    for (unsigned half = 0; half < sizeof positive_halves / sizeof positive_halves[0]; half++) {
        const unsigned char bytes[] = { 0xf9, (unsigned char)(half >> 8), (unsigned char)half };
        struct cbor_load_result result;
        CLEANUP(cbor_decref) cbor_item_t *item = cbor_load(bytes, sizeof bytes, &result);
        positive_halves[half] = cbor_float_get_float(item);
    }
    return 0;
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool is_half(double value)
{
    const double magnitude = value < 0 ? -value : value;
    return bsearch(&magnitude, positive_halves, sizeof positive_halves / sizeof positive_halves[0],
                   sizeof positive_halves[0], compare_doubles) != NULL;
}

/* libcbor's own question must not be asked of a number. */
static bool is_null(const cbor_item_t *item)
{
    return cbor_float_ctrl_is_ctrl(item) && cbor_is_null(item);
}

/* Of one that libcbor may write wrong. */
static bool tiny_half_seen;

static bool simple_in_subset(const cbor_item_t *item)
{
    if (cbor_float_ctrl_is_ctrl(item))
        return cbor_is_bool(item) || is_null(item);
    const double value = cbor_float_get_float(item);
    if (cbor_float_get_width(item) == CBOR_FLOAT_16) {
        tiny_half_seen |= value != 0 && value > -0x1p-14 && value < 0x1p-14;
        return true; /* which NaN it was, the bytes tell */
    }
    if (value != value || is_half(value))
        return false;
    return cbor_float_get_width(item) == CBOR_FLOAT_32 || (double)(float)value != value;
}

/* Of text, it reads only what is UTF-8. */
static bool libcbor_reads(const cbor_item_t *item)
{
    CLEANUP(buffer_free) struct buffer bytes = serialize(item);
    struct cbor_load_result result;
    cbor_item_t *read = cbor_load(bytes.data, bytes.len, &result);
    if (!read)
        return false;
    cbor_decref(&read);
    return true;
}

static bool array_in_subset(const cbor_item_t *item, unsigned depth_left)
{
    if (!cbor_array_is_definite(item) || depth_left == 0)
        return false;
    for (size_t i = 0; i < cbor_array_size(item); i++) {
        if (!in_subset(cbor_array_handle(item)[i], depth_left - 1))
            return false;
    }
    return true;
}

static bool map_in_subset(const cbor_item_t *item, unsigned depth_left)
{
    if (!cbor_map_is_definite(item) || depth_left == 0)
        return false;
    const struct cbor_pair *pairs = cbor_map_handle(item);
    for (size_t i = 0; i < cbor_map_size(item); i++) {
        if (!cbor_is_int(pairs[i].key) && !cbor_isa_string(pairs[i].key))
            return false;
        if (i > 0 && compare_keys(pairs[i - 1].key, pairs[i].key) >= 0)
            return false;
        if (!in_subset(pairs[i].key, 0) || !in_subset(pairs[i].value, depth_left - 1))
            return false;
    }
    return true;
}

static bool in_subset(const cbor_item_t *item, unsigned depth_left)
{
    switch (cbor_typeof(item)) {
    case CBOR_TYPE_UINT:
    case CBOR_TYPE_NEGINT:
        return integer_in_subset(item);
    case CBOR_TYPE_BYTESTRING:
        return cbor_bytestring_is_definite(item);
    case CBOR_TYPE_STRING:
        return cbor_string_is_definite(item) && libcbor_reads(item);
    case CBOR_TYPE_ARRAY:
        return array_in_subset(item, depth_left);
    case CBOR_TYPE_MAP:
        return map_in_subset(item, depth_left);
    case CBOR_TYPE_TAG:
        return false;
    case CBOR_TYPE_FLOAT_CTRL:
        return simple_in_subset(item);
    }
    return false;
}

/* ---- from libcbor's items to ours, value by value ---- */

static struct ses_slice string_of(const cbor_item_t *item)
{
    if (cbor_isa_string(item))
        return (struct ses_slice){ cbor_string_handle(item), cbor_string_length(item) };
    return (struct ses_slice){ cbor_bytestring_handle(item), cbor_bytestring_length(item) };
}

static struct cbor_item convert(const cbor_item_t *item)
{
    switch (cbor_typeof(item)) {
    case CBOR_TYPE_UINT:
        return (struct cbor_item){ .type = CBOR_INT, .integer = (int64_t)cbor_get_int(item) };
    case CBOR_TYPE_NEGINT:
        return (struct cbor_item){ .type = CBOR_INT, .integer = -1 - (int64_t)cbor_get_int(item) };
    case CBOR_TYPE_BYTESTRING:
        return (struct cbor_item){ .type = CBOR_BYTES, .bytes = string_of(item) };
    case CBOR_TYPE_STRING:
        return (struct cbor_item){ .type = CBOR_TEXT, .bytes = string_of(item) };
    case CBOR_TYPE_ARRAY:
        return (struct cbor_item){ .type = CBOR_ARRAY, .count = cbor_array_size(item) };
    case CBOR_TYPE_MAP:
        return (struct cbor_item){ .type = CBOR_MAP, .count = cbor_map_size(item) };
    default:
        break;
    }
    if (is_null(item))
        return (struct cbor_item){ .type = CBOR_NULL };
    if (cbor_float_ctrl_is_ctrl(item))
        return (struct cbor_item){ .type = CBOR_BOOL, .boolean = cbor_get_bool(item) };
    return (struct cbor_item){ .type = CBOR_DOUBLE, .number = cbor_float_get_float(item) };
}

static void assert_same(const struct cbor_item *a, const struct cbor_item *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->boolean, b->boolean);
    assert_true(a->integer == b->integer);
    assert_memory_equal(&a->number, &b->number, sizeof a->number);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->bytes.len, b->bytes.len);
    if (a->bytes.len > 0)
        assert_memory_equal(a->bytes.data, b->bytes.data, a->bytes.len);
}

/* Writes the item with our writer, and reads the same from @p r with our reader. */
static void follow(const cbor_item_t *item, struct buffer *out, struct cbor_reader *r)
{
    const struct cbor_item ours = convert(item), read = cbor_next(r);
    assert_same(&ours, &read);
    rewrite_item(&ours, out);
    for (size_t i = 0; ours.type == CBOR_ARRAY && i < ours.count; i++)
        follow(cbor_array_handle(item)[i], out, r);
    for (size_t i = 0; ours.type == CBOR_MAP && i < ours.count; i++) {
        follow(cbor_map_handle(item)[i].key, out, r);
        follow(cbor_map_handle(item)[i].value, out, r);
    }
}

static void assert_same_both_ways(const cbor_item_t *item, struct ses_slice bytes)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    struct cbor_reader r = cbor_reader_of(bytes);
    follow(item, &out, &r);
    assert_true(cbor_at_end(&r));
    assert_false(out.failed);
    assert_int_equal(out.len, bytes.len);
    assert_memory_equal(out.data, bytes.data, bytes.len);
}

/* ---- tests ---- */

static void made_up_items_are_written_and_read_as_by_libcbor(void **state)
{
    (void)state;
    random_state = 1;
    odds_of_flaw = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        CLEANUP(cbor_decref) cbor_item_t *item = i % 2 ? make_map(4) : make_item(4);
        CLEANUP(buffer_free) struct buffer bytes = serialize(item);
        assert_true(in_subset(item, CBOR_DEPTH_MAX));
        assert_true(cbor_valid(buffer_slice(&bytes)));
        assert_same_both_ways(item, buffer_slice(&bytes));
    }
}

static void made_up_items_are_refused_if_anything_in_them_is_outside_the_subset(void **state)
{
    (void)state;
    unsigned accepted = 0;
    random_state = 2;
    odds_of_flaw = 30;
    for (unsigned i = 0; i < ROUNDS; i++) {
        CLEANUP(cbor_decref) cbor_item_t *item = i % 2 ? make_map(4) : make_item(4);
        CLEANUP(buffer_free) struct buffer bytes = serialize(item);
        const bool expected = in_subset(item, CBOR_DEPTH_MAX);
        assert_int_equal(cbor_valid(buffer_slice(&bytes)), expected);
        if (expected)
            assert_same_both_ways(item, buffer_slice(&bytes));
        accepted += expected;
    }
    assert_in_range(accepted, ROUNDS / 4,
                    ROUNDS * 3 / 4); /* else one of the two is hardly tested */
}

static void every_truncation_of_a_made_up_item_is_refused(void **state)
{
    (void)state;
    random_state = 3;
    odds_of_flaw = 0;
    for (unsigned i = 0; i < ROUNDS / 100; i++) {
        CLEANUP(cbor_decref) cbor_item_t *item = i % 2 ? make_map(3) : make_item(3);
        CLEANUP(buffer_free) struct buffer bytes = serialize(item);
        for (size_t len = 0; len < bytes.len; len++)
            assert_false(cbor_valid((struct ses_slice){ bytes.data, len }));
    }
}

/* ---- damaged items ---- */

static void note_count(void *largest, size_t count)
{
    size_t *known = largest;
    *known = count > *known ? count : *known;
}

/* libcbor allocates by the counts that it reads, however large they are. */
static bool counts_are_modest(const struct buffer *bytes)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    callbacks.array_start = note_count;
    callbacks.map_start = note_count;
    size_t largest = 0, at = 0;
    while (at < bytes->len) {
        const struct cbor_decoder_result step =
            cbor_stream_decode(bytes->data + at, bytes->len - at, &callbacks, &largest);
        if (step.status != CBOR_DECODER_FINISHED)
            break;
        at += step.read;
    }
    return largest <= 1000;
}

/* libcbor reads what is not deterministic, too, but does not write it so again. */
static bool oracle_accepts(const struct buffer *bytes)
{
    struct cbor_load_result result;
    cbor_item_t *item = cbor_load(bytes->data, bytes->len, &result);
    if (!item)
        return false;
    CLEANUP(cbor_decref) cbor_item_t *owned = item;
    if (result.read != bytes->len || !in_subset(owned, CBOR_DEPTH_MAX))
        return false;
    CLEANUP(buffer_free) struct buffer again = serialize(owned);
    return again.len == bytes->len && memcmp(again.data, bytes->data, again.len) == 0;
}

static void damage(struct buffer *bytes)
{
    static const unsigned char favourites[] = { 0x00, 0x18, 0x19, 0x1b, 0x3b, 0x58,
                                                0x5f, 0x78, 0x98, 0xb8, 0xc0, 0xf7,
                                                0xf8, 0xf9, 0xfa, 0xfb, 0xff };
    for (unsigned left = 1 + random_below(3); left > 0; left--) {
        unsigned char *byte = bytes->data + random_below((unsigned)bytes->len);
        if (random_below(2))
            *byte = favourites[random_below(sizeof favourites)];
        else
            *byte ^= (unsigned char)(1 << random_below(8));
    }
}

static void damaged_items_are_accepted_only_if_libcbor_writes_them_so(void **state)
{
    (void)state;
    unsigned accepted = 0;
    random_state = 4;
    odds_of_flaw = 0;
    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        CLEANUP(cbor_decref) cbor_item_t *item = i % 2 ? make_map(3) : make_item(3);
        CLEANUP(buffer_free) struct buffer bytes = serialize(item);
        damage(&bytes);
        if (!counts_are_modest(&bytes))
            continue;
        tiny_half_seen = false;
        const bool expected = oracle_accepts(&bytes);
        if (tiny_half_seen)
            continue;
        assert_int_equal(cbor_valid(buffer_slice(&bytes)), expected);
        accepted += expected;
    }
    assert_in_range(accepted, ROUNDS / 4, 3 * ROUNDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up_items_are_written_and_read_as_by_libcbor),
        cmocka_unit_test(made_up_items_are_refused_if_anything_in_them_is_outside_the_subset),
        cmocka_unit_test(every_truncation_of_a_made_up_item_is_refused),
        cmocka_unit_test(damaged_items_are_accepted_only_if_libcbor_writes_them_so),
    };
    return cmocka_run_group_tests_name("cbor-oracle", tests, fill_halves, NULL);
}
