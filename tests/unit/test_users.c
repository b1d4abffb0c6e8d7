/* SPDX-License-Identifier: MIT */
#include "support/logins.h"

#include "core/manager.h"

#include <sesame/login.h>

#include <stdio.h>

/* All sessions of a user: shown, ended, limited. Many at once: test_user_threads.c. */

enum { IDLE_S = 1800 };

static void pass_s(struct scene *scene, int64_t seconds)
{
    atomic_fetch_add(&scene->now_ms, seconds * 1000);
}

static void visit_once(struct scene *scene, struct guest *guest)
{
    guest_finish(guest_visit(scene, guest), guest);
}

/* ---- the list ---- */

static void a_line_tells_of_a_session_what_its_owner_may_know(void **state)
{
    struct scene *scene = scene_with(state, "{\"absoluteTimeout\":86400}");
    struct guest guest = guest_of(scene, "alice", 0);
    pass_s(scene, 120);
    visit_once(scene, &guest); /* touches */
    const struct listing lines = list_of(scene, "alice");
    assert_int_equal(lines.count, 1);
    const struct line *line = &lines.lines[0];
    assert_string_equal(line->user, "alice");
    assert_string_equal(line->peer, "192.0.2.7");
    assert_string_equal(line->user_agent, "test/1.0");
    assert_int_equal(line->info.level, SES_LEVEL_FULL);
    assert_true(line->info.auth_ms == SCENE_START_MS);
    assert_true(line->info.created_ms == SCENE_START_MS);
    assert_true(line->info.seen_ms == SCENE_START_MS + 120 * 1000);
    assert_true(line->info.expires_ms == SCENE_START_MS + (120 + IDLE_S) * 1000);
    assert_true(line->info.end_ms == SCENE_START_MS + 86400 * 1000);
    assert_false(line->info.is_new);
    assert_false(line->info.remembered);
    assert_int_equal(line->info.size, sizeof line->info);
}

static void hex_of(const struct ses_key *key, char out[2 * SES_KEY_BYTES + 1])
{
    for (size_t i = 0; i < SES_KEY_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", key->bytes[i]);
}

static void a_handle_is_neither_id_nor_key(void **state)
{
    struct scene *scene = *state;
    const struct guest guest = guest_of(scene, "alice", 0);
    const struct listing lines = list_of(scene, "alice");
    const char *handle = lines.lines[0].info.handle;
    char key[2 * SES_KEY_BYTES + 1];
    ses_session *session = guest_visit(scene, &guest);
    const struct ses_key raw = key_of_session(session);
    hex_of(&raw, key);
    assert_int_equal(strlen(handle), 32);
    assert_null(strstr(key, handle));
    assert_null(strstr(guest.session, handle));
    assert_string_equal(info_of_session(session).handle, handle);
    ses_release(session);
    assert_code(ses_exists(scene->manager, handle), SES_ERR_NOT_FOUND);
    assert_code(ses_destroy_id(scene->manager, handle), SES_ERR_NOT_FOUND);
}

static void each_user_has_a_list_and_everybody_has_one(void **state)
{
    struct scene *scene = *state;
    (void)guest_anonymous(scene, 1);
    for (int i = 0; i < 3; i++)
        (void)guest_of(scene, "alice", 0);
    (void)guest_of(scene, "bob", 0);
    assert_int_equal(listed_count(scene, "alice"), 3);
    assert_int_equal(listed_count(scene, "bob"), 1);
    assert_int_equal(listed_count(scene, "alic"), 0);
    assert_int_equal(listed_count(scene, "nobody"), 0);
    const struct listing all = list_of(scene, NULL);
    size_t named = 0;
    for (size_t i = 0; i < all.count; i++)
        named += all.lines[i].user[0] != '\0';
    assert_int_equal(all.count, 5);
    assert_int_equal(named, 4);
}

static void what_expired_or_ended_is_not_shown(void **state)
{
    struct scene *scene = scene_with(state, "{\"absoluteTimeout\":3600,\"idleTimeout\":1800}");
    struct guest idle = guest_of(scene, "alice", 0), used = guest_of(scene, "alice", 0);
    const struct guest ended = guest_of(scene, "alice", 0);
    assert_ok(ses_destroy_id(scene->manager, cookie_value(ended.session)));
    assert_int_equal(listed_count(scene, "alice"), 2);
    pass_s(scene, IDLE_S - 60);
    visit_once(scene, &used);
    pass_s(scene, 60);
    assert_int_equal(listed_count(scene, "alice"), 1);
    assert_int_equal(listed_count(scene, NULL), 1);
    assert_true(guest_is(scene, &idle, NULL));
    pass_s(scene, IDLE_S - 60 - 1);
    assert_int_equal(listed_count(scene, "alice"), 1);
    pass_s(scene, 1);
    assert_int_equal(listed_count(scene, "alice"), 0);
}

static void a_session_is_shown_once_however_often_its_id_changed(void **state)
{
    struct scene *scene = scene_with(state, "{\"renewalInterval\":600}");
    struct guest guest = guest_of(scene, "alice", 0);
    const struct listing before = list_of(scene, "alice");
    for (int i = 0; i < 3; i++) {
        pass_s(scene, 601);
        visit_once(scene, &guest); /* renewed */
        visit_once(scene, &guest); /* the grace begins */
        ses_session *session = guest_visit(scene, &guest);
        assert_ok(ses_regenerate(session));
        guest_finish(session, &guest);
        const struct listing lines = list_of(scene, "alice");
        assert_int_equal(lines.count, 1);
        assert_string_equal(lines.lines[0].info.handle, before.lines[0].info.handle);
    }
}

/* Of a browser that got several sessions at once, and has one cookie. */
static void a_browser_has_one_line(void **state)
{
    struct scene *scene = scene_with(state, "{\"rememberLifetime\":86400}");
    struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
    (void)guest_of(scene, "alice", SES_LOGIN_REMEMBER);
    pass_s(scene, IDLE_S);
    for (int i = 0; i < 4; i++) {
        struct guest same = guest;
        visit_once(scene, &same);
    }
    const struct listing lines = list_of(scene, "alice");
    assert_int_equal(scene_count(scene), 4);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.remembered, 1);
    assert_ok(
        ses_end(scene->manager, "alice", lines.lines[!lines.lines[1].info.remembered].info.handle));
    assert_int_equal(listed_count(scene, "alice"), 1);
}

