/* SPDX-License-Identifier: MIT */
#include "support/leave.h"
#include "support/logins.h"
#include "support/shared_provider.h"

#include <sys/random.h>

/* What went wrong in other session systems, told as it went wrong there (docs/security.md). */

static bool repeats, fails;

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    if (fails)
        return -1;
    if (!repeats)
        return __real_getrandom(buffer, size, flags);
    memset(buffer, 0x5a, size);
    return (ssize_t)size;
}

#define LOGINS "\"renewalInterval\":600,\"idleTimeout\":7200,\"rememberLifetime\":864000"

static int set_up(void **state)
{
    *state = scene_new("fake", "{" LOGINS "}");
    return 0;
}

static int tear_down(void **state)
{
    repeats = fails = false;
    return scene_tear_down(state);
}

static void pass(struct scene *scene, int64_t ms)
{
    atomic_fetch_add(&scene->now_ms, ms);
}

/* A browser in which ada is logged in, and remembered; and what it was before its id changed. */
static struct guest renewed_guest(struct scene *scene, struct guest *ret_before)
{
    struct guest guest = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    *ret_before = guest;
    pass(scene, 600 * 1000);
    guest_finish(guest_visit(scene, &guest), &guest);
    guest_finish(guest_visit(scene, &guest), &guest); /* has used it */
    assert_string_not_equal(guest.session, ret_before->session);
    return guest;
}

static bool is_stranger(struct scene *scene, const struct guest *guest)
{
    return guest_is(scene, guest, NULL);
}

/* ---- T-4: the id and the CSRF token survived the log-in ---- */

static void whoever_planted_the_id_has_nothing_of_the_log_in(void **state)
{
    struct scene *scene = *state;
    for (unsigned keep = 0; keep < 2; keep++) {
        struct guest planted = { "", "" }, victim;
        struct ses_csrf_token token;
        ses_session *session = guest_visit(scene, &planted);
        assert_ok(ses_set_int(session, "planted", 1));
        assert_ok(ses_csrf_token(session, &token));
        guest_finish(session, &planted);

        victim = planted;
        session = guest_visit(scene, &victim);
        assert_ok(ses_csrf_check(session, token.text));
        assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, keep ? SES_LOGIN_KEEP_DATA : 0));
        guest_finish(session, &victim);
        assert_string_not_equal(victim.session, planted.session);
        assert_true(is_stranger(scene, &planted));

        session = guest_visit(scene, &victim);
        assert_true(is_user(session, "ada"));
        assert_code(ses_csrf_check(session, token.text), SES_ERR_DENIED);
        assert_int_equal(ses_type_of(session, "planted"), keep ? SES_TYPE_INT : SES_TYPE_ABSENT);
        ses_release(session);
        session = guest_visit(scene, &planted);
        assert_int_equal(ses_type_of(session, "planted"), SES_TYPE_ABSENT);
        assert_code(ses_csrf_check(session, token.text), SES_ERR_DENIED);
        ses_release(session);
    }
}

/* ---- T-5: odd ids matched something, and were shared ---- */

static void odd_ids_match_nothing_and_share_nothing(void **state)
{
    struct scene *scene = *state;
    static char longest[5000];
    memset(longest, 'A', sizeof longest);
    const struct ses_slice odd[] = {
        SLICE("id="),
        SLICE("id=A"),
        SLICE("id"),
        SLICE("id=\0\0"),
        SLICE("id==="),
        SLICE("id=AQ"),
        SLICE(
            "id="
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        { longest, sizeof longest },
    };
    memcpy(longest, "id=", 3);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct ses_request request = { .cookies = &odd[i], .cookie_count = 1 };
        for (int visit = 0; visit < 2; visit++) { /* the second finds nothing of the first */
            ses_session *session;
            assert_ok(scene_try(scene, &request, &session));
            assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
            assert_true(session_is_new(session));
            assert_ok(ses_set_int(session, "n", 1));
            scene_finish(session, NULL);
        }
    }
    assert_int_equal(scene_count(scene), 2 * (sizeof odd / sizeof odd[0]));
    assert_int_equal(scene_stats(scene).loaded, 0);
}

/* ---- T-6: two applications in one store took each other's sessions ---- */

