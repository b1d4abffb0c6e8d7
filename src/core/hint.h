/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_HINT_H
#define SES_CORE_HINT_H

#include <stddef.h>

/*
 * What was perhaps meant by a name that nobody knows: the nearest of those that are offered, if one
 * is near enough to be a slip.
 *
 *     struct hint hint = { .name = "Postgress" };
 *     hint_offer(&hint, "postgres", "postgres");
 *     if (hint.meant) ...
 */
struct hint {
    const char *name;
    const char *meant;  /* NULL: nothing that was offered is near */
    size_t differences; /* from the name that led to it */
};

/* @p meant is what is answered if @p known is the nearest. */
void hint_offer(struct hint *hint, const char *known, const char *meant);

#endif
