/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_ONE_LINE_H
#define SES_BASE_ONE_LINE_H

/* A message quotes what it was given, and a server's answer may hold anything: this makes it one
 * line, which moves no terminal's cursor. */
static inline void make_one_line(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

#endif