/* The pair under the name that the other application reads. */
static void rename_cookie(const char *cookie, const char *name, char out[COOKIE_TEXT_MAX])
{
    (void)snprintf(out, COOKIE_TEXT_MAX, "%s=%s", name, cookie_value(cookie));
}

static void assert_foreign(struct scene *scene, const char *cookie)
{
    const char *id = cookie_value(cookie);
    ses_session *session = NULL;
    const struct visitor visitor = { "" };
    struct visitor bearer = visitor;
    rename_cookie(cookie, "admin", bearer.cookie);
    session = scene_visit(scene, &bearer);
    assert_true(is_user(session, NULL));
    assert_true(session_is_new(session));
    ses_release(session);
    assert_code(ses_open(scene->manager, id, &session), SES_ERR_NOT_FOUND);
    assert_code(ses_exists(scene->manager, id), SES_ERR_NOT_FOUND);
    assert_code(ses_destroy_id(scene->manager, id), SES_ERR_NOT_FOUND);
    struct guest remembered = { "", "" };
    rename_cookie(cookie, "admin-remember", remembered.token);
    assert_true(is_stranger(scene, &remembered));
    session = guest_visit(scene, &remembered);
    assert_true(is_user(session, NULL));
    ses_release(session);
}

static void applications_in_one_store_never_meet(void **state)
{
    scene_free(*state);
    shared_provider_register();
    struct scene *users = scene_new("shared", "{\"cookieName\":\"user\"," LOGINS "}");
    struct scene *admins = scene_new("shared", "{\"cookieName\":\"admin\"," LOGINS "}");
    *state = users;
    struct guest former, guest = renewed_guest(users, &former);
    const struct guest admin = guest_of(admins, "ada", SES_LOGIN_REMEMBER);
    assert_int_equal(scene_count(users), 2); /* it is one store */

    assert_foreign(admins, guest.session);
    assert_foreign(admins, guest.token);
    pass(admins, 700 * 1000);
    pass(users, 20 * 1000);
    assert_foreign(admins, former.session); /* one that would be a theft at home */
    assert_int_equal(scene_told(admins, SES_EVENT_THEFT), 0);

    const struct listing listing = list_of(users, "ada");
    assert_int_equal(listing.count, 1);
    assert_int_equal(listed_count(admins, "ada"), 1);
    assert_code(ses_end(admins->manager, "ada", listing.lines[0].info.handle), SES_ERR_NOT_FOUND);
    assert_ok(ses_end_user(admins->manager, "ada", NULL));
    assert_true(guest_is(users, &guest, "ada"));
    assert_true(is_stranger(admins, &admin));
    assert_ok(ses_end_user(users->manager, "ada", NULL));
    assert_true(is_stranger(users, &guest));
    scene_free(admins);
}

/* Of one name for its cookie, too: it is the realm that counts. */
static void a_realm_of_its_own_is_enough(void **state)
{
    scene_free(*state);
    shared_provider_register();
    struct scene *first = scene_new("shared", "{\"realm\":\"a\"," LOGINS "}");
    struct scene *second = scene_new("shared", "{\"realm\":\"b\"," LOGINS "}");
    struct scene *third = scene_new("shared", "{\"realm\":\"a\"," LOGINS "}");
    *state = first;
    struct guest guest = guest_of(first, "ada", SES_LOGIN_REMEMBER);
    assert_true(is_stranger(second, &guest));
    assert_int_equal(listed_count(second, "ada"), 0);
    assert_ok(ses_end_user(second->manager, "ada", NULL));
    assert_true(guest_is(third, &guest, "ada")); /* the other process of one application */
    assert_int_equal(listed_count(third, "ada"), 1);
    guest.session[0] = '\0';
    ses_session *session = guest_visit(second, &guest);
    assert_true(is_user(session, NULL));
    ses_release(session);
    scene_free(second);
    scene_free(third);
}

/* ---- T-9: a hook that never returned left the session valid ---- */

static void leave_at(struct scene *scene, enum ses_event_type type)
{
    scene->hook = jump_out;
    jump_at = type;
}

