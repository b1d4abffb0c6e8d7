/* SPDX-License-Identifier: MIT */
#include "core/config.h"

#include "core/cookie.h"
#include "core/manager.h"

#include "support/config_check.h"

#include <stdio.h>

/* ---- helpers ---- */

/* min - 1 and max + 1 are refused with the range, min and max are taken. The other keys in
 * @p beside keep the value from contradicting anything. */
static void assert_range(const char *key, int64_t min, int64_t max, const char *beside)
{
    const int64_t values[] = { min, max, min - 1, max + 1 };
    char text[256], message[128];
    (void)snprintf(message, sizeof message, "\"%s\" must be a whole number from %lld to %lld", key,
                   (long long)min, (long long)max);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(text, sizeof text, "{\"%s\":%lld%s}", key, (long long)values[i], beside);
        if (i < 2)
            assert_config(text, true);
        else
            assert_refused(text, message);
    }
    (void)snprintf(text, sizeof text, "{\"%s\":\"%lld\"}", key, (long long)min);
    assert_refused(text, message);
    (void)snprintf(text, sizeof text, "{\"%s\":%lld.0}", key, (long long)min);
    assert_refused(text, message);
}

static void assert_boolean(const char *key)
{
    static const char *const wrong[] = { "0", "1", "\"true\"", "null", "[]", "{}" };
    char text[128], message[128];
    (void)snprintf(message, sizeof message, "\"%s\" must be true or false", key);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"%s\":%s}", key, wrong[i]);
        assert_refused(text, message);
    }
}

/* As long as it may be, and one byte longer. */
static void assert_text(const char *key, int max, char letter)
{
    enum { LETTERS = 5000, SPACE = LETTERS + 256 };
    char letters[LETTERS], text[SPACE], message[128];
    (void)snprintf(message, sizeof message, "\"%s\" must be a text of 0 to %d bytes", key, max);
    memset(letters, letter, sizeof letters);
    letters[max + 1] = '\0';
    (void)snprintf(text, sizeof text, "{\"%s\":\"%s\"}", key, letters);
    assert_refused(text, message);
    letters[max] = '\0';
    (void)snprintf(text, sizeof text, "{\"%s\":\"%s\"}", key, letters);
    assert_config(text, true);
    (void)snprintf(text, sizeof text, "{\"%s\":1}", key);
    assert_refused(text, message);
    (void)snprintf(text, sizeof text, "{\"%s\":null}", key);
    assert_refused(text, message);
}

static ses_manager *manager_of(const char *text)
{
    struct ses_error error = { 0 };
    ses_manager *manager = ses_manager_new("memory", text, NULL, &error);
    if (!manager)
        fail_msg("%s: %s", text ? text : "NULL", error.message);
    return manager;
}

/* ---- the ancestor's strings and keys ---- */

static void the_ancestors_string_works_and_means_an_hour_of_idleness(void **state)
{
    (void)state;
    ses_manager *manager = manager_of("{\"cookieName\":\"gosessionid\",\"gclifetime\":3600}");
    const struct config *c = &manager->config;
    assert_string_equal(c->faces[0].name, "gosessionid");
    assert_string_equal(c->faces[1].name, "gosessionid");
    assert_int_equal(c->idle_s, 3600);
    assert_int_equal(c->gc_interval_s, 3600);
    assert_int_equal(manager->ids.random_bytes, 32);
    ses_manager_unref(manager);
}

