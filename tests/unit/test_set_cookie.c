/* SPDX-License-Identifier: MIT */
#include "core/cookie.h"

#include "base/cleanup.h"
#include "base/slice.h"

#include "support/browser.h"
#include "support/test.h"

#include <stdio.h>

/* ---- a locale in which every byte is a letter (-Wl,--wrap=__ctype_b_loc) ---- */

const unsigned short **__wrap___ctype_b_loc(void);

const unsigned short **__wrap___ctype_b_loc(void)
{
    static unsigned short all[384];
    static const unsigned short *middle = all + 128;
    memset(all, 0xff, sizeof all);
    return &middle;
}

/* ---- helpers ---- */

static const int64_t now_ms = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct ses_cookie plain_cookie(void)
{
    return (struct ses_cookie){
        .name = "id",
        .value = "abc",
        .path = "/",
        .same_site = "Lax",
        .max_age_s = -1,
        .secure = true,
        .http_only = true,
    };
}

/* The field; NULL if it was refused, and then nothing was written. From malloc(). */
static char *written(const struct ses_cookie *cookie, int64_t at_ms)
{
    CLEANUP(buffer_free) struct buffer out = { 0 };
    const int r = cookie_write(&out, cookie, at_ms);
    if (r == SES_ERR_INVALID) {
        assert_int_equal(out.len, 0);
        assert_non_null(cookie_fault(cookie));
        return NULL;
    }
    assert_ok(r);
    assert_null(cookie_fault(cookie));
    char *copy = malloc(out.len);
    memcpy(copy, out.data, out.len);
    assert_int_equal(strlen(copy) + 1, out.len);
    return copy;
}

static void assert_written(const struct ses_cookie *cookie, const char *expected)
{
    char *field = written(cookie, now_ms);
    assert_non_null(field);
    assert_string_equal(field, expected);
    free(field);
}

static void assert_refused(const struct ses_cookie *cookie)
{
    assert_null(written(cookie, now_ms));
}

static bool says(struct ses_slice part, const char *text)
{
    return text ? slice_equal(part, slice_of_text(text)) : part.data == NULL;
}

static bool same_domain(struct ses_slice part, const char *domain)
{
    return domain ? part.data && browser_word(part, domain) : part.data == NULL;
}

/* T-14: one line of printable ASCII, which a browser keeps as exactly this cookie. */
static void assert_comes_back(const char *field, const struct ses_cookie *c, int64_t at_ms)
{
    struct browser_cookie seen = { .unknown = 0 };
    for (const char *x = field; *x; x++)
        assert_true(*x >= 0x20 && *x <= 0x7e);
    if (!browser_reads(slice_of_text(field), &seen))
        fail_msg("a browser drops \"%s\"", field);
    assert_true(says(seen.name, c->name));
    assert_true(says(seen.value, c->value));
    assert_true(says(seen.path, c->path));
    assert_true(same_domain(seen.domain, c->domain));
    assert_int_equal(seen.secure, c->secure);
    assert_int_equal(seen.http_only, c->http_only);
    assert_int_equal(seen.partitioned, c->partitioned);
    assert_int_equal(seen.same_site, c->same_site[0] == 'L'   ? BROWSER_SAME_SITE_LAX
                                     : c->same_site[0] == 'S' ? BROWSER_SAME_SITE_STRICT
                                                              : BROWSER_SAME_SITE_NONE);
    assert_int_equal(seen.has_max_age, c->max_age_s >= 0);
    assert_int_equal(seen.has_expires, c->max_age_s >= 0);
    if (seen.has_max_age) {
        assert_int_equal(seen.max_age_s, c->max_age_s);
        assert_int_equal(seen.expires_s, c->max_age_s ? at_ms / 1000 + c->max_age_s : 0);
    }
    assert_int_equal(seen.unknown, 0);
    assert_int_equal(seen.twice, 0);
}

