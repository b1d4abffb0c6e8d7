/* SPDX-License-Identifier: MIT */
#include "support/browser.h"
#include "support/session_fixture.h"

#include "base/slice.h"

#include <stdio.h>

/* What a response says: cookies, the id in a header, caching. */

enum { TOUCH_S = 60 };

/* ---- cookies ---- */

static struct browser_cookie set_cookie(ses_session *session)
{
    struct browser_cookie cookie;
    const char *field = scene_commit(session, NULL);
    assert_non_null(field);
    assert_true(browser_reads(slice_of_text(field), &cookie));
    assert_int_equal(cookie.unknown, 0);
    assert_int_equal(cookie.twice, 0);
    return cookie;
}

static bool text_is(struct ses_slice slice, const char *text)
{
    return slice_equal(slice, slice_of_text(text));
}

struct face {
    const char *json;
    bool tls;
    const char *peer;
    const char *proto;
    const char *name;
    bool secure;
};

static const char *forwarded_proto(void *arg, const char *name, size_t nth)
{
    return nth == 0 && strcmp(name, "X-Forwarded-Proto") == 0 ? arg : NULL;
}

static void name_and_secure_follow_the_setting_and_the_connection(void **state)
{
    static const struct face faces[] = {
        { "{}", false, NULL, NULL, "id", false },
        { "{}", true, NULL, NULL, "__Host-id", true },
        { "{\"secure\":true}", false, NULL, NULL, "__Host-id", true },
        { "{\"secure\":false}", true, NULL, NULL, "id", false },
        { "{\"secure\":true,\"domain\":\"example.org\"}", true, NULL, NULL, "__Secure-id", true },
        { "{\"cookieName\":\"sid\"}", true, NULL, NULL, "sid", true },
        { "{\"trustedProxies\":[\"10.0.0.1\"]}", false, "10.0.0.1", "https", "__Host-id", true },
        { "{\"trustedProxies\":[\"10.0.0.1\"]}", false, "10.0.0.1", "http", "id", false },
        { "{\"trustedProxies\":[\"10.0.0.1\"]}", false, "10.0.0.2", "https", "id", false },
    };
    for (size_t i = 0; i < sizeof faces / sizeof faces[0]; i++) {
        const struct face *face = &faces[i];
        struct scene *scene = scene_with(state, face->json);
        char proto[8] = "";
        if (face->proto)
            (void)snprintf(proto, sizeof proto, "%s", face->proto);
        struct ses_request request = { .tls = face->tls,
                                       .peer = face->peer,
                                       .header = face->proto ? forwarded_proto : NULL,
                                       .header_arg = proto };
        ses_session *session;
        assert_ok(scene_try(scene, &request, &session));
        assert_ok(ses_set_int(session, "n", 1));
        const struct browser_cookie cookie = set_cookie(session);
        if (!text_is(cookie.name, face->name) || cookie.secure != face->secure)
            fail_msg("face %zu: %.*s", i, (int)cookie.name.len, (const char *)cookie.name.data);
        assert_true(cookie.http_only);
        assert_false(cookie.has_max_age);
        assert_int_equal(cookie.same_site, BROWSER_SAME_SITE_LAX);
        ses_release(session);
    }
}

static const char everything[] =
    "{\"secure\":true,\"domain\":\"example.org\",\"cookiePath\":\"/app\",\"cookieSameSite\":4,"
    "\"cookiePartitioned\":true,\"cookieLifeTime\":3600,\"cookieName\":\"sid\"}";

static void a_removal_carries_the_attributes_of_the_cookie(void **state)
{
    struct scene *scene = scene_with(state, everything);
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct browser_cookie set = set_cookie(session);
    assert_true(set.partitioned && set.secure && text_is(set.domain, "example.org"));
    char cookie[300];
    (void)snprintf(cookie, sizeof cookie, "sid=%s", ses_session_id(session));

    ses_session *again = scene_start(scene, cookie);
    assert_ok(ses_destroy(again));
    const struct browser_cookie removal = set_cookie(again);
    assert_int_equal(removal.value.len, 0);
    assert_true(removal.has_max_age && removal.max_age_s <= 0);
    assert_true(removal.has_expires && removal.expires_s == 0);
    assert_true(slice_equal(removal.name, set.name) && slice_equal(removal.path, set.path) &&
                slice_equal(removal.domain, set.domain));
    assert_true(removal.partitioned && removal.secure && removal.http_only);
    assert_int_equal(removal.same_site, set.same_site);
    ses_release(again);
    ses_release(session);
}

static void the_cookie_goes_also_when_the_store_cannot_be_told(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_destroy(session), SES_ERR_UNAVAILABLE);
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_non_null(strstr(header_value(headers, "Set-Cookie", 0), "Max-Age=0"));
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 0);
    assert_ok(scene_exists(scene, &visitor));

    assert_ok(ses_destroy(session)); /* asked again, it tries again */
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 1);
    ses_release(session);
}

