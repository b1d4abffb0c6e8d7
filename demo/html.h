/* SPDX-License-Identifier: MIT */
#ifndef DEMO_HTML_H
#define DEMO_HTML_H

/* Writing a page: its frame, and text that is safe in it. */

#include "http.h"

#include <sesame/login.h>

#include <stdio.h>

/* Between html_begin() and html_answer() markup goes to out, and all that is not markup through
 * html_text(). */
struct html {
    FILE *out;
    char *bytes;
    size_t len;
    struct ses_csrf_token token; /* of the visitor's session; "" without one */
};

/* Writes the head and opens the body; shows what every page shows: the way to the other pages, a
 * suspicion of theft, and the message of x->flash. */
int html_begin(struct html *html, struct exchange *x, const char *title);

/* Escaped for text and for quoted attributes. */
void html_text(struct html *html, const char *text);
void html_slice(struct html *html, struct ses_slice text);

/* "21 Nov 2026, 02:56 UTC" */
void html_time(struct html *html, int64_t unix_ms);

/* Opens a form that is sent to @p action, with the CSRF token in it. The caller closes it. */
void html_form(struct html *html, const char *action, const char *class_or_null);
void html_hidden(struct html *html, const char *name, const char *value);

/* Closes the page and answers it. */
int html_answer(struct html *html, struct exchange *x, unsigned status);

#endif