static void all_of_the_ancestors_keys_are_taken_in_any_case(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"cookieName\":\"gosessionid\",\"gclifetime\":10,\"maxLifetime\":3600,"
        "\"cookieLifeTime\":7200,\"enableSetCookie\":false,\"disableHTTPOnly\":true,"
        "\"secure\":true,\"domain\":\"shop.example\",\"cookieSameSite\":3,\"sessionIDLength\":16,"
        "\"sessionIDPrefix\":\"s-\",\"EnableSidInHTTPHeader\":true,"
        "\"SessionNameInHTTPHeader\":\"X-Session\",\"EnableSidInURLQuery\":false,"
        "\"providerConfig\":\"127.0.0.1:6379,100,astaxie\"}",
        "{\"COOKIENAME\":\"gosessionid\",\"GcLifetime\":10,\"MAXLIFETIME\":3600,"
        "\"cookielifetime\":7200,\"EnableSetCookie\":false,\"DISABLEHTTPONLY\":true,"
        "\"Secure\":true,\"DOMAIN\":\"shop.example\",\"COOKIESAMESITE\":3,\"sessionidlength\":16,"
        "\"SESSIONIDPREFIX\":\"s-\",\"enablesidinhttpheader\":true,"
        "\"sessionnameinhttpheader\":\"X-Session\",\"enableSidInUrlQuery\":false,"
        "\"ProviderConfig\":\"127.0.0.1:6379,100,astaxie\"}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct config c;
        read_well(&c, texts[i]);
        assert_string_equal(c.cookie_name, "gosessionid");
        assert_int_equal(c.gc_interval_s, 10);
        assert_int_equal(c.idle_s, 3600);
        assert_int_equal(c.cookie_lifetime_s, 7200);
        assert_false(c.set_cookie);
        assert_true(c.no_http_only);
        assert_true(c.faces[0].secure && c.faces[1].secure);
        assert_string_equal(c.domain, "shop.example");
        assert_string_equal(config_same_site(&c), "Strict");
        assert_int_equal(c.id_bytes, 16);
        assert_string_equal(c.id_prefix, "s-");
        assert_true(c.header_transport);
        assert_string_equal(c.header_name, "X-Session");
        assert_string_equal(c.provider_config, "127.0.0.1:6379,100,astaxie");
        config_free(&c);
    }
}

static void the_defaults_are_as_documented(void **state)
{
    (void)state;
    static const char *const texts[] = { NULL, "", "{}", " \n{\t}\r\n " };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config c;
        read_well(&c, texts[i]);
        assert_string_equal(c.faces[0].name, "id");
        assert_string_equal(c.faces[1].name, "__Host-id");
        assert_false(c.faces[0].secure);
        assert_true(c.faces[1].secure);
        assert_string_equal(c.realm, "id");
        assert_int_equal(c.gc_interval_s, 60);
        assert_int_equal(c.idle_s, 1800);
        assert_int_equal(c.absolute_s, 86400);
        assert_int_equal(c.touch_s, 60);
        assert_int_equal(c.cookie_lifetime_s, 0);
        assert_true(c.set_cookie);
        assert_false(c.no_http_only || c.partitioned || c.header_transport || c.query_transport);
        assert_null(c.domain);
        assert_string_equal(c.cookie_path, "/");
        assert_string_equal(config_same_site(&c), "Lax");
        assert_int_equal(c.id_bytes, 32);
        assert_string_equal(c.id_prefix, "");
        assert_string_equal(c.provider_config, "");
        assert_null(c.proxies);
        assert_int_equal(c.cache, CACHE_NO_STORE);
        assert_false(c.eager);
        assert_int_equal(c.max_record_bytes, 262144);
        assert_int_equal(c.max_value_bytes, 65536);
        assert_int_equal(c.max_key_bytes, 255);
        assert_int_equal(c.max_values, 1024);
        assert_int_equal(c.max_replays, 100);
        config_free(&c);
        ses_manager_unref(manager_of(texts[i]));
    }
}

static void empty_texts_mean_the_default(void **state)
{
    (void)state;
    assert_config("{\"cookieName\":\"\",\"domain\":\"\",\"cookiePath\":\"\",\"realm\":\"\","
                  "\"sessionIDPrefix\":\"\",\"providerConfig\":\"\",\"trustedProxies\":\"\"}",
                  same(c.faces[1].name, "__Host-id") && !c.domain && same(c.cookie_path, "/") &&
                      same(c.realm, "id") && !c.proxies);
}

/* ---- values ---- */

static void numbers_are_taken_within_their_range(void **state)
{
    (void)state;
    const int64_t ten_years = 316224000;
    assert_range("gclifetime", 1, ten_years, "");
    assert_range("maxLifetime", 1, ten_years, "");
    assert_range("idleTimeout", 1, ten_years, "");
    assert_range("cookieLifeTime", 0, INT32_MAX, "");
    assert_range("sessionIDLength", 16, 64, "");
    assert_range("absoluteTimeout", 0, ten_years, "");
}

