/* SPDX-License-Identifier: MIT */
#include "core/manager.h"
#include "core/preset.h"

#include "support/session_fixture.h"

#include <stdio.h>

/* ---- helpers ---- */

enum { LINES_MAX = 64 };

struct lines {
    char text[LINES_MAX][2048];
    size_t count;
};

static void take_line(void *arg, const char *line)
{
    struct lines *lines = arg;
    assert_true(lines->count < LINES_MAX);
    (void)snprintf(lines->text[lines->count++], sizeof lines->text[0], "%s", line);
}

static bool has_line(const struct lines *lines, const char *part)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (strstr(lines->text[i], part))
            return true;
    }
    return false;
}

/* How a manager of this configuration falls short of a preset. */
static struct lines shortfalls(const char *json, const char *preset)
{
    struct lines all = { .count = 0 }, shorts = { .count = 0 };
    struct scene *scene = scene_new("memory", json);
    assert_ok(ses_manager_policy(scene->manager, preset, take_line, &all));
    for (size_t i = 0; i < all.count; i++) {
        if (strncmp(all.text[i], "short of ", 9) == 0)
            take_line(&shorts, all.text[i]);
    }
    scene_free(scene);
    return shorts;
}

static void assert_limits(const char *json, int64_t idle_s, int64_t absolute_s)
{
    struct scene *scene = scene_new("memory", json);
    assert_int_equal(scene->manager->config.idle_s, idle_s);
    assert_int_equal(scene->manager->config.absolute_s, absolute_s);
    assert_true(scene->manager->config.faces[false].secure);
    scene_free(scene);
}

/* ---- defaults ---- */

static void a_preset_brings_the_limits_of_its_standard(void **state)
{
    (void)state;
    enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
    assert_limits("{\"preset\":\"asvs-l1\"}", 30 * MINUTE, 30 * DAY);
    assert_limits("{\"preset\":\"asvs-l2\"}", 30 * MINUTE, 12 * HOUR);
    assert_limits("{\"preset\":\"ASVS-L3\"}", 15 * MINUTE, 12 * HOUR);
    assert_limits("{\"preset\":\"aal1\"}", 30 * MINUTE, 30 * DAY);
    assert_limits("{\"preset\":\"aal2\"}", 30 * MINUTE, 12 * HOUR);
    assert_limits("{\"preset\":\"aal3\"}", 15 * MINUTE, 12 * HOUR);
}

static void no_preset_changes_nothing(void **state)
{
    (void)state;
    struct scene *scene = scene_new("memory", "{\"preset\":\"\"}");
    assert_int_equal(scene->manager->config.idle_s, 1800);
    assert_int_equal(scene->manager->config.absolute_s, 86400);
    assert_false(scene->manager->config.faces[false].secure);
    assert_int_equal(scene->line_count, 0);
    scene_free(scene);
}

static void a_presets_limit_yields_to_a_limit_that_is_given(void **state)
{
    (void)state;
    assert_limits("{\"preset\":\"asvs-l2\",\"absoluteTimeout\":900}", 900, 900);
    assert_limits("{\"preset\":\"aal3\",\"absoluteTimeout\":86400}", 900, 86400);
    assert_limits("{\"preset\":\"aal3\",\"absoluteTimeout\":0}", 900, 0);
    assert_limits("{\"preset\":\"aal2\",\"idleTimeout\":43200}", 43200, 43200);
    assert_limits("{\"preset\":\"aal2\",\"idleTimeout\":43201}", 43201, 43201);
    assert_limits("{\"preset\":\"asvs-l1\",\"maxLifetime\":2592001}", 2592001, 2592001);
}

/* gclifetime is the idle timeout, too, where no other is given; a preset does not undo that. */
static void a_presets_limit_yields_to_the_ancestors_key(void **state)
{
    (void)state;
    assert_limits("{\"preset\":\"asvs-l2\",\"gclifetime\":3600}", 3600, 43200);
    assert_limits("{\"preset\":\"asvs-l3\",\"gclifetime\":60}", 60, 43200);
    assert_limits("{\"preset\":\"aal1\",\"gclifetime\":60}", 60, 2592000);
}

static void what_is_given_stays_and_falls_short_aloud(void **state)
{
    (void)state;
    struct scene *scene = scene_new(
        "memory",
        "{\"preset\":\"aal3\",\"idleTimeout\":901,\"secure\":false,\"cookieLifeTime\":9}");
    assert_int_equal(scene->manager->config.idle_s, 901);
    assert_false(scene->manager->config.faces[true].secure);
    size_t shorts = 0;
    for (size_t i = 0; i < scene->line_count; i++)
        shorts += strstr(scene->lines[i], "short of aal3: ") != NULL;
    assert_int_equal(shorts, 4); /* idle, Secure, __Host-, the cookie's age */
    scene_free(scene);
}

