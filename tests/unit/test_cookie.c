/* SPDX-License-Identifier: MIT */
#include "core/cookie.h"

#include "base/cleanup.h"
#include "base/slice.h"

#include "support/test.h"

/* ---- helpers ---- */

enum { FIELDS_MAX = 8 };

/* All values of that name, each in brackets, in order. The fields lie in memory of exactly their
 * size, so that ASan sees one byte too many. */
static void collect(const struct ses_slice *fields, size_t count, struct ses_slice name,
                    struct buffer *out)
{
    struct ses_slice tight[FIELDS_MAX];
    assert_true(count <= FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        char *copy = malloc(fields[i].len ? fields[i].len : 1);
        if (fields[i].len > 0)
            memcpy(copy, fields[i].data, fields[i].len);
        tight[i] = (struct ses_slice){ copy, fields[i].len };
    }
    struct cookie_scan scan = cookie_scan_of(tight, count);
    struct ses_slice value;
    while (cookie_next(&scan, name, &value)) {
        buffer_byte(out, '[');
        buffer_append(out, value.data, value.len);
        buffer_byte(out, ']');
    }
    assert_false(cookie_next(&scan, name, &value)); /* the end stays the end */
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)tight[i].data);
}

static void assert_values_of(const struct ses_slice *fields, size_t count, struct ses_slice name,
                             struct ses_slice expected)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    collect(fields, count, name, &out);
    if (!slice_equal(buffer_slice(&out), expected))
        fail_msg("got \"%.*s\", expected \"%.*s\"", (int)out.len, (const char *)out.data,
                 (int)expected.len, (const char *)expected.data);
}

/* The cookies called "id" of one field. */
#define assert_ids(field, expected) assert_values_of(&SLICE(field), 1, SLICE("id"), SLICE(expected))

/* ---- reading ---- */

static void the_cookie_is_found_wherever_it_stands(void **state)
{
    (void)state;
    assert_ids("id=1", "[1]");
    assert_ids("id=1; a=2", "[1]");
    assert_ids("a=2; id=1", "[1]");
    assert_ids("a=2; id=1; b=3", "[1]");
    assert_ids("a=2;id=1;b=3", "[1]");
    assert_ids("a=2 ; id=1 ; b=3", "[1]");
    assert_ids(" \tid=1\t ", "[1]");
    assert_ids("id = 1", "[1]");
    assert_ids("id=", "[]");
    assert_ids("id=;", "[]");
    assert_ids("id=a=b==", "[a=b==]");
    assert_ids("id=a b", "[a b]");
}

static void other_names_are_not_taken_for_it(void **state)
{
    (void)state;
    assert_ids("", "");
    assert_ids("id", "");
    assert_ids("id;", "");
    assert_ids("xid=1; idx=2; i=3; d=4; i d=5; id.=6; .id=7; \"id\"=8; id\r=9; \vid=10", "");
    assert_ids("=id; =1; ==id=1; a=id; a=id=1", "");
    assert_ids("\xe2\x80\x83id=1; \xa0id=2; id\xc2\xa0=3; $id=4", "");
    assert_ids("%69d=1; id%3D1; i\\d=2", "");
}

/* S-41 */
static void names_are_compared_with_case(void **state)
{
    (void)state;
    assert_ids("ID=1; Id=2; iD=3", "");
    const struct ses_slice field = SLICE("__host-id=1; __HOST-id=2; __Host-ID=3; __Host-id=4");
    assert_values_of(&field, 1, SLICE("__Host-id"), SLICE("[4]"));
}

static void duplicates_come_in_order(void **state)
{
    (void)state;
    assert_ids("id=1; id=2; a=x; id=3; id=1", "[1][2][3][1]");
    assert_ids("id=;id=;id", "[][]");
}

/* S-77 */
static void every_field_is_read_and_none_runs_into_the_next(void **state)
{
    (void)state;
    const struct ses_slice fields[] = { SLICE("a=1; id=first"), SLICE(""),     { NULL, 0 },
                                        SLICE("id=second; i"),  SLICE("d=no"), SLICE("; ;"),
                                        SLICE("id=third;") };
    assert_values_of(fields, 7, SLICE("id"), SLICE("[first][second][third]"));
    assert_values_of(fields, 7, SLICE("d"), SLICE("[no]"));
    assert_values_of(fields, 0, SLICE("id"), SLICE(""));
    assert_values_of(NULL, 0, SLICE("id"), SLICE(""));
}

static void no_other_cookies_syntax_stops_the_scan(void **state)
{
    (void)state;
    assert_ids("a=\"; id=1", "[1]");
    assert_ids("a=\"b; id=1; c=d\"", "[1]");
    assert_ids("a=\"b\\\"; id=1", "[1]");
    assert_ids("a, id=no; id=1", "[1]");
    assert_ids("a=1, id=no", "");
    assert_ids("a b c; id=1", "[1]");
    assert_ids("{\"a\":[1,2]}; id=1", "[1]");
    assert_ids("a=<x y='1'>; \x01\x02\x7f; id=1", "[1]");
    assert_ids("\xff\xfe=\xfd; id=1", "[1]");
    assert_ids("$Version=1; id=1; $Path=/", "[1]");
    assert_ids("$Version=\"1\"; a=\"x\", id=no; $Path=\"; id=1\"", "[1\"]");
    assert_ids("=; ==; ===; id=1", "[1]");
}

static void nothing_is_decoded(void **state)
{
    (void)state;
    assert_ids("id=\"quoted\"", "[\"quoted\"]");
    assert_ids("id=%41%00%3b", "[%41%00%3b]");
    assert_ids("id=a+b", "[a+b]");
    assert_ids("id=\\073", "[\\073]");
    assert_ids("id=\xff\x80", "[\xff\x80]");
    assert_ids("id=a,id=b", "[a,id=b]");
}

