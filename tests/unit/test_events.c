/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include "base/base64url.h"
#include "base/slice.h"

#include <stdio.h>

static int set_up(void **state)
{
    *state = scene_new("fake", NULL);
    return 0;
}

static int tear_down(void **state)
{
    scene_free(*state);
    return 0;
}

/* The one event told since the last scene_forget(). */
static const struct ses_event *only(struct scene *scene)
{
    assert_int_equal(scene->told_count, 1);
    const struct ses_event *event = &scene->told[0].event;
    assert_int_equal(event->size, sizeof *event);
    return event;
}

static void assert_only(struct scene *scene, enum ses_event_type type, enum ses_reason reason)
{
    const struct ses_event *event = only(scene);
    assert_int_equal(event->type, type);
    assert_int_equal(event->reason, reason);
    scene_forget(scene);
}

/* ---- each once, with its reason ---- */

static void each_act_tells_one_event(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1);
    assert_only(scene, SES_EVENT_CREATED, SES_REASON_NONE);

    ses_session *session = scene_visit(scene, &visitor);
    assert_string_equal(only(scene)->peer, "192.0.2.7");
    assert_only(scene, SES_EVENT_LOADED, SES_REASON_NONE);
    assert_ok(ses_increment(session, "n", 1));
    (void)scene_commit(session, NULL);
    ses_release(session);
    assert_int_equal(scene->told_count, 0);

    session = scene_visit(scene, &visitor);
    scene_forget(scene);
    assert_ok(ses_regenerate(session));
    assert_only(scene, SES_EVENT_REGENERATED, SES_REASON_NONE);
    const struct visitor dead = visitor;
    scene_finish(session, &visitor);
    scene_finish(scene_visit(scene, &dead), NULL);
    assert_only(scene, SES_EVENT_REJECTED, SES_REASON_CUT);

    session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "n", 1));
    scene_forget(scene);
    ses_release(session);
    assert_only(scene, SES_EVENT_UNCOMMITTED, SES_REASON_NONE);

    session = scene_visit(scene, &visitor);
    scene_forget(scene);
    assert_ok(ses_destroy(session));
    assert_ok(ses_destroy(session));
    assert_only(scene, SES_EVENT_DESTROYED, SES_REASON_NONE);
    scene_finish(session, NULL);
    ses_release(scene_visit(scene, &visitor));
    assert_only(scene, SES_EVENT_REJECTED, SES_REASON_ENDED);
    ses_release(scene_start(scene, "id=short"));
    assert_only(scene, SES_EVENT_REJECTED, SES_REASON_MALFORMED);
}

static void a_record_that_does_not_decode_is_told_and_never_served(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_plant(scene, SLICE("\x82\xa1\x00\x01\xa1\x61n"));
    ses_session *session = scene_visit(scene, &visitor);
    assert_only(scene, SES_EVENT_REJECTED, SES_REASON_CORRUPT);
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    struct ses_info info = { .size = sizeof info };
    assert_ok(ses_info(session, &info));
    assert_true(info.is_new);
    ses_release(session);
    assert_int_equal(scene_stats(scene).corrupt, 1);
}

static void an_expired_session_is_told_as_expired(void **state)
{
    struct scene *scene = *state;
    const struct visitor visitor = scene_plant(scene, SLICE("\x82\xa2\x00\x01\x02\x01\xa0"));
    ses_release(scene_visit(scene, &visitor));
    assert_int_equal(scene_told(scene, SES_EVENT_EXPIRED), 1);
    assert_int_equal(scene_rejected(scene, SES_REASON_EXPIRED), 1);
    assert_int_equal(scene->told_count, 2);
    assert_int_equal(scene_stats(scene).expired, 1);
}

static void a_failure_of_the_store_is_told_with_its_code(void **state)
{
    struct scene *scene = *state;
    static const int codes[] = { SES_ERR_UNAVAILABLE, SES_ERR_CORRUPT, SES_ERR_NO_MEMORY };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        fake_provider_fail_call(FAKE_PING, 1, codes[i], FAKE_BEFORE_ACT);
        assert_code(ses_manager_ping(scene->manager), codes[i]);
        assert_int_equal(only(scene)->code, codes[i]);
        assert_int_equal(only(scene)->fingerprint, 0);
        assert_only(scene, SES_EVENT_STORE_ERROR, SES_REASON_NONE);
    }
    assert_ok(ses_manager_ping(scene->manager));
    assert_int_equal(scene->told_count, 0);
    assert_int_equal(scene_stats(scene).store_errors, 3);
}

/* ---- counters ---- */

