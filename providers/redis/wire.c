/* SPDX-License-Identifier: MIT */
#include "redis/wire.h"

#include <stdlib.h>
#include <string.h>

/* A record at its largest, many times: what is longer is not an answer to us. */
enum { READ_STEP = 16 << 10, REPLY_MOST = 256 << 20 };

struct wire *wire_open(const struct endpoint *endpoint, struct deadline deadline, int patience_ms,
                       const char **ret_why)
{
    struct wire *wire = calloc(1, sizeof *wire);
    *ret_why = "out of memory";
    if (!wire)
        return NULL;
    wire->stream.fd = -1;
    wire->reader = redisReaderCreate();
    if (wire->reader && stream_open(&wire->stream, endpoint, deadline, patience_ms, ret_why))
        return wire;
    wire_close(wire);
    return NULL;
}

void wire_close(struct wire *wire)
{
    stream_close(&wire->stream);
    if (wire->reader)
        redisReaderFree(wire->reader);
    free(wire);
}

bool wire_send(struct wire *wire, const struct batch *batch, struct deadline deadline)
{
    return !batch->failed && stream_send(&wire->stream, batch->bytes, batch->len, deadline);
}

redisReply *wire_receive(struct wire *wire, struct deadline deadline)
{
    char bytes[READ_STEP];
    size_t total = 0;
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK)
            return NULL;
        if (reply)
            return reply;
        const ssize_t got = stream_receive(&wire->stream, bytes, sizeof bytes, deadline);
        if (got <= 0 || (total += (size_t)got) > REPLY_MOST ||
            redisReaderFeed(wire->reader, bytes, (size_t)got) != REDIS_OK)
            return NULL;
    }
}

redisReply *wire_ask(struct wire *wire, const struct batch *batch, struct deadline deadline)
{
    return wire_send(wire, batch, deadline) ? wire_receive(wire, deadline) : NULL;
}

bool reply_is_error(const redisReply *reply, const char *word)
{
    const size_t len = strlen(word);
    return reply->type == REDIS_REPLY_ERROR && reply->len >= len &&
           strncmp(reply->str, word, len) == 0 && (reply->str[len] == ' ' || !reply->str[len]);
}

bool reply_is_text(const redisReply *reply, const char *text)
{
    return (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) &&
           strcmp(reply->str, text) == 0;
}