/* True if it was written, and came back. */
static bool survives(const struct ses_cookie *cookie)
{
    char *field = written(cookie, now_ms);
    if (!field)
        return false;
    assert_comes_back(field, cookie, now_ms);
    free(field);
    return true;
}

static void the_fields_are_written_as_documented(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    assert_written(&cookie, "id=abc; Path=/; HttpOnly; Secure; SameSite=Lax");
    cookie.secure = cookie.http_only = false;
    assert_written(&cookie, "id=abc; Path=/; SameSite=Lax");
    cookie = plain_cookie();
    cookie.name = "__Host-id";
    cookie.partitioned = true;
    cookie.same_site = "None";
    cookie.max_age_s = 3600;
    assert_written(&cookie,
                   "__Host-id=abc; Path=/; Max-Age=3600; Expires=Sun, 06 Nov 1994 09:49:37 "
                   "GMT; HttpOnly; Secure; SameSite=None; Partitioned");
    cookie = plain_cookie();
    cookie.domain = "shop.example";
    cookie.path = "/cart";
    cookie.value = "";
    cookie.max_age_s = 0;
    cookie.same_site = "Strict";
    assert_written(&cookie, "id=; Path=/cart; Domain=shop.example; Max-Age=0; Expires=Thu, 01 Jan "
                            "1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Strict");
}

/* ---- T-14: every byte at every position ---- */

static bool is_token_char(int byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || (byte && strchr("!#$%&'*+-.^_`|~", byte));
}

/* RFC 6265bis 4.1.1 */
static bool is_cookie_octet(int byte)
{
    return byte > 0x20 && byte < 0x7f && !strchr("\",;\\", byte);
}

static bool is_path_char(int byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != ';';
}

static bool is_host_char(int byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '.';
}

/* Puts each byte in the place of, and in front of, each character of @p base; byte 0 cuts it. */
static void each_byte(struct ses_cookie *cookie, const char **member, const char *base,
                      bool (*allowed)(int))
{
    const size_t len = strlen(base);
    char text[64];
    *member = text;
    for (size_t at = 0; at <= len; at++) {
        for (int byte = 0; byte < 256; byte++) {
            (void)snprintf(text, sizeof text, "%.*s%c%s", (int)at, base, byte, base + at);
            const bool inserted = survives(cookie);
            if (byte && !allowed(byte))
                assert_false(inserted);
            if (at == len)
                continue;
            (void)snprintf(text, sizeof text, "%s", base);
            text[at] = (char)byte;
            const bool replaced = survives(cookie);
            if (byte && byte != base[at] && !allowed(byte))
                assert_false(replaced);
        }
    }
    *member = base;
}

static void every_byte_in_a_name_comes_back_or_is_refused(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    each_byte(&cookie, &cookie.name, "session", is_token_char);
    each_byte(&cookie, &cookie.name, "__Host-id", is_token_char);
    each_byte(&cookie, &cookie.name, "__Secure-id", is_token_char);
    cookie.secure = false;
    each_byte(&cookie, &cookie.name, "__Host-id", is_token_char);
}

static void every_byte_in_a_value_comes_back_or_is_refused(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    each_byte(&cookie, &cookie.value, "abcdef", is_cookie_octet);
    each_byte(&cookie, &cookie.value, "", is_cookie_octet);
    cookie.max_age_s = 60;
    cookie.domain = "a.example";
    each_byte(&cookie, &cookie.value, "AQ-_", is_cookie_octet);
}

static void every_byte_in_a_path_comes_back_or_is_refused(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    each_byte(&cookie, &cookie.path, "/", is_path_char);
    each_byte(&cookie, &cookie.path, "/a/b", is_path_char);
    each_byte(&cookie, &cookie.path, "/a b=c", is_path_char);
}

static void every_byte_in_a_domain_comes_back_or_is_refused(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    each_byte(&cookie, &cookie.domain, "shop.example", is_host_char);
    each_byte(&cookie, &cookie.domain, "x", is_host_char);
}

static bool never(int byte)
{
    (void)byte;
    return false;
}

