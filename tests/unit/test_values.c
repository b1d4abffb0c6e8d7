/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include "base/slice.h"

#include <math.h>

static int set_up(void **state)
{
    *state = scene_new("memory", NULL);
    return 0;
}

static int tear_down(void **state)
{
    scene_free(*state);
    return 0;
}

/* ---- each type ---- */

static void set_one_of_each(ses_session *session)
{
    assert_ok(ses_set_text(session, "text", "gr\xc3\xbc\xc3\x9f"));
    assert_ok(ses_set_text(session, "empty", ""));
    assert_ok(ses_set_bytes(session, "bytes", SLICE("\0\xff")));
    assert_ok(ses_set_bytes(session, "none", (struct ses_slice){ 0 }));
    assert_ok(ses_set_int(session, "least", INT64_MIN));
    assert_ok(ses_set_int(session, "most", INT64_MAX));
    assert_ok(ses_set_double(session, "double", 0.1));
    assert_ok(ses_set_bool(session, "true", true));
    assert_ok(ses_set_bool(session, "false", false));
    assert_ok(ses_set_null(session, "null"));
    assert_ok(ses_set_cbor(session, "list", SLICE("\x82\x01\xa1\x61k\xf6")));
}

static void assert_one_of_each(ses_session *session)
{
    const char *text = NULL;
    struct ses_slice bytes;
    int64_t integer;
    double number;
    bool boolean;
    assert_ok(ses_get_text(session, "text", &text));
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
    assert_ok(ses_get_text(session, "empty", &text));
    assert_string_equal(text, "");
    assert_ok(ses_get_bytes(session, "bytes", &bytes));
    assert_true(slice_equal(bytes, SLICE("\0\xff")));
    assert_ok(ses_get_bytes(session, "text", &bytes));
    assert_true(slice_equal(bytes, SLICE("gr\xc3\xbc\xc3\x9f")));
    assert_ok(ses_get_bytes(session, "none", &bytes));
    assert_int_equal(bytes.len, 0);
    assert_ok(ses_get_int(session, "least", &integer));
    assert_true(integer == INT64_MIN);
    assert_ok(ses_get_int(session, "most", &integer));
    assert_true(integer == INT64_MAX);
    assert_ok(ses_get_double(session, "double", &number));
    assert_true(number == 0.1);
    assert_ok(ses_get_bool(session, "true", &boolean));
    assert_true(boolean);
    assert_ok(ses_get_bool(session, "false", &boolean));
    assert_false(boolean);
    assert_int_equal(ses_type_of(session, "null"), SES_TYPE_NULL);
    assert_ok(ses_get_cbor(session, "list", &bytes));
    assert_true(slice_equal(bytes, SLICE("\x82\x01\xa1\x61k\xf6")));
    assert_int_equal(ses_type_of(session, "list"), SES_TYPE_OTHER);
    assert_int_equal(ses_type_of(session, "nobody"), SES_TYPE_ABSENT);
    assert_code(ses_get_text(session, "nobody", &text), SES_ERR_NOT_FOUND);
}

static void every_type_is_read_back_before_and_after_it_is_stored(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    set_one_of_each(session);
    assert_one_of_each(session);
    (void)scene_commit(session, &visitor);
    assert_one_of_each(session);
    ses_release(session);

    session = scene_visit(scene, &visitor);
    assert_one_of_each(session);
    ses_release(session);
}

static void another_type_is_an_outcome_of_its_own_and_writes_nothing(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    set_one_of_each(session);
    static const char *const keys[] = { "text", "bytes", "most", "double", "true", "null", "list" };
    const char *text = "kept";
    struct ses_slice bytes = SLICE("kept");
    int64_t integer = 77;
    double number = 77;
    bool boolean = true;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *key = keys[i];
        if (i != 0)
            assert_code(ses_get_text(session, key, &text), SES_ERR_WRONG_TYPE);
        if (i > 1)
            assert_code(ses_get_bytes(session, key, &bytes), SES_ERR_WRONG_TYPE);
        if (i != 2)
            assert_code(ses_get_int(session, key, &integer), SES_ERR_WRONG_TYPE);
        if (i != 3)
            assert_code(ses_get_double(session, key, &number), SES_ERR_WRONG_TYPE);
        if (i != 4)
            assert_code(ses_get_bool(session, key, &boolean), SES_ERR_WRONG_TYPE);
    }
    assert_string_equal(text, "kept");
    assert_true(slice_equal(bytes, SLICE("kept")));
    assert_true(integer == 77 && number == 77 && boolean);
    ses_release(session);
}

