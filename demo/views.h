/* SPDX-License-Identifier: MIT */
#ifndef DEMO_VIEWS_H
#define DEMO_VIEWS_H

/* What the pages look like. */

#include "http.h"

/* A note's key is this and when it was written, so that notes are listed in that order. */
#define NOTE_PREFIX "note:"

enum { NOTE_MAX_LETTERS = 500 };

/* The form to log in; @p complaint may be NULL. */
int view_welcome(struct exchange *x, unsigned status, const char *complaint);

/* To whom this browser remembers, and who has not shown yet that it is that one. */
int view_greeting(struct exchange *x, const char *name);

/* The session and its notes. After a commit, so that it shows what is stored. */
int view_session(struct exchange *x, const char *name);

int view_failure(struct exchange *x, const struct failure *failure);

#endif