static int stop_at_second(void *arg, const struct ses_info *info)
{
    int *calls = arg;
    (void)info;
    return ++*calls == 2 ? 4711 : 0;
}

static void the_first_answer_that_is_not_zero_stops_and_is_returned(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 4; i++)
        (void)guest_of(scene, "alice", 0);
    int calls = 0;
    assert_int_equal(ses_list(scene->manager, "alice", stop_at_second, &calls), 4711);
    assert_int_equal(calls, 2);
    calls = 0;
    assert_int_equal(ses_list(scene->manager, NULL, stop_at_second, &calls), 4711);
    assert_int_equal(calls, 2);
}

/* fn may use the manager: no lock is held. */
static int end_line(void *arg, const struct ses_info *info)
{
    struct scene *scene = arg;
    return ses_end(scene->manager, info->user, info->handle);
}

static void a_line_may_be_ended_while_the_list_is_shown(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 4; i++)
        (void)guest_of(scene, "alice", 0);
    assert_ok(ses_list(scene->manager, "alice", end_line, scene));
    (void)guest_of(scene, "bob", 0);
    assert_ok(ses_list(scene->manager, NULL, end_line, scene));
    assert_int_equal(scene_count(scene), 0);
}

static void a_token_beyond_a_shortened_lifetime_is_neither_shown_nor_taken(void **state)
{
    struct scene *scene = scene_with(state, "{\"rememberLifetime\":86400}");
    struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
    pass_s(scene, 3600);
    assert_int_equal(list_of(scene, "alice").remembered, 1);
    scene->manager->config.remember_s = 3600; /* another process, with a new configuration */
    assert_int_equal(listed_count(scene, "alice"), 0);
    assert_int_equal(listed_count(scene, NULL), 0);
    ses_session *session = guest_visit(scene, &guest);
    assert_true(is_user(session, NULL));
    ses_release(session);
    scene->manager->config.remember_s = 3601;
    session = guest_visit(scene, &guest);
    assert_true(is_user(session, "alice"));
    ses_release(session);
}

/* ---- ending one ---- */

