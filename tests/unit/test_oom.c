/* SPDX-License-Identifier: MIT */
#include "core/session.h"

#include "support/failmalloc.h"
#include "support/session_fixture.h"

/*
 * Every public call, with each of its allocations failing once: it succeeds or says that memory ran
 * out, nothing leaks (AddressSanitizer), and what was there before is still usable.
 */

static const char *const providers[] = { "memory", "fake" };

static char long_text[3000];

/* What a call finds: a stored session of the visitor, and a request that has read it. */
struct stage {
    struct scene *scene;
    struct visitor visitor;
    ses_session *session;
    ses_session *rival; /* of the same session */
};

static ses_session *visit(const struct stage *stage)
{
    return scene_visit(stage->scene, &stage->visitor);
}

/* Leaves @p left bytes of the storage that a session brings along, so that the next allocations
 * from its arena reach malloc sooner or later. */
static void fill_arena(ses_session *session, size_t left)
{
    const size_t room = (size_t)(session->arena.end - session->arena.at);
    if (room > left)
        assert_non_null(arena_alloc(&session->arena, room - left));
}

static void stage_open(struct stage *stage, size_t left)
{
    struct scene *scene = stage->scene;
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", 10));
    assert_ok(ses_set_text(session, "text", long_text));
    assert_ok(ses_set_text(session, "once", "taken"));
    scene_finish(session, &stage->visitor);
    stage->session = visit(stage);
    stage->rival = visit(stage);
    fill_arena(stage->session, left);
    fill_arena(stage->rival, left);
}

static void stage_close(struct stage *stage)
{
    ses_release(stage->session);
    ses_release(stage->rival);
    if (scene_exists(stage->scene, &stage->visitor) == SES_OK)
        assert_ok(ses_destroy_id(stage->scene->manager, cookie_value(stage->visitor.cookie)));
    assert_int_equal(scene_count(stage->scene), 0);
    scene_forget(stage->scene);
}

struct sweep {
    const char *name;
    void (*prepare)(struct stage *stage);
    int (*call)(struct stage *stage);
    /* After a call that succeeded, at once or when it was repeated with memory. */
    void (*check)(struct stage *stage);
};

/* Runs it with the allocation failing that comes after @p skip others; false: none failed. */
static bool sweep_once(const struct sweep *sweep, struct stage *stage, size_t left, long skip)
{
    stage_open(stage, left);
    if (sweep->prepare)
        sweep->prepare(stage);
    failmalloc_arm(skip);
    int r = sweep->call(stage);
    const bool failed = failmalloc_disarm();
    if (r != SES_OK && !(failed && r == SES_ERR_NO_MEMORY))
        fail_msg("%s, allocation %ld: %s", sweep->name, skip, ses_strerror(r));
    if (r != SES_OK) {
        r = sweep->call(stage);
        if (r != SES_OK)
            fail_msg("%s again after allocation %ld: %s", sweep->name, skip, ses_strerror(r));
    }
    if (sweep->check)
        sweep->check(stage);
    stage_close(stage);
    return failed;
}

static void run_sweep(const struct sweep *sweep)
{
    for (size_t p = 0; p < 2; p++) {
        struct stage stage = { .scene = scene_new(providers[p], NULL) };
        for (size_t left = 0; left <= 512; left += left < 128 ? 8 : 64) {
            for (long skip = 0; sweep_once(sweep, &stage, left, skip); skip++)
                assert_true(skip < 1000);
        }
        scene_free(stage.scene);
    }
}

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
        .cookies = &field, .cookie_count = 1, .user_agent = long_text, .peer = "2001:db8::1"
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
        assert_string_equal(text, long_text);
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
    ses_session *session = visit(stage);
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
    static const struct ses_slice bytes = { long_text, 700 }, item = { "\x82\x01\x02", 3 };
    int r = ses_set_text(session, "t", long_text);
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
    ses_session *session = visit(stage);
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

#define SWEEP(...)                                                                                 \
 do {                                                                                              \
  const struct sweep sweep = { __func__, __VA_ARGS__ };                                            \
  (void)state;                                                                                     \
  run_sweep(&sweep);                                                                               \
 } while (0)

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
    memset(long_text, 'x', sizeof long_text - 1);
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
