/* SPDX-License-Identifier: MIT */
#include "core/config.h"

#include "core/cookie.h"
#include "core/manager.h"

#include "base/slice.h"

#include "support/config_check.h"

#include <stdio.h>

/* ---- helpers ---- */

#define SECRET_A "c2VjcmV0IG9mIHRoZSBmbGVldCwgMzIgYnl0ZXMrISE="
#define SECRET_B "YW5vdGhlciBvbmUsIHdoaWNoIGlzIGFzIGxvbmcgISE="

/* ---- idKey ---- */

static bool makes_ids_of(const struct config *c, size_t index, const char *secret)
{
    unsigned char ours[SHA256_BYTES], theirs[SHA256_BYTES];
    struct hmac_key key;
    hmac_key_init(&key, slice_of_text(secret));
    hmac_sha256(&key, NULL, 0, theirs);
    hmac_sha256(&c->id_keys[index], NULL, 0, ours);
    return digest_equal(ours, theirs, sizeof ours);
}

static void secrets_are_a_text_or_a_list_in_their_order(void **state)
{
    (void)state;
    assert_config("{}", c.id_key_count == 0);
    assert_config("{\"idKey\":\"" SECRET_A "\"}",
                  c.id_key_count == 1 && makes_ids_of(&c, 0, SECRET_A));
    assert_config("{\"idKey\":[\"" SECRET_A "\",\"" SECRET_B "\"]}",
                  c.id_key_count == 2 && makes_ids_of(&c, 0, SECRET_A) &&
                      makes_ids_of(&c, 1, SECRET_B));
    assert_config("{\"IDKEY\":\" " SECRET_B " , " SECRET_A "\\t\"}",
                  c.id_key_count == 2 && makes_ids_of(&c, 0, SECRET_B) &&
                      makes_ids_of(&c, 1, SECRET_A));
}

static void a_manager_with_a_secret_makes_and_takes_ids_with_a_check(void **state)
{
    (void)state;
    struct ses_error error;
    ses_manager *first = ses_manager_new("memory", "{\"idKey\":\"" SECRET_A "\"}", NULL, &error);
    ses_manager *later =
        ses_manager_new("memory", "{\"idKey\":[\"" SECRET_B "\",\"" SECRET_A "\"]}", NULL, &error);
    ses_manager *plain = ses_manager_new("memory", NULL, NULL, &error);
    struct id id, read;
    assert_true(first && later && plain);
    assert_true(id_vouched(&first->ids) && id_vouched(&later->ids) && !id_vouched(&plain->ids));
    assert_ok(id_make(&first->ids, &id));
    assert_ok(id_parse(&later->ids, slice_of_text(id.text), &read));
    assert_code(id_parse(&plain->ids, slice_of_text(id.text), &read), SES_ERR_NOT_FOUND);
    assert_ok(id_make(&later->ids, &id));
    assert_code(id_parse(&first->ids, slice_of_text(id.text), &read), SES_ERR_NOT_FOUND);
    ses_manager_unref(first);
    ses_manager_unref(later);
    ses_manager_unref(plain);
}

static void a_short_secret_is_refused_with_how_to_make_one(void **state)
{
    (void)state;
    const char *first = "\"idKey\": secret 1 is shorter than 32 bytes; make one with: openssl rand "
                        "-base64 32";
    const char *second = "\"idKey\": secret 2 is shorter than 32 bytes; make one with: openssl "
                         "rand -base64 32";
    assert_refused("{\"idKey\":\"0123456789abcdef0123456789abcde\"}", first);
    assert_refused("{\"idKey\":\"0123456789abcdef0123456789abcde \"}", first);
    assert_refused("{\"idKey\":\"\"}", first); /* a variable that nobody has set */
    assert_refused("{\"idKey\":[]}", first);
    assert_refused("{\"idKey\":[\"" SECRET_A "\",\"hunter2\"]}", second);
    assert_refused("{\"idKey\":\"" SECRET_A ",\"}", second);
    assert_config("{\"idKey\":\"0123456789abcdef0123456789abcdef\"}", c.id_key_count == 1);
    assert_refused("{\"idKey\":7}", "\"idKey\" must be an array of texts");
}

static void there_are_at_most_eight_secrets(void **state)
{
    (void)state;
    char text[1024] = "{\"idKey\":\"" SECRET_A;
    for (int i = 1; i < 8; i++)
        (void)strncat(text, "," SECRET_B, sizeof text - strlen(text) - 1);
    char nine[1200];
    (void)snprintf(nine, sizeof nine, "%s,%s\"}", text, SECRET_A);
    (void)strncat(text, "\"}", sizeof text - strlen(text) - 1);
    assert_config(text, c.id_key_count == 8);
    assert_refused(nine, "\"idKey\" takes at most 8 secrets");
}