static void a_session_is_ended_by_its_handle(void **state)
{
    struct scene *scene = *state;
    const struct guest here = guest_of(scene, "alice", 0);
    const char *here_handle = list_of(scene, "alice").lines[0].info.handle;
    char handle[33];
    (void)snprintf(handle, sizeof handle, "%s", here_handle);
    const struct guest there = guest_of(scene, "alice", 0);
    ses_session *running = guest_visit(scene, &here);
    assert_ok(ses_set_int(running, "n", 1));
    assert_ok(ses_end(scene->manager, "alice", handle));
    assert_code(ses_commit(running, NULL), SES_ERR_GONE);
    ses_release(running);
    assert_true(guest_is(scene, &there, "alice"));
    scene_forget(scene);
    assert_true(guest_is(scene, &here, NULL));
    assert_int_equal(scene_rejected(scene, SES_REASON_ENDED), 1);
    assert_code(ses_end(scene->manager, "alice", handle), SES_ERR_NOT_FOUND);
    assert_int_equal(listed_count(scene, "alice"), 1);
}

static void a_session_of_somebody_else_is_not_found_and_lives(void **state)
{
    struct scene *scene = *state;
    const struct guest alice = guest_of(scene, "alice", 0), bob = guest_of(scene, "bob", 0);
    const struct listing lines = list_of(scene, "alice");
    scene_forget(scene);
    assert_code(ses_end(scene->manager, "bob", lines.lines[0].info.handle), SES_ERR_NOT_FOUND);
    assert_int_equal(fake_calls(FAKE_SAVE) + fake_calls(FAKE_DESTROY), 0);
    assert_true(guest_is(scene, &alice, "alice"));
    assert_true(guest_is(scene, &bob, "bob"));
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 0);
}

static void what_is_no_handle_and_what_is_no_user_is_invalid(void **state)
{
    struct scene *scene = *state;
    static const char *const handles[] = {
        NULL,
        "",
        "0",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdeg",
        " 123456789abcdef0123456789abcdef",
    };
    (void)guest_of(scene, "alice", 0);
    scene_forget(scene);
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        assert_code(ses_end(scene->manager, "alice", handles[i]), SES_ERR_INVALID);
    assert_code(ses_end(scene->manager, NULL, "0123456789abcdef0123456789abcdef"), SES_ERR_INVALID);
    assert_code(ses_end(scene->manager, "", "0123456789abcdef0123456789abcdef"), SES_ERR_INVALID);
    assert_code(ses_end_user(scene->manager, "", NULL), SES_ERR_INVALID);
    assert_code(ses_end_user(scene->manager, "\xff", NULL), SES_ERR_INVALID);
    assert_code(ses_list(scene->manager, "", end_line, scene), SES_ERR_INVALID);
    assert_int_equal(fake_calls_all(), 0);
    assert_int_equal(listed_count(scene, "alice"), 1);
}

/* ---- ending all ---- */

static void all_sessions_of_a_user_end_and_no_others(void **state)
{
    struct scene *scene = *state;
    struct guest hers[3];
    for (int i = 0; i < 3; i++)
        hers[i] = guest_of(scene, "alice", 0);
    const struct guest bob = guest_of(scene, "bob", 0), nobody = guest_anonymous(scene, 1);
    assert_ok(ses_end_user(scene->manager, "alice", NULL));
    for (int i = 0; i < 3; i++)
        assert_true(guest_is(scene, &hers[i], NULL));
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 3);
    assert_true(guest_is(scene, &bob, "bob"));
    assert_ok(ses_exists(scene->manager, cookie_value(nobody.session)));
    assert_ok(ses_end_user(scene->manager, "alice", NULL)); /* nobody is no error */
    assert_int_equal(scene_count(scene), 2);
}