static void a_value_changes_its_type_and_goes(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_set_text(session, "n", "one"));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_TEXT);
    scene_finish(session, &visitor);

    session = scene_visit(scene, &visitor);
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_TEXT);
    assert_ok(ses_delete(session, "n"));
    assert_ok(ses_delete(session, "never there"));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    scene_finish(session, &visitor);

    session = scene_visit(scene, &visitor);
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    ses_release(session);
}

/* T-10 */
static void clearing_all_is_stored_and_the_session_stays(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "before", 1));
    assert_ok(ses_clear(session));
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    assert_int_equal(ses_type_of(session, "before"), SES_TYPE_ABSENT);
    assert_ok(ses_set_int(session, "after", 1));
    scene_finish(session, &visitor);

    assert_ok(scene_exists(scene, &visitor));
    assert_int_equal(stored_int(scene, &visitor, "n"), -1);
    assert_int_equal(stored_int(scene, &visitor, "before"), -1);
    assert_int_equal(stored_int(scene, &visitor, "after"), 1);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_clear(session));
    scene_finish(session, &visitor);
    assert_ok(scene_exists(scene, &visitor));
}

/* ---- iterating ---- */

struct seen {
    char keys[512];
    size_t count;
    size_t stop_at;
};

static int see(void *arg, const char *key, const struct ses_value *value)
{
    struct seen *seen = arg;
    assert_int_not_equal(value->type, SES_TYPE_ABSENT);
    (void)strcat(strcat(seen->keys, key), " ");
    return ++seen->count == seen->stop_at ? 42 : 0;
}

static void each_shows_stored_and_pending_values_once_in_the_order_of_the_record(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "bb", 1));
    assert_ok(ses_set_int(session, "d", 1));
    assert_ok(ses_set_int(session, "a", 1));
    assert_ok(ses_set_int(session, "gone", 1));
    scene_finish(session, &visitor);

    session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "a", 2));
    assert_ok(ses_set_int(session, "c", 2));
    assert_ok(ses_set_int(session, "aaa", 2));
    assert_ok(ses_delete(session, "gone"));
    assert_ok(ses_set_int(session, "fleeting", 2));
    assert_ok(ses_delete(session, "fleeting"));
    struct seen seen = { "", 0, 0 };
    assert_ok(ses_each(session, see, &seen));
    assert_string_equal(seen.keys, "a c d bb aaa ");

    seen = (struct seen){ "", 0, 2 };
    assert_int_equal(ses_each(session, see, &seen), 42);
    assert_int_equal(seen.count, 2);
    assert_ok(ses_clear(session));
    seen = (struct seen){ "", 0, 0 };
    assert_ok(ses_each(session, see, &seen));
    assert_int_equal(seen.count, 0);
    ses_release(session);
}

/* ---- keys (T-13) ---- */

static int get_key(void *arg, const char *key, const struct ses_value *value)
{
    (void)value;
    (void)strcpy(arg, key);
    return 0;
}

static void assert_key_round_trips(struct scene *scene, const char *key)
{
    struct visitor visitor = { "" };
    char shown[300] = "";
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, key, 5));
    scene_finish(session, &visitor);
    assert_int_equal(stored_int(scene, &visitor, key), 5);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_each(session, get_key, shown));
    assert_string_equal(shown, key);
    assert_ok(ses_destroy(session));
    ses_release(session);
}

static void a_key_of_any_ascii_byte_round_trips(void **state)
{
    for (int byte = 1; byte < 0x80; byte++) {
        const char alone[] = { (char)byte, '\0' }, inside[] = { 'a', (char)byte, 'b', '\0' };
        assert_key_round_trips(*state, alone);
        assert_key_round_trips(*state, inside);
    }
    assert_key_round_trips(*state, "a|i:1;b|s:3:\"x\"");
    assert_key_round_trips(*state, "\xf0\x9f\x92\xa9 \xe2\x82\xac \xc3\xa9");
}