static void the_warning_at_start_is_the_reports_sentence(void **state)
{
    (void)state;
    static const char json[] = "{\"preset\":\"asvs-l2\",\"idleTimeout\":3600}";
    static const char *const sentences[] = {
        "short of asvs-l2: the idle timeout of 3600 s is over 1800 s (ASVS 4.0 3.3.2)",
        "short of asvs-l2: no limit of sessions per user is set (ASVS 5.0 7.1.2)",
    };
    const struct lines got = shortfalls(json, NULL);
    struct scene *scene = scene_new("memory", json);
    assert_int_equal(scene->line_count, 2);
    assert_int_equal(got.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(strstr(scene->lines[i], sentences[i]));
        assert_string_equal(got.text[i], sentences[i]);
    }
    scene_free(scene);
}

/* Only the operator knows how many sessions a user is to have. */
static void a_preset_and_nothing_else_leaves_the_limit_per_user_to_the_operator(void **state)
{
    (void)state;
    for (int i = 1; preset_words[i]; i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "{\"preset\":\"%s\"}", preset_words[i]);
        const bool asks = strstr("asvs-l2 asvs-l3", preset_words[i]) != NULL;
        const struct lines got = shortfalls(json, NULL);
        assert_int_equal(got.count, asks);
        assert_int_equal(has_line(&got, "sessions per user"), asks);
    }
}

static void a_preset_alone_meets_what_settings_can_meet(void **state)
{
    (void)state;
    for (int i = 1; preset_words[i]; i++) {
        char json[96];
        (void)snprintf(json, sizeof json, "{\"preset\":\"%s\",\"maxSessionsPerUser\":5}",
                       preset_words[i]);
        assert_int_equal(shortfalls(json, preset_words[i]).count, 0);
        assert_int_equal(shortfalls(json, NULL).count, 0);
    }
}

static void an_unknown_preset_is_refused_with_the_known_ones(void **state)
{
    (void)state;
    struct ses_error error = { 0 };
    assert_null(ses_manager_new("memory", "{\"preset\":\"asvs-l4\"}", NULL, &error));
    assert_int_equal(error.code, SES_ERR_INVALID);
    assert_string_equal(error.message, "\"preset\" must be one of: asvs-l1, asvs-l2, asvs-l3, "
                                       "aal1, aal2, aal3");
}

/* ---- the report ---- */

static void a_limit_is_met_at_its_edge_and_missed_one_second_later(void **state)
{
    (void)state;
    static const struct {
        const char *preset;
        int idle_s, absolute_s;
    } limits[] = {
        { "asvs-l2", 1800, 43200 }, { "asvs-l3", 900, 43200 }, { "aal2", 1800, 43200 },
        { "aal3", 900, 43200 },     { "aal1", 0, 2592000 },    { "asvs-l1", 0, 2592000 },
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (int beyond = 0; beyond < 2; beyond++) {
            char json[256];
            (void)snprintf(json, sizeof json,
                           "{\"secure\":true,\"maxSessionsPerUser\":1,\"idleTimeout\":%d,"
                           "\"absoluteTimeout\":%d}",
                           limits[i].idle_s ? limits[i].idle_s + beyond : 86400,
                           limits[i].absolute_s + beyond);
            const struct lines got = shortfalls(json, limits[i].preset);
            assert_int_equal(has_line(&got, "the absolute timeout of "), beyond);
            assert_int_equal(has_line(&got, "the idle timeout of "), beyond && limits[i].idle_s);
            assert_int_equal(got.count, beyond * (1 + (limits[i].idle_s != 0)));
        }
    }
}

static void renewal_is_asked_for_each_hour_from_asvs_l2_on(void **state)
{
    (void)state;
    static const char hourly[] = "{\"preset\":\"asvs-l2\",\"renewalInterval\":3600}";
    static const char later[] = "{\"preset\":\"asvs-l2\",\"renewalInterval\":3601}";
    struct lines got = shortfalls(hourly, NULL);
    assert_false(has_line(&got, "not renewed"));
    got = shortfalls(later, NULL);
    assert_true(has_line(&got, "not renewed each 3600 s (OWASP Session Management"));
    got = shortfalls(later, "asvs-l1");
    assert_false(has_line(&got, "not renewed"));
}

enum { L1 = 1, L2 = 2, L3 = 4, AAL1 = 8, AAL2 = 16, AAL3 = 32, ALL = 63 };

