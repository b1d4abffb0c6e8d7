/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_TAG_H
#define SES_BASE_TAG_H

#include <stdint.h>

/*
 * Numbers of 64 bits that do not repeat: not in this process, and not in another but by a chance of
 * 2^-30. They are no secrets. One costs a few nanoseconds; asking the kernel each time costs 370, a
 * quarter of a whole commit.
 *
 * Nothing is kept that a fork could repeat: the seed lies in a page that the kernel wipes in the
 * child, which then draws one of its own.
 */
struct tags;

struct tags *tags_new(void); /* NULL: out of memory */
void tags_free(struct tags *tags);

/* Never 0. SES_OK, SES_ERR_NO_RANDOMNESS. Any thread. */
int tags_next(struct tags *tags, uint64_t *ret_tag);

#endif
