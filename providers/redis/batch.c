/* SPDX-License-Identifier: MIT */
#include "redis/batch.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

static bool append(struct batch *batch, char *command, size_t len)
{
    if (!batch->bytes) {
        batch->bytes = command;
        batch->len = len;
        return true;
    }
    char *bytes = realloc(batch->bytes, batch->len + len);
    if (bytes) {
        memcpy(bytes + batch->len, command, len);
        batch->bytes = bytes;
        batch->len += len;
    }
    redisFreeCommand(command);
    return bytes != NULL;
}

void batch_add(struct batch *batch, int count, const struct ses_slice *words)
{
    const char *argv[BATCH_WORDS_MOST];
    size_t lens[BATCH_WORDS_MOST];
    char *command = NULL;
    for (int i = 0; i < count; i++) {
        argv[i] = words[i].data ? words[i].data : "";
        lens[i] = words[i].len;
    }
    const int len = batch->failed ? -1 : redisFormatCommandArgv(&command, count, argv, lens);
    if (len < 0 || !append(batch, command, (size_t)len))
        batch->failed = true;
    batch->commands++;
}

void batch_free(struct batch *batch)
{
    free(batch->bytes); /* hiredis takes it from malloc(), too */
    *batch = (struct batch){ 0 };
}
