/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

/* Random requests of one visitor, against a model that is simple enough to be right. */

enum { KEYS = 4, SESSIONS = 3, OPS_MAX = 64, ROUNDS = 20000 };

struct cell {
    bool there;
    int64_t n;
};

enum model_op { OP_SET, OP_DELETE, OP_ADD, OP_MIX, OP_CLEAR };

struct noted {
    enum model_op op;
    int key;
    int64_t n;
};

/* What a session should be: the values as it read them, and the list of all that was done. */
struct model {
    ses_session *session;
    struct cell snapshot[KEYS];
    struct noted noted[OPS_MAX];
    size_t count;
    bool committed;
};

struct world {
    struct scene *scene;
    struct visitor visitor;
    struct cell stored[KEYS];
    struct model models[SESSIONS];
    uint64_t random;
};

static const char *const key_names[KEYS] = { "a", "bb", "c", "dddd" };

static int64_t mix(int64_t n)
{
    return (n * 7 + 3) % 1009;
}

static int mix_value(void *arg, const struct ses_value *current, struct ses_value *ret_next)
{
    (void)arg;
    if (mix(current->integer) % 5 == 0)
        return 0; /* absent */
    *ret_next = (struct ses_value){ .type = SES_TYPE_INT, .integer = mix(current->integer) };
    return 0;
}

static void apply_one(const struct noted *noted, struct cell *cell)
{
    const int64_t n = cell->there ? cell->n : 0;
    switch (noted->op) {
    case OP_SET:
        *cell = (struct cell){ true, noted->n };
        break;
    case OP_ADD:
        *cell = (struct cell){ true, n + noted->n };
        break;
    case OP_MIX:
        *cell = mix(n) % 5 == 0 ? (struct cell){ false, 0 } : (struct cell){ true, mix(n) };
        break;
    default:
        *cell = (struct cell){ false, 0 };
        break;
    }
}

static void apply(const struct model *model, const struct cell *from, struct cell *to)
{
    memmove(to, from, KEYS * sizeof *to);
    for (size_t i = 0; i < model->count; i++) {
        for (int key = 0; key < KEYS; key++) {
            if (model->noted[i].op == OP_CLEAR || model->noted[i].key == key)
                apply_one(&model->noted[i], &to[key]);
        }
    }
}

static void assert_shows(ses_session *session, const struct cell *cells)
{
    for (int key = 0; key < KEYS; key++) {
        int64_t n = 0;
        assert_code(ses_get_int(session, key_names[key], &n),
                    cells[key].there ? SES_OK : SES_ERR_NOT_FOUND);
        assert_true(n == (cells[key].there ? cells[key].n : 0));
    }
}

static void model_restart(struct world *world, struct model *model)
{
    ses_release(model->session);
    model->session = scene_visit(world->scene, &world->visitor);
    memcpy(model->snapshot, world->stored, sizeof model->snapshot);
    model->count = 0;
    model->committed = false;
}

static void model_change(struct model *model, enum model_op op, int key, int64_t n)
{
    ses_session *session = model->session;
    const char *name = key_names[key];
    int r = op == OP_SET      ? ses_set_int(session, name, n)
            : op == OP_DELETE ? ses_delete(session, name)
            : op == OP_ADD    ? ses_increment(session, name, n)
            : op == OP_MIX    ? ses_update(session, name, mix_value, NULL)
                              : ses_clear(session);
    assert_code(r, model->committed ? SES_ERR_INVALID : SES_OK);
    if (r == SES_OK)
        model->noted[model->count++] = (struct noted){ op, key, n };
}

static void model_commit(struct world *world, struct model *model)
{
    assert_ok(ses_commit(model->session, NULL));
    if (model->count > 0) {
        apply(model, world->stored, world->stored);
        memcpy(model->snapshot, world->stored, sizeof model->snapshot);
    }
    model->count = 0;
    model->committed = true;
}

static void model_reload(struct world *world, struct model *model)
{
    assert_ok(ses_reload(model->session));
    memcpy(model->snapshot, world->stored, sizeof model->snapshot);
    model->committed = false;
}

static bool key_replaced(const struct model *model, int key)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct noted *noted = &model->noted[i];
        if (noted->op == OP_CLEAR ||
            (noted->key == key && (noted->op == OP_SET || noted->op == OP_DELETE)))
            return true;
    }
    return false;
}

static void forget_key(struct model *model, int key)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (model->noted[i].op == OP_CLEAR || model->noted[i].key != key)
            model->noted[kept++] = model->noted[i];
    }
    model->count = kept;
}

static void model_take(struct world *world, struct model *model, int key)
{
    struct cell view[KEYS], want;
    struct ses_value value;
    apply(model, model->snapshot, view);
    want = view[key];
    const bool pending = key_replaced(model, key);
    if (!pending && want.there) {
        apply(model, world->stored, view); /* by a swap of its own, on what is stored now */
        want = view[key];
    }
    int r = ses_take(model->session, key_names[key], &value);
    if (model->committed) {
        assert_code(r, SES_ERR_INVALID);
        return;
    }
    assert_code(r, want.there ? SES_OK : SES_ERR_NOT_FOUND);
    if (r != SES_OK)
        return;
    assert_true(value.integer == want.n);
    if (pending) {
        model->noted[model->count++] = (struct noted){ OP_DELETE, key, 0 };
        return;
    }
    world->stored[key].there = false;
    memcpy(model->snapshot, world->stored, sizeof model->snapshot);
    forget_key(model, key);
}

static void one_step(struct world *world)
{
    struct model *model = &world->models[next_random(&world->random) % SESSIONS];
    const int key = (int)(next_random(&world->random) % KEYS);
    const int64_t n = (int64_t)(next_random(&world->random) % 20) - 10;
    const uint64_t what = next_random(&world->random) % 100;
    if (what < 3 || model->count >= OPS_MAX - 2)
        model_restart(world, model);
    else if (what < 20)
        model_commit(world, model);
    else if (what < 35)
        model_reload(world, model);
    else if (what < 45)
        model_take(world, model, key);
    else if (what < 47)
        model_change(model, OP_CLEAR, 0, 0);
    else
        model_change(model, (enum model_op)(what % OP_CLEAR), key, n);

    struct cell view[KEYS];
    apply(model, model->snapshot, view);
    assert_shows(model->session, view);
}

static void random_requests_do_what_a_simple_model_does(void **state)
{
    (void)state;
    struct world world = { .scene = scene_new("fake", NULL), .random = 4711 };
    ses_session *first = scene_start(world.scene, NULL);
    assert_ok(ses_set_int(first, key_names[0], 1));
    scene_finish(first, &world.visitor);
    world.stored[0] = (struct cell){ true, 1 };
    for (int i = 0; i < SESSIONS; i++)
        model_restart(&world, &world.models[i]);
    for (int round = 0; round < ROUNDS; round++) {
        one_step(&world);
        if (round % 16 == 0) {
            ses_session *session = scene_visit(world.scene, &world.visitor);
            assert_shows(session, world.stored);
            ses_release(session);
        }
    }
    assert_true(scene_stats(world.scene).replayed > ROUNDS / 100);
    for (int i = 0; i < SESSIONS; i++)
        ses_release(world.models[i].session);
    scene_free(world.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests_do_what_a_simple_model_does),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
