/* SPDX-License-Identifier: MIT */
#ifndef DEMO_FLASH_H
#define DEMO_FLASH_H

/* A message for the next page, such as "Saved.", which is shown once, in whichever tab comes first.
 * It lives in the session like any value. */

#include "http.h"

int flash_set(ses_session *session, const char *text);

/* Takes the message for this page, if there is one: before the commit, and when nothing can keep
 * the page from being shown any more. */
int flash_take(struct exchange *x);

#endif
