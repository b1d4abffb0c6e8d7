/* SPDX-License-Identifier: MIT */
#include "base/slice.h"
#include "core/manager.h"

#include "support/jar.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A session is the same wherever it is kept: each case runs over each carrier. What a carrier
 * cannot do is a column of its row, and a case that depends on it says what happens instead.
 */

#define SEALED "\"sealKeys\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\""

enum side_by_side { MERGES, CONFLICTS, LAST_WINS };

static const struct carrier {
    const char *name;
    const char *settings;
    bool in_folder; /* its providerConfig is one */
    bool ends;      /* an end is one for whoever kept a copy of the cookie, too */
    bool renews;    /* ids change by time */
    enum side_by_side side_by_side;
} carriers[] = {
    { "memory", "\"secure\":\"auto\"", false, true, true, MERGES },
    { "file", "\"secure\":\"auto\"", true, true, true, MERGES },
    { "cookie", SEALED, false, false, false, LAST_WINS },
    { "cookie+memory", SEALED, false, true, false, CONFLICTS },
    { "cookie+file", SEALED, true, true, false, CONFLICTS },
};

enum { CARRIERS = sizeof carriers / sizeof carriers[0] };

static char folder[64];

static int make_folder(void **state)
{
    const char *where = getenv("TMPDIR");
    (void)state;
    (void)snprintf(folder, sizeof folder, "%.40s/sesame-XXXXXX", where ? where : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat, (void)type, (void)where;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct stand {
    const struct carrier *carrier;
    struct scene *scene;
    ses_manager *manager;
    struct jar jar;
};

static int stand_set_up(void **state)
{
    struct stand *stand = calloc(1, sizeof *stand);
    assert_non_null(stand);
    stand->carrier = *state;
    *state = stand;
    return 0;
}

static int stand_tear_down(void **state)
{
    struct stand *stand = *state;
    jar_free(&stand->jar);
    scene_free(stand->scene);
    free(stand);
    return 0;
}

/* Opens it with these settings beside the carrier's own. */
static struct stand *stand_with(void **state, const char *settings)
{
    struct stand *stand = *state;
    const struct carrier *carrier = stand->carrier;
    char json[512], setting[128] = "";
    if (carrier->in_folder)
        (void)snprintf(setting, sizeof setting, ",\"providerConfig\":\"%s\"", folder);
    (void)snprintf(json, sizeof json, "{%s%s,%s}", carrier->settings, setting, settings);
    stand->scene = scene_new(carrier->name, json);
    stand->manager = stand->scene->manager;
    return stand;
}

static struct stand *stand_of(void **state)
{
    return stand_with(state, "\"idleTimeout\":1800");
}

static ses_session *visit(const struct stand *stand)
{
    return jar_visit(stand->manager, &stand->jar);
}

static void finish(struct stand *stand, ses_session *session)
{
    (void)jar_finish(session, &stand->jar);
}

static bool known(const struct stand *stand)
{
    return jar_known(stand->manager, &stand->jar);
}

static void at_ms(struct stand *stand, int64_t ms)
{
    atomic_store(&stand->scene->now_ms, SCENE_START_MS + ms);
}

/* ---- values ---- */

static void set_one_of_each(ses_session *session)
{
    assert_ok(ses_set_text(session, "text", "gr\xc3\xbc\xc3\x9f"));
    assert_ok(ses_set_text(session, "empty", ""));
    assert_ok(ses_set_bytes(session, "bytes", SLICE("\0\xff;,\"")));
    assert_ok(ses_set_int(session, "least", INT64_MIN));
    assert_ok(ses_set_int(session, "most", INT64_MAX));
    assert_ok(ses_set_double(session, "double", 0.1));
    assert_ok(ses_set_bool(session, "bool", true));
    assert_ok(ses_set_null(session, "null"));
    assert_ok(ses_set_cbor(session, "list", SLICE("\x82\x01\xa1\x61k\xf6")));
}

static void assert_texts(ses_session *session)
{
    const char *text;
    struct ses_slice bytes;
    assert_ok(ses_get_text(session, "text", &text));
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
    assert_ok(ses_get_text(session, "empty", &text));
    assert_string_equal(text, "");
    assert_ok(ses_get_bytes(session, "bytes", &bytes));
    assert_true(slice_equal(bytes, SLICE("\0\xff;,\"")));
    assert_ok(ses_get_cbor(session, "list", &bytes));
    assert_true(slice_equal(bytes, SLICE("\x82\x01\xa1\x61k\xf6")));
}

static void assert_numbers(ses_session *session)
{
    int64_t least, most;
    double number;
    bool boolean;
    assert_ok(ses_get_int(session, "least", &least));
    assert_ok(ses_get_int(session, "most", &most));
    assert_true(least == INT64_MIN && most == INT64_MAX);
    assert_ok(ses_get_double(session, "double", &number));
    assert_true(number == 0.1);
    assert_ok(ses_get_bool(session, "bool", &boolean));
    assert_true(boolean);
    assert_int_equal(ses_type_of(session, "null"), SES_TYPE_NULL);
    assert_int_equal(ses_type_of(session, "list"), SES_TYPE_OTHER);
    assert_int_equal(ses_type_of(session, "nobody"), SES_TYPE_ABSENT);
    assert_code(ses_get_int(session, "text", &least), SES_ERR_WRONG_TYPE);
}

static void values_of_every_type_come_back(void **state)
{
    struct stand *stand = stand_of(state);
    ses_session *session = visit(stand);
    set_one_of_each(session);
    finish(stand, session);
    session = visit(stand);
    assert_texts(session);
    assert_numbers(session);
    ses_release(session);
}

static void increments_add_up_over_requests(void **state)
{
    struct stand *stand = stand_of(state);
    for (int i = 1; i <= 10; i++) {
        ses_session *session = visit(stand);
        assert_ok(ses_increment(session, "n", i));
        finish(stand, session);
    }
    assert_int_equal(jar_int(stand->manager, &stand->jar, "n"), 55);
}

static void what_is_deleted_is_gone_and_nothing_else(void **state)
{
    struct stand *stand = stand_of(state);
    ses_session *session = visit(stand);
    set_one_of_each(session);
    assert_ok(ses_set_int(session, "n", 1));
    finish(stand, session);
    session = visit(stand);
    assert_ok(ses_delete(session, "n"));
    finish(stand, session);
    session = visit(stand);
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    assert_texts(session);
    assert_numbers(session);
    ses_release(session);
}

static void a_session_that_is_cleared_stays_without_values(void **state)
{
    struct stand *stand = stand_of(state);
    ses_session *session = visit(stand);
    set_one_of_each(session);
    finish(stand, session);
    session = visit(stand);
    assert_ok(ses_clear(session));
    finish(stand, session);
    session = visit(stand);
    assert_false(session_is_new(session));
    assert_int_equal(ses_type_of(session, "text"), SES_TYPE_ABSENT);
    assert_int_equal(ses_type_of(session, "most"), SES_TYPE_ABSENT);
    ses_release(session);
}

/* Two requests that read the same, and commit one after the other. */
static void two_requests_side_by_side_end_as_the_carrier_can(void **state)
{
    struct stand *stand = stand_of(state);
    const enum side_by_side expected = stand->carrier->side_by_side;
    jar_begin(stand->manager, &stand->jar, NULL);
    ses_session *first = visit(stand), *second = visit(stand);
    assert_ok(ses_increment(first, "n", 1));
    assert_ok(ses_increment(second, "n", 1));
    finish(stand, first);
    if (expected == CONFLICTS) {
        assert_code(ses_commit(second, NULL), SES_ERR_CONFLICT);
        ses_release(second);
    } else {
        finish(stand, second);
    }
    assert_int_equal(jar_int(stand->manager, &stand->jar, "n"), expected == MERGES ? 3 : 2);
}

/* ---- limits ---- */

static void count_and_sizes_are_limited_at_their_edges(void **state)
{
    struct stand *stand =
        stand_with(state, "\"maxKeyBytes\":4,\"maxValueBytes\":16,\"maxValues\":3");
    ses_session *session = visit(stand);
    assert_ok(ses_set_int(session, "four", 1));
    assert_code(ses_set_int(session, "fives", 1), SES_ERR_INVALID);
    assert_ok(ses_set_text(session, "t", "0123456789abcdef"));
    assert_code(ses_set_text(session, "t", "0123456789abcdefg"), SES_ERR_TOO_LARGE);
    assert_ok(ses_set_int(session, "c", 1));
    assert_ok(ses_set_int(session, "d", 1));
    assert_code(ses_commit(session, NULL), SES_ERR_TOO_LARGE);
    assert_ok(ses_delete(session, "d"));
    finish(stand, session);
    assert_int_equal(jar_int(stand->manager, &stand->jar, "four"), 1);
    assert_int_equal(jar_int(stand->manager, &stand->jar, "c"), 1);
}

static void a_session_too_large_is_refused_and_the_stored_one_stays(void **state)
{
    struct stand *stand = stand_with(state, "\"maxRecordBytes\":4096,\"maxValueBytes\":4096");
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ses_session *session = visit(stand);
    assert_ok(ses_set_text(session, "one", text));
    finish(stand, session);
    session = visit(stand);
    assert_ok(ses_set_text(session, "two", text));
    assert_code(ses_commit(session, NULL), SES_ERR_TOO_LARGE);
    ses_release(session);
    session = visit(stand);
    assert_int_equal(ses_type_of(session, "one"), SES_TYPE_TEXT);
    assert_int_equal(ses_type_of(session, "two"), SES_TYPE_ABSENT);
    ses_release(session);
}

/* ---- lifetimes ---- */

static void the_idle_timeout_ends_it_to_the_millisecond(void **state)
{
    struct stand *stand = stand_with(state, "\"idleTimeout\":600,\"absoluteTimeout\":3600");
    jar_begin(stand->manager, &stand->jar, NULL);
    at_ms(stand, 600 * 1000 - 1);
    assert_true(known(stand));
    at_ms(stand, 600 * 1000);
    assert_false(known(stand));
    assert_int_equal(scene_rejected(stand->scene, SES_REASON_EXPIRED), 1);
}

static void use_extends_it_up_to_the_absolute_timeout(void **state)
{
    struct stand *stand = stand_with(state, "\"idleTimeout\":600,\"absoluteTimeout\":3600");
    jar_begin(stand->manager, &stand->jar, NULL);
    for (int64_t s = 300; s < 3600; s += 300) {
        at_ms(stand, s * 1000);
        ses_session *session = visit(stand);
        assert_false(session_is_new(session));
        finish(stand, session); /* a read is a use */
    }
    at_ms(stand, 3600 * 1000 - 1);
    assert_true(known(stand));
    at_ms(stand, 3600 * 1000);
    assert_false(known(stand));
}

static void a_lifetime_of_its_own_holds(void **state)
{
    struct stand *stand = stand_of(state);
    ses_session *session = visit(stand);
    assert_ok(ses_set_int(session, "n", 1));
    assert_ok(ses_set_lifetime(session, 10, 15));
    finish(stand, session);
    at_ms(stand, 9999);
    session = visit(stand);
    assert_ok(ses_increment(session, "n", 1));
    finish(stand, session);
    at_ms(stand, 14999);
    assert_int_equal(jar_int(stand->manager, &stand->jar, "n"), 2);
    at_ms(stand, 15000);
    assert_false(known(stand));
}

static void a_new_id_does_not_begin_the_absolute_timeout_anew(void **state)
{
    struct stand *stand = stand_with(state, "\"idleTimeout\":600,\"absoluteTimeout\":900");
    jar_begin(stand->manager, &stand->jar, NULL);
    at_ms(stand, 500 * 1000);
    ses_session *session = visit(stand);
    assert_ok(ses_regenerate(session));
    finish(stand, session);
    at_ms(stand, 900 * 1000 - 1);
    assert_true(known(stand));
    at_ms(stand, 900 * 1000);
    assert_false(known(stand));
}

/* ---- ids and ends ---- */

static void handle_of(const struct stand *stand, char handle[33])
{
    struct ses_info info = { .size = sizeof info };
    ses_session *session = visit(stand);
    assert_ok(ses_info(session, &info));
    (void)snprintf(handle, 33, "%s", info.handle);
    ses_release(session);
}

static void a_new_id_keeps_the_values_and_ends_the_old_one(void **state)
{
    struct stand *stand = stand_of(state);
    char before[33], after[33];
    jar_begin(stand->manager, &stand->jar, NULL);
    struct jar old = jar_copy(&stand->jar);
    handle_of(stand, before);
    ses_session *session = visit(stand);
    assert_ok(ses_set_int(session, "m", 2));
    assert_ok(ses_regenerate(session));
    finish(stand, session);
    handle_of(stand, after);
    assert_string_equal(before, after); /* for its owner it is the same session */
    assert_string_not_equal(stand->jar.values[0], old.values[0]);
    assert_int_equal(jar_int(stand->manager, &stand->jar, "n"), 1);
    assert_int_equal(jar_int(stand->manager, &stand->jar, "m"), 2);
    assert_true(jar_known(stand->manager, &old) == !stand->carrier->ends);
    jar_free(&old);
}

static void by_time_the_session_stays_and_its_id_changes_where_that_helps(void **state)
{
    struct stand *stand = stand_with(state, "\"idleTimeout\":1800,\"renewalInterval\":600");
    jar_begin(stand->manager, &stand->jar, "ada");
    at_ms(stand, 601 * 1000);
    finish(stand, visit(stand));
    const size_t renewals = stand->carrier->renews ? 1 : 0;
    assert_int_equal(scene_told(stand->scene, SES_EVENT_RENEWED), renewals);
    assert_int_equal(jar_int(stand->manager, &stand->jar, "n"), 1);
    ses_session *session = visit(stand);
    assert_ok(ses_require(session, SES_LEVEL_FULL, 0));
    ses_release(session);
}

static void a_log_in_is_kept_and_takes_nothing_along(void **state)
{
    struct stand *stand = stand_of(state);
    struct ses_info info = { .size = sizeof info };
    char before[33];
    jar_begin(stand->manager, &stand->jar, NULL);
    handle_of(stand, before);
    ses_session *session = visit(stand);
    assert_ok(ses_login(session, "ada", SES_LEVEL_FULL, 0));
    finish(stand, session);
    session = visit(stand);
    assert_ok(ses_info(session, &info));
    assert_string_not_equal(info.handle, before);
    assert_string_equal(info.user, "ada");
    assert_int_equal(info.level, SES_LEVEL_FULL);
    assert_true(info.auth_ms == SCENE_START_MS);
    assert_int_equal(ses_type_of(session, "n"), SES_TYPE_ABSENT);
    ses_release(session);
}

static void a_log_out_removes_the_cookies_and_ends_it(void **state)
{
    struct stand *stand = stand_of(state);
    jar_begin(stand->manager, &stand->jar, "ada");
    struct jar copy = jar_copy(&stand->jar);
    ses_session *session = visit(stand);
    assert_ok(ses_logout(session, 0));
    finish(stand, session);
    assert_int_equal(stand->jar.count, 0);
    assert_false(known(stand));
    assert_true(jar_known(stand->manager, &copy) == !stand->carrier->ends);
    jar_free(&copy);
}

static void a_cookie_of_another_carrier_is_refused(void **state)
{
    struct stand *stand = stand_of(state);
    for (size_t i = 0; i < CARRIERS; i++) {
        struct stand other = { .carrier = &carriers[i] };
        void *where = &other;
        (void)stand_with(&where, "\"realm\":\"another\"");
        jar_begin(other.manager, &other.jar, "ada");
        assert_false(jar_known(stand->manager, &other.jar));
        assert_true(known(&other));
        jar_free(&other.jar);
        scene_free(other.scene);
    }
}

/* ---- all of them, over each ---- */

#define CASE(name)                                                                                 \
 {                                                                                                 \
#  name, name                                                                                      \
 }

static const struct {
    const char *name;
    CMUnitTestFunction function;
} cases[] = {
    CASE(values_of_every_type_come_back),
    CASE(increments_add_up_over_requests),
    CASE(what_is_deleted_is_gone_and_nothing_else),
    CASE(a_session_that_is_cleared_stays_without_values),
    CASE(two_requests_side_by_side_end_as_the_carrier_can),
    CASE(count_and_sizes_are_limited_at_their_edges),
    CASE(a_session_too_large_is_refused_and_the_stored_one_stays),
    CASE(the_idle_timeout_ends_it_to_the_millisecond),
    CASE(use_extends_it_up_to_the_absolute_timeout),
    CASE(a_lifetime_of_its_own_holds),
    CASE(a_new_id_does_not_begin_the_absolute_timeout_anew),
    CASE(a_new_id_keeps_the_values_and_ends_the_old_one),
    CASE(by_time_the_session_stays_and_its_id_changes_where_that_helps),
    CASE(a_log_in_is_kept_and_takes_nothing_along),
    CASE(a_log_out_removes_the_cookies_and_ends_it),
    CASE(a_cookie_of_another_carrier_is_refused),
};

enum { CASES = sizeof cases / sizeof cases[0] };

int main(void)
{
    static char names[CARRIERS * CASES][128];
    struct CMUnitTest tests[CARRIERS * CASES];
    for (size_t i = 0; i < CARRIERS * CASES; i++) {
        const struct carrier *carrier = &carriers[i / CASES];
        (void)snprintf(names[i], sizeof names[i], "%s: %s", carrier->name, cases[i % CASES].name);
        tests[i] = (struct CMUnitTest){ names[i], cases[i % CASES].function, stand_set_up,
                                        stand_tear_down, (void *)carrier };
    }
    return cmocka_run_group_tests_name("carriers", tests, make_folder, remove_folder);
}
