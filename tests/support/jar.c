/* SPDX-License-Identifier: MIT */
#include "support/jar.h"

#include <stdio.h>
#include <stdlib.h>

void jar_free(struct jar *jar)
{
    for (size_t i = 0; i < jar->count; i++)
        free(jar->values[i]);
    jar->count = 0;
}

static size_t jar_find(const struct jar *jar, const char *name)
{
    size_t i = 0;
    while (i < jar->count && strcmp(jar->names[i], name) != 0)
        i++;
    return i;
}

void jar_keep(struct jar *jar, const struct ses_cookie *cookie)
{
    size_t i = jar_find(jar, cookie->name);
    assert_true(strlen(cookie->name) + strlen(cookie->value) <= 4096);
    if (i < jar->count)
        free(jar->values[i]);
    else if (cookie->max_age_s == 0)
        return;
    if (cookie->max_age_s == 0) {
        jar->count--;
        memmove(jar->names[i], jar->names[i + 1], (jar->count - i) * sizeof jar->names[0]);
        memmove(&jar->values[i], &jar->values[i + 1], (jar->count - i) * sizeof jar->values[0]);
        return;
    }
    assert_true(i < JAR_MAX);
    (void)snprintf(jar->names[i], sizeof jar->names[i], "%s", cookie->name);
    jar->values[i] = strdup(cookie->value);
    jar->count += i == jar->count;
}

struct jar jar_copy(const struct jar *jar)
{
    struct jar copy = *jar;
    for (size_t i = 0; i < jar->count; i++)
        copy.values[i] = strdup(jar->values[i]);
    return copy;
}

ses_session *jar_visit(ses_manager *manager, const struct jar *jar)
{
    char *fields[JAR_MAX];
    struct ses_slice slices[JAR_MAX];
    for (size_t i = 0; i < jar->count; i++) {
        assert_true(asprintf(&fields[i], "%s=%s", jar->names[i], jar->values[i]) > 0);
        slices[i] = (struct ses_slice){ fields[i], strlen(fields[i]) };
    }
    const struct ses_request request = {
        .size = sizeof request,
        .cookies = slices,
        .cookie_count = jar->count,
        .tls = true,
        .peer = "192.0.2.7",
    };
    ses_session *session;
    assert_ok(ses_start(manager, &request, &session));
    for (size_t i = 0; i < jar->count; i++)
        free(fields[i]);
    return session;
}

size_t jar_finish(ses_session *session, struct jar *jar)
{
    const struct ses_headers *headers;
    assert_ok(ses_commit(session, &headers));
    const size_t set = headers->cookie_count;
    for (size_t i = 0; i < set; i++)
        jar_keep(jar, &headers->cookies[i]);
    ses_release(session);
    return set;
}

void jar_begin(ses_manager *manager, struct jar *jar, const char *user)
{
    ses_session *session = jar_visit(manager, jar);
    if (user)
        assert_ok(ses_login(session, user, SES_LEVEL_FULL, 0));
    assert_ok(ses_set_int(session, "n", 1));
    assert_true(jar_finish(session, jar) >= 1);
}

bool jar_known(ses_manager *manager, const struct jar *jar)
{
    ses_session *session = jar_visit(manager, jar);
    const bool known = !session_is_new(session);
    ses_release(session);
    return known;
}

int64_t jar_int(ses_manager *manager, const struct jar *jar, const char *key)
{
    int64_t n = -1;
    ses_session *session = jar_visit(manager, jar);
    (void)ses_get_int(session, key, &n);
    ses_release(session);
    return n;
}
