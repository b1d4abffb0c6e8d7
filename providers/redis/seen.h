/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_SEEN_H
#define SES_REDIS_SEEN_H

#include <sesame/ext/provider.h>

/* Which keys a walk has met already: 64 bits of each, as keys are evenly spread. Of a million
 * sessions one is taken for another with a chance of one to 37 millions. */
struct seen {
    uint64_t *table;
    size_t room; /* a power of two */
    size_t count;
};

/* SES_OK, SES_ERR_EXISTS, SES_ERR_NO_MEMORY. */
int seen_add(struct seen *seen, const struct ses_key *key);
void seen_free(struct seen *seen);

#endif
