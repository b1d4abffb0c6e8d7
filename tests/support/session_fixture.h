/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_SESSION_FIXTURE_H
#define SES_TEST_SESSION_FIXTURE_H

/*
 * A manager over "memory" or "fake", a clock that only the test moves, a recorder of all that the
 * manager tells, and a visitor who keeps the cookie that a response sets.
 */

#include "support/fake_provider.h"
#include "support/test.h"

#include <sesame/sesame.h>

#include <pthread.h>
#include <stdatomic.h>

enum { SCENE_EVENTS_MAX = 4096, SCENE_LINES_MAX = 256, COOKIE_TEXT_MAX = 512 };

/* Where the clock stands at first: 2030-01-01. */
#define SCENE_START_MS INT64_C(1893456000000)

struct told {
    struct ses_event event; /* peer and user point into the next members */
    char peer[64];
    char user[SES_USER_MAX + 1];
};

struct scene {
    ses_manager *manager;
    _Atomic int64_t now_ms;
    pthread_mutex_t mutex;
    struct told told[SCENE_EVENTS_MAX]; /* the first ones */
    size_t told_count;
    char *lines[SCENE_LINES_MAX];
    size_t line_count;
    void (*hook)(void *arg, const struct ses_event *event); /* what else an event sets off */
    void *hook_arg;
};

/* The fake provider starts anew with each scene. */
struct scene *scene_new(const char *provider, const char *json);
void scene_free(struct scene *scene);
void scene_forget(struct scene *scene); /* what was told and counted so far */

/* For cmocka: a scene over the fake provider as the test's state. */
int scene_set_up(void **state);
int scene_tear_down(void **state);

/* The test's scene, made anew with this configuration. */
struct scene *scene_with(void **state, const char *json);

bool session_is_new(ses_session *session);
int64_t session_expires_ms(ses_session *session);

size_t scene_told(struct scene *scene, enum ses_event_type type);
size_t scene_rejected(struct scene *scene, enum ses_reason reason);
const struct ses_event *scene_last(struct scene *scene, enum ses_event_type type);
struct ses_stats scene_stats(struct scene *scene);
uint64_t scene_count(struct scene *scene); /* sessions alive in the store */

/* Calls of the fake provider, of one operation or of all. */
unsigned fake_calls(enum fake_op op);
unsigned fake_calls_all(void);

/* "name=value" of a Cookie field, as the visitor would send it; "" when there is none. */
struct visitor {
    char cookie[COOKIE_TEXT_MAX];
};

/* The session of a request that brings this Cookie field; NULL or "": none. */
ses_session *scene_start(struct scene *scene, const char *cookie);
ses_session *scene_visit(struct scene *scene, const struct visitor *visitor);

/* Any request, with its code. */
int scene_try(struct scene *scene, struct ses_request *request, ses_session **ret_session);

/* The value of a field of that name, counted from 0; NULL: there is none. */
const char *header_value(const struct ses_headers *headers, const char *name, size_t nth);
size_t header_count(const struct ses_headers *headers, const char *name);

/* Commits, which must succeed, keeps the cookie for the visitor (may be NULL), and releases. */
void scene_finish(ses_session *session, struct visitor *visitor);

/* The same without release: the Set-Cookie field, or NULL. */
const char *scene_commit(ses_session *session, struct visitor *visitor);

/* A visitor whose session is stored, with "n" = @p n. */
struct visitor scene_visitor(struct scene *scene, int64_t n);

/* The integer under @p key as a new request finds it; -1: no such value or session. */
int64_t stored_int(struct scene *scene, const struct visitor *visitor, const char *key);

/* Does the id that this Cookie field carries belong to a session? */
int scene_exists(struct scene *scene, const struct visitor *visitor);

const char *cookie_value(const char *cookie);

/* The key under which a session's record lies. */
struct ses_key key_of_session(ses_session *session);

/* A visitor whose session has these very bytes as its record. */
struct visitor scene_plant(struct scene *scene, struct ses_slice record);

/* The record of a visitor's session as it is stored now; the caller drops its data. */
struct ses_record scene_record(struct scene *scene, const struct visitor *visitor);

/* Deterministic numbers. */
uint64_t next_random(uint64_t *state);

#endif