/* Whatever is wrong beside it. */
static void no_message_repeats_a_secret(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"idKey\":\"hunter2\"}",
        "{\"idKey\":[\"hunter2\",7]}",
        "{\"idKey\":{\"hunter2\":1}}",
        "{\"idKeys\":\"hunter2\"}",
        "{\"idKey\":\"hunter2\",\"idKey\":\"hunter2\"}",
        "{\"idKey\":\"hunter2",
        "{\"idKey\":\"" SECRET_A ",hunter2\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ses_error error = { 0 };
        assert_null(ses_manager_new("memory", texts[i], NULL, &error));
        assert_true(error.message[0] != '\0');
        assert_null(strstr(error.message, "hunter2"));
        assert_null(strstr(error.message, "c2VjcmV0"));
    }
}

static void secrets_are_wiped(void **state)
{
    (void)state;
    static const struct hmac_key zeros;
    struct config c;
    struct ses_error error;
    read_well(&c, "{\"idKey\":\"" SECRET_A "\"}");
    assert_string_equal(json_string_value(json_object_get(c.json, "idKey")), "");
    assert_null(c.id_key_text);
    config_free(&c);
    assert_memory_equal(&c.id_keys[0], &zeros, sizeof zeros);

    /* Also when something else is wrong. */
    assert_code(
        config_read(&c, "{\"idKey\":\"" SECRET_A "\",\"touchThreshold\":9999}", NULL, NULL, &error),
        SES_ERR_INVALID);
    assert_string_equal(json_string_value(json_object_get(c.json, "idKey")), "");
    config_free(&c);
    assert_memory_equal(&c.id_keys[0], &zeros, sizeof zeros);
}

/* ---- evictDomains, evictPaths ---- */

static void domains_and_paths_are_taken_apart(void **state)
{
    (void)state;
    assert_config("{}", c.evict_domains.count == 0 && c.evict_paths.count == 0);
    assert_config("{\"evictDomains\":\"\",\"evictPaths\":[]}",
                  c.evict_domains.count == 0 && c.evict_paths.count == 0);
    assert_config("{\"evictDomains\":[\"a.example\",\".b.example\",\"c\",\"d.e\"]}",
                  c.evict_domains.count == 4 && same(c.evict_domains.items[0], "a.example") &&
                      same(c.evict_domains.items[1], "b.example") &&
                      same(c.evict_domains.items[3], "d.e"));
    assert_config("{\"evictPaths\":\" /a ,/b c\\t\"}", c.evict_paths.count == 2 &&
                                                           same(c.evict_paths.items[0], "/a") &&
                                                           same(c.evict_paths.items[1], "/b c"));
}

static void a_domain_or_path_that_no_cookie_can_have_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"evictDomains\":[\"a.example\",\"b_c\"]}",
                   "\"evictDomains\": \"b_c\": the domain must be a host name (letters, digits, "
                   "hyphens, dots)");
    assert_refused("{\"evictDomains\":[\"a.example;Path=/\"]}",
                   "\"evictDomains\": \"a.example;Path=/\": the domain must be a host name "
                   "(letters, digits, hyphens, dots)");
    assert_refused("{\"evictDomains\":\"a.example,\"}",
                   "\"evictDomains\": \"\": the domain must be a host name (letters, digits, "
                   "hyphens, dots)");
    assert_refused("{\"evictPaths\":[\"/a\",\"b\"]}",
                   "\"evictPaths\": \"b\": the path must start with \"/\" and be printable ASCII "
                   "without \";\", at most 1024 bytes");
    assert_refused(
        "{\"evictPaths\":[\"/a;b\"]}",
        "\"evictPaths\": \"/a;b\": the path must start with \"/\" and be printable ASCII "
        "without \";\", at most 1024 bytes");
}

static void there_are_at_most_four_of_each(void **state)
{
    (void)state;
    assert_refused("{\"evictDomains\":\"a,b,c,d,e\"}", "\"evictDomains\" takes at most 4 texts");
    assert_refused("{\"evictPaths\":\"/a,/b,/c,/d,/e\"}", "\"evictPaths\" takes at most 4 texts");
    assert_config("{\"evictPaths\":\"/a,/b,/c,/d\"}", c.evict_paths.count == 4);
}

static void beside_a_host_cookie_there_is_nothing_to_evict(void **state)
{
    (void)state;
    assert_refused("{\"secure\":true,\"evictDomains\":[\"a.example\"]}",
                   "\"evictDomains\": a cookie with __Host- has no other domain or path that could "
                   "be evicted; leave it out");
    assert_refused("{\"cookieName\":\"__host-x\",\"evictPaths\":[\"/a\"]}",
                   "\"evictPaths\": a cookie with __Host- has no other domain or path that could "
                   "be evicted; leave it out");
    assert_config("{\"evictDomains\":[\"a.example\"]}", /* without TLS the name is bare */
                  same(c.faces[1].name, "__Host-id") && c.evict_domains.count == 1);
    assert_config("{\"secure\":true,\"cookieName\":\"x\",\"evictPaths\":[\"/a\"]}",
                  c.evict_paths.count == 1);
}

/* ---- the remembered log-in ---- */

