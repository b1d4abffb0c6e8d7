/* SPDX-License-Identifier: MIT */
#ifndef DEMO_VISITOR_H
#define DEMO_VISITOR_H

/* Who is at the other end. */

#include "http.h"

/* The value that holds the name. Set together with a new id only: see visitor_log_in(). */
#define VISITOR_KEY "user"

enum { NAME_MAX_LETTERS = 60 };

/* 1 to NAME_MAX_LETTERS letters, without blanks at its ends. */
bool visitor_name_fits(const char *name);

/* The name under which somebody has logged in, or NULL. */
const char *visitor_name(ses_session *session);

/* Logs in, under a new id from this moment on. What the visitor kept before stays, unless it was
 * kept by somebody else. */
int visitor_log_in(ses_session *session, const char *name);

/* Ends the session for good. */
int visitor_log_out(struct exchange *x);

#endif