static void limits_are_taken_within_their_range(void **state)
{
    (void)state;
    const int64_t mib16 = 16 * 1024 * 1024;
    assert_range("maxRecordBytes", 1024, mib16, "");
    assert_range("maxValueBytes", 16, mib16, ",\"maxRecordBytes\":16777216");
    assert_range("maxKeyBytes", 1, 255, "");
    assert_range("maxValues", 1, 65536, "");
    assert_range("maxReplays", 0, 10000, "");
}

static void booleans_are_nothing_else(void **state)
{
    (void)state;
    assert_boolean("enableSetCookie");
    assert_boolean("disableHTTPOnly");
    assert_boolean("EnableSidInHTTPHeader");
    assert_boolean("EnableSidInURLQuery");
    assert_boolean("cookiePartitioned");
}

static void texts_are_as_long_as_documented(void **state)
{
    (void)state;
    assert_text("cookieName", 128, 'n');
    assert_text("sessionIDPrefix", 64, 'p');
    assert_text("SessionNameInHTTPHeader", 128, 'H');
    assert_text("providerConfig", 4096, 'c');
    assert_text("realm", 255, 'r');
    assert_text("cookiePath", 1024, '/');
}

static void a_name_is_measured_with_its_prefix(void **state)
{
    (void)state;
    char name[129], text[200];
    for (int len = 121; len <= 122; len++) {
        memset(name, 'n', sizeof name);
        name[len] = '\0';
        (void)snprintf(text, sizeof text, "{\"cookieName\":\"%s\",\"cookiePrefix\":\"host\"}",
                       name);
        if (len == 121)
            assert_config(text, strlen(c.faces[1].name) == 128 && same(c.faces[0].name, name));
        else
            assert_refused(text, "\"cookieName\" must be at most 128 bytes, with its prefix");
    }
}

static void secure_is_true_false_or_auto(void **state)
{
    (void)state;
    const char *message = "\"secure\" must be one of: false, true, auto";
    assert_config("{\"secure\":true}", c.faces[0].secure && same(c.faces[0].name, "__Host-id"));
    assert_config("{\"secure\":\"true\"}", c.faces[0].secure && c.faces[1].secure);
    assert_config("{\"secure\":false}", !c.faces[1].secure && same(c.faces[1].name, "id"));
    assert_config("{\"secure\":\"FALSE\"}", !c.faces[0].secure && !c.faces[1].secure);
    assert_config("{\"secure\":\"auto\"}", !c.faces[0].secure && c.faces[1].secure);
    assert_refused("{\"secure\":1}", message);
    assert_refused("{\"secure\":0}", message);
    assert_refused("{\"secure\":\"\"}", message);
    assert_refused("{\"secure\":\"always\"}", message);
    assert_refused("{\"secure\":null}", message);
    assert_refused("{\"secure\":[true]}", message);
}

static void samesite_is_a_number_of_go_or_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *same_site;
    } right[] = { { "1", "Lax" },           { "2", "Lax" },        { "3", "Strict" },
                  { "4", "None" },          { "\"lax\"", "Lax" },  { "\"Strict\"", "Strict" },
                  { "\"default\"", "Lax" }, { "\"NONE\"", "None" } };
    static const char *const wrong[] = { "0",     "5",    "-1",   "2.0",      "\"\"",
                                         "\"2\"", "true", "null", "\"laxx\"", "[2]" };
    char text[96];
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"secure\":true,\"cookieSameSite\":%s}",
                       right[i].value);
        assert_config(text, same(config_same_site(&c), right[i].same_site));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"cookieSameSite\":%s}", wrong[i]);
        assert_refused(text, "\"cookieSameSite\" must be one of: default, lax, strict, none; or a "
                             "number from 1 to 4");
    }
}

