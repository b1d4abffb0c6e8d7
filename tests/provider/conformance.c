/* SPDX-License-Identifier: MIT */
#include <sesame/ext/conformance.h>

#include "base/abi.h"
#include "provider/fixture.h"

#include <stdio.h>

enum { TESTS_MAX = 128 };

static uintptr_t offers(const struct ses_conformance *subject)
{
    const struct ses_provider_ops *ops = subject->ops;
    return (ops->list ? NEEDS_LIST : 0u) | (ops->count ? NEEDS_COUNT : 0u) |
           (ops->iterate ? NEEDS_ITERATE : 0u) |
           (ops->flags & SES_PROVIDER_EXPIRES ? 0u : NEEDS_GC) |
           (subject->own_clock_ms > 0 ? 0u : NEEDS_OUR_CLOCK) |
           (subject->shared ? 0u : NEEDS_ALONE);
}

static size_t append(struct CMUnitTest *tests, size_t count, const struct CMUnitTest *part)
{
    for (; part->test_func; part++) {
        assert_true(count < TESTS_MAX);
        if (((uintptr_t)part->initial_state & ~offers(fixture_subject)) == 0)
            tests[count++] = *part;
        else
            (void)printf("# left out: %s\n", part->name);
    }
    return count;
}

/* Said once, instead of by each test. */
static int take_subject(const struct ses_conformance *subject, struct ses_conformance *ret_taken)
{
    const size_t end_of_first = offsetof(struct ses_conformance, rounds) + sizeof ret_taken->rounds;
    int r = SES_ERR_INVALID;
    if (subject)
        r = abi_copy_in(ret_taken, sizeof *ret_taken, subject, subject->size, end_of_first);
    if (r == SES_OK)
        r = store_check_ops(ret_taken->ops);
    return r;
}

SES_API int ses_conformance_run(const struct ses_conformance *subject)
{
    static struct ses_conformance taken;
    static struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;

    int r = take_subject(subject, &taken);
    if (r < 0) {
        (void)fprintf(stderr, "the subject, or its provider's vtable: %s\n", ses_strerror(r));
        return 1;
    }
    fixture_subject = &taken;
    count = append(tests, count, conformance_records);
    count = append(tests, count, conformance_users);
    count = append(tests, count, conformance_threads);
    return _cmocka_run_group_tests(taken.ops->name, tests, count, NULL, NULL);
}
