/* SPDX-License-Identifier: MIT */
#include "core/proxy.h"

#include "base/slice.h"

#include "support/test.h"

#include <stdio.h>
#include <strings.h>

/* ---- helpers ---- */

enum { FIELDS_MAX = 64 };

/* The header fields of one request, in the order in which they arrived. */
struct headers {
    const char *forwarded[FIELDS_MAX];
    const char *proto[4];
    unsigned asked;
};

static const char *nth_from_last(const char *const *fields, size_t limit, size_t nth)
{
    size_t count = 0;
    while (count < limit && fields[count])
        count++;
    return nth < count ? fields[count - 1 - nth] : NULL;
}

static const char *look_up(void *arg, const char *name, size_t nth)
{
    struct headers *headers = arg;
    headers->asked++;
    if (strcasecmp(name, "X-Forwarded-For") == 0)
        return nth_from_last(headers->forwarded, FIELDS_MAX, nth);
    if (strcasecmp(name, "X-Forwarded-Proto") == 0)
        return nth_from_last(headers->proto, 4, nth);
    return NULL;
}

static struct proxy_list *list_of(const char *text)
{
    struct proxy_list *list = NULL;
    struct ses_slice bad = { 0 };
    if (proxy_list_parse(text, &list, &bad) != SES_OK)
        fail_msg("\"%s\" was refused at \"%.*s\"", text, (int)bad.len, (const char *)bad.data);
    return list;
}

static struct origin ask(const char *trusted, const char *peer, struct headers *headers, bool tls)
{
    struct proxy_list *list = list_of(trusted);
    const struct ses_request request = {
        .size = sizeof request,
        .header = headers ? look_up : NULL,
        .header_arg = headers,
        .tls = tls,
        .peer = peer,
    };
    const struct origin origin = origin_of(list, &request);
    proxy_list_free(list);
    return origin;
}

static void assert_peer(const char *trusted, const char *peer, struct headers headers,
                        const char *expected)
{
    assert_string_equal(ask(trusted, peer, &headers, false).peer, expected);
}

#define FORWARDED(...) ((struct headers){ .forwarded = { __VA_ARGS__ } })
#define PROTO(...)     ((struct headers){ .proto = { __VA_ARGS__ } })

static bool trusts(const char *trusted, const char *peer)
{
    struct headers headers = PROTO("https");
    return ask(trusted, peer, &headers, false).tls;
}

static void assert_bad(const char *text, const char *entry)
{
    struct proxy_list *list = NULL;
    struct ses_slice bad = { 0 };
    assert_code(proxy_list_parse(text, &list, &bad), SES_ERR_INVALID);
    assert_null(list);
    assert_int_equal(bad.len, strlen(entry));
    assert_memory_equal(bad.data, entry, bad.len);
}

/* ---- the list ---- */

static void an_empty_list_trusts_nobody(void **state)
{
    (void)state;
    assert_null(list_of(""));
    assert_null(list_of("  \t "));
    assert_false(trusts("", "127.0.0.1"));
    proxy_list_free(NULL);
}

static void single_addresses_are_trusted_exactly(void **state)
{
    (void)state;
    assert_true(trusts("192.0.2.7", "192.0.2.7"));
    assert_false(trusts("192.0.2.7", "192.0.2.6"));
    assert_false(trusts("192.0.2.7", "192.0.2.8"));
    assert_true(trusts("2001:db8::1", "2001:DB8:0:0::1"));
    assert_false(trusts("2001:db8::1", "2001:db8::2"));
    assert_true(trusts(" 192.0.2.7\t,  2001:db8::1 ", "2001:db8::1"));
    assert_true(trusts("a0::1, 192.0.2.7,10.0.0.1", "192.0.2.7"));
}

