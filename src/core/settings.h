/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_SETTINGS_H
#define SES_CORE_SETTINGS_H

/*
 * JSON members into the members of a struct, by table (struct ses_setting): one mechanism for the
 * manager's own keys and for those that a provider declares. Keys are matched without regard to
 * case, as the ancestor's JSON reader does. What is unknown, given twice, of a wrong type or out of
 * range is refused with a sentence that says what would be right.
 */

#include <sesame/ext/provider.h>

#include <jansson.h>

struct settings_table {
    const struct ses_setting *settings; /* ended by a NULL name */
    void *target;
    const char *provider; /* whose they are; NULL: the manager's own */
};

/* Writes every preset, then every member of @p object. Texts are borrowed from it: it must live as
 * long as the targets; a LIST is joined in place. Two names of one offset are one setting. */
int settings_read(json_t *object, const struct settings_table *tables, size_t count,
                  struct ses_error *error);

/* Fills in an error whose message is made like printf's. @return its code. */
int error_set(struct ses_error *error, int code, const char *format, ...) SES_PRINTF(3, 4);

#endif