static void any_other_samesite_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = { "",        "lax",  "LAX", "Lax ",           "Laxx",
                                         "Default", "none", "Non", "Strict; Secure", "1" };
    struct ses_cookie cookie = plain_cookie();
    each_byte(&cookie, &cookie.same_site, "Lax", never);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        cookie.same_site = words[i];
        assert_refused(&cookie);
    }
}

/* What is right must also go through: a writer that refuses all would pass the tests above. */
static void whatever_the_rfc_allows_is_written(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const char name[] = { 'a', (char)byte, 'b', '\0' }, path[] = { '/', (char)byte, '/', '\0' };
        struct ses_cookie cookie = plain_cookie();
        cookie.name = name;
        assert_int_equal(survives(&cookie), is_token_char(byte));
        cookie = plain_cookie();
        cookie.value = name;
        assert_int_equal(survives(&cookie), is_cookie_octet(byte));
        cookie = plain_cookie();
        cookie.path = path;
        assert_int_equal(survives(&cookie), is_path_char(byte));
        cookie = plain_cookie();
        cookie.domain = name;
        assert_int_equal(survives(&cookie), is_host_char(byte));
    }
}

static void paths_that_a_browser_would_change_are_refused(void **state)
{
    (void)state;
    static const char *const paths[] = { "",
                                         " ",
                                         "a",
                                         "a/",
                                         " /",
                                         "/ ",
                                         "/a ",
                                         "/a\t",
                                         "\"/\"",
                                         "/;Domain=evil.example",
                                         "/\r\nSet-Cookie: a=b",
                                         "/\x7f",
                                         "/\xc3\xa4" };
    struct ses_cookie cookie = plain_cookie();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cookie.path = paths[i];
        assert_refused(&cookie);
    }
}

static void only_host_names_are_domains(void **state)
{
    (void)state;
    static const char *const wrong[] = { "",      ".",   "..",   ".a",   "a.",           "a..b",
                                         "-a",    "a-",  "a.-b", "a-.b", "a b",          "a_b",
                                         "[::1]", "a/b", "a:80", "*.a",  "a\xc3\xa4.de", "a;b",
                                         "a,b" };
    static const char *const right[] = { "a",       "a.b",     "A.Example", "xn--bcher-kva.example",
                                         "1.2.3.4", "a-b.c-d", "a--b",      "0" };
    struct ses_cookie cookie = plain_cookie();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cookie.domain = wrong[i];
        assert_refused(&cookie);
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cookie.domain = right[i];
        assert_true(survives(&cookie));
    }
}

/* ---- S-78, S-79, S-81 ---- */

static void prefixed_names_keep_their_promises_in_any_case(void **state)
{
    (void)state;
    static const char *const hosts[] = { "__Host-id", "__host-id", "__HOST-id", "__hOsT-" };
    static const char *const secures[] = { "__Secure-id", "__secure-id", "__SeCuRe-SID" };
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct ses_cookie cookie = plain_cookie();
        cookie.name = hosts[i];
        assert_true(survives(&cookie));
        cookie.path = "/a";
        assert_refused(&cookie);
        cookie.path = "/";
        cookie.domain = "a.example";
        assert_refused(&cookie);
        cookie.domain = NULL;
        cookie.secure = false;
        assert_refused(&cookie);
    }
    for (size_t i = 0; i < sizeof secures / sizeof secures[0]; i++) {
        struct ses_cookie cookie = plain_cookie();
        cookie.name = secures[i];
        cookie.domain = "a.example";
        cookie.path = "/a";
        assert_true(survives(&cookie));
        cookie.secure = false;
        assert_refused(&cookie);
    }
}

static void names_that_only_look_prefixed_promise_nothing(void **state)
{
    (void)state;
    static const char *const names[] = { "_Host-id",   "__Hostid", "__Host",     "__Host_id",
                                         "a__Host-id", "__Secure", "__Secure_id" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct ses_cookie cookie = plain_cookie();
        cookie.name = names[i];
        cookie.domain = "a.example";
        cookie.secure = false;
        assert_true(survives(&cookie));
    }
}