static void who_logs_out_while_the_store_cannot_be_read_loses_the_cookie(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    const struct ses_slice field = { visitor.cookie, strlen(visitor.cookie) };
    struct ses_request request = { .size = sizeof request, .cookies = &field, .cookie_count = 1 };
    ses_session *session;
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(scene_try(scene, &request, &session), SES_ERR_UNAVAILABLE);

    request.flags = SES_REQUEST_LOGOUT;
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_ok(scene_try(scene, &request, &session));
    assert_code(ses_set_int(session, "n", 2), SES_ERR_UNAVAILABLE);
    assert_code(ses_login(session, "ada", SES_LEVEL_FULL, 0), SES_ERR_UNAVAILABLE);
    assert_code(ses_reload(session), SES_ERR_UNAVAILABLE);
    assert_code(ses_commit(session, NULL), SES_ERR_UNAVAILABLE);
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_logout(session, 0), SES_ERR_UNAVAILABLE);
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_non_null(strstr(header_value(headers, "Set-Cookie", 0), "Max-Age=0"));
    assert_ok(scene_exists(scene, &visitor));
    assert_ok(ses_logout(session, 0)); /* the store is back */
    assert_code(scene_exists(scene, &visitor), SES_ERR_NOT_FOUND);
    ses_release(session);
}

static void a_cookie_with_an_age_slides_with_the_session(void **state)
{
    struct scene *scene = scene_with(state, "{\"cookieLifeTime\":3600}");
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_set_int(session, "once", 1));
    const struct browser_cookie first = set_cookie(session);
    assert_int_equal(first.max_age_s, 3600);
    assert_true(first.expires_s == SCENE_START_MS / 1000 + 3600);
    (void)scene_commit(session, &visitor);
    ses_release(session);

    session = scene_visit(scene, &visitor);
    assert_null(scene_commit(session, NULL)); /* nothing moved */
    ses_release(session);

    atomic_store(&scene->now_ms, SCENE_START_MS + TOUCH_S * 1000);
    session = scene_visit(scene, &visitor);
    const struct browser_cookie touched = set_cookie(session);
    assert_true(touched.expires_s == SCENE_START_MS / 1000 + TOUCH_S + 3600);
    assert_true(text_is(touched.value, cookie_value(visitor.cookie)));
    ses_release(session);

    atomic_store(&scene->now_ms, SCENE_START_MS + 2 * TOUCH_S * 1000);
    session = scene_visit(scene, &visitor);
    struct ses_value value;
    assert_ok(ses_take(session, "once", &value)); /* moves the expiry at once */
    assert_true(text_is(set_cookie(session).value, cookie_value(visitor.cookie)));
    ses_release(session);
}

static void without_enable_set_cookie_there_is_none_but_no_store_stays(void **state)
{
    struct scene *scene = scene_with(state, "{\"enableSetCookie\":false}");
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_null(header_value(headers, "Set-Cookie", 0));
    assert_int_equal(headers->cookie_count, 0);
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    ses_release(session);
}

static void the_three_forms_of_the_headers_say_the_same(void **state)
{
    struct scene *scene = *state;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    char joined[2048] = "";
    for (size_t i = 0; i < headers->count; i++) {
        (void)strcat(strcat(joined, headers->fields[i].name), ": ");
        (void)strcat(strcat(joined, headers->fields[i].value), "\r\n");
    }
    assert_string_equal(joined, headers->text);
    assert_int_equal(headers->cookie_count, 1);
    assert_string_equal(headers->cookies[0].value, ses_session_id(session));
    assert_string_equal(headers->cookies[0].name, "id");
    assert_string_equal(headers->cookies[0].path, "/");
    assert_int_equal(headers->cookies[0].max_age_s, -1);
    ses_release(session);
}

/* ---- the id in a header ---- */

static const char *x_session(void *arg, const char *name, size_t nth)
{
    return nth == 0 && strcmp(name, "X-Session") == 0 ? arg : NULL;
}

static void an_id_that_came_in_the_header_goes_back_there(void **state)
{
    struct scene *scene = scene_with(
        state, "{\"EnableSidInHTTPHeader\":true,\"SessionNameInHTTPHeader\":\"X-Session\"}");
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers)); /* a new visitor: by every way */
    assert_string_equal(header_value(headers, "X-Session", 0), ses_session_id(session));
    assert_non_null(scene_commit(session, &visitor));
    ses_release(session);
    const struct visitor other = scene_visitor(scene, 2);

    char id[COOKIE_TEXT_MAX];
    (void)snprintf(id, sizeof id, "%s", cookie_value(visitor.cookie));
    struct ses_slice field = slice_of_text(other.cookie);
    struct ses_request request = {
        .cookies = &field, .cookie_count = 1, .header = x_session, .header_arg = id
    };
    assert_ok(scene_try(scene, &request, &session));
    int64_t n;
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 1); /* the header's, not the cookie's */
    assert_ok(ses_regenerate(session));
    assert_ok(ses_commit(session, &headers));
    assert_string_equal(header_value(headers, "X-Session", 0), ses_session_id(session));
    assert_null(header_value(headers, "Set-Cookie", 0));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_string_equal(header_value(headers, "Vary", 0), "X-Session");
    ses_release(session);

    assert_ok(scene_try(scene, &request, &session)); /* cut; the cookie stays unread (S-54) */
    assert_true(session_is_new(session));
    ses_release(session);
}

