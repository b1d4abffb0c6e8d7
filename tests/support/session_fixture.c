/* SPDX-License-Identifier: MIT */
#include "support/session_fixture.h"

#include "core/session.h"

#include <stdio.h>
#include <strings.h>

/* ---- the scene ---- */

static int64_t read_clock(void *arg)
{
    struct scene *scene = arg;
    return atomic_load(&scene->now_ms);
}

static void record_event(void *arg, const struct ses_event *event)
{
    struct scene *scene = arg;
    (void)pthread_mutex_lock(&scene->mutex);
    if (scene->told_count < SCENE_EVENTS_MAX) {
        struct told *told = &scene->told[scene->told_count++];
        told->event = *event;
        (void)snprintf(told->peer, sizeof told->peer, "%s", event->peer ? event->peer : "");
        told->event.peer = event->peer ? told->peer : NULL;
        (void)snprintf(told->user, sizeof told->user, "%s", event->user ? event->user : "");
        told->event.user = event->user ? told->user : NULL;
    }
    (void)pthread_mutex_unlock(&scene->mutex);
    if (scene->hook)
        scene->hook(scene->hook_arg, event);
}

static void record_line(void *arg, enum ses_log_level level, const char *message)
{
    struct scene *scene = arg;
    (void)level;
    (void)pthread_mutex_lock(&scene->mutex);
    if (scene->line_count < SCENE_LINES_MAX)
        scene->lines[scene->line_count++] = strdup(message);
    (void)pthread_mutex_unlock(&scene->mutex);
}

struct scene *scene_new(const char *provider, const char *json)
{
    int r = ses_provider_register(&ses_provider_fake);
    assert_true(r == SES_OK || r == SES_ERR_EXISTS);
    fake_provider_reset();

    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    atomic_init(&scene->now_ms, SCENE_START_MS);
    (void)pthread_mutex_init(&scene->mutex, NULL);
    const struct ses_manager_options options = {
        .size = sizeof options,
        .log = record_line,
        .log_arg = scene,
        .event = record_event,
        .event_arg = scene,
        .clock = read_clock,
        .clock_arg = scene,
    };
    struct ses_error error;
    scene->manager = ses_manager_new(provider, json, &options, &error);
    if (!scene->manager)
        fail_msg("%s: %s", provider, error.message);
    return scene;
}

void scene_forget(struct scene *scene)
{
    for (size_t i = 0; i < scene->line_count; i++)
        free(scene->lines[i]);
    scene->line_count = 0;
    scene->told_count = 0;
    for (int op = 0; op < FAKE_OPS; op++)
        atomic_store(&fake_provider_control()->calls[op], 0);
}

void scene_free(struct scene *scene)
{
    if (!scene)
        return;
    ses_manager_unref(scene->manager);
    scene_forget(scene);
    (void)pthread_mutex_destroy(&scene->mutex);
    free(scene);
}

/* ---- what was told ---- */

int scene_set_up(void **state)
{
    *state = scene_new("fake", NULL);
    return 0;
}

int scene_tear_down(void **state)
{
    scene_free(*state);
    return 0;
}

struct scene *scene_with(void **state, const char *json)
{
    scene_free(*state);
    return *state = scene_new("fake", json);
}

static struct ses_info info_of(ses_session *session)
{
    struct ses_info info = { .size = sizeof info };
    assert_ok(ses_info(session, &info));
    return info;
}

bool session_is_new(ses_session *session)
{
    return info_of(session).is_new;
}

int64_t session_expires_ms(ses_session *session)
{
    return info_of(session).expires_ms;
}

size_t scene_told(struct scene *scene, enum ses_event_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < scene->told_count; i++)
        count += scene->told[i].event.type == type;
    return count;
}

size_t scene_rejected(struct scene *scene, enum ses_reason reason)
{
    size_t count = 0;
    for (size_t i = 0; i < scene->told_count; i++) {
        const struct ses_event *event = &scene->told[i].event;
        count += event->type == SES_EVENT_REJECTED && event->reason == reason;
    }
    return count;
}

const struct ses_event *scene_last(struct scene *scene, enum ses_event_type type)
{
    for (size_t i = scene->told_count; i > 0; i--) {
        if (scene->told[i - 1].event.type == type)
            return &scene->told[i - 1].event;
    }
    return NULL;
}

struct ses_stats scene_stats(struct scene *scene)
{
    struct ses_stats stats = { .size = sizeof stats };
    assert_ok(ses_manager_stats(scene->manager, &stats));
    return stats;
}

uint64_t scene_count(struct scene *scene)
{
    uint64_t count = 0;
    assert_ok(ses_count(scene->manager, &count));
    return count;
}

unsigned fake_calls(enum fake_op op)
{
    return atomic_load(&fake_provider_control()->calls[op]);
}