static void the_other_choices_are_words(void **state)
{
    (void)state;
    assert_config("{\"cacheControl\":\"no-store\"}", c.cache == CACHE_NO_STORE);
    assert_config("{\"cacheControl\":\"Private\"}", c.cache == CACHE_PRIVATE);
    assert_config("{\"cacheControl\":\"none\"}", c.cache == CACHE_NONE);
    assert_refused("{\"cacheControl\":\"public\"}",
                   "\"cacheControl\" must be one of: no-store, private, none");
    assert_refused("{\"cacheControl\":0}",
                   "\"cacheControl\" must be one of: no-store, private, none");
    assert_config("{\"creation\":\"eager\"}", c.eager);
    assert_config("{\"creation\":\"lazy\"}", !c.eager);
    assert_refused("{\"creation\":true}", "\"creation\" must be one of: lazy, eager");
    assert_refused("{\"cookiePrefix\":\"__Host-\"}",
                   "\"cookiePrefix\" must be one of: auto, none, secure, host");
}

/* ---- what follows from what ---- */

static void timeouts_follow_from_each_other(void **state)
{
    (void)state;
    assert_config("{\"gclifetime\":5}", c.idle_s == 5 && c.gc_interval_s == 5 && c.touch_s == 0);
    assert_config("{\"maxLifetime\":5}", c.idle_s == 5 && c.gc_interval_s == 60);
    assert_config("{\"idleTimeout\":5}", c.idle_s == 5 && c.gc_interval_s == 60);
    assert_config("{\"idleTimeout\":599}", c.touch_s == 59);
    assert_config("{\"idleTimeout\":100000}", c.touch_s == 60 && c.absolute_s == 100000);
    assert_config("{\"gclifetime\":100000}", c.idle_s == 100000 && c.absolute_s == 100000);
    assert_config("{\"absoluteTimeout\":0}", c.absolute_s == 0 && c.idle_s == 1800);
    assert_config("{\"absoluteTimeout\":600}", c.absolute_s == 600 && c.idle_s == 600);
    assert_config("{\"absoluteTimeout\":3600}", c.absolute_s == 3600 && c.idle_s == 1800);
    assert_config("{\"touchThreshold\":0}", c.touch_s == 0);
}

static void a_default_yields_to_a_smaller_limit(void **state)
{
    (void)state;
    assert_config("{\"maxRecordBytes\":1024}", c.max_value_bytes == 1024);
    assert_config("{\"maxRecordBytes\":1048576}", c.max_value_bytes == 65536);
}

static void the_cookies_age_is_clamped_to_what_browsers_keep(void **state)
{
    (void)state;
    assert_config("{\"cookieLifeTime\":0}", c.cookie_lifetime_s == 0);
    assert_config("{\"cookieLifeTime\":34560000}", c.cookie_lifetime_s == 34560000);
    assert_config("{\"cookieLifeTime\":34560001}", c.cookie_lifetime_s == 34560000);
    assert_config("{\"cookieLifeTime\":2147483647}", c.cookie_lifetime_s == 34560000);
}

static void the_prefix_follows_from_name_domain_and_path(void **state)
{
    (void)state;
    assert_config("{\"domain\":\"a.example\"}", same(c.faces[1].name, "__Secure-id"));
    assert_config("{\"cookiePath\":\"/a\"}", same(c.faces[1].name, "__Secure-id"));
    assert_config("{\"cookieName\":\"x\"}", same(c.faces[1].name, "x") && c.faces[1].secure);
    assert_config("{\"cookiePrefix\":\"none\"}", same(c.faces[1].name, "id"));
    assert_config("{\"cookieName\":\"x\",\"cookiePrefix\":\"host\"}",
                  same(c.faces[1].name, "__Host-x") && same(c.faces[0].name, "x"));
    assert_config("{\"cookieName\":\"x\",\"cookiePrefix\":\"secure\",\"secure\":true}",
                  same(c.faces[0].name, "__Secure-x") && same(c.faces[1].name, "__Secure-x"));
    assert_config("{\"cookieName\":\"__host-x\"}",
                  c.faces[0].secure && same(c.faces[0].name, "__host-x"));
}

static void the_realm_is_the_bare_name_unless_given(void **state)
{
    (void)state;
    assert_config("{\"cookieName\":\"a\"}", same(c.realm, "a"));
    assert_config("{\"cookieName\":\"a\",\"realm\":\"b\"}", same(c.realm, "b"));
    assert_config("{\"realm\":\"b c\\u00e4\"}", same(c.realm, "b c\xc3\xa4"));
}

