/* SPDX-License-Identifier: MIT */
#ifndef DEMO_ANSWERS_H
#define DEMO_ANSWERS_H

/* Responses. Each call takes the place of an answer that was made before; all return SES_OK or
 * SES_ERR_NO_MEMORY. */

#include "http.h"

/* @p bytes come from malloc() and are freed in any case; NULL is SES_ERR_NO_MEMORY. */
int answer_bytes(struct exchange *x, unsigned status, const char *type, void *bytes, size_t len);

/* Bytes that live as long as the program, for browsers to keep for an hour. */
int answer_asset(struct exchange *x, const char *type, const char *bytes, size_t len);

/* "See other": where a form that was sent leads to, so that reloading sends nothing again. */
int answer_redirect(struct exchange *x, const char *path);

/* Adds a field to the answer. */
int answer_header(struct exchange *x, const char *name, const char *value);

void answer_drop(struct exchange *x);

#endif