static void all_but_this_one_end(void **state)
{
    struct scene *scene = *state;
    struct guest here = guest_of(scene, "alice", 0);
    const struct guest there = guest_of(scene, "alice", 0);
    ses_session *session = guest_visit(scene, &here);
    assert_ok(ses_elevate(session, SES_LEVEL_FULL));
    assert_ok(ses_end_user(scene->manager, "alice", session));
    guest_finish(session, &here);
    assert_true(guest_is(scene, &here, "alice"));
    assert_true(guest_is(scene, &there, NULL));

    session = guest_visit(scene, &here); /* one that has ended spares nobody */
    struct guest other = guest_of(scene, "alice", 0);
    assert_ok(ses_logout(session, 0));
    assert_ok(ses_end_user(scene->manager, "alice", session));
    ses_release(session);
    assert_true(guest_is(scene, &other, NULL));

    other = guest_of(scene, "alice", 0); /* nor does one that is new */
    session = scene_start(scene, NULL);
    assert_ok(ses_end_user(scene->manager, "alice", session));
    ses_release(session);
    assert_true(guest_is(scene, &other, NULL));
}

static void everybody_ends_but_one(void **state)
{
    struct scene *scene = *state;
    const struct guest alice = guest_of(scene, "alice", 0);
    (void)guest_of(scene, "bob", 0);
    (void)guest_anonymous(scene, 1);
    ses_session *session = guest_visit(scene, &alice);
    assert_ok(ses_end_user(scene->manager, NULL, session));
    ses_release(session);
    assert_int_equal(scene_count(scene), 1);
    assert_true(guest_is(scene, &alice, "alice"));
    assert_ok(ses_end_user(scene->manager, NULL, NULL));
    assert_int_equal(scene_count(scene), 0);
}

static void one_that_cannot_be_ended_is_told_and_the_others_end(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3; i++)
        (void)guest_of(scene, "alice", 0);
    fake_provider_fail_call(FAKE_SAVE, 2, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_end_user(scene->manager, "alice", NULL), SES_ERR_UNAVAILABLE);
    assert_int_equal(listed_count(scene, "alice"), 1);
    fake_provider_fail_call(FAKE_LIST, 2, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    assert_code(ses_end_user(scene->manager, "alice", NULL), SES_ERR_UNAVAILABLE);
    fake_provider_fail_call(FAKE_SAVE, 1, SES_ERR_UNAVAILABLE, FAKE_AFTER_ACT);
    assert_ok(ses_end_user(scene->manager, "alice", NULL)); /* it knows its own write */
    assert_int_equal(listed_count(scene, "alice"), 0);
}

/* Somebody regenerates just before each save: it is never reached, and that is said. */
struct runner {
    struct scene *scene;
    struct guest guest;
    unsigned times;
};

static void run_away(void *arg, enum fake_op op, const struct ses_key *key)
{
    struct runner *runner = arg;
    (void)key;
    if (op != FAKE_SAVE || runner->times == 0)
        return;
    runner->times--;
    ses_session *session = guest_visit(runner->scene, &runner->guest);
    assert_ok(ses_regenerate(session));
    guest_finish(session, &runner->guest);
}

static void one_that_runs_away_is_caught_or_told(void **state)
{
    struct scene *scene = *state;
    struct runner runner = { scene, guest_of(scene, "alice", 0), 5 };
    fake_provider_control()->before_arg = &runner;
    fake_provider_control()->before = run_away;
    assert_ok(ses_end_user(scene->manager, "alice", NULL));
    assert_int_equal(runner.times, 0);
    assert_true(guest_is(scene, &runner.guest, NULL));

    fake_provider_control()->before = NULL;
    runner.guest = guest_of(scene, "alice", 0);
    runner.times = 1000;
    fake_provider_control()->before = run_away;
    assert_code(ses_end_user(scene->manager, "alice", NULL), SES_ERR_UNAVAILABLE);
    fake_provider_control()->before = NULL;
    assert_true(guest_is(scene, &runner.guest, "alice"));
}

/* ---- how many ---- */

static int try_login(struct scene *scene, const char *user, struct guest *guest)
{
    *guest = (struct guest){ "", "" };
    ses_session *session = guest_visit(scene, guest);
    int r = ses_login(session, user, SES_LEVEL_FULL, 0);
    guest_finish(session, guest);
    return r;
}

static void at_the_limit_one_more_is_denied(void **state)
{
    struct scene *scene = scene_with(state, "{\"maxSessionsPerUser\":2}");
    struct guest guest, other;
    assert_ok(try_login(scene, "alice", &guest));
    assert_ok(try_login(scene, "alice", &guest));
    assert_code(try_login(scene, "alice", &other), SES_ERR_DENIED);
    assert_string_equal(other.session, "");
    assert_ok(try_login(scene, "bob", &other));
    assert_int_equal(listed_count(scene, "alice"), 2);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_logout(session, 0));
    ses_release(session);
    assert_ok(try_login(scene, "alice", &guest));
    assert_int_equal(scene_count(scene), 3);
}

