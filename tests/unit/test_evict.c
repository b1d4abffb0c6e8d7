/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include <stdio.h>
#include <strings.h>

/* Several cookies of our name in one request: which counts, and what becomes of the others. */

static const char evicting[] =
    "{\"cookieName\":\"sid\",\"domain\":\"app.example.org\",\"evictDomains\":[\"example.org\"],"
    "\"evictPaths\":[\"/shop\",\"/shop/cart\"]}";

static const char unknown_id[] = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";

static ses_session *start_over(struct scene *scene, const char *const *fields, size_t count,
                               bool tls)
{
    struct ses_slice slices[16];
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++)
        slices[i] = (struct ses_slice){ fields[i], strlen(fields[i]) };
    struct ses_request request = {
        .size = sizeof request,
        .cookies = slices,
        .cookie_count = count,
        .tls = tls,
        .peer = "192.0.2.7",
    };
    ses_session *session;
    assert_ok(scene_try(scene, &request, &session));
    return session;
}

static ses_session *start(struct scene *scene, const char *const *fields, size_t count)
{
    return start_over(scene, fields, count, false);
}

/* Of a cookie without a domain: another one than that of the host's name as domain. */
static const char *or_host(const char *domain)
{
    return domain ? domain : "(host only)";
}

/* Each Set-Cookie of a response, and that no two are of one name, domain and path (S-75). */
static size_t evicted(const struct ses_headers *headers)
{
    size_t count = 0;
    assert_int_equal(header_count(headers, "Set-Cookie"), headers->cookie_count);
    for (size_t i = 0; i < headers->cookie_count; i++) {
        const struct ses_cookie *a = &headers->cookies[i];
        count += a->max_age_s == 0;
        for (size_t j = 0; j < i; j++) {
            const struct ses_cookie *b = &headers->cookies[j];
            assert_false(strcmp(a->name, b->name) == 0 && strcmp(a->path, b->path) == 0 &&
                         strcasecmp(or_host(a->domain), or_host(b->domain)) == 0);
        }
    }
    return count;
}

static bool evicts(const struct ses_headers *headers, const char *domain, const char *path)
{
    for (size_t i = 0; i < headers->cookie_count; i++) {
        const struct ses_cookie *cookie = &headers->cookies[i];
        if (cookie->max_age_s == 0 && strcmp(cookie->domain, domain) == 0 &&
            strcmp(cookie->path, path) == 0)
            return true;
    }
    return false;
}

static struct visitor new_visitor(struct scene *scene)
{
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 1));
    scene_finish(session, &visitor);
    return visitor;
}

static void a_poisoned_cookie_locks_nobody_out_and_is_evicted(void **state)
{
    struct scene *scene = scene_with(state, evicting);
    const struct visitor visitor = new_visitor(scene);
    char cookie[600];
    (void)snprintf(cookie, sizeof cookie, "sid=%s; sid=rubbish; %s", unknown_id, visitor.cookie);
    const char *const fields[] = { cookie };
    ses_session *session = start(scene, fields, 1);
    assert_false(session_is_new(session));
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_int_equal(headers->cookie_count, 5); /* 2 domains x 3 paths, but our own */
    assert_int_equal(evicted(headers), 5);
    assert_true(evicts(headers, "example.org", "/"));
    assert_true(evicts(headers, "example.org", "/shop"));
    assert_true(evicts(headers, "example.org", "/shop/cart"));
    assert_true(evicts(headers, "app.example.org", "/shop"));
    assert_true(evicts(headers, "app.example.org", "/shop/cart"));
    assert_false(evicts(headers, "app.example.org", "/"));
    assert_string_equal(header_value(headers, "Cache-Control", 0), "no-store");
    ses_release(session);
    assert_ok(scene_exists(scene, &visitor));
}

static void what_stands_behind_ours_is_left_alone(void **state)
{
    struct scene *scene = scene_with(state, evicting);
    const struct visitor visitor = new_visitor(scene);
    char cookie[600];
    (void)snprintf(cookie, sizeof cookie, "%s; sid=rubbish", visitor.cookie);
    const char *const fields[] = { cookie };
    ses_session *session = start(scene, fields, 1);
    assert_null(scene_commit(session, NULL));
    ses_release(session);
}

/* A response that says nothing. */
static void assert_silent(ses_session *session)
{
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_int_equal(headers->count, 0);
    ses_release(session);
}

/* One that sets our cookie, and evicts so many. */
static void assert_sets(ses_session *session, size_t evictions)
{
    const struct ses_headers *headers;
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_commit(session, &headers));
    assert_int_equal(headers->cookie_count, evictions + 1);
    assert_int_equal(evicted(headers), evictions);
    ses_release(session);
}

static void one_unknown_id_evicts_nothing_until_a_cookie_is_set(void **state)
{
    struct scene *scene = scene_with(state, evicting);
    char cookie[200];
    (void)snprintf(cookie, sizeof cookie, "sid=%s", unknown_id);
    const char *const fields[] = { cookie };
    assert_silent(start(scene, fields, 1));
    /* It would come before ours, for ever. */
    assert_sets(start(scene, fields, 1), 5);
}

static void a_flood_of_cookies_is_bounded_and_evicted(void **state)
{
    enum { SENT = 9, TRIED = 8 };
    struct scene *scene = scene_with(state, evicting);
    const struct visitor visitor = new_visitor(scene);
    char ids[SENT][80];
    const char *fields[SENT + 1];
    for (size_t i = 0; i < SENT; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "sid=%s", unknown_id);
        ids[i][10] = (char)('A' + i);
        fields[i] = ids[i];
    }
    fields[SENT] = visitor.cookie;
    scene_forget(scene);
    ses_session *session = start(scene, fields, SENT + 1);
    assert_true(session_is_new(session));
    assert_int_equal(fake_calls(FAKE_LOAD), TRIED);
    assert_int_equal(scene_rejected(scene, SES_REASON_TOO_MANY), 1);
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_int_equal(evicted(headers), 5); /* next time ours is among those that are tried */
    ses_release(session);
}

