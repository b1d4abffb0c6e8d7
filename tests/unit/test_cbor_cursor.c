/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include "support/test.h"

static void each_typed_read_takes_its_type_and_fails_on_the_others(void **state)
{
    (void)state;
    const struct {
        struct ses_slice input;
        enum cbor_type type;
    } items[] = {
        { SLICE("\xf6"), CBOR_NULL },        { SLICE("\xf5"), CBOR_BOOL },
        { SLICE("\x19\x07\xe8"), CBOR_INT }, { SLICE("\xf9\x3e\x00"), CBOR_DOUBLE },
        { SLICE("\x62hi"), CBOR_TEXT },      { SLICE("\x43\1\2\3"), CBOR_BYTES },
        { SLICE("\x82\1\2"), CBOR_ARRAY },   { SLICE("\xa3\1\1\2\2\3\3"), CBOR_MAP },
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        const struct cbor_reader start = cbor_reader_of(items[i].input);
        const enum cbor_type type = items[i].type;
        struct cbor_reader r = start;
        assert_int_equal(cbor_next(&r).type, type);
        assert_false(r.failed);

        r = start;
        assert_int_equal(cbor_next_int(&r), type == CBOR_INT ? 2024 : 0);
        assert_int_equal(r.failed, type != CBOR_INT);
        r = start;
        assert_int_equal(cbor_next_text(&r).len, type == CBOR_TEXT ? 2 : 0);
        assert_int_equal(r.failed, type != CBOR_TEXT);
        r = start;
        assert_int_equal(cbor_next_bytes(&r).len, type == CBOR_BYTES ? 3 : 0);
        assert_int_equal(r.failed, type != CBOR_BYTES);
        r = start;
        assert_int_equal(cbor_next_array(&r), type == CBOR_ARRAY ? 2 : 0);
        assert_int_equal(r.failed, type != CBOR_ARRAY);
        r = start;
        assert_int_equal(cbor_next_map(&r), type == CBOR_MAP ? 3 : 0);
        assert_int_equal(r.failed, type != CBOR_MAP);
    }
}

static void scalars_are_read_with_their_value(void **state)
{
    (void)state;
    const struct ses_slice input = SLICE("\xf6\xf5\xf4\xf9\x3e\x00\x62hi\x43\1\2\3");
    struct cbor_reader r = cbor_reader_of(input);
    assert_int_equal(cbor_next(&r).type, CBOR_NULL);
    assert_true(cbor_next(&r).boolean);
    assert_false(cbor_next(&r).boolean);
    assert_true(cbor_next(&r).number == 1.5);
    assert_memory_equal(cbor_next(&r).bytes.data, "hi", 2);
    const struct cbor_item last = cbor_next(&r);
    assert_memory_equal(last.bytes.data, "\1\2\3", 3);
    assert_ptr_equal(last.bytes.data, (const char *)input.data + input.len - 3);
    assert_true(cbor_at_end(&r));
}

static void the_end_is_no_failure_until_an_item_is_required(void **state)
{
    (void)state;
    const struct cbor_reader end = cbor_reader_of((struct ses_slice){ NULL, 0 });
    struct cbor_reader r = end;
    assert_int_equal(cbor_next(&r).type, CBOR_NONE);
    assert_true(cbor_at_end(&r));
    assert_int_equal(cbor_next_int(&r), 0);
    assert_true(r.failed);
    r = end;
    assert_int_equal(cbor_next_map(&r), 0);
    assert_true(r.failed);
    r = end;
    assert_int_equal(cbor_skip(&r).len, 0);
    assert_true(r.failed);
    r = end;
    assert_int_equal(cbor_skip_trusted(&r).len, 0);
    assert_true(r.failed);
}

static void a_failure_stays(void **state)
{
    (void)state;
    struct cbor_reader r = cbor_reader_of(SLICE("\0\1\2\3\4"));
    assert_int_equal(cbor_next_text(&r).len, 0); /* it is an integer */
    const unsigned char *at = r.at;
    assert_int_equal(cbor_next(&r).type, CBOR_NONE);
    assert_int_equal(cbor_next_int(&r), 0);
    assert_int_equal(cbor_skip(&r).len, 0);
    assert_int_equal(cbor_skip_trusted(&r).len, 0);
    assert_ptr_equal(r.at, at);
    r.at = r.end;
    assert_false(cbor_at_end(&r));
    assert_int_equal(cbor_skip(&r).len, 0);
    assert_true(r.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_typed_read_takes_its_type_and_fails_on_the_others),
        cmocka_unit_test(scalars_are_read_with_their_value),
        cmocka_unit_test(the_end_is_no_failure_until_an_item_is_required),
        cmocka_unit_test(a_failure_stays),
    };
    return cmocka_run_group_tests_name("cbor-cursor", tests, NULL, NULL);
}