static void whoever_logs_in_again_or_steps_up_does_not_count_twice(void **state)
{
    struct scene *scene = scene_with(state, "{\"maxSessionsPerUser\":1}");
    struct guest guest;
    assert_ok(try_login(scene, "alice", &guest));
    for (int i = 0; i < 3; i++) {
        ses_session *session = guest_visit(scene, &guest);
        assert_ok(i == 1 ? ses_elevate(session, SES_LEVEL_STRONG)
                         : ses_login(session, "alice", SES_LEVEL_FULL, 0));
        guest_finish(session, &guest);
        assert_int_equal(listed_count(scene, "alice"), 1);
    }
    assert_true(guest_is(scene, &guest, "alice"));
}

static void an_expired_session_does_not_count(void **state)
{
    struct scene *scene = scene_with(state, "{\"maxSessionsPerUser\":1}");
    struct guest guest;
    assert_ok(try_login(scene, "alice", &guest));
    pass_s(scene, IDLE_S - 1);
    assert_code(try_login(scene, "alice", &guest), SES_ERR_DENIED);
    pass_s(scene, 1);
    assert_ok(try_login(scene, "alice", &guest));
}

/* Three sessions; the first was used last. @return which of them the fourth log-in has ended. */
static int which_goes(void **state, const char *json)
{
    struct scene *scene = scene_with(state, json);
    struct guest guests[3], fourth;
    for (int i = 0; i < 3; i++) {
        assert_ok(try_login(scene, "alice", &guests[i]));
        pass_s(scene, 100);
    }
    visit_once(scene, &guests[0]);
    assert_ok(try_login(scene, "alice", &fourth));
    assert_true(guest_is(scene, &fourth, "alice"));
    assert_int_equal(listed_count(scene, "alice"), 3);
    assert_int_equal(scene_told(scene, SES_EVENT_DESTROYED), 1);
    int gone = -1;
    for (int i = 0; i < 3; i++) {
        if (guest_is(scene, &guests[i], NULL)) {
            assert_int_equal(gone, -1);
            gone = i;
        }
    }
    return gone;
}

static void the_oldest_or_the_least_recent_makes_room(void **state)
{
    assert_int_equal(which_goes(state, "{\"maxSessionsPerUser\":3,\"whenUserFull\":\"endOldest\"}"),
                     0);
    assert_int_equal(
        which_goes(state, "{\"maxSessionsPerUser\":3,\"whenUserFull\":\"endLeastRecent\"}"), 1);
}

static void whoever_logs_in_again_makes_no_room_for_itself(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"maxSessionsPerUser\":2,\"whenUserFull\":\"endOldest\"}");
    struct guest first, second;
    assert_ok(try_login(scene, "alice", &first));
    pass_s(scene, 10);
    assert_ok(try_login(scene, "alice", &second));
    ses_session *session = guest_visit(scene, &first);
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, 0));
    guest_finish(session, &first);
    assert_true(guest_is(scene, &first, "alice"));
    assert_true(guest_is(scene, &second, "alice"));
}

/* The limit was lowered: the oldest logs in again, and another one goes for it. */
static void whoever_logs_in_again_over_the_limit_keeps_its_data(void **state)
{
    struct scene *scene =
        scene_with(state, "{\"maxSessionsPerUser\":3,\"whenUserFull\":\"endOldest\"}");
    struct guest guests[3];
    for (int i = 0; i < 3; i++) {
        assert_ok(try_login(scene, "alice", &guests[i]));
        pass_s(scene, 10);
    }
    scene->manager->config.max_user_sessions = 2;
    ses_session *session = guest_visit(scene, &guests[0]);
    int64_t n = 0;
    assert_ok(ses_set_int(session, "n", 7));
    assert_ok(ses_login(session, "alice", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA));
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 7);
    guest_finish(session, &guests[0]);
    assert_true(guest_is(scene, &guests[0], "alice"));
    assert_true(guest_is(scene, &guests[1], NULL));
    assert_int_equal(listed_count(scene, "alice"), 2);
}