/* ---- caching (T-29) ---- */

static void assert_cache(struct scene *scene, const char *reads, const char *vary)
{
    struct visitor visitor = { "" };
    const struct ses_headers *headers;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_commit(session, &headers));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_string_equal(header_value(headers, "Vary", 0), "Cookie");
    scene_finish(session, &visitor);

    session = scene_visit(scene, &visitor);
    assert_ok(ses_commit(session, &headers));
    const char *cache = header_value(headers, "Cache-Control", 0);
    assert_true(reads ? cache && strcmp(cache, reads) == 0 : !cache);
    assert_int_equal(header_count(headers, "Vary"), vary != NULL);
    ses_release(session);

    session = scene_visit(scene, &visitor);
    assert_ok(ses_destroy(session));
    assert_ok(ses_commit(session, &headers));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    assert_string_equal(header_value(headers, "Vary", 0), "Cookie");
    ses_release(session);
}

static void a_response_that_sets_a_cookie_is_never_cached_and_others_by_policy(void **state)
{
    assert_cache(scene_with(state, "{}"), "no-store", "Cookie");
    assert_cache(scene_with(state, "{\"cacheControl\":\"private\"}"), "private, no-cache",
                 "Cookie");
    assert_cache(scene_with(state, "{\"cacheControl\":\"none\"}"), NULL, NULL);
}

/* ---- whatever sets a cookie (T-29) ---- */

static void look(const struct ses_headers *headers, const char *what)
{
    if (headers->cookie_count == 0)
        fail_msg("%s: no cookie", what);
    assert_int_equal(headers->cookie_count, header_count(headers, "Set-Cookie"));
    if (strcmp(header_value(headers, "Cache-Control", 0), "no-store") != 0)
        fail_msg("%s: may be cached", what);
    assert_int_equal(header_count(headers, "Cache-Control"), 1);
    assert_string_equal(header_value(headers, "Vary", 0), "Cookie");
}

static void look_and_keep(ses_session *session, struct visitor *visitor, const char *what)
{
    const struct ses_headers *headers = NULL;
    assert_ok(ses_commit(session, &headers));
    look(headers, what);
    (void)snprintf(visitor->cookie, sizeof visitor->cookie, "%.*s",
                   (int)strcspn(header_value(headers, "Set-Cookie", 0), ";"),
                   header_value(headers, "Set-Cookie", 0));
    ses_release(session);
}

static void set_in_every_way(struct scene *scene)
{
    struct visitor visitor = { "" }, former;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    look_and_keep(session, &visitor, "a new session");

    session = scene_visit(scene, &visitor);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
    look_and_keep(session, &visitor, "a log-in");
    session = scene_visit(scene, &visitor);
    assert_ok(ses_elevate(session, SES_LEVEL_STRONG));
    look_and_keep(session, &visitor, "a step-up");
    session = scene_visit(scene, &visitor);
    assert_ok(ses_regenerate(session));
    look_and_keep(session, &visitor, "a new id");

    former = visitor;
    atomic_fetch_add(&scene->now_ms, 3600 * 1000);
    look_and_keep(scene_visit(scene, &visitor), &visitor, "a renewal");
    look_and_keep(scene_visit(scene, &former), &former, "a renewal whose response was lost");

    char shadowed[2 * COOKIE_TEXT_MAX];
    (void)snprintf(shadowed, sizeof shadowed, "sid=planted; %s", visitor.cookie);
    look_and_keep(scene_start(scene, shadowed), &former, "an eviction");

    session = scene_visit(scene, &visitor);
    assert_ok(ses_logout(session, SES_LOGOUT_CLEAR_SITE_DATA));
    look_and_keep(session, &visitor, "a log-out");
}

static void whatever_sets_a_cookie_is_not_stored_and_varies_by_it(void **state)
{
    static const char *const policies[] = { "no-store", "private", "none" };
    for (size_t i = 0; i < 3; i++) {
        char json[200];
        (void)snprintf(json, sizeof json,
                       "{\"cookieName\":\"sid\",\"idleTimeout\":7200,\"rememberLifetime\":86400,"
                       "\"evictPaths\":[\"/shop\"],\"cacheControl\":\"%s\"}",
                       policies[i]);
        set_in_every_way(scene_with(state, json));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(name_and_secure_follow_the_setting_and_the_connection),
        TEST(a_removal_carries_the_attributes_of_the_cookie),
        TEST(the_cookie_goes_also_when_the_store_cannot_be_told),
        TEST(who_logs_out_while_the_store_cannot_be_read_loses_the_cookie),
        TEST(a_cookie_with_an_age_slides_with_the_session),
        TEST(without_enable_set_cookie_there_is_none_but_no_store_stays),
        TEST(the_three_forms_of_the_headers_say_the_same),
        TEST(an_id_that_came_in_the_header_goes_back_there),
        TEST(a_response_that_sets_a_cookie_is_never_cached_and_others_by_policy),
        TEST(whatever_sets_a_cookie_is_not_stored_and_varies_by_it),
    };
    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