static void samesite_none_and_partitioned_need_secure(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    cookie.same_site = "None";
    assert_true(survives(&cookie));
    cookie.secure = false;
    assert_refused(&cookie);
    cookie = plain_cookie();
    cookie.partitioned = true;
    assert_true(survives(&cookie));
    cookie.secure = false;
    assert_refused(&cookie);
}

/* ---- ages and dates ---- */

static void max_age_is_written_within_400_days_only(void **state)
{
    (void)state;
    static const int64_t right[] = { -1, 0, 1, 59, 86400, COOKIE_AGE_MAX_S - 1, COOKIE_AGE_MAX_S };
    static const int64_t wrong[] = {
        -2, -100, INT64_MIN, COOKIE_AGE_MAX_S + 1, INT32_MAX, INT64_MAX
    };
    struct ses_cookie cookie = plain_cookie();
    assert_int_equal(COOKIE_AGE_MAX_S, 34560000);
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cookie.max_age_s = right[i];
        assert_true(survives(&cookie));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cookie.max_age_s = wrong[i];
        assert_refused(&cookie);
    }
}

static void assert_expires(int64_t at_ms, const char *date)
{
    struct ses_cookie cookie = plain_cookie();
    char expected[128];
    cookie.max_age_s = 1;
    cookie.secure = cookie.http_only = false;
    (void)snprintf(expected, sizeof expected, "id=abc; Path=/; Max-Age=1; Expires=%s; SameSite=Lax",
                   date);
    char *field = written(&cookie, at_ms);
    assert_non_null(field);
    assert_string_equal(field, expected);
    free(field);
}

static void dates_are_right(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_s;
        const char *date;
    } dates[] = {
        { 1, "Thu, 01 Jan 1970 00:00:01 GMT" },
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 951782399, "Mon, 28 Feb 2000 23:59:59 GMT" },
        { 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 951868800, "Wed, 01 Mar 2000 00:00:00 GMT" },
        { 1709164800, "Thu, 29 Feb 2024 00:00:00 GMT" },
        { 2147483647, "Tue, 19 Jan 2038 03:14:07 GMT" },
        { 2147483648, "Tue, 19 Jan 2038 03:14:08 GMT" },
        { 4107542399, "Sun, 28 Feb 2100 23:59:59 GMT" },
        { 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" },
        { 4294967296, "Sun, 07 Feb 2106 06:28:16 GMT" },
        { 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
    };
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        assert_expires((dates[i].unix_s - 1) * 1000, dates[i].date);
}

