/* SPDX-License-Identifier: MIT */
#include "support/config_check.h"

#include <stdio.h>

/* ---- helpers ---- */

static void assert_taken(const char *text)
{
    struct config config;
    read_well(&config, text);
    config_free(&config);
}

static void assert_warnings(const char *text, const char *first, const char *second)
{
    struct config config;
    struct ses_error error = { 0 };
    assert_ok(config_read(&config, text, NULL, NULL, &error));
    const char *expected[] = { first, second, NULL };
    for (size_t i = 0; i < 3; i++) {
        const char *got = config_warning(&config, i);
        if (!expected[i] || !got)
            assert_ptr_equal(got, expected[i]);
        else
            assert_string_equal(got, expected[i]);
        if (!got)
            break;
    }
    config_free(&config);
}

/* ---- names ---- */

static void an_unknown_key_is_told_with_the_nearest(void **state)
{
    (void)state;
    assert_refused(
        "{\"cookieNam\":\"a\"}",
        "unknown configuration key \"cookieNam\"; the nearest known one is \"cookieName\"");
    assert_refused("{\"cookie_name\":\"a\"}", "unknown configuration key \"cookie_name\"; the "
                                              "nearest known one is \"cookieName\"");
    assert_refused(
        "{\"gcLifeTimes\":1}",
        "unknown configuration key \"gcLifeTimes\"; the nearest known one is \"gclifetime\"");
    assert_refused("{\"idle_timeout\":1}",
                   "unknown configuration key \"idle_timeout\"; the nearest "
                   "known one is \"idleTimeout\"");
    assert_refused("{\"trustedProxy\":[]}",
                   "unknown configuration key \"trustedProxy\"; the nearest "
                   "known one is \"trustedProxies\"");
}

static void a_key_that_is_like_none_is_told_without_a_guess(void **state)
{
    (void)state;
    static const char *const far[] = { "",         "x",      "rea",  "redis",
                                       "httpOnly", "maxAge", "port", "sessionTimeoutInSeconds" };
    char text[64], message[192];
    struct ses_error error;
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"%s\":1}", far[i]);
        (void)snprintf(message, sizeof message,
                       "unknown configuration key \"%s\"; sesame-config(5) lists the common ones, "
                       "and memory has maxSessions, maxBytes, whenFull",
                       far[i]);
        assert_null(ses_manager_new("memory", text, NULL, &error));
        assert_int_equal(error.code, SES_ERR_INVALID);
        assert_string_equal(error.message, message);
    }
}

static void a_key_of_another_provider_is_told_with_those_of_this_one(void **state)
{
    (void)state;
    struct ses_error error;
    assert_null(ses_manager_new("file", "{\"tablePrefix\":\"a_\"}", NULL, &error));
    assert_string_equal(error.message,
                        "unknown configuration key \"tablePrefix\"; sesame-config(5) lists the "
                        "common ones, and file has folderDepth, folderWidth, durability, "
                        "rebuildIndex");
    assert_null(ses_manager_new("cookie+memory", "{\"durability\":\"full\"}", NULL, &error));
    assert_string_equal(error.message,
                        "unknown configuration key \"durability\"; sesame-config(5) lists the "
                        "common ones, and memory has maxSessions, maxBytes, whenFull");
    assert_null(ses_manager_new("cookie", "{\"durability\":\"full\"}", NULL, &error));
    assert_string_equal(error.message,
                        "unknown configuration key \"durability\"; sesame-config(5) lists the "
                        "common ones, and cookie has none of its own");
}

static void a_key_of_the_provider_is_known_and_may_be_the_nearest(void **state)
{
    (void)state;
    struct ses_error error;
    ses_manager *manager = ses_manager_new("memory", "{\"MAXSESSIONS\":5}", NULL, &error);
    assert_non_null(manager);
    ses_manager_unref(manager);
    assert_null(ses_manager_new("memory", "{\"maxSession\":5}", NULL, &error));
    assert_string_equal(error.message,
                        "unknown configuration key \"maxSession\"; the nearest known "
                        "one is \"maxSessions\"");
}