/* What is told of the bad configuration below, and by which presets, as bits in their order. */
static const struct {
    const char *part;
    unsigned presets;
} faults[] = {
    { "the idle timeout of 86400 s is over 1800 s", L2 | AAL2 },
    { "the idle timeout of 86400 s is over 900 s", L3 | AAL3 },
    { "there is no absolute timeout, of 2592000 s at most", L1 | AAL1 },
    { "there is no absolute timeout, of 43200 s at most", L2 | L3 | AAL2 | AAL3 },
    { "(ASVS 4.0 3.3.2)", L1 | L2 | L3 },
    { "(NIST SP 800-63B 4.1.3)", AAL1 },
    { "(NIST SP 800-63B 4.2.3)", AAL2 },
    { "(NIST SP 800-63B 4.3.3)", AAL3 },
    { "ids are not renewed each 3600 s", L2 | L3 },
    { "not Secure on requests without TLS (ASVS 4.0 3.4.1)", ALL },
    { "not HttpOnly (ASVS 4.0 3.4.2)", ALL },
    { "no __Host- prefix (ASVS 4.0 3.4.4)", ALL },
    { "may be kept (ASVS 5.0 14.3.2)", ALL },
    { "comes back after its renewal does not end the session", L2 | L3 },
    { "no limit of sessions per user is set (ASVS 5.0 7.1.2)", L2 | L3 },
    { "remembered beyond its session (NIST SP 800-63B 7.1)", AAL1 | AAL2 | AAL3 },
    { "the cookie outlives the browser (NIST SP 800-63B 7.1)", AAL1 | AAL2 | AAL3 },
};

static void every_preset_tells_every_way_to_fall_short_of_it(void **state)
{
    (void)state;
    static const char bad[] =
        "{\"secure\":false,\"disableHTTPOnly\":true,\"cacheControl\":\"none\","
        "\"absoluteTimeout\":0,\"idleTimeout\":86400,\"renewalInterval\":0,"
        "\"whenStolen\":\"report\",\"rememberLifetime\":60,"
        "\"cookieLifeTime\":60}";
    static const size_t counts[] = { 5, 9, 9, 7, 8, 8 };
    for (int i = 1; preset_words[i]; i++) {
        const struct lines got = shortfalls(bad, preset_words[i]);
        assert_int_equal(got.count, counts[i - 1]);
        for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
            assert_int_equal(has_line(&got, faults[f].part), (faults[f].presets >> (i - 1)) & 1);
    }
}

/* It needs Secure, so it cannot be in the configuration above. */
static void every_preset_tells_of_same_site_none(void **state)
{
    (void)state;
    for (int i = 1; preset_words[i]; i++) {
        char json[128];
        (void)snprintf(json, sizeof json,
                       "{\"preset\":\"%s\",\"cookieSameSite\":\"none\",\"maxSessionsPerUser\":1}",
                       preset_words[i]);
        const struct lines got = shortfalls(json, NULL);
        assert_int_equal(got.count, 1);
        assert_true(has_line(&got, "SameSite=None (ASVS 4.0 3.4.3)"));
    }
}

static void the_policy_is_told_without_a_secret(void **state)
{
    (void)state;
    static const char secret[] = "a-secret-that-nobody-is-to-read-in-a-report";
    char json[256];
    struct lines got = { .count = 0 };
    (void)snprintf(json, sizeof json, "{\"idKey\":\"%s\",\"maxSessionsPerUser\":3}", secret);
    struct scene *scene = scene_new("memory", json);
    assert_ok(ses_manager_policy(scene->manager, NULL, take_line, &got));
    assert_true(has_line(&got, "idle timeout: 1800 s"));
    assert_true(has_line(&got, "absolute timeout: 86400 s"));
    assert_true(has_line(&got, "ids are renewed after: 3600 s"));
    assert_true(has_line(&got, "sessions of one user: 3, then the next log-in is refused"));
    assert_true(has_line(&got, "cookie with TLS: __Host-id; Secure; HttpOnly"));
    assert_true(has_line(&got, "with a keyed check"));
    assert_false(has_line(&got, secret));
    assert_false(has_line(&got, "short of"));
    scene_free(scene);
}