static void a_nul_is_a_byte_like_others(void **state)
{
    (void)state;
    assert_ids("a\0b=1; id=2\0003; id\0=4; \0id=5; id=6", "[2\0003][6]");
    assert_ids("\0\0\0\0", "");
    assert_values_of(&SLICE("a\0b=1; a=2"), 1, SLICE("a\0b"), SLICE("[1]"));
}

/* T-11: httpd's CVE-2021-26690 and its kin. */
static void the_ampersand_family_is_harmless(void **state)
{
    (void)state;
    assert_ids("&=", "");
    assert_ids("&=&", "");
    assert_ids("=&", "");
    assert_ids("&", "");
    assert_ids("&&==&&", "");
    assert_ids("id=&=", "[&=]");
    assert_ids("id=&=; &=; id=&", "[&=][&]");
    assert_ids("&=id=1", "");
    assert_ids("&=; =; &; id=1&id=2", "[1&id=2]");
    assert_ids("id&=1; &id=2", "");
    assert_ids("=", "");
    assert_ids(";", "");
    assert_ids(";=;=;", "");
    assert_ids("=;id", "");
}

static void every_byte_around_a_cookie_is_survived(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const bool blank = byte == ' ' || byte == '\t', ends = byte == ';';
        const char b = (char)byte;
        const char front[] = { b, 'i', 'd', '=', '1' }, back[] = { 'i', 'd', '=', '1', b };
        const char name[] = { 'i', b, 'd', '=', '1' }, after[] = { 'i', 'd', b, '=', '1' };
        const char kept[] = { '[', '1', b, ']' };
        const struct ses_slice id = SLICE("id"), one = SLICE("[1]"), none = SLICE("");
        assert_values_of(&(struct ses_slice){ front, 5 }, 1, id, blank || ends ? one : none);
        assert_values_of(&(struct ses_slice){ back, 5 }, 1, id,
                         blank || ends ? one : (struct ses_slice){ kept, 4 });
        assert_values_of(&(struct ses_slice){ name, 5 }, 1, id, none);
        assert_values_of(&(struct ses_slice){ after, 5 }, 1, id,
                         blank         ? one
                         : byte == '=' ? SLICE("[=1]")
                                       : none);
    }
}

/* ---- how much is read ---- */

/* How often "id" is found in a field of @p filler bytes of another cookie, then "; id=1". */
static size_t found_behind(size_t filler)
{
    static const char tail[] = ";id=1";
    const size_t len = filler + sizeof tail - 1;
    char *field = malloc(len);
    memset(field, 'x', filler);
    memcpy(field + filler, tail, sizeof tail - 1);
    const struct ses_slice slice = { field, len };
    struct cookie_scan scan = cookie_scan_of(&slice, 1);
    struct ses_slice value;
    size_t found = 0;
    while (cookie_next(&scan, SLICE("id"), &value))
        found++;
    assert_false(cookie_next(&scan, SLICE("id"), &value));
    free(field);
    return found;
}

static void what_stands_beyond_the_budget_is_not_read(void **state)
{
    (void)state;
    /* Each pair costs its bytes and one for its end. */
    const size_t edge = COOKIE_SCAN_MAX - 1 - sizeof "id=1";
    assert_int_equal(found_behind(0), 1);
    assert_int_equal(found_behind(edge), 1);
    assert_int_equal(found_behind(edge + 1), 0);
    assert_int_equal(found_behind(COOKIE_SCAN_MAX), 0);
    assert_int_equal(found_behind(4 * COOKIE_SCAN_MAX), 0);
}

static void the_budget_is_one_for_all_fields(void **state)
{
    (void)state;
    char *field = malloc(COOKIE_SCAN_MAX / 2);
    memset(field, 'x', COOKIE_SCAN_MAX / 2);
    const struct ses_slice fields[] = { SLICE("id=1"),
                                        { field, COOKIE_SCAN_MAX / 2 },
                                        SLICE("id=2"),
                                        { field, COOKIE_SCAN_MAX / 2 },
                                        SLICE("id=3") };
    assert_values_of(fields, 5, SLICE("id"), SLICE("[1][2]"));
    free(field);
}

static void many_empty_pairs_end_at_the_budget(void **state)
{
    (void)state;
    char *field = malloc(COOKIE_SCAN_MAX + 5);
    memset(field, ';', COOKIE_SCAN_MAX);
    memcpy(field + COOKIE_SCAN_MAX, "id=1;", 5);
    const struct ses_slice whole = { field, COOKIE_SCAN_MAX + 5 };
    assert_values_of(&whole, 1, SLICE("id"), SLICE(""));
    const struct ses_slice less = { field + 5, COOKIE_SCAN_MAX };
    assert_values_of(&less, 1, SLICE("id"), SLICE("[1]"));
    free(field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cookie_is_found_wherever_it_stands),
        cmocka_unit_test(other_names_are_not_taken_for_it),
        cmocka_unit_test(names_are_compared_with_case),
        cmocka_unit_test(duplicates_come_in_order),
        cmocka_unit_test(every_field_is_read_and_none_runs_into_the_next),
        cmocka_unit_test(no_other_cookies_syntax_stops_the_scan),
        cmocka_unit_test(nothing_is_decoded),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
        cmocka_unit_test(the_ampersand_family_is_harmless),
        cmocka_unit_test(every_byte_around_a_cookie_is_survived),
        cmocka_unit_test(what_stands_beyond_the_budget_is_not_read),
        cmocka_unit_test(the_budget_is_one_for_all_fields),
        cmocka_unit_test(many_empty_pairs_end_at_the_budget),
    };
    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