/* What a call holds is lost with it, by whoever leaves through a hook. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:a_hook_that_leaves\n";
}

static void a_hook_that_leaves_a_log_in_leaves_it_done_and_the_old_id_dead(void **state)
{
    static const enum ses_event_type types[] = { SES_EVENT_LOGIN, SES_EVENT_CREATED };
    struct scene *scene = *state;
    for (size_t i = 0; i < 2; i++) {
        struct guest guest = { "", "" };
        if (i == 0)
            guest = guest_anonymous(scene, 1);
        const struct guest before = guest;
        ses_session *session = guest_visit(scene, &guest);
        leave_at(scene, types[i]);
        if (setjmp(way_out) == 0) {
            assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, SES_LOGIN_REMEMBER));
            fail_msg("the hook was not called");
        }
        guest_finish(session, &guest);
        assert_true(guest_is(scene, &guest, "ada"));
        assert_true(i == 1 || is_stranger(scene, &before));
        assert_true(guest.token[0] != '\0');
    }
}

static void a_hook_that_leaves_a_step_up_leaves_it_done(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "ada", 0);
    const struct guest before = guest;
    ses_session *session = guest_visit(scene, &guest);
    leave_at(scene, SES_EVENT_LOGIN);
    if (setjmp(way_out) == 0) {
        assert_ok(ses_elevate(session, SES_LEVEL_STRONG));
        fail_msg("the hook was not called");
    }
    guest_finish(session, &guest);
    assert_true(is_stranger(scene, &before));
    session = guest_visit(scene, &guest);
    assert_ok(ses_require(session, SES_LEVEL_STRONG, 0));
    ses_release(session);
}

/* The browser that is remembered: its token and its sessions are two acts. */
static void a_hook_that_leaves_a_log_out_leaves_nothing_alive(void **state)
{
    struct scene *scene = *state;
    for (unsigned remember = 0; remember < 2; remember++) {
        struct guest guest = guest_of(scene, "ada", remember ? SES_LOGIN_REMEMBER : 0);
        const struct guest before = guest;
        ses_session *session = guest_visit(scene, &guest);
        leave_at(scene, SES_EVENT_DESTROYED);
        if (setjmp(way_out) == 0) {
            assert_ok(ses_logout(session, 0));
            fail_msg("the hook was not called");
        }
        assert_int_equal(listed_count(scene, "ada"), 0);
        assert_true(is_stranger(scene, &before));
        assert_ok(ses_logout(session, 0));
        guest_finish(session, &guest);
        assert_string_equal(guest.session, "");
        assert_string_equal(guest.token, "");
        session = guest_visit(scene, &before); /* with the token */
        assert_true(is_user(session, NULL));
        ses_release(session);
    }
}

static void a_hook_that_leaves_the_end_of_a_user_leaves_none_of_its_sessions(void **state)
{
    enum { BROWSERS = 5 };
    struct scene *scene = *state;
    for (int everybody = 0; everybody < 2; everybody++) {
        struct guest guests[BROWSERS];
        for (size_t i = 0; i < BROWSERS; i++)
            guests[i] = guest_of(scene, "ada", i % 2 ? SES_LOGIN_REMEMBER : 0);
        leave_at(scene, SES_EVENT_DESTROYED);
        if (setjmp(way_out) == 0) {
            assert_ok(ses_end_user(scene->manager, everybody ? NULL : "ada", NULL));
            fail_msg("the hook was not called");
        }
        for (size_t i = 0; i < BROWSERS; i++)
            assert_true(is_stranger(scene, &guests[i]));
        assert_int_equal(listed_count(scene, NULL), 0);
    }
}

static void a_hook_that_leaves_a_theft_leaves_the_session_ended(void **state)
{
    static const enum ses_event_type types[] = { SES_EVENT_THEFT, SES_EVENT_REJECTED,
                                                 SES_EVENT_DESTROYED };
    struct scene *scene = *state;
    for (size_t i = 0; i < 3; i++) {
        struct guest stolen, guest = renewed_guest(scene, &stolen);
        pass(scene, 10 * 1000);
        leave_at(scene, types[i]);
        if (setjmp(way_out) == 0) {
            (void)is_stranger(scene, &stolen);
            fail_msg("the hook was not called");
        }
        assert_true(is_stranger(scene, &guest));
        assert_true(is_stranger(scene, &stolen));
        ses_session *session = guest_visit(scene, &guest); /* nor does its token help */
        assert_true(is_user(session, NULL));
        ses_release(session);
    }
}