static void a_key_is_given_once(void **state)
{
    (void)state;
    assert_refused("{\"cookieName\":\"a\",\"CookieName\":\"a\"}",
                   "\"cookieName\" and \"CookieName\" are the same setting; give it once");
    assert_refused("{\"maxLifetime\":1,\"idleTimeout\":1}",
                   "\"maxLifetime\" and \"idleTimeout\" are the same setting; give it once");
    assert_refused("{\"IDLETIMEOUT\":1,\"maxlifetime\":1}",
                   "\"IDLETIMEOUT\" and \"maxlifetime\" are the same setting; give it once");
    assert_refused("{\"cookieName\":\"a\",\"cookieName\":\"a\"}",
                   "the configuration is not JSON: duplicate object key (line 1, column 30)");
}

/* ---- S-74, T-14: the cookie's parts ---- */

static void what_cannot_stand_in_a_set_cookie_is_refused_at_start(void **state)
{
    (void)state;
    static const char *const bad[] = { "a b",      "a;b", "a=b",    "a,b", "\\u00e4", "a\\nb",
                                       "a\\u007f", "\\t", "a\\\"b", "(a)", "a/b",     "a@b" };
    struct config config;
    struct ses_error error;
    char text[128];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"cookieName\":\"%s\"}", bad[i]);
        assert_code(config_read(&config, text, NULL, NULL, &error), SES_ERR_INVALID);
        assert_non_null(strstr(error.message, "the name must be a token (letters, digits and "));
        config_free(&config);
    }
    assert_refused(
        "{\"cookieName\":\"a b\"}",
        "cookie \"a b\": the name must be a token (letters, digits and !#$%&'*+-.^_`|~)");
    assert_refused("{\"cookiePath\":\"a\"}",
                   "cookie \"__Secure-id\": the path must start with \"/\" and be printable ASCII "
                   "without \";\", at most 1024 bytes");
    assert_refused("{\"cookiePath\":\"/;Domain=evil.example\"}",
                   "cookie \"__Secure-id\": the path must start with \"/\" and be printable ASCII "
                   "without \";\", at most 1024 bytes");
    assert_refused("{\"domain\":\"a.example; Path=/\"}",
                   "cookie \"__Secure-id\": the domain must be a host name (letters, digits, "
                   "hyphens, dots)");
}

static void a_message_about_a_long_name_is_cut_but_stays_one_line(void **state)
{
    (void)state;
    char name[129], text[256];
    struct config config;
    struct ses_error error;
    memset(name, ',', sizeof name);
    name[128] = '\0';
    (void)snprintf(text, sizeof text, "{\"cookieName\":\"%s\"}", name);
    assert_code(config_read(&config, text, NULL, NULL, &error), SES_ERR_INVALID);
    assert_non_null(strstr(error.message, "the name must be a token"));
    config_free(&config);
}

/* ---- S-78, S-79, S-81: contradictions ---- */

static void host_prefix_forbids_domain_and_path(void **state)
{
    (void)state;
    assert_refused("{\"cookiePrefix\":\"host\",\"domain\":\"a.example\"}",
                   "cookie \"__Host-id\": a name with __Host- forbids a domain");
    assert_refused("{\"cookiePrefix\":\"host\",\"cookiePath\":\"/a\"}",
                   "cookie \"__Host-id\": a name with __Host- needs the path \"/\"");
    assert_refused("{\"cookieName\":\"__Host-x\",\"domain\":\"a.example\"}",
                   "cookie \"__Host-x\": a name with __Host- forbids a domain");
    assert_refused("{\"cookieName\":\"__hOST-x\",\"cookiePath\":\"/a\"}",
                   "cookie \"__hOST-x\": a name with __Host- needs the path \"/\"");
    assert_taken("{\"cookieName\":\"__Secure-x\",\"cookiePath\":\"/a\",\"domain\":\"a.example\"}");
}

static void a_prefix_needs_secure(void **state)
{
    (void)state;
    const char *message =
        "a cookie name with __Host- or __Secure- needs \"secure\": true or \"auto\"";
    assert_refused("{\"cookiePrefix\":\"host\",\"secure\":false}", message);
    assert_refused("{\"cookiePrefix\":\"secure\",\"secure\":false}", message);
    assert_refused("{\"cookieName\":\"__Host-x\",\"secure\":false}", message);
    assert_refused("{\"cookieName\":\"__sEcUrE-x\",\"secure\":false}", message);
    assert_taken("{\"cookiePrefix\":\"none\",\"secure\":false}");
    assert_taken("{\"cookiePrefix\":\"auto\",\"secure\":false}");
}

