/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include <stdio.h>

static struct ses_csrf_token token_of(ses_session *session)
{
    struct ses_csrf_token token;
    assert_ok(ses_csrf_token(session, &token));
    return token;
}

static void every_token_differs_and_each_is_taken(void **state)
{
    enum { TOKENS = 64 };
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    struct ses_csrf_token tokens[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
        tokens[i] = token_of(session);
        for (int j = 0; j < i; j++) /* no part of the text stays: mask and masked secret differ */
            assert_true(strncmp(tokens[i].text, tokens[j].text, 20) != 0 &&
                        strcmp(tokens[i].text + 23, tokens[j].text + 23) != 0);
    }
    scene_finish(session, NULL);
    session = scene_visit(scene, &visitor);
    for (int i = 0; i < TOKENS; i++)
        assert_ok(ses_csrf_check(session, tokens[i].text));
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_CSRF), 0);
}

static void a_token_is_of_one_session(void **state)
{
    struct scene *scene = *state;
    const struct visitor one = scene_visitor(scene, 1), two = scene_visitor(scene, 2);
    ses_session *first = scene_visit(scene, &one), *second = scene_visit(scene, &two);
    const struct ses_csrf_token token = token_of(first);
    assert_ok(ses_csrf_check(first, token.text));
    assert_code(ses_csrf_check(second, token.text), SES_ERR_DENIED);
    assert_int_equal(scene_told(scene, SES_EVENT_CSRF), 1);
    assert_int_equal(scene_stats(scene).csrf, 1);
    ses_release(first);
    ses_release(second);
}

static void any_other_text_is_denied(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_csrf_token token = token_of(session);
    static const char *const others[] = { NULL, "", "a", "====", "\xff\xfe" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_code(ses_csrf_check(session, others[i]), SES_ERR_DENIED);

    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char changed[128];
    for (size_t at = 0; token.text[at]; at++) {
        for (const char *c = alphabet; *c; c++) {
            (void)snprintf(changed, sizeof changed, "%s", token.text);
            changed[at] = *c;
            assert_code(ses_csrf_check(session, changed),
                        strcmp(changed, token.text) == 0 ? SES_OK : SES_ERR_DENIED);
        }
    }
    (void)snprintf(changed, sizeof changed, "%sA", token.text);
    assert_code(ses_csrf_check(session, changed), SES_ERR_DENIED);
    (void)snprintf(changed, sizeof changed, "%.*s", (int)strlen(token.text) - 1, token.text);
    assert_code(ses_csrf_check(session, changed), SES_ERR_DENIED);
    ses_release(session);
}

static void a_new_session_is_stored_for_it(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    const struct ses_csrf_token token = token_of(session);
    assert_ok(ses_csrf_check(session, token.text));
    scene_finish(session, &visitor);
    assert_string_not_equal(visitor.cookie, "");
    session = scene_visit(scene, &visitor);
    assert_ok(ses_csrf_check(session, token.text));
    ses_release(session);
}

static void a_stranger_has_none_and_is_not_stored_for_checking(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_csrf_token token = token_of(session);
    ses_release(session);
    session = scene_start(scene, NULL);
    assert_code(ses_csrf_check(session, token.text), SES_ERR_DENIED);
    assert_null(scene_commit(session, NULL));
    struct ses_csrf_token late;
    assert_code(ses_csrf_token(session, &late), SES_ERR_INVALID);
    ses_release(session);
    assert_int_equal(scene_count(scene), 1);
}

static void it_ends_with_the_log_in_and_outlives_a_new_id(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_csrf_token before = token_of(session);
    assert_ok(ses_regenerate(session));
    assert_ok(ses_csrf_check(session, before.text));
    assert_ok(ses_login(session, "ada", SES_LEVEL_PARTIAL, SES_LOGIN_KEEP_DATA));
    assert_code(ses_csrf_check(session, before.text), SES_ERR_DENIED);
    const struct ses_csrf_token partial = token_of(session);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL));
    assert_code(ses_csrf_check(session, partial.text), SES_ERR_DENIED);
    const struct ses_csrf_token full = token_of(session);
    scene_finish(session, &visitor);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_csrf_check(session, full.text));
    assert_ok(ses_logout(session, 0));
    assert_code(ses_csrf_check(session, full.text), SES_ERR_DENIED);
    ses_release(session);
}

