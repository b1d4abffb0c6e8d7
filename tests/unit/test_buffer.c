/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include "base/cleanup.h"

#include "support/test.h"

static int reallocs;
static bool out_of_memory;

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_realloc(void *old, size_t size)
{
    reallocs++;
    return out_of_memory ? NULL : __real_realloc(old, size);
}

static void assert_content(const struct buffer *b, const char *expected)
{
    assert_int_equal(buffer_slice(b).len, strlen(expected));
    assert_memory_equal(buffer_slice(b).data, expected, strlen(expected));
}

static void what_is_written_is_there_in_order(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer b = { 0 };
    buffer_text(&b, "Set-Cookie");
    buffer_byte(&b, ':');
    buffer_append(&b, " id=1; ignored", 5);
    buffer_text(&b, "");
    assert_content(&b, "Set-Cookie: id=1");
    assert_false(b.failed);
}

static void writes_of_any_length_across_all_growths_are_kept(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer b = { 0 };
    unsigned char piece[700];
    for (size_t len = 0; len < sizeof piece; len++) {
        memset(piece, (int)len, len);
        buffer_append(&b, piece, len);
    }
    assert_false(b.failed);

    const unsigned char *at = buffer_slice(&b).data;
    for (size_t len = 0; len < sizeof piece; at += len++) {
        memset(piece, (int)len, len);
        assert_memory_equal(at, piece, len);
    }
    assert_ptr_equal(at, b.data + b.len);
}

static void many_small_writes_allocate_rarely(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer b = { 0 };
    reallocs = 0;
    for (size_t i = 0; i < (size_t)1 << 20; i++)
        buffer_byte(&b, (unsigned char)i);
    assert_int_equal(b.len, 1 << 20);
    assert_in_range(reallocs, 1, 20);
}

static void nothing_is_a_write_like_any_other(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer b = { 0 };
    buffer_append(&b, NULL, 0);
    assert_false(b.failed);
    assert_int_equal(buffer_slice(&b).len, 0);
    buffer_byte(&b, 'x');
    buffer_append(&b, NULL, 0);
    assert_content(&b, "x");
}

static void fixed_storage_is_used_to_its_last_byte(void **state)
{
    (void)state;
    unsigned char *storage = test_malloc(4);
    struct buffer b = buffer_fixed(storage, 4);
    reallocs = 0;
    buffer_text(&b, "abc");
    buffer_byte(&b, 'd');
    assert_false(b.failed);
    assert_content(&b, "abcd");
    assert_ptr_equal(buffer_slice(&b).data, storage);
    buffer_append(&b, NULL, 0);
    assert_false(b.failed);
    assert_int_equal(reallocs, 0);
    test_free(storage);
}

static void full_fixed_storage_fails_for_good_and_keeps_what_it_had(void **state)
{
    (void)state;
    unsigned char *storage = test_malloc(4);
    struct buffer b = buffer_fixed(storage, 4);
    buffer_text(&b, "abc");
    buffer_text(&b, "de");
    assert_true(b.failed);
    buffer_byte(&b, 'd'); /* there would be room, but something is missing before it */
    buffer_text(&b, "d");
    assert_true(b.failed);
    assert_content(&b, "abc");

    struct buffer bytewise = buffer_fixed(storage, 1);
    buffer_byte(&bytewise, 'x');
    assert_false(bytewise.failed);
    buffer_byte(&bytewise, 'y');
    assert_true(bytewise.failed);
    assert_content(&bytewise, "x");
    test_free(storage);
}

static void lack_of_memory_fails_for_good_and_keeps_what_it_had(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer b = { 0 };
    buffer_text(&b, "kept");
    const size_t room = b.cap - b.len;
    unsigned char *more = test_calloc(room + 1, 1);
    out_of_memory = true;
    buffer_append(&b, more, room + 1);
    out_of_memory = false;
    assert_true(b.failed);
    buffer_byte(&b, 'x');
    assert_content(&b, "kept");
    test_free(more);
}

static void first_allocation_may_fail_as_well(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer b = { 0 };
    out_of_memory = true;
    buffer_byte(&b, 'x');
    out_of_memory = false;
    assert_true(b.failed);
    assert_int_equal(buffer_slice(&b).len, 0);
}

static void a_length_that_overflows_fails_without_an_allocation(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer b = { 0 };
    buffer_text(&b, "kept");
    reallocs = 0;
    volatile size_t far_too_long = SIZE_MAX - 3; /* the compiler must not see it */
    buffer_append(&b, "x", far_too_long);
    assert_true(b.failed);
    assert_int_equal(reallocs, 0);
    assert_content(&b, "kept");

    char storage[8];
    struct buffer fixed = buffer_fixed(storage, sizeof storage);
    buffer_text(&fixed, "kept");
    buffer_append(&fixed, "x", far_too_long);
    assert_true(fixed.failed);
    assert_content(&fixed, "kept");
}

static void a_freed_buffer_is_empty_and_can_be_freed_again(void **state)
{
    (void)state;
    struct buffer b = { 0 };
    buffer_text(&b, "x");
    buffer_free(&b);
    assert_int_equal(buffer_slice(&b).len, 0);
    buffer_text(&b, "again");
    assert_content(&b, "again");
    buffer_free(&b);
    buffer_free(&b);
}

static void freed_fixed_storage_is_not_freed_and_never_starts_to_grow(void **state)
{
    (void)state;
    char storage[8];
    struct buffer b = buffer_fixed(storage, sizeof storage);
    buffer_text(&b, "x");
    buffer_free(&b);
    buffer_byte(&b, 'y');
    assert_true(b.failed);
    assert_int_equal(storage[0], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_there_in_order),
        cmocka_unit_test(writes_of_any_length_across_all_growths_are_kept),
        cmocka_unit_test(many_small_writes_allocate_rarely),
        cmocka_unit_test(nothing_is_a_write_like_any_other),
        cmocka_unit_test(fixed_storage_is_used_to_its_last_byte),
        cmocka_unit_test(full_fixed_storage_fails_for_good_and_keeps_what_it_had),
        cmocka_unit_test(lack_of_memory_fails_for_good_and_keeps_what_it_had),
        cmocka_unit_test(first_allocation_may_fail_as_well),
        cmocka_unit_test(a_length_that_overflows_fails_without_an_allocation),
        cmocka_unit_test(a_freed_buffer_is_empty_and_can_be_freed_again),
        cmocka_unit_test(freed_fixed_storage_is_not_freed_and_never_starts_to_grow),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