static void keys_that_are_not_utf8_or_of_wrong_length_are_refused(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    static const char *const bad[] = {
        "", "\xff", "a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", NULL,
    };
    int64_t n;
    struct ses_value value;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_code(ses_set_int(session, bad[i], 1), SES_ERR_INVALID);
        assert_code(ses_delete(session, bad[i]), SES_ERR_INVALID);
        assert_code(ses_increment(session, bad[i], 1), SES_ERR_INVALID);
        assert_code(ses_take(session, bad[i], &value), SES_ERR_INVALID);
        assert_code(ses_get_int(session, bad[i], &n), SES_ERR_INVALID);
        assert_int_equal(ses_type_of(session, bad[i]), SES_TYPE_ABSENT);
    }
    char longest[257];
    memset(longest, 'k', sizeof longest);
    longest[256] = '\0';
    assert_code(ses_set_int(session, longest, 1), SES_ERR_INVALID);
    longest[255] = '\0';
    assert_ok(ses_set_int(session, longest, 1));
    ses_release(session);
    assert_key_round_trips(scene, longest);
}

/* ---- odd values ---- */

static void text_with_a_nul_is_no_text_for_c_but_its_bytes_are_there(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    const char *text = "kept";
    struct ses_slice bytes;
    assert_ok(ses_set_cbor(session, "k",
                           SLICE("\x63"
                                 "a\0b")));
    assert_int_equal(ses_type_of(session, "k"), SES_TYPE_TEXT);
    assert_code(ses_get_text(session, "k", &text), SES_ERR_WRONG_TYPE);
    assert_string_equal(text, "kept");
    assert_ok(ses_get_bytes(session, "k", &bytes));
    assert_true(slice_equal(bytes, SLICE("a\0b")));
    assert_code(ses_set_text(session, "k", "\xff"), SES_ERR_INVALID);
    assert_code(ses_set_text(session, "k", NULL), SES_ERR_INVALID);
    assert_code(ses_set_bytes(session, "k", (struct ses_slice){ NULL, 3 }), SES_ERR_INVALID);
    assert_int_equal(ses_type_of(session, "k"), SES_TYPE_TEXT);
    ses_release(session);
}

static void doubles_keep_sign_infinity_and_nan(void **state)
{
    struct scene *scene = *state;
    static const double numbers[] = { 0.0,       -0.0,   INFINITY,
                                      -INFINITY, 5e-324, 1.7976931348623157e308,
                                      1.0 / 3,   65504,  1e10 };
    struct visitor visitor = { "" };
    double number;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ses_session *session = scene_visit(scene, &visitor);
        assert_ok(ses_set_double(session, "d", numbers[i]));
        scene_finish(session, &visitor);
        session = scene_visit(scene, &visitor);
        assert_ok(ses_get_double(session, "d", &number));
        assert_true(memcmp(&number, &numbers[i], sizeof number) == 0);
        ses_release(session);
    }
    ses_session *session = scene_visit(scene, &visitor);
    struct ses_slice item;
    assert_ok(ses_set_double(session, "d", -nan("0x123")));
    assert_ok(ses_get_double(session, "d", &number));
    assert_true(isnan(number));
    assert_ok(ses_get_cbor(session, "d", &item));
    assert_true(slice_equal(item, SLICE("\xf9\x7e\x00")));
    ses_release(session);
}

