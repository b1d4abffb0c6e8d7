/* SPDX-License-Identifier: MIT */
#include "provider/conformance.h"

#include "provider/fixture.h"

enum { TESTS_MAX = 128 };

static size_t append(struct CMUnitTest *tests, size_t count, const struct CMUnitTest *part)
{
    for (; part->test_func; part++) {
        assert_true(count < TESTS_MAX);
        tests[count++] = *part;
    }
    return count;
}

int conformance_run(const struct conformance_subject *subject)
{
    static struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;

    fixture_subject = subject;
    count = append(tests, count, conformance_records);
    count = append(tests, count, conformance_users);
    count = append(tests, count, conformance_threads);
    return _cmocka_run_group_tests(subject->ops->name, tests, count, NULL, NULL);
}
