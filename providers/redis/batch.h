/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_BATCH_H
#define SES_REDIS_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <sesame/common.h>

/* Commands as they are sent, in one piece. The first failure, for want of memory, sticks; whoever
 * sends it looks. */
struct batch {
    char *bytes;
    size_t len;
    int commands;
    bool repeats; /* asking twice does no harm: nothing is written */
    bool failed;
};

enum { BATCH_WORDS_MOST = 20 };

void batch_add(struct batch *batch, int count, const struct ses_slice *words);
void batch_free(struct batch *batch);

/* A word that is a text. */
static inline struct ses_slice word(const char *text)
{
    return (struct ses_slice){ text, __builtin_strlen(text) };
}

#define BATCH_ADD(batch, ...)                                                                      \
 batch_add(batch, (int)(sizeof((struct ses_slice[]){ __VA_ARGS__ }) / sizeof(struct ses_slice)),   \
           (struct ses_slice[]){ __VA_ARGS__ })

#endif