static void a_leading_dot_of_the_domain_is_dropped(void **state)
{
    (void)state;
    assert_config("{\"domain\":\".shop.example\"}", same(c.domain, "shop.example"));
    assert_refused("{\"domain\":\"..shop.example\"}",
                   "cookie \"__Secure-id\": the domain must be a host name (letters, digits, "
                   "hyphens, dots)");
    assert_refused("{\"domain\":\".\"}", "cookie \"__Secure-id\": the domain must be a host name "
                                         "(letters, digits, hyphens, dots)");
}

static void proxies_are_a_list_or_a_text(void **state)
{
    (void)state;
    assert_config("{\"trustedProxies\":[]}", !c.proxies);
    assert_config("{\"trustedProxies\":[\"10.0.0.0/8\",\"::1\"]}", c.proxies != NULL);
    assert_config("{\"trustedProxies\":\"10.0.0.0/8, ::1\"}", c.proxies != NULL);
    assert_refused("{\"trustedProxies\":[\"::1\",\"nginx\"]}",
                   "\"trustedProxies\": \"nginx\" is not an address or network such as 192.0.2.7 "
                   "or 10.0.0.0/8");
    assert_refused("{\"trustedProxies\":\"10.0.0.0/8,\"}",
                   "\"trustedProxies\": \"\" is not an address or network such as 192.0.2.7 or "
                   "10.0.0.0/8");
    assert_refused("{\"trustedProxies\":[\"10.0.0.1/8\"]}",
                   "\"trustedProxies\": \"10.0.0.1/8\" is an address in a network; the network is "
                   "10.0.0.0/8, the address 10.0.0.1");
    assert_refused("{\"trustedProxies\":[\"::1\",\" 2001:db8::7:1/113\"]}",
                   "\"trustedProxies\": \"2001:db8::7:1/113\" is an address in a network; the "
                   "network is 2001:db8::7:0/113, the address 2001:db8::7:1");
    assert_refused("{\"trustedProxies\":[\"10.0.0.0/33\"]}",
                   "\"trustedProxies\": \"10.0.0.0/33\" is not an address or network such as "
                   "192.0.2.7 or 10.0.0.0/8");
    assert_refused("{\"trustedProxies\":[\"a\\nb\"]}",
                   "\"trustedProxies\": \"a?b\" is not an address or network such as 192.0.2.7 or "
                   "10.0.0.0/8");
    assert_refused("{\"trustedProxies\":[\"::1\",7]}",
                   "\"trustedProxies\" must be an array of texts");
    assert_refused("{\"trustedProxies\":true}", "\"trustedProxies\" must be an array of texts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ancestors_string_works_and_means_an_hour_of_idleness),
        cmocka_unit_test(all_of_the_ancestors_keys_are_taken_in_any_case),
        cmocka_unit_test(the_defaults_are_as_documented),
        cmocka_unit_test(empty_texts_mean_the_default),
        cmocka_unit_test(numbers_are_taken_within_their_range),
        cmocka_unit_test(limits_are_taken_within_their_range),
        cmocka_unit_test(booleans_are_nothing_else),
        cmocka_unit_test(texts_are_as_long_as_documented),
        cmocka_unit_test(a_name_is_measured_with_its_prefix),
        cmocka_unit_test(secure_is_true_false_or_auto),
        cmocka_unit_test(samesite_is_a_number_of_go_or_a_name),
        cmocka_unit_test(the_other_choices_are_words),
        cmocka_unit_test(timeouts_follow_from_each_other),
        cmocka_unit_test(a_default_yields_to_a_smaller_limit),
        cmocka_unit_test(the_cookies_age_is_clamped_to_what_browsers_keep),
        cmocka_unit_test(the_prefix_follows_from_name_domain_and_path),
        cmocka_unit_test(the_realm_is_the_bare_name_unless_given),
        cmocka_unit_test(a_leading_dot_of_the_domain_is_dropped),
        cmocka_unit_test(proxies_are_a_list_or_a_text),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
