/* SPDX-License-Identifier: MIT */
#include "support/logins.h"
#include "support/many.h"

#include <sesame/login.h>

#include <stdio.h>

/* Users' sessions, used and ended by many at once. */

/* How often; SESAME_TEST_ROUNDS multiplies it (script/torture). */
enum { ROUNDS = 1000, LIMIT_ROUNDS = 200, LOGINS = 8, LIMIT = 3, REPEATS = 3, USERS_MAX = 4 };

static int tear_down(void **state)
{
    scene_free(*state);
    return 0;
}

static struct scene *set_scene(void **state, const char *json)
{
    atomic_store(&faults, 0);
    scene_free(*state);
    return *state = scene_new("memory", json);
}

/* ---- threads that meet at the start of each round and at its end ---- */

struct arena_of_threads;

struct fighter {
    struct arena_of_threads *arena;
    int (*act)(struct fighter *fighter);
    struct guest guest;
    int code;
    char early[REPEATS][33]; /* handles of sessions that stood before the call began */
    unsigned early_count;
    pthread_t thread;
};

struct arena_of_threads {
    struct scene *scene;
    pthread_barrier_t barrier;
    atomic_bool begun; /* the call that ends them */
    bool stop;
    unsigned count;
    struct fighter fighters[LOGINS];
};

static void *fight(void *arg)
{
    struct fighter *fighter = arg;
    for (;;) {
        (void)pthread_barrier_wait(&fighter->arena->barrier);
        if (fighter->arena->stop)
            return NULL;
        fighter->code = fighter->act(fighter);
        (void)pthread_barrier_wait(&fighter->arena->barrier);
    }
}

static void open_arena(struct arena_of_threads *arena, struct scene *scene, unsigned count,
                       int (*const *acts)(struct fighter *), unsigned act_count)
{
    *arena = (struct arena_of_threads){ .scene = scene, .count = count };
    assert_int_equal(pthread_barrier_init(&arena->barrier, NULL, count + 1), 0);
    for (unsigned i = 0; i < count; i++) {
        struct fighter *fighter = &arena->fighters[i];
        *fighter = (struct fighter){ .arena = arena, .act = acts[i % act_count] };
        assert_int_equal(pthread_create(&fighter->thread, NULL, fight, fighter), 0);
    }
}

static void close_arena(struct arena_of_threads *arena)
{
    arena->stop = true;
    (void)pthread_barrier_wait(&arena->barrier);
    for (unsigned i = 0; i < arena->count; i++)
        (void)pthread_join(arena->fighters[i].thread, NULL);
    (void)pthread_barrier_destroy(&arena->barrier);
    assert_int_equal(atomic_load(&faults), 0);
}

static void begin_round(struct arena_of_threads *arena)
{
    (void)pthread_barrier_wait(&arena->barrier);
}

static void end_round(struct arena_of_threads *arena)
{
    (void)pthread_barrier_wait(&arena->barrier);
}

/* Markers of rounds long past go. */
static void sweep(struct scene *scene)
{
    atomic_fetch_add(&scene->now_ms, 61 * 1000);
    assert_ok(ses_gc(scene->manager, 0, NULL));
    scene_forget(scene);
}

/* ---- how many sessions a user may have ---- */

static int log_in_anew(struct fighter *fighter)
{
    const struct guest nobody = { "", "" };
    ses_session *session = NULL;
    int r = guest_try(fighter->arena->scene, &nobody, &session);
    if (r < 0)
        return r;
    r = ses_login(session, "alice", SES_LEVEL_FULL, 0);
    EXPECT(ses_commit(session, NULL) == SES_OK);
    ses_release(session);
    return r;
}

static unsigned count_codes(const struct arena_of_threads *arena, int code)
{
    unsigned count = 0;
    for (unsigned i = 0; i < arena->count; i++)
        count += arena->fighters[i].code == code;
    return count;
}

