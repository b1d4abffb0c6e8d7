/* SPDX-License-Identifier: MIT */
#include "support/sweep.h"

static const char *const providers[] = { "memory", "fake" };

char sweep_text[3000];

static const char *config;

void sweep_init(const char *json)
{
    config = json;
    memset(sweep_text, 'x', sizeof sweep_text - 1);
}

ses_session *stage_visit(const struct stage *stage)
{
    return scene_visit(stage->scene, &stage->visitor);
}

void fill_arena(ses_session *session, size_t left)
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
    assert_ok(ses_set_text(session, "text", sweep_text));
    assert_ok(ses_set_text(session, "once", "taken"));
    scene_finish(session, &stage->visitor);
    stage->left = left;
    stage->session = stage_visit(stage);
    stage->rival = stage_visit(stage);
    fill_arena(stage->session, left);
    fill_arena(stage->rival, left);
}

void stage_visit_again(struct stage *stage)
{
    ses_release(stage->session);
    stage->session = stage_visit(stage);
    fill_arena(stage->session, stage->left);
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

void run_sweep(const struct sweep *sweep)
{
    for (size_t p = 0; p < 2; p++) {
        struct stage stage = { .scene = scene_new(providers[p], config) };
        for (size_t left = 0; left <= 512; left += left < 128 ? 8 : 64) {
            for (long skip = 0; sweep_once(sweep, &stage, left, skip); skip++)
                assert_true(skip < 1000);
        }
        scene_free(stage.scene);
    }
}
