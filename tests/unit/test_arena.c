/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "support/test.h"

#include <stdio.h>

static bool aligned(const void *at)
{
    return (uintptr_t)at % 8 == 0;
}

static bool inside(const void *at, const void *storage, size_t size)
{
    return (uintptr_t)at >= (uintptr_t)storage && (uintptr_t)at < (uintptr_t)storage + size;
}

static void the_owners_storage_comes_first_and_chunks_follow(void **state)
{
    (void)state;
    _Alignas(8) unsigned char storage[64];
    struct arena arena;
    arena_init(&arena, storage, sizeof storage);
    for (size_t i = 0; i < 8; i++)
        assert_ptr_equal(arena_alloc(&arena, 8), storage + i * 8);
    void *more = arena_alloc(&arena, 1);
    assert_non_null(more);
    assert_false(inside(more, storage, sizeof storage));
    assert_true(aligned(more));
    arena_free(&arena);
}

static void every_allocation_is_aligned_and_its_own(void **state)
{
    (void)state;
    _Alignas(8) unsigned char storage[256];
    unsigned char *taken[600];
    struct arena arena;
    arena_init(&arena, storage, sizeof storage);
    for (size_t i = 0; i < 600; i++) {
        taken[i] = arena_alloc(&arena, i);
        assert_non_null(taken[i]);
        assert_true(aligned(taken[i]));
        memset(taken[i], (int)(i % 251), i);
    }
    for (size_t i = 0; i < 600; i++) {
        for (size_t b = 0; b < i; b++)
            assert_int_equal(taken[i][b], i % 251);
    }
    arena_free(&arena);
}

static void sizes_around_a_chunk_are_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 7, 8, 9, 1008, 1015, 1016, 1017, 4096, 100000 };
    struct arena arena;
    unsigned char none;
    arena_init(&arena, &none, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *bytes = arena_alloc(&arena, sizes[i]);
        assert_non_null(bytes);
        memset(bytes, 0xa5, sizes[i]); /* ASan watches the end */
    }
    arena_free(&arena);
}

static void sizes_that_would_wrap_give_null(void **state)
{
    (void)state;
    struct arena arena;
    unsigned char none;
    arena_init(&arena, &none, 0);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 7));
    assert_null(arena_alloc(&arena, SIZE_MAX / 2 + 1));
    assert_non_null(arena_alloc(&arena, 1));
    arena_free(&arena);
}

static void a_text_is_copied_whole_and_ended_by_a_nul(void **state)
{
    (void)state;
    _Alignas(8) unsigned char storage[16];
    char from[] = "gosessionid";
    struct arena arena;
    memset(storage, 0xff, sizeof storage);
    arena_init(&arena, storage, sizeof storage);
    char *copy = arena_text(&arena, SLICE("gosessionid"));
    assert_string_equal(copy, from);
    assert_ptr_equal(copy, storage);

    const char *with_nul = arena_text(&arena, SLICE("a\0b"));
    assert_memory_equal(with_nul, "a\0b", 4);
    assert_string_equal(arena_text(&arena, (struct ses_slice){ NULL, 0 }), "");
    assert_string_equal(copy, from);
    arena_free(&arena);
}

static void earlier_bytes_stay_when_it_grows(void **state)
{
    (void)state;
    _Alignas(8) unsigned char storage[32];
    struct arena arena;
    const char *texts[500];
    char text[16];
    arena_init(&arena, storage, sizeof storage);
    for (int i = 0; i < 500; i++) {
        (void)snprintf(text, sizeof text, "value %d", i);
        texts[i] = arena_text(&arena, (struct ses_slice){ text, strlen(text) });
        assert_non_null(texts[i]);
    }
    for (int i = 0; i < 500; i++) {
        (void)snprintf(text, sizeof text, "value %d", i);
        assert_string_equal(texts[i], text);
    }
    arena_free(&arena);
}

static void an_arena_without_storage_may_be_freed_twice(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    assert_non_null(arena_alloc(&arena, 100));
    arena_free(&arena);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owners_storage_comes_first_and_chunks_follow),
        cmocka_unit_test(every_allocation_is_aligned_and_its_own),
        cmocka_unit_test(sizes_around_a_chunk_are_whole),
        cmocka_unit_test(sizes_that_would_wrap_give_null),
        cmocka_unit_test(a_text_is_copied_whole_and_ended_by_a_nul),
        cmocka_unit_test(earlier_bytes_stay_when_it_grows),
        cmocka_unit_test(an_arena_without_storage_may_be_freed_twice),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