static void a_hook_that_leaves_a_renewal_leaves_the_new_id_standing(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_of(scene, "ada", 0);
    const struct guest before = guest;
    pass(scene, 600 * 1000);
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_increment(session, "n", 1));
    leave_at(scene, SES_EVENT_RENEWED);
    if (setjmp(way_out) == 0) {
        assert_ok(ses_commit(session, NULL));
        fail_msg("the hook was not called");
    }
    ses_session *late = guest_visit(scene, &before);
    assert_string_not_equal(ses_session_id(late), cookie_value(before.session));
    ses_release(late);
    guest_finish(session, &guest);
    assert_string_not_equal(guest.session, before.session);
    session = guest_visit(scene, &guest);
    int64_t n = 0;
    assert_ok(ses_get_int(session, "n", &n));
    assert_int_equal(n, 1);
    assert_true(is_user(session, "ada"));
    guest_finish(session, &guest);
    assert_int_equal(scene_count(scene), 1);
    pass(scene, 10 * 1000);
    assert_true(is_stranger(scene, &before));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);
}

/* Whatever happens to a user, this one asks who is there, and ends somebody else. */
static void meddle(void *arg, const struct ses_event *event)
{
    static bool inside;
    struct scene *scene = arg;
    if (inside || event->type == SES_EVENT_LOADED)
        return;
    inside = true;
    (void)guest_of(scene, "bob", SES_LOGIN_REMEMBER);
    (void)listed_count(scene, "ada");
    (void)listed_count(scene, NULL);
    assert_ok(ses_end_user(scene->manager, "bob", NULL));
    assert_int_equal(listed_count(scene, "bob"), 0);
    assert_ok(ses_gc(scene->manager, 0, NULL));
    inside = false;
}

static void hooks_that_call_back_at_log_in_renewal_theft_and_log_out_change_nothing(void **state)
{
    struct scene *scene = *state;
    scene->hook = meddle;
    scene->hook_arg = scene;
    struct guest stolen, guest = renewed_guest(scene, &stolen);
    assert_true(guest_is(scene, &guest, "ada"));
    pass(scene, 10 * 1000);
    assert_true(is_stranger(scene, &stolen));
    assert_true(is_stranger(scene, &guest));
    assert_int_equal(scene_told(scene, SES_EVENT_THEFT), 1);

    guest = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    const struct guest before = guest;
    ses_session *session = guest_visit(scene, &guest);
    assert_ok(ses_elevate(session, SES_LEVEL_STRONG));
    assert_ok(ses_logout(session, 0));
    guest_finish(session, &guest);
    assert_string_equal(guest.session, "");
    assert_true(is_stranger(scene, &before));
    assert_int_equal(listed_count(scene, NULL), 0);
}

/* ---- T-20, T-31: the generator failed, or repeated itself ---- */

static void without_randomness_nobody_is_logged_in_and_nothing_is_handed_out(void **state)
{
    struct scene *scene = *state;
    struct guest guest = guest_anonymous(scene, 1);
    const struct guest before = guest;
    struct ses_csrf_token token;
    const unsigned flags[] = { 0, SES_LOGIN_REMEMBER };
    for (size_t i = 0; i < 2; i++) {
        ses_session *session = guest_visit(scene, &guest);
        fails = true;
        assert_code(ses_login(session, "ada", SES_LEVEL_FULL, flags[i]), SES_ERR_NO_RANDOMNESS);
        assert_code(ses_csrf_token(session, &token), SES_ERR_NO_RANDOMNESS);
        fails = false;
        guest_finish(session, &guest);
        assert_string_equal(guest.session, before.session);
        assert_string_equal(guest.token, "");
    }
    assert_true(is_stranger(scene, &guest));
    assert_int_equal(scene_count(scene), 1);
    assert_int_equal(listed_count(scene, NULL), 1);
}

/* As a user whose token, session and values nobody may have who gets the same random bytes. */
static void assert_untouched(struct scene *scene, const struct guest *first)
{
    struct guest alone = *first;
    assert_true(guest_is(scene, first, "ada"));
    alone.session[0] = '\0';
    ses_session *session = guest_visit(scene, &alone);
    assert_true(is_user(session, "ada"));
    guest_finish(session, &alone);
}