static void the_counters_count_each_act_once(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1); /* started, created */
    ses_session *first = scene_visit(scene, &visitor), *second = scene_visit(scene, &visitor);
    assert_ok(ses_increment(first, "n", 1));
    assert_ok(ses_increment(second, "n", 1));
    scene_finish(first, NULL);
    scene_finish(second, NULL); /* two saved, one replayed */
    ses_session *session = scene_visit(scene, &visitor);
    const struct visitor dead = visitor;
    assert_ok(ses_regenerate(session));
    scene_finish(session, &visitor);
    ses_release(scene_visit(scene, &dead));        /* cut */
    ses_release(scene_start(scene, "id=x; id=y")); /* two malformed */
    atomic_fetch_add(&scene->now_ms, 120 * 1000);
    session = scene_visit(scene, &visitor);
    scene_finish(session, NULL); /* touched */
    session = scene_visit(scene, &visitor);
    assert_ok(ses_set_int(session, "n", 0));
    ses_release(session); /* uncommitted */
    uint64_t removed;
    assert_ok(ses_gc(scene->manager, 0, &removed)); /* the marker */
    assert_ok(ses_destroy_id(scene->manager, cookie_value(visitor.cookie)));
    ses_release(scene_visit(scene, &visitor)); /* ended */

    const struct ses_stats stats = scene_stats(scene);
    assert_int_equal(stats.started, 9);
    assert_int_equal(stats.loaded, 5);
    assert_int_equal(stats.created, 1);
    assert_int_equal(stats.saved, 2);
    assert_int_equal(stats.touched, 1);
    assert_int_equal(stats.replayed, 1);
    assert_int_equal(stats.conflicts, 0);
    assert_int_equal(stats.regenerated, 1);
    assert_int_equal(stats.destroyed, 1);
    assert_int_equal(stats.expired, 0);
    assert_int_equal(stats.collected, 1);
    assert_int_equal(stats.uncommitted, 1);
    assert_int_equal(stats.store_errors, 0);
    assert_int_equal(stats.malformed, 2);
    assert_int_equal(stats.unknown, 0);
    assert_int_equal(stats.cut, 1);
    assert_int_equal(stats.ended, 1);
    assert_int_equal(stats.corrupt, 0);
}

static void a_struct_of_a_later_release_reads_as_zero_behind_ours(void **state)
{
    struct scene *scene = *state;
    struct {
        struct ses_stats stats;
        uint64_t later;
    } longer = { .later = 5 };
    longer.stats.size = sizeof longer;
    assert_ok(ses_manager_stats(scene->manager, &longer.stats));
    assert_int_equal(longer.later, 0);
    assert_int_equal(longer.stats.size, sizeof longer);
    longer.stats.size = 0;
    assert_code(ses_manager_stats(scene->manager, &longer.stats), SES_ERR_ABI);
}

/* ---- fingerprints ---- */

static void a_fingerprint_is_the_same_for_one_id_and_differs_between_ids(void **state)
{
    struct scene *scene = *state;
    struct visitor visitor = scene_visitor(scene, 1), other = scene_visitor(scene, 2);
    const uint64_t made = scene->told[0].event.fingerprint;
    const uint64_t others = scene->told[1].event.fingerprint;
    assert_true(made != 0 && others != 0 && made != others);
    ses_session *session = scene_visit(scene, &visitor);
    assert_true(scene_last(scene, SES_EVENT_LOADED)->fingerprint == made);
    assert_ok(ses_regenerate(session));
    const uint64_t renewed = scene_last(scene, SES_EVENT_REGENERATED)->fingerprint;
    assert_true(renewed != 0 && renewed != made);
    const struct visitor dead = visitor;
    scene_finish(session, &visitor);
    ses_release(scene_visit(scene, &dead));
    assert_true(scene_last(scene, SES_EVENT_REJECTED)->fingerprint == made);
    session = scene_visit(scene, &visitor);
    assert_true(scene_last(scene, SES_EVENT_LOADED)->fingerprint == renewed);
    assert_ok(ses_destroy(session));
    assert_true(scene_last(scene, SES_EVENT_DESTROYED)->fingerprint == renewed);
    ses_release(session);
    assert_string_not_equal(other.cookie, visitor.cookie);
}

/* The salt is the process's own: fingerprints of two managers tell nothing about one another. */
static void fingerprints_are_salted(void **state)
{
    struct scene *scene = *state;
    struct scene *second = scene_new("fake", NULL);
    const struct visitor visitor = scene_visitor(scene, 1);
    ses_release(scene_visit(second, &visitor));
    assert_true(scene_last(second, SES_EVENT_REJECTED)->fingerprint != 0);
    assert_true(scene_last(second, SES_EVENT_REJECTED)->fingerprint !=
                scene_last(scene, SES_EVENT_CREATED)->fingerprint);
    scene_free(second);
}

/* ---- nothing secret is told (T-30) ---- */

enum { SECRETS_MAX = 64 };

struct secrets {
    char *texts[SECRETS_MAX];
    size_t count;
};

static void add_secret(struct secrets *secrets, const char *text)
{
    assert_true(secrets->count < SECRETS_MAX);
    secrets->texts[secrets->count++] = strdup(text);
}