static void log_in_side_by_side(struct scene *scene, unsigned expected)
{
    static int (*const acts[])(struct fighter *) = { log_in_anew };
    struct arena_of_threads arena;
    open_arena(&arena, scene, LOGINS, acts, 1);
    for (unsigned i = 0; i < rounds(LIMIT_ROUNDS); i++) {
        begin_round(&arena);
        end_round(&arena);
        EXPECT(count_codes(&arena, SES_OK) == expected);
        EXPECT(count_codes(&arena, SES_ERR_DENIED) == LOGINS - expected);
        EXPECT(listed_count(scene, "alice") == LIMIT);
        EXPECT(scene_count(scene) == LIMIT);
        assert_ok(ses_end_user(scene->manager, "alice", NULL));
        sweep(scene);
    }
    close_arena(&arena);
}

static void of_eight_log_ins_at_once_as_many_as_permitted_succeed(void **state)
{
    log_in_side_by_side(set_scene(state, "{\"maxSessionsPerUser\":3}"), LIMIT);
}

static void of_eight_log_ins_at_once_all_succeed_and_the_limit_holds(void **state)
{
    log_in_side_by_side(
        set_scene(state, "{\"maxSessionsPerUser\":3,\"whenUserFull\":\"endOldest\"}"), LOGINS);
}

/* ---- all sessions end while they are used ---- */

static int use(struct fighter *fighter, int (*change)(ses_session *))
{
    struct scene *scene = fighter->arena->scene;
    for (int i = 0; i < REPEATS; i++) {
        ses_session *session = NULL;
        const struct ses_headers *headers = NULL;
        int r = guest_try(scene, &fighter->guest, &session);
        if (r < 0)
            return r;
        if (ses_require(session, SES_LEVEL_REMEMBERED, 0) == SES_OK) {
            r = change(session);
            if (r == SES_OK)
                r = ses_commit(session, &headers);
            EXPECT(r == SES_OK || r == SES_ERR_GONE);
            if (r == SES_OK)
                guest_take(&fighter->guest, headers);
        }
        ses_release(session);
    }
    return SES_OK;
}

static int add_one(ses_session *session)
{
    return ses_increment(session, "n", 1);
}

/* In its first request of a round the id is so old that the commit renews it. */
static int renew_by_time(struct fighter *fighter)
{
    return use(fighter, add_one);
}

static int regenerate(struct fighter *fighter)
{
    return use(fighter, ses_regenerate);
}

static int step_up(ses_session *session)
{
    return ses_elevate(session, SES_LEVEL_FULL);
}

static int elevate(struct fighter *fighter)
{
    return use(fighter, step_up);
}

/* What it stores after the call began may live. */
static int log_in_again(struct fighter *fighter)
{
    struct arena_of_threads *arena = fighter->arena;
    for (int i = 0; i < REPEATS; i++) {
        ses_session *session = NULL;
        const struct ses_headers *headers = NULL;
        int r = guest_try(arena->scene, &fighter->guest, &session);
        if (r < 0)
            return r;
        r = ses_login(session, "alice", SES_LEVEL_FULL, 0);
        EXPECT(r == SES_OK);
        struct ses_info info = { .size = sizeof info };
        EXPECT(ses_info(session, &info) == SES_OK);
        if (!atomic_load(&arena->begun))
            memcpy(fighter->early[fighter->early_count++], info.handle, sizeof info.handle);
        EXPECT(ses_commit(session, &headers) == SES_OK);
        if (headers)
            guest_take(&fighter->guest, headers);
        ses_release(session);
    }
    return SES_OK;
}

static bool is_listed(const struct listing *lines, const char *handle)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (strcmp(lines->lines[i].info.handle, handle) == 0)
            return true;
    }
    return false;
}

static void end_user_surely(struct scene *scene, const char *user)
{
    int r;
    do
        r = ses_end_user(scene->manager, user, NULL);
    while (r == SES_ERR_UNAVAILABLE); /* as its comment asks for */
    EXPECT(r == SES_OK);
}

static void check_round(struct arena_of_threads *arena, const struct listing *before)
{
    const struct listing after = list_of(arena->scene, "alice");
    for (size_t i = 0; i < before->count; i++)
        EXPECT(!is_listed(&after, before->lines[i].info.handle));
    for (unsigned i = 0; i < arena->count; i++) {
        for (unsigned n = 0; n < arena->fighters[i].early_count; n++)
            EXPECT(!is_listed(&after, arena->fighters[i].early[n]));
    }
}

