/* SPDX-License-Identifier: MIT */
#include "support/renewals.h"

int renewal_set_up(void **state)
{
    *state = scene_new("fake", "{\"renewalInterval\":600,\"idleTimeout\":7200}");
    return 0;
}

void pass(struct scene *scene, int64_t ms)
{
    atomic_fetch_add(&scene->now_ms, ms);
}

struct visitor log_in(struct scene *scene, const char *user)
{
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_login(session, user, SES_LEVEL_FULL, 0));
    assert_ok(ses_set_int(session, "n", 0));
    scene_finish(session, &visitor);
    return visitor;
}

struct visitor due_visitor(struct scene *scene)
{
    const struct visitor visitor = log_in(scene, "ada");
    pass(scene, INTERVAL_S * 1000);
    scene_forget(scene);
    return visitor;
}

bool add(struct scene *scene, struct visitor *visitor)
{
    ses_session *session = scene_visit(scene, visitor);
    assert_ok(ses_increment(session, "n", 1));
    const bool set = scene_commit(session, visitor) != NULL;
    ses_release(session);
    return set;
}

void renew_and_use(struct scene *scene, struct visitor *visitor)
{
    assert_true(add(scene, visitor));
    assert_false(add(scene, visitor));
}

bool same_id(const struct visitor *a, const struct visitor *b)
{
    return strcmp(a->cookie, b->cookie) == 0;
}

struct ses_info info_of(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    assert_ok(ses_info(session, &info));
    return info;
}

bool is_stranger(struct scene *scene, const struct visitor *visitor)
{
    ses_session *session = scene_visit(scene, visitor);
    const bool stranger = info_of(session).is_new && !info_of(session).user;
    ses_release(session);
    return stranger;
}
