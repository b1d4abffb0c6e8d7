/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_NEAR_H
#define SES_REDIS_NEAR_H

#include <stdbool.h>

#include <sesame/ext/provider.h>

/*
 * Copies of records in this process, a bounded number of them, for as long as somebody listens to
 * what changes in the store (listen.h). A copy shares its record's bytes with whoever loaded it.
 *
 * Whoever is about to ask the store takes a ticket first, and what comes back is kept only if
 * nothing was heard of that key since: so an answer that a change has overtaken is never kept.
 * What this process changes is forgotten at once, so that it reads its own writes. It is not kept
 * either: the store tells of that change as of any other, a moment later, and which was meant
 * cannot be told.
 *
 * The child of a fork begins without copies, and off.
 *
 * Every function but near_new() accepts NULL: then nothing is kept. Any thread.
 */
struct near;

struct near_ticket {
    uint64_t age; /* 0: not to be kept */
    uint64_t changes;
};

/* Off. NULL: no memory. */
struct near *near_new(size_t records);
void near_free(struct near *near);

/* The listener's: off, everything is dropped, and nothing kept. */
void near_on(struct near *near);
void near_off(struct near *near);

/* Is there a copy? Then @p ret_record has a reference of its own; otherwise there is a ticket. */
bool near_get(struct near *near, const struct ses_key *key, struct ses_record *ret_record,
              struct near_ticket *ret_ticket);
void near_put(struct near *near, const struct ses_key *key, const struct near_ticket *ticket,
              const struct ses_record *record);

/* It has changed, or may have. */
void near_forget(struct near *near, const struct ses_key *key);
void near_forget_all(struct near *near);

size_t near_count(struct near *near);

#endif
