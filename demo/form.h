/* SPDX-License-Identifier: MIT */
#ifndef DEMO_FORM_H
#define DEMO_FORM_H

/* What browsers encode: addresses and forms. */

#include <stdbool.h>
#include <stddef.h>

/* Decodes %XX in place. False for half an escape and for an encoded NUL. */
bool url_decode(char *text);

/* Letters, not bytes: as the browser counts for maxlength. */
bool text_is_longer(const char *text, size_t letters);

/* A field of a form that was sent as application/x-www-form-urlencoded: to be freed; NULL when it
 * is not there, or not decodable. */
char *form_value(const char *body, size_t len, const char *name);

/* The same without the blanks around it, and "" when it is not there. NULL: no memory. */
char *form_field(const char *body, size_t len, const char *name);

#endif
