/* SPDX-License-Identifier: MIT */
#include "support/sweep.h"

/*
 * Every public call, with each of its allocations failing once: it succeeds or says that memory ran
 * out, nothing leaks (AddressSanitizer), and what was there before is still usable. Log-ins and all
 * that concerns users: test_oom_logins.c.
 */

/* ---- what is called ---- */

static int64_t int_of(ses_session *session, const char *key)
{
    int64_t n = -1;
    (void)ses_get_int(session, key, &n);
    return n;
}

static int start(struct stage *stage)
{
    struct ses_slice field = { stage->visitor.cookie, strlen(stage->visitor.cookie) };
    struct ses_request request = {
        .cookies = &field, .cookie_count = 1, .user_agent = sweep_text, .peer = "2001:db8::1"
    };
    ses_session *session;
    const int r = scene_try(stage->scene, &request, &session);
    if (r == SES_OK)
        ses_release(session);
    return r;
}

static int open_new(struct stage *stage)
{
    ses_session *session;
    const int r = ses_open(stage->scene->manager, NULL, &session);
    if (r == SES_OK)
        ses_release(session);
    return r;
}

static int commit_new(struct stage *stage)
{
    static ses_session *session; /* is committed again when memory ran out */
    const struct ses_headers *headers;
    if (!session) {
        struct ses_request request = { .size = sizeof request };
        int r = ses_start(stage->scene->manager, &request, &session);
        if (r < 0)
            return r;
    }
    int r = ses_set_text(session, "text", "short");
    if (r == SES_OK || r == SES_ERR_INVALID) /* it was stored, and the headers failed */
        r = ses_commit(session, &headers);
    if (r < 0)
        return r;
    failmalloc_disarm();
    assert_non_null(header_value(headers, "Set-Cookie", 0));
    assert_ok(ses_destroy_id(stage->scene->manager, ses_session_id(session)));
    ses_release(session);
    session = NULL;
    return SES_OK;
}

static int get_text(struct stage *stage)
{
    const char *text;
    const int r = ses_get_text(stage->session, "text", &text);
    if (r == SES_OK)
        assert_string_equal(text, sweep_text);
    return r;
}

static int set_many(struct stage *stage)
{
    char key[3] = "aa";
    for (; key[0] < 'f'; key[0]++) {
        for (key[1] = 'a'; key[1] < 'f'; key[1]++) {
            const int r = ses_set_int(stage->session, key, key[0] * 256 + key[1]);
            if (r < 0)
                return r;
        }
    }
    return SES_OK;
}

static void check_many(struct stage *stage)
{
    assert_ok(ses_commit(stage->session, NULL));
    ses_session *session = stage_visit(stage);
    char key[3] = "aa";
    for (; key[0] < 'f'; key[0]++) {
        for (key[1] = 'a'; key[1] < 'f'; key[1]++)
            assert_int_equal(int_of(session, key), key[0] * 256 + key[1]);
    }
    assert_int_equal(int_of(session, "n"), 10);
    ses_release(session);
}

static int set_each_type(struct stage *stage)
{
    ses_session *session = stage->session;
    static const struct ses_slice bytes = { sweep_text, 700 }, item = { "\x82\x01\x02", 3 };
    int r = ses_set_text(session, "t", sweep_text);
    r = r < 0 ? r : ses_set_bytes(session, "b", bytes);
    r = r < 0 ? r : ses_set_cbor(session, "c", item);
    r = r < 0 ? r : ses_set_double(session, "d", 0.1);
    r = r < 0 ? r : ses_set_bool(session, "o", true);
    r = r < 0 ? r : ses_set_null(session, "z");
    r = r < 0 ? r : ses_delete(session, "once");
    return r;
}

static void commit_check(struct stage *stage)
{
    assert_ok(ses_commit(stage->session, NULL));
}

/* A failed increment shows what was there before, and counts once in the end. */
static int increment(struct stage *stage)
{
    const int r = ses_increment(stage->session, "n", 1);
    assert_int_equal(int_of(stage->session, "n"), r == SES_OK ? 11 : 10);
    return r;
}

static int add_one(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    (void)arg;
    *ret_next = (struct ses_value){ .type = SES_TYPE_INT, .integer = current->integer + 1 };
    return 0;
}

static int update(struct stage *stage)
{
    const int r = ses_update(stage->session, "n", add_one, NULL);
    assert_int_equal(int_of(stage->session, "n"), r == SES_OK ? 11 : 10);
    return r;
}

static void check_eleven(struct stage *stage)
{
    assert_ok(ses_commit(stage->session, NULL));
    assert_int_equal(stored_int(stage->scene, &stage->visitor, "n"), 11);
}

static void pend_increment(struct stage *stage)
{
    assert_ok(ses_increment(stage->session, "n", 1));
    assert_ok(ses_update(stage->session, "m", add_one, NULL));
    fill_arena(stage->session, (size_t)(stage->session->arena.end - stage->session->arena.at) % 64);
}

static void pend_and_be_late(struct stage *stage)
{
    pend_increment(stage);
    assert_ok(ses_set_int(stage->rival, "r", 1));
    assert_ok(ses_commit(stage->rival, NULL));
}

static int commit(struct stage *stage)
{
    const struct ses_headers *headers;
    return ses_commit(stage->session, &headers);
}

static void leave_little_room(struct stage *stage)
{
    fill_arena(stage->session, 8);
}

static int destroy(struct stage *stage)
{
    const int r = ses_destroy(stage->session);
    return r < 0 ? r : ses_commit(stage->session, NULL);
}

