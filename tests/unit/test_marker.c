/* SPDX-License-Identifier: MIT */
#include "core/marker.h"

#include "base/slice.h"

#include <sesame/error.h>

#include "support/test.h"

static const struct id_format format = {
    .purpose = ID_OF_SESSION,
    .prefix = { "", 0 },
    .realm = { "id", 2 },
    .random_bytes = 32,
};

struct pair {
    struct id from, to;
    struct ses_record record;
};

static struct pair make_moved(void)
{
    struct pair pair;
    assert_ok(id_make(&format, &pair.from));
    assert_ok(id_make(&format, &pair.to));
    assert_ok(marker_make_moved(&format, &pair.from, &pair.to, 77, &pair.record));
    return pair;
}

/* The marker of these bytes, as the old id follows it. */
static int follow(const struct ses_record *record, struct ses_slice bytes, const struct id *from,
                  struct id *ret_to)
{
    struct marker marker;
    struct ses_record copy = { .data = ses_blob_new(bytes), .kind = record->kind };
    assert_non_null(copy.data);
    int r = marker_read(&copy, &marker);
    if (r == SES_OK)
        r = marker_follow(&format, &marker, from, ret_to);
    (void)ses_blob_unref(copy.data);
    return r;
}

static void the_old_id_leads_to_the_new_one(void **state)
{
    (void)state;
    struct pair pair = make_moved();
    struct id found;
    assert_int_equal(pair.record.kind, SES_KIND_MOVED);
    assert_int_equal(pair.record.expires_ms, 77);
    assert_ok(follow(&pair.record, ses_blob_bytes(pair.record.data), &pair.from, &found));
    assert_string_equal(found.text, pair.to.text);
    assert_true(ses_key_equal(&found.key, &pair.to.key));
    (void)ses_blob_unref(pair.record.data);
}

static void no_other_id_opens_it(void **state)
{
    (void)state;
    struct pair pair = make_moved();
    struct id other, found;
    for (int i = 0; i < 100; i++) {
        assert_ok(id_make(&format, &other));
        assert_code(follow(&pair.record, ses_blob_bytes(pair.record.data), &other, &found),
                    SES_ERR_CORRUPT);
    }
    assert_code(follow(&pair.record, ses_blob_bytes(pair.record.data), &pair.to, &found),
                SES_ERR_CORRUPT);
    (void)ses_blob_unref(pair.record.data);
}

static bool holds(struct ses_slice bytes, const void *part, size_t len)
{
    return memmem(bytes.data, bytes.len, part, len) != NULL;
}

static void the_stored_bytes_hold_neither_id(void **state)
{
    (void)state;
    struct pair pair = make_moved();
    const struct ses_slice bytes = ses_blob_bytes(pair.record.data);
    for (size_t at = 0; at + 8 <= strlen(pair.to.text); at++) {
        assert_false(holds(bytes, pair.to.text + at, 8));
        assert_false(holds(bytes, pair.from.text + at, 8));
    }
    assert_true(holds(bytes, pair.to.key.bytes, SES_KEY_BYTES));
    (void)ses_blob_unref(pair.record.data);
}

static void every_flipped_bit_and_every_truncation_is_refused(void **state)
{
    (void)state;
    struct pair pair = make_moved();
    const struct ses_slice whole = ses_blob_bytes(pair.record.data);
    unsigned char bytes[512];
    struct id found;
    assert_true(whole.len <= sizeof bytes);
    memcpy(bytes, whole.data, whole.len);
    for (size_t len = 0; len < whole.len; len++)
        assert_code(follow(&pair.record, (struct ses_slice){ bytes, len }, &pair.from, &found),
                    SES_ERR_CORRUPT);
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_code(
            follow(&pair.record, (struct ses_slice){ bytes, whole.len }, &pair.from, &found),
            SES_ERR_CORRUPT);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    (void)ses_blob_unref(pair.record.data);
}