/* 32 browsers of one user are remembered. */
static void the_browser_that_was_remembered_first_is_forgotten_for_another(void **state)
{
    enum { MOST = 32 };
    struct scene *scene = scene_with(state, "{\"rememberLifetime\":864000}");
    struct guest guests[MOST + 2];
    scene->manager->config.remember_s = 2 * 864000; /* the first was meant to last longest */
    for (int i = 0; i < MOST + 2; i++) {
        guests[i] = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
        scene->manager->config.remember_s = 864000;
        pass_s(scene, 1);
    }
    pass_s(scene, IDLE_S);
    assert_int_equal(list_of(scene, "alice").remembered, MOST);
    for (int i = 0; i < MOST + 2; i++) {
        ses_session *session = guest_visit(scene, &guests[i]);
        assert_true(is_user(session, i < 2 ? NULL : "alice"));
        ses_release(session);
    }
}

/* ---- a provider without an index ---- */

static void without_an_index_by_user_the_keys_are_refused_and_the_calls_unsupported(void **state)
{
    static struct ses_provider_ops plain;
    struct scene *scene = *state;
    struct ses_error error;
    plain = ses_provider_fake;
    plain.name = "plain";
    plain.list = NULL;
    assert_ok(ses_provider_register(&plain));
    static const char *const refused[][2] = {
        { "{\"maxSessionsPerUser\":1}", "\"maxSessionsPerUser\" needs a provider that keeps an "
                                        "index by user; this one has none" },
        { "{\"rememberLifetime\":1}",
          "\"rememberLifetime\" needs a provider that keeps an index by user; this one has none" },
    };
    for (size_t i = 0; i < 2; i++) {
        assert_null(ses_manager_new("plain", refused[i][0], NULL, &error));
        assert_int_equal(error.code, SES_ERR_INVALID);
        assert_string_equal(error.message, refused[i][1]);
    }
    scene_free(scene);
    *state = scene = scene_new("plain", NULL);
    const struct guest guest = guest_of(scene, "alice", 0);
    assert_true(guest_is(scene, &guest, "alice"));
    assert_code(ses_list(scene->manager, "alice", end_line, scene), SES_ERR_UNSUPPORTED);
    assert_code(ses_end(scene->manager, "alice", "0123456789abcdef0123456789abcdef"),
                SES_ERR_UNSUPPORTED);
    assert_code(ses_end_user(scene->manager, "alice", NULL), SES_ERR_UNSUPPORTED);
    assert_true(guest_is(scene, &guest, "alice"));
    assert_int_equal(listed_count(scene, NULL), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_line_tells_of_a_session_what_its_owner_may_know),
        TEST(a_handle_is_neither_id_nor_key),
        TEST(each_user_has_a_list_and_everybody_has_one),
        TEST(what_expired_or_ended_is_not_shown),
        TEST(a_session_is_shown_once_however_often_its_id_changed),
        TEST(a_browser_has_one_line),
        TEST(the_first_answer_that_is_not_zero_stops_and_is_returned),
        TEST(a_line_may_be_ended_while_the_list_is_shown),
        TEST(a_token_beyond_a_shortened_lifetime_is_neither_shown_nor_taken),
        TEST(a_session_is_ended_by_its_handle),
        TEST(a_session_of_somebody_else_is_not_found_and_lives),
        TEST(what_is_no_handle_and_what_is_no_user_is_invalid),
        TEST(all_sessions_of_a_user_end_and_no_others),
        TEST(all_but_this_one_end),
        TEST(everybody_ends_but_one),
        TEST(one_that_cannot_be_ended_is_told_and_the_others_end),
        TEST(one_that_runs_away_is_caught_or_told),
        TEST(at_the_limit_one_more_is_denied),
        TEST(whoever_logs_in_again_or_steps_up_does_not_count_twice),
        TEST(an_expired_session_does_not_count),
        TEST(the_oldest_or_the_least_recent_makes_room),
        TEST(whoever_logs_in_again_makes_no_room_for_itself),
        TEST(whoever_logs_in_again_over_the_limit_keeps_its_data),
        TEST(the_browser_that_was_remembered_first_is_forgotten_for_another),
        TEST(without_an_index_by_user_the_keys_are_refused_and_the_calls_unsupported),
    };
    return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
