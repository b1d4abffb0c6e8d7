/* SPDX-License-Identifier: MIT */
#include "bare.h"

#include "harness.h"
#include "shared/bytes.h"
#include "shared/envelope.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

enum { BYTES_MOST = 4096 };

struct bare {
    redisContext *context;
    unsigned char value[ENVELOPE_HEAD + BYTES_MOST];
};

struct bare *bare_connect(const char *path, int port)
{
    struct bare *bare = bench_alloc(sizeof *bare);
    bare->context = path ? redisConnectUnix(path) : redisConnect("127.0.0.1", port);
    if (!bare->context || bare->context->err)
        bench_fail("hiredis cannot connect");
    return bare;
}

void bare_close(struct bare *bare)
{
    redisFree(bare->context);
    free(bare);
}

static redisReply *say(const struct bare *bare, int count, const char **words, const size_t *lens)
{
    redisReply *reply = redisCommandArgv(bare->context, count, words, lens);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        bench_fail("hiredis: %s", reply ? reply->str : bare->context->errstr);
    return reply;
}

/* Without checksums: they are the provider's own. */
static void write_head(struct bare *bare, uint64_t version, size_t bytes)
{
    memcpy(bare->value, "SESV\1\1", 6);
    put64(bare->value + ENVELOPE_VERSION, version);
    put32(bare->value + 16, (uint32_t)bytes);
    put64(bare->value + ENVELOPE_EXPIRY, (uint64_t)1 << 42);
}

void bare_set(struct bare *bare, const char *name, uint64_t version, size_t bytes)
{
    const char *words[] = { "SET", name, (const char *)bare->value };
    const size_t lens[] = { 3, strlen(name), ENVELOPE_HEAD + bytes };
    write_head(bare, version, bytes);
    freeReplyObject(say(bare, 3, words, lens));
}

static redisReply *get(struct bare *bare, const char *name)
{
    const char *words[] = { "GET", name };
    const size_t lens[] = { 3, strlen(name) };
    redisReply *reply = say(bare, 2, words, lens);
    if (reply->type != REDIS_REPLY_STRING || reply->len < ENVELOPE_HEAD)
        bench_fail("hiredis: a value is missing");
    return reply;
}

void bare_load(struct bare *bare, const char *name)
{
    freeReplyObject(get(bare, name));
}

void bare_save(struct bare *bare, const struct script *script, const char *name, uint64_t version,
               size_t bytes)
{
    redisReply *old = get(bare, name);
    const char *words[] = {
        "EVALSHA",
        script->sha1,
        "1",
        name,
        "1600000000000",
        old->str + ENVELOPE_VERSION,
        (const char *)bare->value,
        (const char *)bare->value + ENVELOPE_HEAD,
        "604800000",
        "67108864",
        "",
    };
    const size_t lens[] = { 7, 40, 1, strlen(name), 13, 8, ENVELOPE_OWNER, bytes, 9, 8, 0 };
    write_head(bare, version, bytes);
    redisReply *reply = say(bare, 11, words, lens);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 ||
        reply->element[0]->integer != ANSWER_DONE)
        bench_fail("hiredis: a save was refused");
    freeReplyObject(reply);
    freeReplyObject(old);
}