static void a_prefix_is_given_once(void **state)
{
    (void)state;
    const char *message = "\"cookieName\" has a prefix already; leave out \"cookiePrefix\"";
    assert_refused("{\"cookieName\":\"__Host-x\",\"cookiePrefix\":\"host\"}", message);
    assert_refused("{\"cookieName\":\"__Secure-x\",\"cookiePrefix\":\"host\"}", message);
    assert_refused("{\"cookieName\":\"__host-x\",\"cookiePrefix\":\"secure\"}", message);
}

static void samesite_none_and_partitioned_need_secure_always(void **state)
{
    (void)state;
    struct config config;
    struct ses_error error;
    static const char *const auto_texts[] = { "{\"cookieSameSite\":4}",
                                              "{\"cookieSameSite\":\"none\",\"secure\":\"auto\"}",
                                              "{\"cookiePartitioned\":true}" };
    for (size_t i = 0; i < 3; i++) {
        assert_code(config_read(&config, auto_texts[i], NULL, NULL, &error), SES_ERR_INVALID);
        assert_non_null(strstr(error.message, "on requests without TLS"));
        assert_non_null(strstr(error.message, "\"secure\": true"));
        assert_non_null(strstr(error.message, "needs Secure"));
        config_free(&config);
    }
    assert_refused("{\"cookieSameSite\":4,\"secure\":false}",
                   "cookie \"id\": SameSite=None needs Secure");
    assert_refused("{\"cookiePartitioned\":true,\"secure\":false}",
                   "cookie \"id\": Partitioned needs Secure");
    assert_taken("{\"cookieSameSite\":4,\"secure\":true}");
    assert_taken("{\"cookiePartitioned\":true,\"secure\":true}");
    assert_taken("{\"cookieName\":\"__Host-x\",\"cookieSameSite\":4,\"cookiePartitioned\":true}");
}

/* ---- contradictions of ids and limits ---- */

static void an_id_in_the_url_is_refused_with_the_reason(void **state)
{
    (void)state;
    assert_refused(
        "{\"EnableSidInURLQuery\":true}",
        "\"EnableSidInURLQuery\": an id in a URL leaks through logs, history and Referer "
        "(ASVS 5.0 14.2.1); use the cookie");
}

static void an_id_in_a_header_needs_the_headers_name(void **state)
{
    (void)state;
    const char *message = "\"EnableSidInHTTPHeader\" needs \"SessionNameInHTTPHeader\", a header's "
                          "name such as \"X-Session\"";
    assert_refused("{\"EnableSidInHTTPHeader\":true}", message);
    assert_refused("{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"\"}", message);
    assert_refused("{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"X Y\"}", message);
    assert_refused("{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"X:\"}", message);
    assert_refused("{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"X\\r\\nY\"}",
                   message);
    assert_refused("{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"set-cookie\"}",
                   "\"SessionNameInHTTPHeader\" names a header that has a meaning of its own; take "
                   "another, such as \"X-Session\"");
    assert_taken("{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"x-session\"}");
    assert_taken("{\"SessionNameInHTTPHeader\":\"X Y\"}"); /* not used */
}

static void an_id_prefix_is_of_harmless_characters(void **state)
{
    (void)state;
    struct config config;
    struct ses_error error;
    for (int byte = 1; byte < 128; byte++) {
        const bool right = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= 'a' && byte <= 'z') || strchr("-_.~", byte);
        char text[64];
        (void)snprintf(text, sizeof text, "{\"sessionIDPrefix\":\"a\\u%04xb\"}", (unsigned)byte);
        assert_code(config_read(&config, text, NULL, NULL, &error),
                    right ? SES_OK : SES_ERR_INVALID);
        if (!right)
            assert_string_equal(error.message,
                                "\"sessionIDPrefix\" must be letters, digits and -_.~");
        config_free(&config);
    }
    assert_refused("{\"sessionIDPrefix\":\"\\u00e4\"}",
                   "\"sessionIDPrefix\" must be letters, digits and -_.~");
}

