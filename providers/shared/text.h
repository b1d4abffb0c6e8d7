/* SPDX-License-Identifier: MIT */
#ifndef SES_SHARED_TEXT_H
#define SES_SHARED_TEXT_H

#include <stdbool.h>

/* Pieces of a text that names a server, cut out in place. */

/* Ends the text at the first mark. @return what follows it, or NULL. */
char *text_cut(char *text, char mark);
char *text_cut_last(char *text, char mark);

/* %41 is A, in place. @return false: not two digits, or a NUL, which would end the text early. */
bool text_decode_percents(char *text);

#endif
