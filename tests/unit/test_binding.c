/* SPDX-License-Identifier: MIT */
#include "core/binding.h"

#include "base/slice.h"

#include "support/test.h"

#include <stdio.h>

/* ---- helpers ---- */

static enum ses_reason agents(const char *recorded, const char *received)
{
    const struct config config = { .bind_user_agent = BINDING_SIGNAL };
    const struct record_header header = { .user_agent = slice_of_text(recorded) };
    const struct origin origin = { 0 };
    return binding_fault(&config, &header, &origin,
                         received ? slice_of_text(received) : (struct ses_slice){ 0 });
}

static enum ses_reason networks(int64_t bits_4, int64_t bits_6, const char *recorded,
                                const char *received)
{
    const struct config config = { .bind_network = BINDING_DEMAND,
                                   .bind_prefix_4 = bits_4,
                                   .bind_prefix_6 = bits_6 };
    const struct record_header header = { .peer = slice_of_text(recorded) };
    struct origin origin = { 0 };
    (void)snprintf(origin.peer, sizeof origin.peer, "%s", received);
    return binding_fault(&config, &header, &origin, (struct ses_slice){ 0 });
}

static bool far(const char *recorded, const char *received)
{
    return networks(24, 48, recorded, received) == SES_REASON_NETWORK;
}

/* ---- the browser ---- */

static void the_same_browser_is_no_fault_and_any_other_is(void **state)
{
    (void)state;
    assert_int_equal(agents("Firefox/115", "Firefox/115"), SES_REASON_NONE);
    assert_int_equal(agents("Firefox/115", "Firefox/116"), SES_REASON_AGENT);
    assert_int_equal(agents("Firefox/115", "firefox/115"), SES_REASON_AGENT);
    assert_int_equal(agents("Firefox/115", "Firefox/11"), SES_REASON_AGENT);
    assert_int_equal(agents("Firefox/115", "Firefox/1155"), SES_REASON_AGENT);
}

static void a_browser_that_is_silent_now_is_another_and_one_that_was_silent_is_not(void **state)
{
    (void)state;
    assert_int_equal(agents("Firefox/115", NULL), SES_REASON_AGENT);
    assert_int_equal(agents("Firefox/115", ""), SES_REASON_AGENT);
    assert_int_equal(agents("", "Firefox/115"), SES_REASON_NONE);
    assert_int_equal(agents("", NULL), SES_REASON_NONE);
}

static void bytes_are_compared_as_they_are_recorded(void **state)
{
    (void)state;
    assert_int_equal(agents("a?b??c~ ", "a\tb\xc3\xa4"
                                        "c~ "),
                     SES_REASON_NONE);
    assert_int_equal(agents("a?b", "a\x7f"
                                   "b"),
                     SES_REASON_NONE);
    assert_int_equal(agents("a?b", "a?b"), SES_REASON_NONE);
    assert_int_equal(agents("a?b", "a!b"), SES_REASON_AGENT);
}

static void what_is_beyond_the_record_does_not_count(void **state)
{
    (void)state;
    char recorded[USER_AGENT_MAX + 1] = "", received[2 * USER_AGENT_MAX] = "";
    memset(recorded, 'x', USER_AGENT_MAX);
    memset(received, 'x', sizeof received - 1);
    assert_int_equal(agents(recorded, received), SES_REASON_NONE);
    assert_int_equal(agents(recorded, recorded), SES_REASON_NONE);
    received[USER_AGENT_MAX] = 'y';
    assert_int_equal(agents(recorded, received), SES_REASON_NONE);
    received[USER_AGENT_MAX - 1] = 'y';
    assert_int_equal(agents(recorded, received), SES_REASON_AGENT);
    received[USER_AGENT_MAX - 1] = '\0';
    assert_int_equal(agents(recorded, received), SES_REASON_AGENT);
}

/* ---- the network ---- */

static void networks_of_ipv4_end_at_every_bit(void **state)
{
    (void)state;
    for (int64_t bits = 8; bits <= 32; bits++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            const unsigned address = 0xc0000281u ^ 0x80000000u >> bit;
            char text[32];
            (void)snprintf(text, sizeof text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                           address >> 8 & 255, address & 255);
            assert_int_equal(networks(bits, 128, "192.0.2.129", text),
                             bit < bits ? SES_REASON_NETWORK : SES_REASON_NONE);
        }
    }
}

static void networks_of_ipv6_end_at_every_bit(void **state)
{
    (void)state;
    for (int64_t bits = 16; bits <= 128; bits++) {
        for (unsigned bit = 0; bit < 128; bit++) {
            unsigned groups[8] = { 0x2001, 0xdb8, 1, 2, 3, 4, 5, 6 };
            char text[64];
            groups[bit / 16] ^= 0x8000u >> bit % 16;
            (void)snprintf(text, sizeof text, "%x:%x:%x:%x:%x:%x:%x:%x", groups[0], groups[1],
                           groups[2], groups[3], groups[4], groups[5], groups[6], groups[7]);
            assert_int_equal(networks(8, bits, "2001:db8:1:2:3:4:5:6", text),
                             bit < bits ? SES_REASON_NETWORK : SES_REASON_NONE);
        }
    }
}

