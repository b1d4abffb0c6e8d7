/* SPDX-License-Identifier: MIT */
#include "core/manager.h"
#include "core/preset.h"

#include "support/session_fixture.h"

#include <stdio.h>

/* ---- helpers ---- */

enum { LINES_MAX = 64 };

struct lines {
    char text[LINES_MAX][512];
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
    assert_non_null(strstr(error.message, "asvs-l3"));
    assert_non_null(strstr(error.message, "aal3"));
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

static void every_way_to_fall_short_is_told(void **state)
{
    (void)state;
    static const char bad[] =
        "{\"secure\":true,\"cookieSameSite\":\"none\",\"disableHTTPOnly\":true,\"domain\":\"a.de\","
        "\"cacheControl\":\"none\",\"absoluteTimeout\":0,\"idleTimeout\":86400,"
        "\"renewalInterval\":0,\"whenStolen\":\"report\",\"rememberLifetime\":60,"
        "\"cookieLifeTime\":60}";
    struct lines got = shortfalls(bad, "asvs-l3");
    static const char *const told[] = { "idle timeout", "no absolute timeout", "not renewed",
                                        "not HttpOnly", "SameSite=None",       "__Host-",
                                        "may be kept",  "comes back",          "per user" };
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        assert_true(has_line(&got, told[i]));
    assert_int_equal(got.count, sizeof told / sizeof told[0]);
    got = shortfalls(bad, "aal1");
    assert_true(has_line(&got, "remembered beyond") && has_line(&got, "outlives the browser"));
    got = shortfalls("{\"secure\":false}", "asvs-l1");
    assert_true(has_line(&got, "not Secure"));
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
    assert_ok(ses_manager_policy(scene->manager, "aal2", take_line, &got));
    assert_false(has_line(&got, "beyond "));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preset_brings_the_limits_of_its_standard),
        cmocka_unit_test(what_is_given_stays_and_falls_short_aloud),
        cmocka_unit_test(a_preset_alone_meets_what_settings_can_meet),
        cmocka_unit_test(an_unknown_preset_is_refused_with_the_known_ones),
        cmocka_unit_test(a_limit_is_met_at_its_edge_and_missed_one_second_later),
        cmocka_unit_test(every_way_to_fall_short_is_told),
        cmocka_unit_test(the_policy_is_told_without_a_secret),
        CASE(an_unknown_name_is_invalid_and_tells_nothing),
        CASE(the_highest_levels_say_what_is_the_applications_to_do),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