static void it_outlives_a_renewal_by_time_and_is_told_after_the_commit_too(void **state)
{
    struct scene *scene = scene_with(state, "{\"idleTimeout\":7200}");
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor old = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_csrf_token before = token_of(session);
    scene_finish(session, NULL);
    atomic_fetch_add(&scene->now_ms, 3600 * 1000);
    session = scene_visit(scene, &visitor);
    (void)scene_commit(session, &visitor);
    const struct ses_csrf_token late = token_of(session);
    ses_release(session);
    assert_string_not_equal(visitor.cookie, old.cookie);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_csrf_check(session, before.text));
    assert_ok(ses_csrf_check(session, late.text));
    ses_release(session);
}

/* A page is cached or reflected nowhere with a byte that stays: not in the mask, nor behind it. */
static void no_bit_of_a_token_is_fixed(void **state)
{
    enum { TOKENS = 200, LEN = 43 };
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    ses_session *session = scene_visit(scene, &visitor);
    unsigned seen[LEN] = { 0 }; /* of each character, how many different ones */
    char texts[TOKENS][LEN + 1];
    for (size_t i = 0; i < TOKENS; i++) {
        const struct ses_csrf_token token = token_of(session);
        assert_int_equal(strlen(token.text), LEN);
        memcpy(texts[i], token.text, sizeof texts[i]);
        for (size_t at = 0; at < LEN; at++) {
            bool known = false;
            for (size_t j = 0; j < i; j++)
                known |= texts[j][at] == texts[i][at];
            seen[at] += !known;
        }
    }
    for (size_t at = 0; at < LEN; at++) /* 200 of 64; the last has 4 bits */
        assert_true(seen[at] >= (at == LEN - 1 ? 14 : 45));
    ses_release(session);
}

static void the_token_of_a_form_dies_with_the_log_in_also_when_nothing_was_stored(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    const struct ses_csrf_token before = token_of(session);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, 0));
    assert_code(ses_csrf_check(session, before.text), SES_ERR_DENIED);
    scene_finish(session, &visitor);
    session = scene_visit(scene, &visitor);
    assert_code(ses_csrf_check(session, before.text), SES_ERR_DENIED);
    ses_release(session);
    assert_int_equal(scene_told(scene, SES_EVENT_CSRF), 2);
}

/* Stored by a program that knows no CSRF tokens. */
static void a_record_without_a_secret_gets_one(void **state)
{
    struct scene *scene = scene_with(state, "{\"renewalInterval\":0,\"absoluteTimeout\":0}");
    const struct visitor visitor = scene_plant(scene, SLICE("\x82\xa1\x00\x01\xa0"));
    ses_session *session = scene_visit(scene, &visitor);
    const struct ses_csrf_token token = token_of(session);
    scene_finish(session, NULL);
    session = scene_visit(scene, &visitor);
    assert_ok(ses_csrf_check(session, token.text));
    ses_release(session);
}

static void a_request_with_a_dead_id_gets_none(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    const struct visitor dead = visitor;
    ses_session *session = scene_visit(scene, &visitor);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, 0));
    scene_finish(session, &visitor);
    session = scene_visit(scene, &dead);
    struct ses_csrf_token token;
    assert_code(ses_csrf_token(session, &token), SES_ERR_GONE);
    ses_release(session);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(every_token_differs_and_each_is_taken),
        CASE(a_token_is_of_one_session),
        CASE(any_other_text_is_denied),
        CASE(a_new_session_is_stored_for_it),
        CASE(a_stranger_has_none_and_is_not_stored_for_checking),
        CASE(it_ends_with_the_log_in_and_outlives_a_new_id),
        CASE(it_outlives_a_renewal_by_time_and_is_told_after_the_commit_too),
        CASE(no_bit_of_a_token_is_fixed),
        CASE(the_token_of_a_form_dies_with_the_log_in_also_when_nothing_was_stored),
        CASE(a_record_without_a_secret_gets_one),
        CASE(a_request_with_a_dead_id_gets_none),
    };
    return cmocka_run_group_tests_name("csrf", tests, NULL, NULL);
}