static void dates_that_have_no_four_digits_stop_at_the_edge(void **state)
{
    (void)state;
    assert_expires(253402300799000, "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_expires(253402300800000, "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_expires(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_expires(-1000000, "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_expires(INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void the_date_of_every_day_of_eighty_years_comes_back(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    cookie.max_age_s = 7;
    for (int64_t day = 0; day < 80 * 366; day++) {
        const int64_t at_ms = day * 86400000 + day * 12345;
        char *field = written(&cookie, at_ms);
        assert_non_null(field);
        assert_comes_back(field, &cookie, at_ms);
        free(field);
    }
}

/* ---- sizes ---- */

static char *letters(char first, size_t len)
{
    char *text = malloc(len + 1);
    memset(text, 'a', len);
    text[0] = first;
    text[len] = '\0';
    return text;
}

static void name_and_value_are_4096_bytes_at_most(void **state)
{
    (void)state;
    for (size_t name_len = 1; name_len <= 4096; name_len *= 16) {
        for (size_t over = 0; over < 2; over++) {
            char *name = letters('n', name_len), *value = letters('v', 4097 - name_len);
            struct ses_cookie cookie = plain_cookie();
            value[4096 - name_len + over] = '\0';
            cookie.name = name;
            cookie.value = value;
            assert_int_equal(survives(&cookie), over == 0);
            free(name);
            free(value);
        }
    }
    char *name = letters('n', 4097);
    struct ses_cookie cookie = plain_cookie();
    cookie.name = name;
    cookie.value = "";
    assert_refused(&cookie);
    free(name);
}

static void an_attribute_is_1024_bytes_at_most(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        char *path = letters('/', 1024 + over), *domain = letters('d', 253 + over);
        struct ses_cookie cookie = plain_cookie();
        cookie.path = path;
        assert_int_equal(survives(&cookie), over == 0);
        cookie = plain_cookie();
        cookie.domain = domain;
        assert_int_equal(survives(&cookie), over == 0);
        free(path);
        free(domain);
    }
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    struct ses_cookie cookie = plain_cookie();
    cookie.max_age_s = 60;
    char *whole = written(&cookie, now_ms);
    const size_t needed = strlen(whole) + 1;
    for (size_t cap = 0; cap <= needed; cap++) {
        char *storage = malloc(cap ? cap : 1);
        struct buffer out = buffer_fixed(storage, cap);
        assert_code(cookie_write(&out, &cookie, now_ms), cap < needed ? SES_ERR_NO_MEMORY : SES_OK);
        free(storage);
    }
    free(whole);
}

static void every_fault_is_one_short_line(void **state)
{
    (void)state;
    struct ses_cookie faulty[10];
    for (size_t i = 0; i < 10; i++)
        faulty[i] = plain_cookie();
    faulty[0].name = "a b";
    faulty[1].value = "a;b";
    faulty[2].path = "a";
    faulty[3].domain = "a b";
    faulty[4].same_site = "lax";
    faulty[5].max_age_s = -2;
    faulty[6].name = "__Host-id";
    faulty[6].path = "/a";
    faulty[7].name = "__Host-id";
    faulty[7].domain = "a";
    faulty[8].name = "__Secure-id";
    faulty[8].secure = false;
    faulty[9].partitioned = true;
    faulty[9].secure = false;
    for (size_t i = 0; i < 10; i++) {
        const char *fault = cookie_fault(&faulty[i]);
        assert_non_null(fault);
        assert_true(strlen(fault) < 100);
        assert_null(strchr(fault, '\n'));
    }
}

static void a_token_is_what_rfc_9110_says_in_any_locale(void **state)
{
    (void)state;
    assert_false(token_valid(""));
    assert_true(token_valid("X-Session"));
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = { (char)byte, '\0' };
        assert_int_equal(token_valid(text), is_token_char(byte));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_are_written_as_documented),
        cmocka_unit_test(every_byte_in_a_name_comes_back_or_is_refused),
        cmocka_unit_test(every_byte_in_a_value_comes_back_or_is_refused),
        cmocka_unit_test(every_byte_in_a_path_comes_back_or_is_refused),
        cmocka_unit_test(every_byte_in_a_domain_comes_back_or_is_refused),
        cmocka_unit_test(any_other_samesite_is_refused),
        cmocka_unit_test(whatever_the_rfc_allows_is_written),
        cmocka_unit_test(paths_that_a_browser_would_change_are_refused),
        cmocka_unit_test(only_host_names_are_domains),
        cmocka_unit_test(prefixed_names_keep_their_promises_in_any_case),
        cmocka_unit_test(names_that_only_look_prefixed_promise_nothing),
        cmocka_unit_test(samesite_none_and_partitioned_need_secure),
        cmocka_unit_test(max_age_is_written_within_400_days_only),
        cmocka_unit_test(dates_are_right),
        cmocka_unit_test(dates_that_have_no_four_digits_stop_at_the_edge),
        cmocka_unit_test(the_date_of_every_day_of_eighty_years_comes_back),
        cmocka_unit_test(name_and_value_are_4096_bytes_at_most),
        cmocka_unit_test(an_attribute_is_1024_bytes_at_most),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(every_fault_is_one_short_line),
        cmocka_unit_test(a_token_is_what_rfc_9110_says_in_any_locale),
    };
    return cmocka_run_group_tests_name("set_cookie", tests, NULL, NULL);
}
