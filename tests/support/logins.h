/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_LOGINS_H
#define SES_TEST_LOGINS_H

/* What tests of log-ins share: a browser with two cookies, and a look at a user's sessions. */

#include "support/session_fixture.h"

/* "name=value" of the session's cookie and of the remembered log-in's; "" where there is none. */
struct guest {
    char session[COOKIE_TEXT_MAX];
    char token[COOKIE_TEXT_MAX];
};

/* A request of this browser. */
int guest_try(struct scene *scene, const struct guest *guest, ses_session **ret_session);
ses_session *guest_visit(struct scene *scene, const struct guest *guest);

/* Keeps or drops what the response says. */
void guest_take(struct guest *guest, const struct ses_headers *headers);

/* Commits, which must succeed, and takes (@p guest may be NULL) what the response says. */
const struct ses_headers *guest_commit(ses_session *session, struct guest *guest);
void guest_finish(ses_session *session, struct guest *guest);

/* A browser with a stored session, "n" = @p n, and nobody logged in. */
struct guest guest_anonymous(struct scene *scene, int64_t n);

/* A browser in which @p user is logged in, SES_LEVEL_FULL, from the first request on. */
struct guest guest_of(struct scene *scene, const char *user, unsigned flags);

/* The session of the guest's cookie, as a request finds it. */
struct ses_info guest_info(struct scene *scene, const struct guest *guest,
                           ses_session **ret_session);

struct ses_info info_of_session(ses_session *session);

/* Is that user logged in there; NULL: nobody. */
bool is_user(ses_session *session, const char *user);
bool guest_is(struct scene *scene, const struct guest *guest, const char *user);

/* What ses_list() shows. */
enum { LINES_MAX = 64 };
struct line {
    struct ses_info info; /* its texts are gone */
    char user[64];
    char peer[64];
    char user_agent[64];
};
struct listing {
    struct line lines[LINES_MAX];
    size_t count;
    size_t remembered;
};
struct listing list_of(struct scene *scene, const char *user);
size_t listed_count(struct scene *scene, const char *user);

/* The field that sets a cookie of that name, or NULL. */
const char *set_cookie_of(const struct ses_headers *headers, const char *name);

#endif