static void limits_do_not_contradict_each_other(void **state)
{
    (void)state;
    const char *absolute = "\"absoluteTimeout\" must be at least \"idleTimeout\"; 0 means no limit";
    const char *touch = "\"touchThreshold\" must be less than \"idleTimeout\"";
    assert_refused("{\"absoluteTimeout\":59,\"idleTimeout\":60}", absolute);
    assert_refused("{\"absoluteTimeout\":59,\"maxlifetime\":60}",
                   "\"absoluteTimeout\" must be at least \"maxLifetime\"; 0 means no limit");
    assert_refused("{\"absoluteTimeout\":59,\"gclifetime\":60}",
                   "\"absoluteTimeout\" must be at least \"gclifetime\"; 0 means no limit");
    assert_refused("{\"absoluteTimeout\":59,\"gclifetime\":60,\"idleTimeout\":60}", absolute);
    assert_refused("{\"touchThreshold\":60,\"maxLifetime\":60}",
                   "\"touchThreshold\" must be less than \"maxLifetime\"");
    assert_taken("{\"absoluteTimeout\":60,\"idleTimeout\":60}");
    assert_taken("{\"absoluteTimeout\":0,\"idleTimeout\":60}");
    assert_refused("{\"touchThreshold\":60,\"idleTimeout\":60}", touch);
    assert_refused("{\"touchThreshold\":1800}", touch);
    assert_taken("{\"touchThreshold\":59,\"idleTimeout\":60}");
    assert_refused("{\"maxValueBytes\":2049,\"maxRecordBytes\":2048}",
                   "\"maxValueBytes\" must be at most \"maxRecordBytes\"");
    assert_taken("{\"maxValueBytes\":2048,\"maxRecordBytes\":2048}");
}

/* ---- what is no JSON ---- */

static void broken_json_is_told_with_its_place(void **state)
{
    (void)state;
#define NOT_JSON "the configuration is not JSON: "
    assert_refused("{", NOT_JSON "string or '}' expected (line 1, column 1)");
    assert_refused("{\"a\"", NOT_JSON "':' expected (line 1, column 4)");
    assert_refused("{\n \"cookieName\": \"a\",\n}",
                   NOT_JSON "string or '}' expected (line 3, column 1)");
    assert_refused("{\"cookieName\":}", NOT_JSON "unexpected token (line 1, column 15)");
    assert_refused("{\"cookieName\":'a'}", NOT_JSON "invalid token (line 1, column 15)");
    assert_refused("{cookieName:1}", NOT_JSON "string or '}' expected (line 1, column 11)");
    assert_refused("{} {}", NOT_JSON "end of file expected (line 1, column 4)");
    assert_refused("{\"gclifetime\":010}", NOT_JSON "invalid token (line 1, column 15)");
    assert_refused("{\"cookieName\":\"a\nb\"}", NOT_JSON "unexpected newline (line 1, column 16)");
}

static void a_number_of_more_than_64_bits_is_out_of_range(void **state)
{
    (void)state;
    static const char *const numbers[] = { "99999999999999999999", "-99999999999999999999",
                                           "9223372036854775808", "1e400" };
    char text[96], message[96];
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"gclifetime\":%s}", numbers[i]);
        (void)snprintf(message, sizeof message,
                       "a number in the configuration is out of range (line 1, column %d)",
                       14 + (int)strlen(numbers[i]));
        assert_refused(text, message);
    }
}