static void its_cookie_is_named_and_marked_as_the_sessions(void **state)
{
    (void)state;
    assert_config("{\"rememberLifetime\":60}",
                  same(c.remember_faces[0].name, "id-remember") && !c.remember_faces[0].secure &&
                      same(c.remember_faces[1].name, "__Host-id-remember") &&
                      c.remember_faces[1].secure);
    assert_config("{\"rememberLifetime\":60,\"rememberCookieName\":\"keep\",\"cookiePath\":\"/a\"}",
                  same(c.remember_faces[0].name, "keep") &&
                      same(c.remember_faces[1].name, "__Secure-keep"));
    assert_config("{\"rememberLifetime\":60,\"cookieName\":\"__Host-sid\"}",
                  same(c.remember_faces[0].name, "__Host-sid-remember") &&
                      same(c.remember_faces[1].name, "__Host-sid-remember") &&
                      c.remember_faces[0].secure);
    assert_config("{\"rememberLifetime\":60,\"cookieName\":\"sid\",\"rememberCookieName\":\"\"}",
                  same(c.remember_faces[1].name, "sid-remember"));
    assert_config("{}", same(c.remember_faces[0].name, "") && same(c.remember_faces[1].name, ""));
}

static void its_name_must_make_a_cookie_of_its_own(void **state)
{
    (void)state;
    assert_refused("{\"rememberLifetime\":60,\"rememberCookieName\":\"a b\"}",
                   "cookie \"__Host-a b\": the name must be a token (letters, digits and "
                   "!#$%&'*+-.^_`|~)");
    assert_refused("{\"rememberLifetime\":60,\"rememberCookieName\":\"id\"}",
                   "\"rememberCookieName\" must differ from \"cookieName\"");
    assert_refused("{\"rememberLifetime\":60,\"cookieName\":\"__Host-x\","
                   "\"rememberCookieName\":\"x\"}",
                   "\"rememberCookieName\" must differ from \"cookieName\"");
    assert_refused("{\"rememberLifetime\":60,\"rememberCookieName\":\"__Host-keep\"}",
                   "\"rememberCookieName\" is given without __Host- or __Secure-: it gets what "
                   "\"cookieName\" has");
}

static void its_name_is_measured_with_its_prefix(void **state)
{
    (void)state;
    char name[128], text[256];
    for (int len = 121; len <= 122; len++) {
        memset(name, 'n', sizeof name);
        name[len] = '\0';
        (void)snprintf(text, sizeof text, "{\"rememberLifetime\":60,\"rememberCookieName\":\"%s\"}",
                       name);
        if (len == 121)
            assert_config(text, strlen(c.remember_faces[1].name) == 128);
        else
            assert_refused(text, "\"rememberCookieName\" must be at most 128 bytes, with its "
                                 "prefix");
    }
}

static void a_browser_remembers_by_a_cookie_only(void **state)
{
    (void)state;
    assert_refused("{\"rememberLifetime\":60,\"enableSetCookie\":false}",
                   "\"rememberLifetime\" needs \"enableSetCookie\": the browser remembers by a "
                   "cookie");
    assert_config("{\"rememberLifetime\":0,\"enableSetCookie\":false}", !c.set_cookie);
}

static void the_background_header_is_a_headers_name(void **state)
{
    (void)state;
    const char *message = "\"backgroundHeader\" must be a header's name such as \"X-Background\"";
    assert_refused("{\"backgroundHeader\":\"X Y\"}", message);
    assert_refused("{\"backgroundHeader\":\"X:\"}", message);
    assert_refused("{\"backgroundHeader\":\"X\\r\\nY\"}", message);
    assert_config("{\"backgroundHeader\":\"X-Background\"}",
                  same(c.background_header, "X-Background"));
    assert_config("{\"backgroundHeader\":\"\"}", !c.background_header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_a_text_or_a_list_in_their_order),
        cmocka_unit_test(a_manager_with_a_secret_makes_and_takes_ids_with_a_check),
        cmocka_unit_test(a_short_secret_is_refused_with_how_to_make_one),
        cmocka_unit_test(there_are_at_most_eight_secrets),
        cmocka_unit_test(no_message_repeats_a_secret),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(domains_and_paths_are_taken_apart),
        cmocka_unit_test(a_domain_or_path_that_no_cookie_can_have_is_refused),
        cmocka_unit_test(there_are_at_most_four_of_each),
        cmocka_unit_test(beside_a_host_cookie_there_is_nothing_to_evict),
        cmocka_unit_test(its_cookie_is_named_and_marked_as_the_sessions),
        cmocka_unit_test(its_name_must_make_a_cookie_of_its_own),
        cmocka_unit_test(its_name_is_measured_with_its_prefix),
        cmocka_unit_test(a_browser_remembers_by_a_cookie_only),
        cmocka_unit_test(the_background_header_is_a_headers_name),
    };
    return cmocka_run_group_tests_name("config_logins", tests, NULL, NULL);
}
