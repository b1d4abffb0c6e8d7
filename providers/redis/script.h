/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_SCRIPT_H
#define SES_REDIS_SCRIPT_H

#include "redis/batch.h"

/*
 * What has to be atomic in the server, one small script each, of one key. Each is asked for by its
 * SHA-1 and sent whole only to a server that does not know it. The comments in script.c are their
 * contract.
 */
enum script_name {
    SCRIPT_CREATE,
    SCRIPT_SAVE,
    SCRIPT_TOUCH,
    SCRIPT_DESTROY,
    SCRIPT_ENTER,
    SCRIPT_EXTEND,
    SCRIPTS
};

struct script {
    const char *text;
    char sha1[41];
};

/* What the scripts of records answer with. */
enum {
    ANSWER_DONE = 0,
    ANSWER_CONFLICT = 1, /* and the value as it stands */
    ANSWER_ABSENT = 2,
    ANSWER_EXTEND = 3, /* nothing done: the user's index has to live longer first; and the owner */
};

void scripts_prepare(struct script scripts[SCRIPTS]);

/* EVALSHA or, @p whole, EVAL, with one key. */
void script_add(struct batch *batch, const struct script *script, bool whole, struct ses_slice key,
                int count, const struct ses_slice *args);

#endif
