/* SPDX-License-Identifier: MIT */
#ifndef DEMO_VISITOR_H
#define DEMO_VISITOR_H

/* Who is at the other end. */

#include "http.h"

#include <sesame/login.h>

enum { NAME_MAX_LETTERS = 60 };

/* 1 to NAME_MAX_LETTERS letters, without blanks at its ends. */
bool visitor_name_fits(const char *name);

/* Who is logged in, if only by a remembered log-in; or NULL. */
const char *visitor_name(ses_session *session);

/* Has shown who it is in this session: may see and change what is kept. */
bool visitor_is_in(const ses_session *session);

/* Is there something stored, or somebody logged in? If not, asking for a CSRF token would store a
 * session for a visitor who only looks. */
bool visitor_has_session(ses_session *session);

/* Logs in, under a new id from this moment on. What the visitor kept before stays, unless it was
 * kept by somebody else. */
int visitor_log_in(struct exchange *x, const char *name, bool remember);

/* Ends the session for good, and what remembers this browser. */
int visitor_log_out(struct exchange *x);

/* Calls @p then if the visitor has shown who it is, at most @p max_age_s ago (0: at any time). Who
 * has not is sent to do so, and from there to the page @p back. */
int visitor_guard(struct exchange *x, uint32_t max_age_s, const char *back, handler_fn *then);

#endif