static void only_one_item_of_deterministic_cbor_is_taken(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    static const struct {
        const char *bytes;
        size_t len;
        int code;
    } items[] = {
#define ITEM(bytes, code) { (bytes), sizeof(bytes) - 1, (code) }
        ITEM("\x00", SES_OK),
        ITEM("\xf6", SES_OK),
        ITEM("\x80", SES_OK),
        ITEM("\xa1\x01\x02", SES_OK),
        ITEM("", SES_ERR_INVALID),
        ITEM("\x00\x00", SES_ERR_INVALID),                 /* two */
        ITEM("\x18\x01", SES_ERR_INVALID),                 /* a long head */
        ITEM("\xf7", SES_ERR_INVALID),                     /* undefined */
        ITEM("\xc0\x60", SES_ERR_INVALID),                 /* a tag */
        ITEM("\x9f\xff", SES_ERR_INVALID),                 /* indefinite */
        ITEM("\x81", SES_ERR_INVALID),                     /* cut off */
        ITEM("\xa2\x02\x00\x01\x00", SES_ERR_INVALID),     /* order */
        ITEM("\x61\xff", SES_ERR_INVALID),                 /* not UTF-8 */
        ITEM("\xfb\x3f\xf0\0\0\0\0\0\0", SES_ERR_INVALID), /* 1.0 fits in 16 bits */
        ITEM("\x1b\x80\0\0\0\0\0\0\0", SES_ERR_INVALID),   /* over int64 */
#undef ITEM
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        const struct ses_slice item = { items[i].bytes, items[i].len };
        if (ses_set_cbor(session, "k", item) != items[i].code)
            fail_msg("item %zu", i);
    }
    assert_int_equal(ses_type_of(session, "k"), SES_TYPE_OTHER);
    unsigned char nested[18];
    memset(nested, 0x81, sizeof nested);
    nested[16] = 0x00;
    assert_ok(ses_set_cbor(session, "deep", (struct ses_slice){ nested, 17 }));
    nested[16] = 0x81;
    nested[17] = 0x00;
    assert_code(ses_set_cbor(session, "deep", (struct ses_slice){ nested, 18 }), SES_ERR_INVALID);
    scene_finish(session, NULL);
}

/* ---- limits ---- */

static struct scene *limited(void **state, const char *json)
{
    scene_free(*state);
    *state = scene_new("memory", json);
    return *state;
}

static void limits_hold_at_their_edges(void **state)
{
    struct scene *scene = limited(
        state, "{\"maxKeyBytes\":4,\"maxValueBytes\":16,\"maxValues\":3,\"maxRecordBytes\":1024}");
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "four", 1));
    assert_code(ses_set_int(session, "fives", 1), SES_ERR_INVALID);
    assert_ok(ses_set_text(session, "t", "0123456789abcdef"));
    assert_code(ses_set_text(session, "t", "0123456789abcdefg"), SES_ERR_TOO_LARGE);
    assert_code(ses_set_bytes(session, "t", SLICE("0123456789abcdefg")), SES_ERR_TOO_LARGE);
    assert_ok(ses_set_int(session, "c", 1));
    assert_ok(ses_set_int(session, "d", 1));
    assert_code(ses_commit(session, NULL), SES_ERR_TOO_LARGE);
    assert_int_equal(scene_count(scene), 0);
    assert_ok(ses_delete(session, "d"));
    scene_finish(session, NULL);
    assert_int_equal(scene_count(scene), 1);
}

static void a_record_of_exactly_the_limit_is_stored_and_one_byte_more_is_not(void **state)
{
    struct scene *scene = limited(state, "{\"maxRecordBytes\":1024,\"maxValueBytes\":1024}");
    struct visitor visitor = { "" };
    char text[1025];
    memset(text, 'x', sizeof text);
    text[500] = '\0';
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_text(session, "t", text));
    scene_finish(session, &visitor);
    struct ses_record record = scene_record(scene, &visitor);
    const size_t room = 1024 - ses_blob_bytes(record.data).len;
    (void)ses_blob_unref(record.data);

    text[500] = 'x';
    text[500 + room] = '\0';
    session = scene_visit(scene, &visitor);
    assert_ok(ses_set_text(session, "t", text));
    scene_finish(session, &visitor);
    record = scene_record(scene, &visitor);
    assert_int_equal(ses_blob_bytes(record.data).len, 1024);
    (void)ses_blob_unref(record.data);

    text[500 + room] = 'x';
    text[501 + room] = '\0';
    session = scene_visit(scene, &visitor);
    assert_ok(ses_set_text(session, "t", text));
    assert_code(ses_commit(session, NULL), SES_ERR_TOO_LARGE);
    ses_release(session);
    session = scene_visit(scene, &visitor);
    const char *stored;
    assert_ok(ses_get_text(session, "t", &stored));
    assert_int_equal(strlen(stored), 500 + room);
    ses_release(session);
}