/* The id itself, and its key as it might be printed. */
static void add_id(struct secrets *secrets, ses_session *session)
{
    const struct ses_key key = key_of_session(session);
    char hex[2 * SES_KEY_BYTES + 1], base64[64] = "";
    for (size_t i = 0; i < SES_KEY_BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", key.bytes[i]);
    base64url_encode(key.bytes, SES_KEY_BYTES, base64);
    hex[16] = base64[12] = '\0'; /* not a part of it either */
    add_secret(secrets, hex);
    for (char *c = hex; *c; c++)
        *c = (char)(*c >= 'a' ? *c - 32 : *c);
    add_secret(secrets, hex);
    add_secret(secrets, base64);
    char id[16];
    (void)snprintf(id, sizeof id, "%.12s", ses_session_id(session) + 4);
    add_secret(secrets, id);
}

static void assert_untold(const struct scene *scene, const struct secrets *secrets)
{
    for (size_t s = 0; s < secrets->count; s++) {
        for (size_t i = 0; i < scene->line_count; i++) {
            if (strstr(scene->lines[i], secrets->texts[s]))
                fail_msg("a log line holds a secret: %s", scene->lines[i]);
        }
        for (size_t i = 0; i < scene->told_count; i++)
            assert_null(strstr(scene->told[i].peer, secrets->texts[s]));
    }
}

static void whatever(int code)
{
    (void)code;
}

/* Everything that can happen to a session, good and bad. */
static void live(struct scene *scene, struct secrets *secrets)
{
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_text(session, "secretkey", "secretvalue"));
    add_id(secrets, session);
    scene_finish(session, &visitor);
    session = scene_visit(scene, &visitor);
    ses_session *late = scene_visit(scene, &visitor);
    assert_ok(ses_set_text(late, "secretkey", "secretother"));
    assert_ok(ses_regenerate(session));
    add_id(secrets, session);
    assert_code(ses_commit(late, NULL), SES_ERR_GONE);
    ses_release(late);
    scene_finish(session, &visitor);

    static const int codes[] = { SES_ERR_UNAVAILABLE, SES_ERR_CORRUPT, -55, 1 };
    for (int op = FAKE_LOAD; op <= FAKE_PING; op++) {
        for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
            fake_provider_fail_call((enum fake_op)op, 1, codes[c], FAKE_BEFORE_ACT);
            struct ses_slice field = slice_of_text(visitor.cookie);
            struct ses_request request = { .cookies = &field, .cookie_count = 1 };
            atomic_fetch_add(&scene->now_ms, 61 * 1000);
            if (scene_try(scene, &request, &session) < 0)
                continue;
            whatever(ses_set_int(session, "secretint", op * 4 + (int)c));
            if (c == 3)
                whatever(ses_regenerate(session));
            add_secret(secrets, ses_session_id(session) + 20);
            const struct ses_headers *headers = NULL;
            if (ses_commit(session, &headers) == SES_OK && header_value(headers, "Set-Cookie", 0))
                (void)scene_commit(session, &visitor);
            ses_release(session);
            uint64_t count;
            whatever(ses_count(scene->manager, &count));
            whatever(ses_gc(scene->manager, 0, NULL));
            whatever(ses_manager_ping(scene->manager));
        }
    }
    session = scene_visit(scene, &visitor);
    fake_provider_fail_call(FAKE_DESTROY, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    whatever(ses_destroy(session));
    ses_release(session);
}

static void no_id_key_or_value_is_ever_told(void **state)
{
    struct scene *scene = *state;
    struct secrets secrets = { .count = 0 };
    add_secret(&secrets, "secret");
    live(scene, &secrets);
    assert_true(scene->line_count > 4); /* the wrong codes are logged */
    assert_true(scene_told(scene, SES_EVENT_STORE_ERROR) > 8);
    assert_untold(scene, &secrets);
    for (size_t i = 0; i < secrets.count; i++)
        free(secrets.texts[i]);
}

static void a_bad_configuration_is_told_without_its_values(void **state)
{
    (void)state;
    struct ses_error error;
    assert_null(ses_manager_new("fake", "{\"cookieNam\":\"x\"}", NULL, &error));
    assert_int_equal(error.code, SES_ERR_INVALID);
    assert_non_null(strstr(error.message, "cookieName"));
    assert_null(ses_manager_new("nosuch", NULL, NULL, &error));
    assert_non_null(strstr(error.message, "memory"));
    fake_provider_control()->open_code = SES_ERR_UNAVAILABLE;
    assert_null(ses_manager_new("fake", NULL, NULL, &error));
    assert_int_equal(error.code, SES_ERR_UNAVAILABLE);
    assert_non_null(strstr(error.message, "told not to open"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_act_tells_one_event),
        TEST(a_record_that_does_not_decode_is_told_and_never_served),
        TEST(an_expired_session_is_told_as_expired),
        TEST(a_failure_of_the_store_is_told_with_its_code),
        TEST(the_counters_count_each_act_once),
        TEST(a_struct_of_a_later_release_reads_as_zero_behind_ours),
        TEST(a_fingerprint_is_the_same_for_one_id_and_differs_between_ids),
        TEST(fingerprints_are_salted),
        TEST(no_id_key_or_value_is_ever_told),
        TEST(a_bad_configuration_is_told_without_its_values),
    };
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