static void a_nul_or_no_utf8_in_a_text_is_refused(void **state)
{
    (void)state;
    struct config config;
    struct ses_error error;
    static const char *const texts[] = { "{\"cookieName\":\"a\\u0000b\"}",
                                         "{\"cookie\\u0000Name\":\"a\"}",
                                         "{\"realm\":\"\xff\"}",
                                         "{\"realm\":\"\xc3\"}",
                                         "{\"realm\":\"\xed\xa0\x80\"}",
                                         "{\"realm\":\"\\ud800\"}",
                                         "{\"realm\":\"\xc0\xaf\"}",
                                         "{\"\xff\":1}",
                                         "{\"realm\":\"\xf4\x90\x80\x80\"}" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_code(config_read(&config, texts[i], NULL, NULL, &error), SES_ERR_INVALID);
        assert_memory_equal(error.message, NOT_JSON, sizeof NOT_JSON - 1);
        config_free(&config);
    }
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "[]", "[{}]", "\"id\"", "3600", "null", "true", "1.5" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_refused(texts[i],
                       "the configuration must be a JSON object, such as {\"cookieName\":\"id\"}");
}

static void objects_and_arrays_as_values_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"cookieName\":{\"a\":1}}", "\"cookieName\" must be a text of 0 to 128 bytes");
    assert_refused("{\"cookieName\":[\"a\"]}", "\"cookieName\" must be a text of 0 to 128 bytes");
    assert_refused("{\"gclifetime\":[3600]}",
                   "\"gclifetime\" must be a whole number from 1 to 316224000");
    assert_refused("{\"providerConfig\":{\"save_path\":\"/tmp\"}}",
                   "\"providerConfig\" must be a text of 0 to 4096 bytes");
}

static void json_that_nests_too_deep_is_refused(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    struct config config;
    struct ses_error error;
    char *text = malloc(5 * DEPTH + 1);
    for (size_t i = 0; i < DEPTH; i++)
        memcpy(text + 5 * i, "{\"a\":", 5);
    text[5 * DEPTH] = '\0';
    assert_code(config_read(&config, text, NULL, NULL, &error), SES_ERR_INVALID);
    assert_memory_equal(error.message, NOT_JSON "maximum parsing depth reached",
                        sizeof NOT_JSON "maximum parsing depth reached" - 1);
    config_free(&config);
    free(text);
}

static void an_error_of_syntax_quotes_no_password(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"providerConfig\":\"hunter2",
        "{\"providerConfig\" \"hunter2\"}",
        "{\"providerConfig\":\"redis://\" \"hunter2\"}",
        "{\"providerConfig\":hunter2}",
        "{\"providerConfig\":\"hunter2\n\"}",
        "{\"providerConfig\":\"hunter2\\q\"}",
        "{\"providerConfig\":\"hunter2\"}hunter2",
        "{\"a\":1,\"a near hunter2\":1,\"a near hunter2\":1}",
    };
    struct config config;
    struct ses_error error;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_code(config_read(&config, texts[i], NULL, NULL, &error), SES_ERR_INVALID);
        assert_memory_equal(error.message, NOT_JSON, sizeof NOT_JSON - 1);
        assert_null(strstr(error.message, "hunter2"));
        config_free(&config);
    }
}

/* ---- what is only doubtful ---- */

static void what_deserves_a_warning_gets_one_sentence_each(void **state)
{
    (void)state;
    const char *sibling = "the cookie's name has no __Host- prefix: a sibling domain can plant one";
    assert_warnings("{}", NULL, NULL);
    assert_warnings("{\"cookieName\":\"a\"}", sibling, NULL);
    assert_warnings("{\"disableHTTPOnly\":true}",
                    "disableHTTPOnly: scripts can read the session's id", NULL);
    assert_warnings("{\"secure\":false}", "secure is false: the cookie travels unencrypted",
                    sibling);
    assert_warnings("{\"absoluteTimeout\":0}", "absoluteTimeout is 0: a session in use never ends",
                    NULL);
    assert_warnings("{\"cookiePartitioned\":true,\"secure\":true}",
                    "cookiePartitioned is meant for SameSite=None", NULL);
    assert_warnings("{\"cookiePartitioned\":true,\"secure\":true,\"cookieSameSite\":4}", NULL,
                    NULL);
    assert_warnings("{\"cookieName\":\"__Host-a\"}", NULL, NULL);
    assert_warnings("{\"SessionNameInHTTPHeader\":\"X-Session\"}",
                    "SessionNameInHTTPHeader does nothing without EnableSidInHTTPHeader", NULL);
    assert_warnings("{\"SessionNameInHTTPHeader\":\"\"}", NULL, NULL);
    assert_warnings("{\"cookieName\":\"__host-a\"}", sibling,
                    NULL); /* old browsers match with case */
}