static void networks_end_at_every_bit(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 32; bits++) {
        char network[32], inside[32], outside[32];
        const uint32_t base = 0xc0a85a5au, flip = bits < 32 ? 1u << (31 - bits) : 0;
        const uint32_t start = bits > 0 ? base & UINT32_MAX << (32 - bits) : 0;
        const uint32_t in = base ^ flip, out = bits > 0 ? base ^ 1u << (32 - bits) : base;
        (void)snprintf(network, sizeof network, "%u.%u.%u.%u/%u", start >> 24, start >> 16 & 255,
                       start >> 8 & 255, start & 255, bits);
        (void)snprintf(inside, sizeof inside, "%u.%u.%u.%u", in >> 24, in >> 16 & 255,
                       in >> 8 & 255, in & 255);
        (void)snprintf(outside, sizeof outside, "%u.%u.%u.%u", out >> 24, out >> 16 & 255,
                       out >> 8 & 255, out & 255);
        assert_true(trusts(network, inside));
        if (bits > 0)
            assert_false(trusts(network, outside));
    }
}

static void an_address_with_the_length_of_its_network_is_bad_and_its_network_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *network;
    } cases[] = {
        { "10.0.0.1/8", "10.0.0.0/8" },
        { "255.255.255.255/31", "255.255.255.254/31" },
        { "0.0.0.1/0", "0.0.0.0/0" },
        { "::1/0", "::/0" },
        { "fd00:0:0:1::/8", "fd00::/8" },
        { "::ffff:10.0.0.1/104", "10.0.0.0/8" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/127",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
    };
    char network[NETWORK_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_bad(cases[i].entry, cases[i].entry);
        assert_true(proxy_network_of(slice_of_text(cases[i].entry), network));
        assert_string_equal(network, cases[i].network);
        proxy_list_free(list_of(network));
    }
    static const char *const others[] = { "10.0.0.0/8", "10.0.0.1", "::1/128", "10.0.0.1/33", "" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(proxy_network_of(slice_of_text(others[i]), network));
}

static void ipv6_networks_end_at_every_bit(void **state)
{
    (void)state;
    for (unsigned bits = 1; bits <= 128; bits++) {
        char network[64], inside[64], outside[64];
        unsigned in[8] = { 0 }, out[8] = { 0 };
        out[(bits - 1) / 16] |= 1u << (15 - (bits - 1) % 16);
        if (bits < 128)
            in[bits / 16] |= 1u << (15 - bits % 16);
        (void)snprintf(network, sizeof network, "::/%u", bits);
        (void)snprintf(inside, sizeof inside, "%x:%x:%x:%x:%x:%x:%x:%x", in[0], in[1], in[2], in[3],
                       in[4], in[5], in[6], in[7]);
        (void)snprintf(outside, sizeof outside, "%x:%x:%x:%x:%x:%x:%x:%x", out[0], out[1], out[2],
                       out[3], out[4], out[5], out[6], out[7]);
        assert_true(trusts(network, inside));
        assert_false(trusts(network, outside));
    }
}

static void the_two_families_do_not_mix(void **state)
{
    (void)state;
    assert_true(trusts("0.0.0.0/0", "203.0.113.9"));
    assert_false(trusts("0.0.0.0/0", "2001:db8::1"));
    assert_false(trusts("0.0.0.0/0", "::1"));
    assert_false(trusts("10.0.0.0/8", "a00::1"));
    assert_false(trusts("127.0.0.1", "::1"));
    assert_false(trusts("fd00::/8", "253.0.0.1"));
    assert_true(trusts("::/0", "2001:db8::1"));
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    (void)state;
    assert_true(trusts("192.0.2.7", "::ffff:192.0.2.7"));
    assert_true(trusts("::ffff:192.0.2.7", "192.0.2.7"));
    assert_true(trusts("10.0.0.0/8", "::ffff:a01:203"));
    assert_true(trusts("::ffff:10.0.0.0/104", "10.255.0.1"));
    assert_false(trusts("::ffff:10.0.0.0/104", "11.0.0.1"));
    assert_false(trusts("10.0.0.0/8", "::10.0.0.1"));
    assert_peer("", "::ffff:192.0.2.7", FORWARDED(NULL), "192.0.2.7");
}

static void the_longest_entry_fits(void **state)
{
    (void)state;
    assert_true(trusts("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
                       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    assert_true(trusts("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
                       "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"));
    assert_true(trusts("0000:0000:0000:0000:0000:ffff:192.168.100.200/128", "192.168.100.200"));
}

static void a_bad_entry_is_named(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "10.0.0.0/8x",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        "10.0.0.0/8/8",
        "10.0.0.0/0008",
        "10.0.0.0/99999999999",
        "10.0.0.0/255.0.0.0",
        "fd00::/129",
        "/8",
        "/",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.01",
        "10.0.0.0.0",
        "0x0a000001",
        "167772161",
        "localhost",
        "*",
        "unix",
        "fd00::1%eth0",
        "[fd00::1]",
        "192.0.2.7:80",
        "fd00:::1",
        "::1::",
        "10.0.0.1 10.0.0.2",
        "10.0.0.1;10.0.0.2",
        "10.0.0.0/8\n",
        "\xff",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/1280",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    char text[256];
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        assert_bad(entries[i], entries[i]);
        (void)snprintf(text, sizeof text, "127.0.0.1, %s ,::1", entries[i]);
        assert_bad(text, entries[i]);
    }
}

static void an_empty_entry_is_bad(void **state)
{
    (void)state;
    assert_bad(",", "");
    assert_bad("127.0.0.1,", "");
    assert_bad("127.0.0.1, ,::1", "");
    assert_bad(",127.0.0.1", "");
}

/* ---- who asks ---- */

static void without_trust_no_header_is_even_asked_for(void **state)
{
    (void)state;
    struct headers headers = { .forwarded = { "203.0.113.9" }, .proto = { "https" } };
    struct origin origin = ask("", "192.0.2.7", &headers, false);
    assert_string_equal(origin.peer, "192.0.2.7");
    assert_false(origin.tls);
    origin = ask("10.0.0.0/8", "192.0.2.7", &headers, false);
    assert_string_equal(origin.peer, "192.0.2.7");
    assert_false(origin.tls);
    assert_int_equal(headers.asked, 0);
}

static void an_unknown_peer_is_trusted_by_no_list(void **state)
{
    (void)state;
    static const char *const peers[] = { "",      "unix",     "/run/socket", "192.0.2.7:80",
                                         "[::1]", "fe80::1%2" };
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        struct headers headers = { .forwarded = { "203.0.113.9" }, .proto = { "https" } };
        const struct origin origin = ask("0.0.0.0/0, ::/0", peers[i], &headers, false);
        assert_string_equal(origin.peer, "");
        assert_false(origin.tls);
        assert_int_equal(headers.asked, 0);
    }
    assert_string_equal(ask("::/0", NULL, NULL, true).peer, "");
    assert_true(ask("::/0", NULL, NULL, true).tls);
}

static void the_peer_is_written_canonically(void **state)
{
    (void)state;
    assert_peer("", "2001:0DB8:0000::0001", FORWARDED(NULL), "2001:db8::1");
    assert_peer("", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", FORWARDED(NULL),
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_peer("::1", "::1", FORWARDED("2001:0DB8::0001"), "2001:db8::1");
    assert_string_equal(ask("192.0.2.7", "192.0.2.7", NULL, false).peer, "192.0.2.7");
}

static void the_last_address_that_is_no_proxy_is_the_client(void **state)
{
    (void)state;
    const char *trusted = "10.0.0.0/8, ::1";
    assert_peer(trusted, "10.0.0.1", FORWARDED("203.0.113.9"), "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("203.0.113.9, 10.0.0.2"), "203.0.113.9");
    assert_peer(trusted, "::1", FORWARDED("203.0.113.9,10.0.0.3 ,\t10.0.0.2"), "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("2001:db8::9, 10.0.0.2"), "2001:db8::9");
    assert_peer(trusted, "10.0.0.1", FORWARDED(NULL), "10.0.0.1");
    assert_peer(trusted, "10.0.0.1", FORWARDED("10.0.0.3, 10.0.0.2"), "10.0.0.3");
}

static void what_the_client_wrote_on_the_left_is_ignored(void **state)
{
    (void)state;
    const char *trusted = "10.0.0.0/8";
    assert_peer(trusted, "10.0.0.1", FORWARDED("127.0.0.1, 203.0.113.9"), "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("10.0.0.7, 203.0.113.9, 10.0.0.2"), "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("garbage\xff,,;, 203.0.113.9"), "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("192.0.2.1", "203.0.113.9"), "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("192.0.2.1", "203.0.113.9, 10.0.0.2"),
                "203.0.113.9");
}

static void several_fields_are_one_list(void **state)
{
    (void)state;
    const char *trusted = "10.0.0.0/8";
    assert_peer(trusted, "10.0.0.1", FORWARDED("203.0.113.9", "10.0.0.2"), "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("1.1.1.1, 203.0.113.9", "10.0.0.3, 10.0.0.2"),
                "203.0.113.9");
    assert_peer(trusted, "10.0.0.1", FORWARDED("203.0.113.9", "10.0.0.4", "10.0.0.3", "10.0.0.2"),
                "203.0.113.9");
}

static void ports_and_brackets_are_put_aside(void **state)
{
    (void)state;
    static const char *const v4[] = { "203.0.113.9:4711", " 203.0.113.9:1 ", "::ffff:203.0.113.9",
                                      "[::ffff:203.0.113.9]:80", "[::ffff:cb00:7109]" };
    static const char *const v6[] = { "2001:db8::9", "[2001:db8::9]", "[2001:db8::9]:4711",
                                      "[2001:0db8:0000:0000:0000:0000:0000:0009]:65535" };
    for (size_t i = 0; i < sizeof v4 / sizeof v4[0]; i++)
        assert_peer("::1", "::1", FORWARDED(v4[i]), "203.0.113.9");
    for (size_t i = 0; i < sizeof v6 / sizeof v6[0]; i++)
        assert_peer("::1", "::1", FORWARDED(v6[i]), "2001:db8::9");
    assert_peer("::1", "::1", FORWARDED("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535"),
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

/* A hop that hides its client (RFC 7239 6.2 "unknown", a name, nothing) ends the chain: the peer is
 * then the last address that is known, never what stands left of it. */
static void garbage_ends_the_chain(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "unknown",
        "_hidden",
        "",
        " ",
        "localhost",
        "\"203.0.113.8\"",
        "203.0.113",
        "203.0.113.999",
        "[203.0.113.8",
        "[2001:db8::8",
        "]",
        "[]",
        "[]:80",
        ":",
        ":80",
        "203.0.113.8:80:80",
        "::g",
        "for=203.0.113.8",
        "203.0.113.8;proto=https",
        "203.0.113.8 203.0.113.9",
        "fe80::1%eth0",
        "http://203.0.113.8",
        "\xff\xfe",
        "203.0.113.8\r\nX: y",
        "[2001:0db8:0000:0000:0000:0000:0000:0009]:655350000000000000000000000000000",
    };
    char field[256];
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        assert_peer("10.0.0.0/8", "10.0.0.1", FORWARDED(entries[i]), "10.0.0.1");
        (void)snprintf(field, sizeof field, "203.0.113.1, %s", entries[i]);
        assert_peer("10.0.0.0/8", "10.0.0.1", FORWARDED(field), "10.0.0.1");
        (void)snprintf(field, sizeof field, "203.0.113.1, %s, 10.0.0.2", entries[i]);
        assert_peer("10.0.0.0/8", "10.0.0.1", FORWARDED(field), "10.0.0.2");
        assert_peer("10.0.0.0/8", "10.0.0.1", FORWARDED("203.0.113.1", entries[i], "10.0.0.2"),
                    "10.0.0.2");
    }
}

static void an_endless_chain_is_given_up(void **state)
{
    (void)state;
    enum { HOPS = 32 };
    char field[64 * 12] = "203.0.113.9";
    for (int hop = 1; hop < HOPS; hop++)
        (void)snprintf(field + strlen(field), 12, ",10.0.0.%d", hop);
    assert_peer("10.0.0.0/8", "10.0.0.99", FORWARDED(field), "203.0.113.9");
    (void)snprintf(field + strlen(field), 12, ",10.0.0.77");
    assert_peer("10.0.0.0/8", "10.0.0.99", FORWARDED(field), "10.0.0.1");

    struct headers headers = { .asked = 0 };
    for (size_t i = 0; i < FIELDS_MAX; i++)
        headers.forwarded[i] = "10.0.0.5";
    headers.forwarded[0] = "203.0.113.9";
    assert_string_equal(ask("10.0.0.0/8", "10.0.0.99", &headers, false).peer, "10.0.0.5");
    assert_true(headers.asked <= HOPS + 2);
}

/* ---- by TLS? ---- */

static void the_scheme_is_believed_from_trusted_peers_only(void **state)
{
    (void)state;
    struct headers https = PROTO("https"), http = PROTO("http");
    assert_true(ask("10.0.0.0/8", "10.0.0.1", &https, false).tls);
    assert_false(ask("10.0.0.0/8", "10.0.0.1", &http, true).tls);
    assert_false(ask("10.0.0.0/8", "203.0.113.9", &https, false).tls);
    assert_true(ask("10.0.0.0/8", "203.0.113.9", &http, true).tls);
    assert_false(ask("", "10.0.0.1", &https, false).tls);
}

static void without_the_header_the_connection_counts(void **state)
{
    (void)state;
    struct headers none = { .asked = 0 };
    assert_true(ask("::1", "::1", &none, true).tls);
    assert_false(ask("::1", "::1", &none, false).tls);
    assert_true(ask("::1", "::1", NULL, true).tls);
}

static void the_last_entry_of_the_last_field_is_the_scheme(void **state)
{
    (void)state;
    const struct {
        struct headers headers;
        bool tls;
    } cases[] = {
        { PROTO("https"), true },
        { PROTO("HTTPS"), true },
        { PROTO(" https\t"), true },
        { PROTO("http,https"), true },
        { PROTO("http", "https"), true },
        { PROTO("https, http"), false },
        { PROTO("https", "http"), false },
        { PROTO("https,"), false },
        { PROTO(""), false },
        { PROTO("httpss"), false },
        { PROTO("http"), false },
        { PROTO("ahttps"), false },
        { PROTO("https on"), false },
        { PROTO("\"https\""), false },
        { PROTO("wss"), false },
        { PROTO("https;"), false },
        { PROTO("http,http,https"), true },
        { PROTO("https,http,http"), false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct headers headers = cases[i].headers;
        assert_int_equal(ask("::1", "::1", &headers, false).tls, cases[i].tls);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_trusts_nobody),
        cmocka_unit_test(single_addresses_are_trusted_exactly),
        cmocka_unit_test(networks_end_at_every_bit),
        cmocka_unit_test(ipv6_networks_end_at_every_bit),
        cmocka_unit_test(an_address_with_the_length_of_its_network_is_bad_and_its_network_is_told),
        cmocka_unit_test(the_two_families_do_not_mix),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(the_longest_entry_fits),
        cmocka_unit_test(a_bad_entry_is_named),
        cmocka_unit_test(an_empty_entry_is_bad),
        cmocka_unit_test(without_trust_no_header_is_even_asked_for),
        cmocka_unit_test(an_unknown_peer_is_trusted_by_no_list),
        cmocka_unit_test(the_peer_is_written_canonically),
        cmocka_unit_test(the_last_address_that_is_no_proxy_is_the_client),
        cmocka_unit_test(what_the_client_wrote_on_the_left_is_ignored),
        cmocka_unit_test(several_fields_are_one_list),
        cmocka_unit_test(ports_and_brackets_are_put_aside),
        cmocka_unit_test(garbage_ends_the_chain),
        cmocka_unit_test(an_endless_chain_is_given_up),
        cmocka_unit_test(the_scheme_is_believed_from_trusted_peers_only),
        cmocka_unit_test(without_the_header_the_connection_counts),
        cmocka_unit_test(the_last_entry_of_the_last_field_is_the_scheme),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
