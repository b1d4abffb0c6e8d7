/* SPDX-License-Identifier: MIT */
#ifndef DEMO_HTML_H
#define DEMO_HTML_H

/* Writing a page: its frame, and text that is safe in it. */

#include "http.h"

#include <stdio.h>

/* Between html_begin() and html_answer() markup goes to out, and all that is not markup through
 * html_text(). */
struct html {
    FILE *out;
    char *bytes;
    size_t len;
};

/* Writes the head and opens the body. */
int html_begin(struct html *html, const char *title);

/* Escaped for text and for quoted attributes. */
void html_text(struct html *html, const char *text);

/* "21 Nov 2026, 02:56 UTC" */
void html_time(struct html *html, int64_t unix_ms);

/* Closes the page and answers it. */
int html_answer(struct html *html, struct exchange *x, unsigned status);

#endif
