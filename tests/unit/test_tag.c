/* SPDX-License-Identifier: MIT */
#include "base/tag.h"

#include "support/test.h"

#include <pthread.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

ssize_t __real_getrandom(void *bytes, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);

static bool dry; /* the kernel gives nothing */

ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
    return dry ? -1 : __real_getrandom(bytes, len, flags);
}

enum { THREADS = 4, EACH = 50000 };

static uint64_t drawn[THREADS * EACH];

struct drawer {
    struct tags *tags;
    uint64_t *out;
};

static void *draw(void *arg)
{
    const struct drawer *drawer = arg;
    for (int i = 0; i < EACH; i++) {
        if (tags_next(drawer->tags, &drawer->out[i]) < 0)
            return arg;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void tags_of_many_threads_are_all_different_and_never_zero(void **state)
{
    (void)state;
    struct tags *tags = tags_new();
    struct drawer drawers[THREADS];
    pthread_t threads[THREADS];
    void *failed;
    assert_non_null(tags);
    for (int i = 0; i < THREADS; i++) {
        drawers[i] = (struct drawer){ tags, drawn + (ptrdiff_t)i * EACH };
        assert_int_equal(pthread_create(&threads[i], NULL, draw, &drawers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    qsort(drawn, THREADS * EACH, sizeof drawn[0], compare);
    assert_true(drawn[0] != 0);
    for (int i = 1; i < THREADS * EACH; i++)
        assert_true(drawn[i] != drawn[i - 1]);
    tags_free(tags);
}

static void every_bit_of_a_tag_changes(void **state)
{
    (void)state;
    struct tags *tags = tags_new();
    uint64_t ones = 0, zeros = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t tag;
        assert_ok(tags_next(tags, &tag));
        ones |= tag;
        zeros |= ~tag;
    }
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
    tags_free(tags);
}

static uint64_t tag_of_child(struct tags *tags)
{
    int ends[2];
    uint64_t tag = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        const bool ok = tags_next(tags, &tag) == SES_OK && write(ends[1], &tag, sizeof tag) > 0;
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(read(ends[0], &tag, sizeof tag), sizeof tag);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return tag;
}

/* Two processes that wrote one record with the same tag would each take it for their own write. */
static void a_child_of_a_fork_draws_tags_of_its_own(void **state)
{
    (void)state;
    struct tags *tags = tags_new();
    uint64_t before, parents;
    assert_ok(tags_next(tags, &before));
    const uint64_t first = tag_of_child(tags), second = tag_of_child(tags);
    assert_ok(tags_next(tags, &parents));
    assert_true(first != second && first != parents && second != parents);
    tags_free(tags);
}

static void without_randomness_there_is_no_tag_until_there_is_some(void **state)
{
    (void)state;
    struct tags *tags = tags_new();
    uint64_t tag = 77;
    dry = true;
    assert_code(tags_next(tags, &tag), SES_ERR_NO_RANDOMNESS);
    assert_int_equal(tag, 77);
    dry = false;
    assert_ok(tags_next(tags, &tag));
    tags_free(tags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_of_many_threads_are_all_different_and_never_zero),
        cmocka_unit_test(every_bit_of_a_tag_changes),
        cmocka_unit_test(a_child_of_a_fork_draws_tags_of_its_own),
        cmocka_unit_test(without_randomness_there_is_no_tag_until_there_is_some),
    };
    return cmocka_run_group_tests_name("tag", tests, NULL, NULL);
}