static void whatever_was_there_when_the_call_began_is_dead_afterwards(void **state)
{
    static int (*const acts[])(struct fighter *) = { renew_by_time, regenerate, elevate,
                                                     log_in_again };
    struct scene *scene = set_scene(state, "{\"renewalInterval\":60,\"maxReplays\":1000}");
    struct arena_of_threads arena;
    open_arena(&arena, scene, USERS_MAX, acts, USERS_MAX);
    for (unsigned i = 0; i < rounds(ROUNDS); i++) {
        for (unsigned n = 0; n < USERS_MAX; n++) {
            arena.fighters[n].guest = guest_of(scene, "alice", 0);
            arena.fighters[n].early_count = 0;
        }
        sweep(scene); /* an id is due now */
        const struct listing before = list_of(scene, "alice");
        EXPECT(before.count >= USERS_MAX);
        atomic_store(&arena.begun, false);
        begin_round(&arena);
        atomic_store(&arena.begun, true);
        end_user_surely(scene, i % 2 ? "alice" : NULL);
        end_round(&arena);
        check_round(&arena, &before);
        end_user_surely(scene, NULL);
        EXPECT(scene_count(scene) == 0);
    }
    close_arena(&arena);
}

/* ---- tokens ---- */

static int redeem(struct fighter *fighter)
{
    ses_session *session = NULL;
    int r = guest_try(fighter->arena->scene, &fighter->guest, &session);
    if (r < 0)
        return r;
    r = ses_commit(session, NULL);
    ses_release(session);
    return r;
}

static void a_token_redeemed_while_its_user_is_ended_leaves_no_session(void **state)
{
    static int (*const acts[])(struct fighter *) = { redeem };
    struct scene *scene = set_scene(state, "{\"rememberLifetime\":86400}");
    struct arena_of_threads arena;
    open_arena(&arena, scene, 2, acts, 1);
    for (unsigned i = 0; i < rounds(ROUNDS); i++) {
        const struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
        assert_ok(ses_destroy_id(scene->manager, cookie_value(guest.session)));
        for (int n = 0; n < 2; n++) {
            arena.fighters[n].guest = guest;
            arena.fighters[n].guest.session[0] = '\0';
        }
        begin_round(&arena);
        end_user_surely(scene, i % 2 ? "alice" : NULL);
        end_round(&arena);
        EXPECT(count_codes(&arena, SES_OK) == 2);
        EXPECT(scene_count(scene) == 0);
        EXPECT(listed_count(scene, "alice") == 0);
        sweep(scene);
    }
    close_arena(&arena);
}

static void tokens_redeemed_side_by_side_by_threads_raise_no_alarm(void **state)
{
    static int (*const acts[])(struct fighter *) = { redeem };
    struct scene *scene = set_scene(state, "{\"rememberLifetime\":86400}");
    struct arena_of_threads arena;
    open_arena(&arena, scene, 6, acts, 1);
    for (unsigned i = 0; i < rounds(LIMIT_ROUNDS); i++) {
        const struct guest guest = guest_of(scene, "alice", SES_LOGIN_REMEMBER);
        assert_ok(ses_destroy_id(scene->manager, cookie_value(guest.session)));
        for (int n = 0; n < 6; n++) {
            arena.fighters[n].guest = guest;
            arena.fighters[n].guest.session[0] = '\0';
        }
        begin_round(&arena);
        end_round(&arena);
        EXPECT(count_codes(&arena, SES_OK) == 6);
        EXPECT(scene_count(scene) == 6);
        EXPECT(listed_count(scene, "alice") == 1);
        EXPECT(scene_told(scene, SES_EVENT_THEFT) == 0);
        end_user_surely(scene, "alice");
        sweep(scene);
    }
    close_arena(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(of_eight_log_ins_at_once_as_many_as_permitted_succeed),
        TEST(of_eight_log_ins_at_once_all_succeed_and_the_limit_holds),
        TEST(whatever_was_there_when_the_call_began_is_dead_afterwards),
        TEST(a_token_redeemed_while_its_user_is_ended_leaves_no_session),
        TEST(tokens_redeemed_side_by_side_by_threads_raise_no_alarm),
    };
    return cmocka_run_group_tests_name("user_threads", tests, NULL, NULL);
}
