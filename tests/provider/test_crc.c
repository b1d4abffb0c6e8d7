/* SPDX-License-Identifier: MIT */
#include "shared/crc.h"
#include "support/test.h"

static struct crc by_processor, by_tables;

/* RFC 3720, B.4, and the check value of the catalogue of CRCs. */
static void known_bytes_have_their_known_sums(void **state)
{
    const struct crc *const both[] = { &by_processor, &by_tables };
    unsigned char bytes[32];
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crc_of(both[i], 0, "123456789", 9), 0xe3069283u);
        memset(bytes, 0, sizeof bytes);
        assert_int_equal(crc_of(both[i], 0, bytes, sizeof bytes), 0x8a9136aau);
        memset(bytes, 0xff, sizeof bytes);
        assert_int_equal(crc_of(both[i], 0, bytes, sizeof bytes), 0x62a8ab43u);
        for (unsigned char at = 0; at < sizeof bytes; at++)
            bytes[at] = at;
        assert_int_equal(crc_of(both[i], 0, bytes, sizeof bytes), 0x46dd794eu);
        assert_int_equal(crc_of(both[i], 0, NULL, 0), 0);
    }
}

static void both_ways_agree_on_any_length_and_any_cut(void **state)
{
    enum { MOST = 70 };
    unsigned char bytes[MOST + 1];
    (void)state;
    for (size_t i = 0; i <= MOST; i++)
        bytes[i] = (unsigned char)(i * 151 + 7);
    for (size_t len = 0; len <= MOST; len++) {
        const uint32_t whole = crc_of(&by_tables, 0, bytes + len % 2, len);
        for (size_t cut = 0; cut <= len; cut++) {
            const uint32_t first = crc_of(&by_processor, 0, bytes + len % 2, cut);
            assert_int_equal(crc_of(&by_processor, first, bytes + len % 2 + cut, len - cut), whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_bytes_have_their_known_sums),
        cmocka_unit_test(both_ways_agree_on_any_length_and_any_cut),
    };
    crc_init(&by_processor);
    crc_init(&by_tables);
    by_tables.by_processor = false;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