static void ids_and_tokens_that_repeat_overwrite_and_end_nobody(void **state)
{
    struct scene *scene = *state;
    repeats = true;
    const struct guest first = guest_of(scene, "ada", SES_LOGIN_REMEMBER);
    repeats = false;
    struct guest second = guest_anonymous(scene, 2);
    const unsigned flags[] = { 0, SES_LOGIN_REMEMBER };
    for (size_t i = 0; i < 2; i++) {
        ses_session *session = guest_visit(scene, &second);
        repeats = true;
        assert_code(ses_login(session, "bob", SES_LEVEL_FULL, flags[i]), SES_ERR_NO_RANDOMNESS);
        repeats = false;
        ses_release(session);
        assert_int_equal(listed_count(scene, "ada"), 1);
        assert_int_equal(listed_count(scene, "bob"), 0);
    }
    pass(scene, 600 * 1000);
    ses_session *session = guest_visit(scene, &second);
    repeats = true;
    assert_code(ses_commit(session, NULL), SES_ERR_NO_RANDOMNESS); /* its id is due */
    repeats = false;
    ses_release(session);
    const struct visitor visitor = { "" };
    struct visitor other = visitor;
    (void)snprintf(other.cookie, sizeof other.cookie, "%s", second.session);
    assert_int_equal(stored_int(scene, &other, "n"), 2);
    assert_untouched(scene, &first);
}

/* ---- T-28: visitors without data, and log-outs of nobody, filled the store ---- */

enum { VISITS = 100000 };

static void visit_for_nothing(struct scene *scene, int n)
{
    static const char *const cookies[] = { NULL, "id=",
                                           "id="
                                           "AQ",
                                           "theme=dark", "id-remember=x" };
    ses_session *session = scene_start(scene, cookies[n % 5]);
    const struct ses_headers *headers = NULL;
    if (n % 7 == 1)
        assert_ok(ses_logout(session, 0));
    if (n % 7 == 2)
        assert_ok(ses_destroy(session));
    if (n % 7 == 3)
        assert_code(ses_csrf_check(session, "abc"), SES_ERR_DENIED);
    if (n % 7 == 4)
        assert_code(ses_elevate(session, SES_LEVEL_FULL), SES_ERR_NOT_FOUND);
    if (n % 7 == 5)
        assert_ok(ses_clear(session));
    assert_ok(ses_commit(session, &headers));
    ses_release(session);
}

static void a_hundred_thousand_visits_and_log_outs_of_nobody_leave_no_record(void **state)
{
    scene_free(*state);
    struct scene *scene = scene_new("memory", "{" LOGINS "}");
    *state = scene;
    for (int i = 0; i < VISITS; i++)
        visit_for_nothing(scene, i);
    uint64_t removed = 0;
    assert_int_equal(scene_count(scene), 0);
    assert_int_equal(listed_count(scene, NULL), 0);
    pass(scene, INT64_C(864000) * 1000);
    assert_ok(ses_gc(scene->manager, 0, &removed)); /* nor a marker */
    assert_int_equal(removed, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(whoever_planted_the_id_has_nothing_of_the_log_in),
        TEST(odd_ids_match_nothing_and_share_nothing),
        TEST(applications_in_one_store_never_meet),
        TEST(a_realm_of_its_own_is_enough),
        TEST(a_hook_that_leaves_a_log_in_leaves_it_done_and_the_old_id_dead),
        TEST(a_hook_that_leaves_a_step_up_leaves_it_done),
        TEST(a_hook_that_leaves_a_log_out_leaves_nothing_alive),
        TEST(a_hook_that_leaves_the_end_of_a_user_leaves_none_of_its_sessions),
        TEST(a_hook_that_leaves_a_theft_leaves_the_session_ended),
        TEST(a_hook_that_leaves_a_renewal_leaves_the_new_id_standing),
        TEST(hooks_that_call_back_at_log_in_renewal_theft_and_log_out_change_nothing),
        TEST(without_randomness_nobody_is_logged_in_and_nothing_is_handed_out),
        TEST(ids_and_tokens_that_repeat_overwrite_and_end_nobody),
        TEST(a_hundred_thousand_visits_and_log_outs_of_nobody_leave_no_record),
    };
    return cmocka_run_group_tests_name("disasters", tests, NULL, NULL);
}