static void trusting_everybody_gets_a_warning(void **state)
{
    (void)state;
    const char *warning = "trustedProxies holds a network of all addresses: every client is "
                          "believed about its own address and TLS";
    assert_warnings("{\"trustedProxies\":[\"0.0.0.0/0\"]}", warning, NULL);
    assert_warnings("{\"trustedProxies\":[\"10.0.0.0/8\",\"::/0\"]}", warning, NULL);
    assert_warnings("{\"trustedProxies\":[\"::ffff:0:0/96\"]}", warning, NULL);
    assert_warnings("{\"trustedProxies\":[\"10.0.0.0/8\",\"fd00::/8\",\"0.0.0.0\"]}", NULL, NULL);
}

struct log {
    char lines[8][256];
    size_t count;
};

static void note(void *arg, enum ses_log_level level, const char *message)
{
    struct log *log = arg;
    if (level == SES_LOG_WARNING && log->count < 8)
        (void)snprintf(log->lines[log->count++], sizeof log->lines[0], "%s", message);
}

static void warnings_reach_the_log_in_order(void **state)
{
    (void)state;
    struct log log = { .count = 0 };
    const struct ses_manager_options options = { .size = sizeof options,
                                                 .log = note,
                                                 .log_arg = &log };
    struct ses_error error;
    ses_manager *manager = ses_manager_new(
        "memory", "{\"disableHTTPOnly\":true,\"secure\":false,\"absoluteTimeout\":0}", &options,
        &error);
    assert_non_null(manager);
    assert_int_equal(log.count, 4);
    assert_string_equal(log.lines[0], "disableHTTPOnly: scripts can read the session's id");
    assert_string_equal(log.lines[1], "secure is false: the cookie travels unencrypted");
    assert_string_equal(log.lines[3], "absoluteTimeout is 0: a session in use never ends");
    ses_manager_unref(manager);
}

static void note_any(void *arg, enum ses_log_level level, const char *message)
{
    struct log *log = arg;
    (void)level;
    (void)snprintf(log->lines[log->count++ % 8], sizeof log->lines[0], "%s", message);
}

static void what_a_provider_refuses_is_told_once(void **state)
{
    (void)state;
    struct log log = { .count = 0 };
    const struct ses_manager_options options = { .size = sizeof options,
                                                 .log = note_any,
                                                 .log_arg = &log };
    const char *message = "memory: ProviderConfig must be empty or left out";
    struct ses_error error;
    assert_null(ses_manager_new("memory", "{\"providerConfig\":\"x\"}", &options, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(log.count, 0);

    /* Whoever asks for no error finds it in the log. */
    assert_null(ses_manager_new("memory", "{\"providerConfig\":\"x\"}", &options, NULL));
    assert_int_equal(log.count, 1);
    assert_string_equal(log.lines[0], message);
    assert_null(ses_manager_new("memory", "{", &options, NULL));
    assert_int_equal(log.count, 2);
}

static void evicting_without_a_limit_is_refused(void **state)
{
    (void)state;
    struct ses_error error;
    assert_null(ses_manager_new("memory", "{\"whenFull\":\"evict\"}", NULL, &error));
    assert_int_equal(error.code, SES_ERR_INVALID);
    assert_string_equal(error.message,
                        "memory: \"whenFull\" needs \"maxSessions\" or \"maxBytes\" to evict at");
}

static void an_unknown_provider_is_told_with_the_known(void **state)
{
    (void)state;
    static const char *const names[] = { NULL, "", "memcach", "../memory", "MEMORY" };
    struct ses_error error;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_null(ses_manager_new(names[i], NULL, NULL, &error));
        assert_int_equal(error.code, SES_ERR_INVALID);
        assert_non_null(strstr(error.message, "known are: "));
        assert_non_null(strstr(error.message, "memory"));
        assert_null(strchr(error.message, '\n'));
    }
}

/* Modules are looked for beside the shared library; this program is linked with the static one. */
static void a_module_of_ours_that_is_not_there_is_told_with_what_builds_it(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        { "redis", "redis" },          { "cookie+sqlite", "sqlite" },
        { "postgresql", "postgres" },  { "cookie+memcache", "memcached" },
        { "redis_sentinel", "redis" }, { "redis_cluster", "redis" },
    };
    struct ses_error error;
    char message[252];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_null(ses_manager_new(names[i][0], NULL, NULL, &error));
        assert_int_equal(error.code, SES_ERR_INVALID);
        (void)snprintf(message, sizeof message,
                       "provider \"%s\" is not installed; it is a module, which sesame built with "
                       "-D%s=enabled installs (the library has no folder to look for modules in)",
                       names[i][1], names[i][1]);
        assert_string_equal(error.message, message);
    }
}

