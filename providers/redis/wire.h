/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_WIRE_H
#define SES_REDIS_WIRE_H

#include "redis/batch.h"
#include "shared/pool.h"
#include "shared/stream.h"

#include <hiredis/hiredis.h>

/*
 * One connection to a server of Redis. hiredis writes the commands and reads the replies; sockets,
 * deadlines and TLS are ours (shared/stream.h), because its own raise SIGPIPE, know no deadline for
 * a reply that comes in drops, and have no TLS before 1.0.
 */
struct wire {
    struct pooled pooled; /* first */
    struct stream stream;
    redisReader *reader;
    int64_t idle_ms; /* unused for longer, it is not used again; 0: no limit */
    int64_t used_ms; /* when it was last of use, by the monotonic clock */
};

/* @return NULL when it failed; then *ret_why tells why, for a log line. */
struct wire *wire_open(const struct endpoint *endpoint, struct deadline deadline, int patience_ms,
                       const char **ret_why);
void wire_close(struct wire *wire);

bool wire_send(struct wire *wire, const struct batch *batch, struct deadline deadline);

/* The next reply; its owner frees it with freeReplyObject(). NULL: there is none to be had. */
redisReply *wire_receive(struct wire *wire, struct deadline deadline);

/* Both, of one command. */
redisReply *wire_ask(struct wire *wire, const struct batch *batch, struct deadline deadline);

static inline void reply_free(redisReply *reply)
{
    if (reply)
        freeReplyObject(reply);
}

/* Is it an error that begins with this word? */
bool reply_is_error(const redisReply *reply, const char *word);
bool reply_is_text(const redisReply *reply, const char *text);

#endif