static void a_dead_one_says_why_and_since_when(void **state)
{
    (void)state;
    static const enum ses_reason reasons[] = { SES_REASON_CUT, SES_REASON_ENDED,
                                               SES_REASON_STOLEN };
    for (size_t i = 0; i < 3; i++) {
        struct ses_record record;
        struct marker marker;
        assert_ok(marker_make_dead(reasons[i], 1000, &record));
        assert_int_equal(record.kind, SES_KIND_DEAD);
        assert_int_equal(record.expires_ms, 61000);
        assert_ok(marker_read(&record, &marker));
        assert_int_equal(marker.reason, reasons[i]);
        assert_int_equal(marker.since_ms, reasons[i] == SES_REASON_CUT ? 0 : 1000);
        (void)ses_blob_unref(record.data);
    }
}

/* Cut grants the least: such a request stores nothing. */
static void a_dead_one_that_does_not_read_counts_as_cut(void **state)
{
    (void)state;
    static const struct ses_slice broken[] = {
        { "", 0 }, { "\xa0", 1 }, { "\xff", 1 }, { "\xa1\x00\x02", 3 }, { "\xa1\x01\x18\x63", 4 },
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct ses_record record = { .data = ses_blob_new(broken[i]), .kind = SES_KIND_DEAD };
        struct marker marker;
        assert_ok(marker_read(&record, &marker));
        assert_int_equal(marker.reason, SES_REASON_CUT);
        (void)ses_blob_unref(record.data);
    }
}

static enum ses_reason reason_of(const unsigned char *bytes, size_t len)
{
    struct marker marker;
    struct ses_record record = { .data = ses_blob_new((struct ses_slice){ bytes, len }),
                                 .kind = SES_KIND_DEAD };
    assert_ok(marker_read(&record, &marker));
    (void)ses_blob_unref(record.data);
    return marker.reason;
}

/* What a bit can make of a theft is a log-out, at most: neither gives anybody a session. */
static void a_damaged_dead_one_is_cut_or_another_sound_one(void **state)
{
    (void)state;
    struct ses_record record;
    unsigned char bytes[64];
    assert_ok(marker_make_dead(SES_REASON_STOLEN, 1893456000000, &record));
    const struct ses_slice whole = ses_blob_bytes(record.data);
    assert_true(whole.len <= sizeof bytes);
    memcpy(bytes, whole.data, whole.len);
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(reason_of(bytes, len), SES_REASON_CUT);
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        const enum ses_reason reason = reason_of(bytes, whole.len);
        assert_true(reason == SES_REASON_CUT || reason == SES_REASON_STOLEN ||
                    reason == SES_REASON_ENDED);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    (void)ses_blob_unref(record.data);
}

/* A store in which somebody has put the marker of one session under the key of another. */
static void a_marker_does_not_open_under_another_realm_or_purpose(void **state)
{
    (void)state;
    struct pair pair = make_moved();
    struct id_format other = format;
    struct marker marker;
    struct id found;
    assert_ok(marker_read(&pair.record, &marker));
    other.realm = (struct ses_slice){ "ad", 2 };
    assert_code(marker_follow(&other, &marker, &pair.from, &found), SES_ERR_CORRUPT);
    other = format;
    other.purpose = ID_OF_TOKEN;
    assert_code(marker_follow(&other, &marker, &pair.from, &found), SES_ERR_CORRUPT);
    (void)ses_blob_unref(pair.record.data);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_old_id_leads_to_the_new_one),
        cmocka_unit_test(no_other_id_opens_it),
        cmocka_unit_test(the_stored_bytes_hold_neither_id),
        cmocka_unit_test(every_flipped_bit_and_every_truncation_is_refused),
        cmocka_unit_test(a_dead_one_says_why_and_since_when),
        cmocka_unit_test(a_dead_one_that_does_not_read_counts_as_cut),
        cmocka_unit_test(a_damaged_dead_one_is_cut_or_another_sound_one),
        cmocka_unit_test(a_marker_does_not_open_under_another_realm_or_purpose),
    };
    return cmocka_run_group_tests_name("marker", tests, NULL, NULL);
}
