/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_JAR_H
#define SES_TEST_JAR_H

/* A browser that keeps every cookie of a session, however long, and comes over TLS. */

#include "support/session_fixture.h"

enum { JAR_MAX = 16 };

struct jar {
    size_t count;
    char names[JAR_MAX][80];
    char *values[JAR_MAX];
};

void jar_free(struct jar *jar);
struct jar jar_copy(const struct jar *jar);
void jar_keep(struct jar *jar, const struct ses_cookie *cookie);

ses_session *jar_visit(ses_manager *manager, const struct jar *jar);

/* Commits, which must succeed, keeps what the response sets, and releases: how many cookies. */
size_t jar_finish(ses_session *session, struct jar *jar);

/* A session with "n" = 1; of @p user, unless that is NULL. */
void jar_begin(ses_manager *manager, struct jar *jar, const char *user);

/* Does a request find a session? */
bool jar_known(ses_manager *manager, const struct jar *jar);

/* The integer under @p key; -1: there is none, or no session. */
int64_t jar_int(ses_manager *manager, const struct jar *jar, const char *key);

#endif