static void nothing_is_evicted_that_was_not_configured(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = new_visitor(scene);
    char cookie[600];
    (void)snprintf(cookie, sizeof cookie, "id=rubbish; %s", visitor.cookie);
    const char *const fields[] = { cookie };
    ses_session *session = start(scene, fields, 1);
    assert_false(session_is_new(session));
    assert_null(scene_commit(session, NULL));
    ses_release(session);
}

/* However it is written: a browser knows one cookie by it. */
static void nothing_is_evicted_twice_and_never_ours(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"cookieName\":\"sid\",\"domain\":\"app.example.org\",\"evictDomains\":"
                          "[\"Example.org\",\".example.ORG\",\"APP.example.org\"],"
                          "\"evictPaths\":[\"/shop\",\"/\",\"/shop\"]}");
    const struct visitor visitor = new_visitor(scene);
    char cookie[600];
    (void)snprintf(cookie, sizeof cookie, "sid=rubbish; %s", visitor.cookie);
    const char *const fields[] = { cookie };
    ses_session *session = start(scene, fields, 1);
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_int_equal(evicted(headers), 3);
    assert_int_equal(headers->cookie_count, 3);
    assert_true(evicts(headers, "Example.org", "/"));
    assert_true(evicts(headers, "Example.org", "/shop"));
    for (size_t i = 0; i < headers->cookie_count; i++)
        assert_false(strcasecmp(headers->cookies[i].domain, "app.example.org") == 0 &&
                     strcmp(headers->cookies[i].path, "/") == 0);
    ses_release(session);
}

static void a_domain_of_the_host_itself_is_not_ours_when_we_have_none(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"cookieName\":\"sid\",\"evictDomains\":[\"example.org\"]}");
    const struct visitor visitor = new_visitor(scene);
    char cookie[600];
    (void)snprintf(cookie, sizeof cookie, "sid=rubbish; %s", visitor.cookie);
    const char *const fields[] = { cookie };
    ses_session *session = start(scene, fields, 1);
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    assert_int_equal(headers->cookie_count, 1);
    assert_true(evicts(headers, "example.org", "/"));
    ses_release(session);
}

/* A browser would refuse the removal, as it refused the cookie (RFC 6265bis 4.1.3.2). */
static void a_cookie_with_the_host_prefix_is_not_evicted(void **state)
{
    struct scene *scene = scene_with(state, "{\"evictDomains\":[\"example.org\"]}");
    char ids[9][120];
    const char *fields[9];
    for (size_t i = 0; i < 9; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "__Host-id=%s; id=%s", unknown_id, unknown_id);
        fields[i] = ids[i];
    }
    assert_silent(start_over(scene, fields, 9, true));
    assert_int_equal(scene_rejected(scene, SES_REASON_TOO_MANY), 1);
    assert_sets(start_over(scene, fields, 1, true), 0);
}

static void of_two_sessions_the_first_counts_and_the_other_stays(void **state)
{
    struct scene *scene = scene_with(state, evicting);
    const struct visitor one = scene_visitor(scene, 1), two = scene_visitor(scene, 2);
    const char *const fields[] = { one.cookie, two.cookie };
    ses_session *session = start(scene, fields, 2);
    int64_t n;
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 1);
    scene_finish(session, NULL);
    assert_ok(scene_exists(scene, &two));
}

static void the_eighth_candidate_is_still_tried(void **state)
{
    struct scene *scene = scene_with(state, evicting);
    const struct visitor visitor = new_visitor(scene);
    char ids[7][80];
    const char *fields[8];
    for (size_t i = 0; i < 7; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "sid=%s", unknown_id);
        ids[i][10] = (char)('A' + i);
        fields[i] = ids[i];
    }
    fields[7] = visitor.cookie;
    ses_session *session = start(scene, fields, 8);
    assert_false(session_is_new(session));
    assert_int_equal(scene_rejected(scene, SES_REASON_UNKNOWN), 7);
    ses_release(session);
}

static void a_name_that_can_be_planted_is_said_at_start(void **state)
{
    static const char warning[] = "has no __Host- prefix: a sibling domain can plant one";
    struct scene *scene = scene_with(state, evicting);
    bool said = false;
    for (size_t i = 0; i < scene->line_count; i++)
        said |= strstr(scene->lines[i], warning) != NULL;
    assert_true(said);
    scene = scene_with(state, NULL);
    for (size_t i = 0; i < scene->line_count; i++)
        assert_null(strstr(scene->lines[i], warning));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_poisoned_cookie_locks_nobody_out_and_is_evicted),
        CASE(what_stands_behind_ours_is_left_alone),
        CASE(one_unknown_id_evicts_nothing_until_a_cookie_is_set),
        CASE(a_flood_of_cookies_is_bounded_and_evicted),
        CASE(nothing_is_evicted_that_was_not_configured),
        CASE(nothing_is_evicted_twice_and_never_ours),
        CASE(a_domain_of_the_host_itself_is_not_ours_when_we_have_none),
        CASE(a_cookie_with_the_host_prefix_is_not_evicted),
        CASE(of_two_sessions_the_first_counts_and_the_other_stays),
        CASE(the_eighth_candidate_is_still_tried),
        CASE(a_name_that_can_be_planted_is_said_at_start),
    };
    return cmocka_run_group_tests_name("evict", tests, NULL, NULL);
}