static int take(struct stage *stage)
{
    static struct ses_value value;
    const int r = ses_take(stage->session, "once", &value);
    if (r == SES_OK)
        assert_memory_equal(value.bytes.data, "taken", 5);
    return r;
}

static void check_taken(struct stage *stage)
{
    assert_int_equal(ses_type_of(stage->session, "once"), SES_TYPE_ABSENT);
    check_eleven(stage);
    ses_session *session = stage_visit(stage);
    assert_int_equal(ses_type_of(session, "once"), SES_TYPE_ABSENT);
    ses_release(session);
}

static void pend_once(struct stage *stage)
{
    assert_ok(ses_set_text(stage->session, "once", "taken"));
    pend_increment(stage);
}

static int regenerate(struct stage *stage)
{
    return ses_regenerate(stage->session);
}

static void check_regenerated(struct stage *stage)
{
    (void)scene_commit(stage->session, &stage->visitor);
    assert_int_equal(stored_int(stage->scene, &stage->visitor, "n"), 11);
    assert_int_equal(scene_count(stage->scene), 1);
}

static int reload(struct stage *stage)
{
    return ses_reload(stage->session);
}

static int look(struct stage *stage)
{
    struct ses_info info = { .size = sizeof info };
    uint64_t count;
    int r = ses_exists(stage->scene->manager, cookie_value(stage->visitor.cookie));
    r = r < 0 ? r : ses_info(stage->session, &info);
    r = r < 0 ? r : ses_count(stage->scene->manager, &count);
    r = r < 0 ? r : ses_gc(stage->scene->manager, 0, NULL);
    return r < 0 ? r : ses_manager_ping(stage->scene->manager);
}

static int destroy_id(struct stage *stage)
{
    const int r = ses_destroy_id(stage->scene->manager, cookie_value(stage->visitor.cookie));
    return r == SES_ERR_NOT_FOUND ? SES_OK : r; /* the second time */
}

/* ---- the tests ---- */

static void starting_survives_a_failed_allocation(void **state)
{
    SWEEP(NULL, start, NULL);
    SWEEP(NULL, open_new, NULL);
}

static void a_first_commit_survives(void **state)
{
    SWEEP(NULL, commit_new, NULL);
}

static void reading_survives_a_failed_allocation(void **state)
{
    SWEEP(NULL, get_text, NULL);
    SWEEP(NULL, look, NULL);
}

static void setting_survives_a_failed_allocation(void **state)
{
    SWEEP(NULL, set_many, check_many);
    SWEEP(NULL, set_each_type, commit_check);
}

static void an_increment_survives_and_counts_once(void **state)
{
    SWEEP(NULL, increment, check_eleven);
}

static void an_update_survives_and_counts_once(void **state)
{
    SWEEP(NULL, update, check_eleven);
}

static void a_commit_survives_and_happens_once(void **state)
{
    SWEEP(pend_increment, commit, check_eleven);
}

static void a_replayed_commit_survives_and_happens_once(void **state)
{
    SWEEP(pend_and_be_late, commit, check_eleven);
}

static void a_take_survives_and_loses_nothing(void **state)
{
    SWEEP(pend_increment, take, check_taken);
    SWEEP(pend_and_be_late, take, check_taken);
    SWEEP(pend_once, take, check_taken);
}

static void a_new_id_survives_and_leaves_one_session(void **state)
{
    SWEEP(pend_increment, regenerate, check_regenerated);
    SWEEP(pend_and_be_late, regenerate, check_regenerated);
}

static void a_reload_survives(void **state)
{
    SWEEP(pend_and_be_late, reload, check_eleven);
}

static void an_end_survives(void **state)
{
    SWEEP(leave_little_room, destroy, NULL);
    SWEEP(NULL, destroy_id, NULL);
}

static int make_manager(const char *provider)
{
    static const char config[] =
        "{\"cookieName\":\"sid\",\"trustedProxies\":[\"10.0.0.0/8\",\"fd00::/8\"],"
        "\"secure\":true,\"domain\":\"example.org\"}";
    struct ses_error error;
    ses_manager *manager = ses_manager_new(provider, config, NULL, &error);
    ses_manager_unref(manager);
    return manager ? SES_OK : error.code;
}

static int make_memory(void)
{
    return make_manager("memory");
}

static int make_fake(void)
{
    return make_manager("fake");
}

static void making_a_manager_survives(void **state)
{
    (void)state;
    scene_free(scene_new("fake", NULL)); /* registers it */
    each_allocation_fails(make_memory);
    each_allocation_fails(make_fake);
}

int main(void)
{
    sweep_init(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_manager_survives),
        cmocka_unit_test(starting_survives_a_failed_allocation),
        cmocka_unit_test(a_first_commit_survives),
        cmocka_unit_test(reading_survives_a_failed_allocation),
        cmocka_unit_test(setting_survives_a_failed_allocation),
        cmocka_unit_test(an_increment_survives_and_counts_once),
        cmocka_unit_test(an_update_survives_and_counts_once),
        cmocka_unit_test(a_commit_survives_and_happens_once),
        cmocka_unit_test(a_replayed_commit_survives_and_happens_once),
        cmocka_unit_test(a_take_survives_and_loses_nothing),
        cmocka_unit_test(a_new_id_survives_and_leaves_one_session),
        cmocka_unit_test(a_reload_survives),
        cmocka_unit_test(an_end_survives),
    };
    return cmocka_run_group_tests_name("oom", tests, NULL, NULL);
}