unsigned fake_calls_all(void)
{
    unsigned sum = 0;
    for (int op = 0; op < FAKE_OPS; op++)
        sum += fake_calls((enum fake_op)op);
    return sum;
}

/* ---- requests ---- */

int scene_try(struct scene *scene, struct ses_request *request, ses_session **ret_session)
{
    request->size = sizeof *request;
    return ses_start(scene->manager, request, ret_session);
}

ses_session *scene_start(struct scene *scene, const char *cookie)
{
    struct ses_slice field = { cookie, cookie ? strlen(cookie) : 0 };
    struct ses_request request = {
        .cookies = &field,
        .cookie_count = field.len > 0,
        .peer = "192.0.2.7",
        .user_agent = "test/1.0",
    };
    ses_session *session = NULL;
    assert_ok(scene_try(scene, &request, &session));
    assert_non_null(session);
    return session;
}

ses_session *scene_visit(struct scene *scene, const struct visitor *visitor)
{
    return scene_start(scene, visitor->cookie);
}

/* ---- responses ---- */

const char *header_value(const struct ses_headers *headers, const char *name, size_t nth)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (strcasecmp(headers->fields[i].name, name) == 0 && nth-- == 0)
            return headers->fields[i].value;
    }
    return NULL;
}

size_t header_count(const struct ses_headers *headers, const char *name)
{
    size_t count = 0;
    while (header_value(headers, name, count))
        count++;
    return count;
}

/* What a browser does: it keeps the pair, or drops it when the age is 0. */
static void keep_cookie(struct visitor *visitor, const char *set_cookie)
{
    const int len = (int)strcspn(set_cookie, ";");
    if (strstr(set_cookie, "Max-Age=0"))
        visitor->cookie[0] = '\0';
    else
        (void)snprintf(visitor->cookie, sizeof visitor->cookie, "%.*s", len, set_cookie);
}

const char *scene_commit(ses_session *session, struct visitor *visitor)
{
    const struct ses_headers *headers = NULL;
    assert_ok(ses_commit(session, &headers));
    assert_non_null(headers);
    assert_true(header_count(headers, "Set-Cookie") <= 1);
    const char *set_cookie = header_value(headers, "Set-Cookie", 0);
    if (visitor && set_cookie)
        keep_cookie(visitor, set_cookie);
    return set_cookie;
}

void scene_finish(ses_session *session, struct visitor *visitor)
{
    (void)scene_commit(session, visitor);
    ses_release(session);
}

struct visitor scene_visitor(struct scene *scene, int64_t n)
{
    struct visitor visitor = { "" };
    ses_session *session = scene_start(scene, NULL);
    assert_ok(ses_set_int(session, "n", n));
    scene_finish(session, &visitor);
    assert_true(visitor.cookie[0] != '\0');
    return visitor;
}

int64_t stored_int(struct scene *scene, const struct visitor *visitor, const char *key)
{
    ses_session *session = scene_visit(scene, visitor);
    int64_t n = -1;
    (void)ses_get_int(session, key, &n);
    ses_release(session);
    return n;
}

const char *cookie_value(const char *cookie)
{
    const char *equals = strchr(cookie, '=');
    assert_non_null(equals);
    return equals + 1;
}

int scene_exists(struct scene *scene, const struct visitor *visitor)
{
    return ses_exists(scene->manager, cookie_value(visitor->cookie));
}

struct ses_key key_of_session(ses_session *session)
{
    assert_non_null(ses_session_id(session));
    return session->id.key;
}

struct visitor scene_plant(struct scene *scene, struct ses_slice bytes)
{
    struct id id;
    assert_ok(id_make(&scene->manager->ids, &id));
    const struct ses_record record = {
        .data = ses_blob_new(bytes),
        .version = 7,
        .expires_ms = atomic_load(&scene->now_ms) + 60 * 1000,
        .kind = SES_KIND_SESSION,
    };
    const int64_t now_ms = atomic_load(&scene->now_ms);
    assert_ok(store_create(scene->manager->store, &id.key, now_ms, NULL, &record));
    (void)ses_blob_unref(record.data);
    struct visitor visitor;
    (void)snprintf(visitor.cookie, sizeof visitor.cookie, "%s=%s",
                   scene->manager->config.faces[0].name, id.text);
    return visitor;
}

struct ses_record scene_record(struct scene *scene, const struct visitor *visitor)
{
    struct id id;
    struct ses_slice text = { cookie_value(visitor->cookie), 0 };
    text.len = strlen(text.data);
    assert_ok(id_parse(&scene->manager->ids, text, &id));
    struct ses_record record;
    assert_ok(store_load(scene->manager->store, &id.key, atomic_load(&scene->now_ms), &record));
    return record;
}

/* splitmix64 */
uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