static void a_mapped_address_is_the_ipv4_address_and_other_families_are_far(void **state)
{
    (void)state;
    assert_false(far("192.0.2.1", "::ffff:192.0.2.200"));
    assert_false(far("::ffff:192.0.2.1", "192.0.2.200"));
    assert_true(far("::ffff:192.0.2.1", "192.0.3.1"));
    assert_true(far("192.0.2.1", "2001:db8::1"));
    assert_true(far("2001:db8::1", "192.0.2.1"));
    assert_true(far("::192.0.2.1", "192.0.2.1")); /* that is not a mapped one */
}

static void an_address_that_is_not_known_is_no_fault(void **state)
{
    (void)state;
    static const char *const unknown[] = { "", "unix:", "192.0.2", "::g", "192.0.2.1/24" };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_false(far(unknown[i], "192.0.2.1"));
        assert_false(far("192.0.2.1", unknown[i]));
        assert_false(far(unknown[i], unknown[i]));
    }
    assert_false(far("2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000", "192.0.2.1"));
}

/* A record's text has no NUL at its end, and is not read past it. */
static void the_recorded_texts_end_where_the_record_says(void **state)
{
    (void)state;
    const struct config config = { .bind_user_agent = BINDING_SIGNAL,
                                   .bind_network = BINDING_SIGNAL,
                                   .bind_prefix_4 = 32,
                                   .bind_prefix_6 = 64 };
    const struct origin origin = { .peer = "192.0.2.1" };
    const struct record_header header = { .peer = { "192.0.2.17", 9 },
                                          .user_agent = { "curl/88", 6 } };
    assert_int_equal(binding_fault(&config, &header, &origin, slice_of_text("curl/8")),
                     SES_REASON_NONE);
    assert_int_equal(binding_fault(&config, &header, &origin, slice_of_text("curl/88")),
                     SES_REASON_AGENT);
    const struct record_header longer = { .user_agent = SLICE("curl/88") };
    assert_int_equal(binding_fault(&config, &longer, &origin, (struct ses_slice){ "curl/88", 6 }),
                     SES_REASON_AGENT);
}

/* ---- what is configured ---- */

static void each_is_compared_only_when_it_is_asked_for(void **state)
{
    (void)state;
    const struct record_header header = { .peer = SLICE("192.0.2.1"),
                                          .user_agent = SLICE("curl/8") };
    const struct origin origin = { .peer = "198.51.100.1" };
    static const struct {
        int agent, network;
        enum ses_reason fault;
        bool demanded;
    } cases[] = {
        { BINDING_OFF, BINDING_OFF, SES_REASON_NONE, false },
        { BINDING_SIGNAL, BINDING_OFF, SES_REASON_AGENT, false },
        { BINDING_DEMAND, BINDING_OFF, SES_REASON_AGENT, true },
        { BINDING_OFF, BINDING_SIGNAL, SES_REASON_NETWORK, false },
        { BINDING_OFF, BINDING_DEMAND, SES_REASON_NETWORK, true },
        { BINDING_SIGNAL, BINDING_DEMAND, SES_REASON_NETWORK, true }, /* what is demanded first */
        { BINDING_DEMAND, BINDING_SIGNAL, SES_REASON_AGENT, true },
        { BINDING_DEMAND, BINDING_DEMAND, SES_REASON_AGENT, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct config config = { .bind_user_agent = cases[i].agent,
                                       .bind_network = cases[i].network,
                                       .bind_prefix_4 = 24,
                                       .bind_prefix_6 = 48 };
        const enum ses_reason fault =
            binding_fault(&config, &header, &origin, slice_of_text("wget"));
        assert_int_equal(fault, cases[i].fault);
        assert_int_equal(binding_demanded(&config, fault), cases[i].demanded);
    }
}

static void a_rejection_of_another_kind_is_never_demanded(void **state)
{
    (void)state;
    const struct config config = { .bind_user_agent = BINDING_DEMAND,
                                   .bind_network = BINDING_DEMAND };
    assert_false(binding_demanded(&config, SES_REASON_NONE));
    assert_false(binding_demanded(&config, SES_REASON_STOLEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_browser_is_no_fault_and_any_other_is),
        cmocka_unit_test(a_browser_that_is_silent_now_is_another_and_one_that_was_silent_is_not),
        cmocka_unit_test(bytes_are_compared_as_they_are_recorded),
        cmocka_unit_test(what_is_beyond_the_record_does_not_count),
        cmocka_unit_test(networks_of_ipv4_end_at_every_bit),
        cmocka_unit_test(networks_of_ipv6_end_at_every_bit),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_address_and_other_families_are_far),
        cmocka_unit_test(an_address_that_is_not_known_is_no_fault),
        cmocka_unit_test(the_recorded_texts_end_where_the_record_says),
        cmocka_unit_test(each_is_compared_only_when_it_is_asked_for),
        cmocka_unit_test(a_rejection_of_another_kind_is_never_demanded),
    };
    return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