static int grow(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    (void)current;
    ret_next->type = SES_TYPE_BYTES;
    ret_next->bytes = *(const struct ses_slice *)arg;
    return 0;
}

static void an_update_is_held_to_the_same_limits_and_types(void **state)
{
    struct scene *scene = limited(state, "{\"maxValueBytes\":16}");
    ses_session *session = scene_start(scene, NULL);
    struct ses_slice bytes = SLICE("0123456789abcdefg");
    assert_code(ses_update(session, "k", grow, &bytes), SES_ERR_TOO_LARGE);
    bytes.len--;
    assert_ok(ses_update(session, "k", grow, &bytes));
    bytes = (struct ses_slice){ NULL, 1 };
    assert_code(ses_update(session, "k", grow, &bytes), SES_ERR_INVALID);
    assert_int_equal(ses_type_of(session, "k"), SES_TYPE_BYTES);
    ses_release(session);
}

/* ---- how long what was handed out stays ---- */

static void what_was_handed_out_stays_until_release(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_text(session, "t", "first"));
    assert_ok(ses_set_bytes(session, "b", SLICE("bytes")));
    assert_ok(ses_set_text(session, "once", "taken"));
    scene_finish(session, &visitor);

    session = scene_visit(scene, &visitor);
    const char *text[4];
    struct ses_slice bytes, item;
    struct ses_value taken;
    assert_ok(ses_get_text(session, "t", &text[0]));
    assert_ok(ses_get_bytes(session, "b", &bytes));
    assert_ok(ses_get_cbor(session, "b", &item));
    assert_ok(ses_take(session, "once", &taken));
    assert_ok(ses_set_text(session, "t", "second"));
    assert_ok(ses_get_text(session, "t", &text[1]));
    (void)scene_commit(session, NULL);
    assert_ok(ses_get_text(session, "t", &text[2]));

    ses_session *other = scene_visit(scene, &visitor);
    assert_ok(ses_set_text(other, "t", "third"));
    assert_ok(ses_delete(other, "b"));
    scene_finish(other, NULL);
    assert_ok(ses_reload(session));
    assert_ok(ses_get_text(session, "t", &text[3]));
    assert_ok(ses_regenerate(session));
    assert_ok(ses_destroy(session));

    assert_string_equal(text[0], "first");
    assert_string_equal(text[1], "second");
    assert_string_equal(text[2], "second");
    assert_string_equal(text[3], "third");
    assert_true(slice_equal(bytes, SLICE("bytes")));
    assert_true(slice_equal(item, SLICE("\x45"
                                        "bytes")));
    assert_true(slice_equal(taken.bytes, SLICE("taken")));
    ses_release(session);
}

static void asking_for_one_text_often_copies_it_once(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_text(session, "a", "one"));
    assert_ok(ses_set_text(session, "b", "two"));
    scene_finish(session, &visitor);
    session = scene_visit(scene, &visitor);
    const char *first, *again, *other;
    assert_ok(ses_get_text(session, "a", &first));
    assert_ok(ses_get_text(session, "b", &other));
    assert_ok(ses_get_text(session, "a", &again));
    assert_ptr_equal(first, again);
    assert_string_equal(other, "two");
    ses_release(session);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_type_is_read_back_before_and_after_it_is_stored),
        TEST(another_type_is_an_outcome_of_its_own_and_writes_nothing),
        TEST(a_value_changes_its_type_and_goes),
        TEST(clearing_all_is_stored_and_the_session_stays),
        TEST(each_shows_stored_and_pending_values_once_in_the_order_of_the_record),
        TEST(a_key_of_any_ascii_byte_round_trips),
        TEST(keys_that_are_not_utf8_or_of_wrong_length_are_refused),
        TEST(text_with_a_nul_is_no_text_for_c_but_its_bytes_are_there),
        TEST(doubles_keep_sign_infinity_and_nan),
        TEST(only_one_item_of_deterministic_cbor_is_taken),
        TEST(limits_hold_at_their_edges),
        TEST(a_record_of_exactly_the_limit_is_stored_and_one_byte_more_is_not),
        TEST(an_update_is_held_to_the_same_limits_and_types),
        TEST(what_was_handed_out_stays_until_release),
        TEST(asking_for_one_text_often_copies_it_once),
    };
    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
