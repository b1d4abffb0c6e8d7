/* SPDX-License-Identifier: MIT */
#include "redis/slots.h"
#include "support/test.h"

static unsigned slot(const char *key)
{
    return slot_of((struct ses_slice){ key, strlen(key) });
}

static void checksum_is_the_one_of_the_specification(void **state)
{
    (void)state;
    assert_int_equal(slot("123456789"), 0x31c3);
    assert_int_equal(slot(""), 0);
    assert_int_equal(slot("foo"), 12182);
    assert_int_equal(slot("bar"), 5061);
    assert_int_equal(slot_of(SLICE("\xff\x80\0\x7f")), slot_of(SLICE("{\xff\x80\0\x7f}")));
}

static void only_what_stands_in_the_first_braces_is_hashed_if_it_is_something(void **state)
{
    (void)state;
    assert_int_equal(slot("{user1000}.following"), slot("user1000"));
    assert_int_equal(slot("foo{bar}{zap}"), slot("bar"));
    assert_int_equal(slot("foo{{bar}}zap"), slot("{bar"));
    assert_int_not_equal(slot("foo{}{bar}"), slot("bar"));
    assert_int_not_equal(slot("foo{bar"), slot("bar"));
    assert_int_not_equal(slot("foo}bar{"), slot("bar"));
}

static void owners_come_in_the_order_of_their_first_slots_and_each_once(void **state)
{
    (void)state;
    struct slots *slots = calloc(1, sizeof *slots);
    char nodes[3]; /* only their addresses matter */
    struct node *a = (void *)&nodes[0], *b = (void *)&nodes[1], *c = (void *)&nodes[2];
    assert_null(slots_each(slots, 0));
    for (unsigned i = 7; i < SLOTS; i++)
        slots_give(slots, i, i % 2 ? b : a);
    slots_give(slots, SLOTS - 1, c);
    assert_ptr_equal(slots_each(slots, 0), b);
    assert_ptr_equal(slots_each(slots, 1), a);
    assert_ptr_equal(slots_each(slots, 2), c);
    assert_null(slots_each(slots, 3));
    free(slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_is_the_one_of_the_specification),
        cmocka_unit_test(only_what_stands_in_the_first_braces_is_hashed_if_it_is_something),
        cmocka_unit_test(owners_come_in_the_order_of_their_first_slots_and_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
