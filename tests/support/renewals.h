/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_RENEWALS_H
#define SES_TEST_RENEWALS_H

/* What tests of ids that change by time share: a visitor whose id is due, and requests that count
 * in "n". */

#include "support/session_fixture.h"

enum { INTERVAL_S = 600, GRACE_MS = 10000 };

/* A scene over the fake provider that renews ids after INTERVAL_S. */
int renewal_set_up(void **state);

void pass(struct scene *scene, int64_t ms);

/* A browser in which @p user is logged in, with "n" = 0. */
struct visitor log_in(struct scene *scene, const char *user);

/* The same, with an id that the next commit renews; nothing is told or counted yet. */
struct visitor due_visitor(struct scene *scene);

/* One request that adds to "n". @return whether its response brought a cookie. */
bool add(struct scene *scene, struct visitor *visitor);

/* Two of them: the response of the first brings a new id, the second has used it. */
void renew_and_use(struct scene *scene, struct visitor *visitor);

bool same_id(const struct visitor *a, const struct visitor *b);

struct ses_info info_of(ses_session *session);

/* Does a request with that cookie find nobody's new session? */
bool is_stranger(struct scene *scene, const struct visitor *visitor);

#endif