static void the_report_tells_what_is_not_the_default(void **state)
{
    (void)state;
    static const char json[] =
        "{\"secure\":true,\"absoluteTimeout\":0,\"renewalInterval\":0,\"whenStolen\":\"report\","
        "\"maxSessionsPerUser\":2,\"whenUserFull\":\"endOldest\",\"rememberLifetime\":60,"
        "\"cookieLifeTime\":70,\"cookiePartitioned\":true,\"cookieSameSite\":\"none\","
        "\"cacheControl\":\"private\",\"backgroundHeader\":\"X-Background\",\"scanLimit\":7,"
        "\"scanAction\":\"refuse\",\"bindNetwork\":\"demand\",\"bindUserAgent\":\"signal\","
        "\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"X-Session\","
        "\"sessionIDLength\":16}";
    static const char *const told[] = {
        "absolute timeout: none",
        "ids are renewed after: never",
        "an id that comes back later: is reported",
        "sessions of one user: 2, then the oldest one is ended",
        "a log-in is remembered for: 60 s",
        "the cookie outlives the browser for: 70 s",
        "cookie without TLS: __Host-id; Secure; HttpOnly; Path=/; SameSite=None; Partitioned",
        "ids also travel in: X-Session",
        "responses of a session: private",
        "requests in the background: X-Background",
        "refused ids of one peer in a minute: 7, then it is shut out",
        "same network: demanded",
        "same browser: a signal",
        "ids: 128 random bits, without a keyed check",
    };
    struct lines got = { .count = 0 };
    struct scene *scene = scene_new("memory", json);
    assert_ok(ses_manager_policy(scene->manager, NULL, take_line, &got));
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        assert_true(has_line(&got, told[i]));
    scene_free(scene);
}

static void a_cookie_of_the_longest_texts_is_told_to_its_end(void **state)
{
    (void)state;
    enum { LEN = 1000 };
    char path[LEN + 1] = "/", json[LEN + 64], end[LEN + 64];
    memset(path + 1, 'p', LEN - 1);
    (void)snprintf(json, sizeof json, "{\"cookiePath\":\"%s\",\"domain\":\"a.example\"}", path);
    (void)snprintf(end, sizeof end, "Path=%s; SameSite=Lax; Domain=a.example", path);
    struct lines got = { .count = 0 };
    struct scene *scene = scene_new("memory", json);
    assert_ok(ses_manager_policy(scene->manager, NULL, take_line, &got));
    assert_true(has_line(&got, end));
    scene_free(scene);
}

static void an_unknown_name_is_invalid_and_tells_nothing(void **state)
{
    struct scene *scene = *state;
    struct lines got = { .count = 0 };
    assert_code(ses_manager_policy(scene->manager, "aal4", take_line, &got), SES_ERR_INVALID);
    assert_code(ses_manager_policy(scene->manager, "", take_line, &got), SES_ERR_INVALID);
    assert_int_equal(got.count, 0);
}

static void the_highest_levels_say_what_is_the_applications_to_do(void **state)
{
    struct scene *scene = *state;
    struct lines got = { .count = 0 };
    assert_ok(ses_manager_policy(scene->manager, "aal3", take_line, &got));
    assert_true(has_line(&got, "beyond aal3: several factors"));
    got.count = 0;
    assert_ok(ses_manager_policy(scene->manager, "ASVS-L3", take_line, &got));
    assert_true(has_line(&got, "beyond asvs-l3: several factors"));
    got.count = 0;
    assert_ok(ses_manager_policy(scene->manager, "aal2", take_line, &got));
    assert_false(has_line(&got, "beyond "));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preset_brings_the_limits_of_its_standard),
        cmocka_unit_test(no_preset_changes_nothing),
        cmocka_unit_test(a_presets_limit_yields_to_a_limit_that_is_given),
        cmocka_unit_test(a_presets_limit_yields_to_the_ancestors_key),
        cmocka_unit_test(what_is_given_stays_and_falls_short_aloud),
        cmocka_unit_test(the_warning_at_start_is_the_reports_sentence),
        cmocka_unit_test(a_preset_and_nothing_else_leaves_the_limit_per_user_to_the_operator),
        cmocka_unit_test(a_preset_alone_meets_what_settings_can_meet),
        cmocka_unit_test(an_unknown_preset_is_refused_with_the_known_ones),
        cmocka_unit_test(a_limit_is_met_at_its_edge_and_missed_one_second_later),
        cmocka_unit_test(renewal_is_asked_for_each_hour_from_asvs_l2_on),
        cmocka_unit_test(every_preset_tells_every_way_to_fall_short_of_it),
        cmocka_unit_test(every_preset_tells_of_same_site_none),
        cmocka_unit_test(the_policy_is_told_without_a_secret),
        cmocka_unit_test(the_report_tells_what_is_not_the_default),
        cmocka_unit_test(a_cookie_of_the_longest_texts_is_told_to_its_end),
        CASE(an_unknown_name_is_invalid_and_tells_nothing),
        CASE(the_highest_levels_say_what_is_the_applications_to_do),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