static void a_name_like_a_providers_is_told_with_that_one(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        { "MEMORY", "memory" },         { "fil", "file" },
        { "Redis", "redis" },           { "sqlite3", "sqlite" },
        { "cookie+SQLite3", "sqlite" }, { "mariadb", "mysql" },
        { "MariaDB", "mysql" },         { "Postgres", "postgres" },
        { "PostgreSQL", "postgres" },   { "pgsql", "postgres" },
        { "memcach", "memcached" },     { "valkey", "redis" },
        { "Cookie", "cookie" },
    };
    struct ses_error error;
    char part[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_null(ses_manager_new(names[i][0], NULL, NULL, &error));
        assert_int_equal(error.code, SES_ERR_INVALID);
        (void)snprintf(part, sizeof part, "\"; perhaps \"%s\" is meant; known are: ", names[i][1]);
        if (!strstr(error.message, part))
            fail_msg("%s: %s", names[i][0], error.message);
    }
    static const char *const far[] = { "couchbase", "ssdb", "disk", "", "x" };
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        assert_null(ses_manager_new(far[i], NULL, NULL, &error));
        assert_null(strstr(error.message, "perhaps"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_key_is_told_with_the_nearest),
        cmocka_unit_test(a_key_that_is_like_none_is_told_without_a_guess),
        cmocka_unit_test(a_key_of_another_provider_is_told_with_those_of_this_one),
        cmocka_unit_test(a_key_of_the_provider_is_known_and_may_be_the_nearest),
        cmocka_unit_test(a_key_is_given_once),
        cmocka_unit_test(what_cannot_stand_in_a_set_cookie_is_refused_at_start),
        cmocka_unit_test(a_message_about_a_long_name_is_cut_but_stays_one_line),
        cmocka_unit_test(host_prefix_forbids_domain_and_path),
        cmocka_unit_test(a_prefix_needs_secure),
        cmocka_unit_test(a_prefix_is_given_once),
        cmocka_unit_test(samesite_none_and_partitioned_need_secure_always),
        cmocka_unit_test(an_id_in_the_url_is_refused_with_the_reason),
        cmocka_unit_test(an_id_in_a_header_needs_the_headers_name),
        cmocka_unit_test(an_id_prefix_is_of_harmless_characters),
        cmocka_unit_test(limits_do_not_contradict_each_other),
        cmocka_unit_test(broken_json_is_told_with_its_place),
        cmocka_unit_test(a_number_of_more_than_64_bits_is_out_of_range),
        cmocka_unit_test(a_nul_or_no_utf8_in_a_text_is_refused),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(objects_and_arrays_as_values_are_refused),
        cmocka_unit_test(json_that_nests_too_deep_is_refused),
        cmocka_unit_test(an_error_of_syntax_quotes_no_password),
        cmocka_unit_test(what_deserves_a_warning_gets_one_sentence_each),
        cmocka_unit_test(trusting_everybody_gets_a_warning),
        cmocka_unit_test(warnings_reach_the_log_in_order),
        cmocka_unit_test(what_a_provider_refuses_is_told_once),
        cmocka_unit_test(evicting_without_a_limit_is_refused),
        cmocka_unit_test(an_unknown_provider_is_told_with_the_known),
        cmocka_unit_test(a_module_of_ours_that_is_not_there_is_told_with_what_builds_it),
        cmocka_unit_test(a_name_like_a_providers_is_told_with_that_one),
    };
    return cmocka_run_group_tests_name("config_refused", tests, NULL, NULL);
}
