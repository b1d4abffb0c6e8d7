/* SPDX-License-Identifier: MIT */
#include "redis/script.h"

#include "shared/envelope.h"

#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

/*
 * Offsets are those of shared/envelope.h, from 1 as Lua counts. Versions are compared as bytes,
 * because a number in Lua has 53 bits; times fit in those.
 */
_Static_assert(ENVELOPE_VERSION == 8 && ENVELOPE_EXPIRY == 24 && ENVELOPE_OWNER == 36 &&
                   ENVELOPE_HEAD == 80,
               "the scripts know where the parts are");

#define ALIVE                                                                                      \
 "local function alive(v, now) "                                                                   \
 "return v and #v >= 80 and struct.unpack('<i8', v, 25) > tonumber(now) end "

/* ARGV: now, value, time to live. 0, or 1 when one is alive. */
static const char create_text[] =
    ALIVE "if alive(redis.call('GET', KEYS[1]), ARGV[1]) then return 1 end "
          "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 0";

/*
 * ARGV: now, version, first and second part, bytes, time to live, day (how long an index outlives
 * its day; 0: it was extended), owner of nobody if the record is to be nobody's.
 * {0}, {0, owner} when it lost its owner, {1, value}, {2}, {3, owner}.
 */
static const char save_text[] =
    ALIVE "local v = redis.call('GET', KEYS[1]) "
          "if not alive(v, ARGV[1]) then return {2} end "
          "if v:sub(9, 16) ~= ARGV[2] then return {1, v} end "
          "local owner, free = v:sub(37, 80), #ARGV[7] > 0 "
          "local owned = owner:sub(33, 40) ~= ('\\0'):rep(8) "
          "local day = tonumber(ARGV[6]) "
          "if owned and not free and day > 0 and "
          "math.floor(struct.unpack('<i8', v, 25) / day) < "
          "math.floor(struct.unpack('<i8', ARGV[3], 25) / day) then return {3, owner} end "
          "redis.call('SET', KEYS[1], ARGV[3] .. (free and ARGV[7] or owner) .. ARGV[4], "
          "'PX', ARGV[5]) "
          "if owned and free then return {0, owner} end "
          "return {0}";

/* ARGV: now, version, second part, time to live, day. {0}, {1}, {2}, {3, owner}. */
static const char touch_text[] =
    ALIVE "local v = redis.call('GET', KEYS[1]) "
          "if not alive(v, ARGV[1]) then return {2} end "
          "if v:sub(9, 16) ~= ARGV[2] then return {1} end "
          "local old, new = struct.unpack('<i8', v, 25), struct.unpack('<i8', ARGV[3]) "
          "if new <= old then return {0} end "
          "local day = tonumber(ARGV[5]) "
          "if v:sub(69, 76) ~= ('\\0'):rep(8) and day > 0 and "
          "math.floor(old / day) < math.floor(new / day) then return {3, v:sub(37, 80)} end "
          "redis.call('SETRANGE', KEYS[1], 24, ARGV[3]) "
          "redis.call('PEXPIRE', KEYS[1], ARGV[4]) "
          "return {0}";

/* {0} or {0, owner}. */
static const char destroy_text[] = "local v = redis.call('GET', KEYS[1]) "
                                   "redis.call('DEL', KEYS[1]) "
                                   "if v and #v >= 80 and v:sub(69, 76) ~= ('\\0'):rep(8) then "
                                   "return {0, v:sub(37, 80)} end "
                                   "return {0}";

/*
 * The index of a user: ARGV: entry, limit, time to live, age at which an entry is looked at again,
 * how many of those at most. Adds the entry unless the limit is reached, and answers {1 if it did,
 * the server's time, entry, time, entry, time ...}: those to be looked at; all when it did not.
 */
static const char enter_text[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "local limit = tonumber(ARGV[2]) "
    "local added = limit == 0 or redis.call('ZCARD', KEYS[1]) < limit "
    "if added then "
    "redis.call('ZADD', KEYS[1], now, ARGV[1]) "
    "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then "
    "redis.call('PEXPIRE', KEYS[1], ARGV[3]) end end "
    "local r = {added and 1 or 0, now} "
    "local old = added and redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4], "
    "'WITHSCORES', 'LIMIT', 0, ARGV[5]) "
    "or redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') "
    "for i = 1, #old do r[#r + 1] = old[i] end "
    "return r";

/* ARGV: entry, time to live. Never shortens it, and mends an index that has lost the entry. */
static const char extend_text[] =
    "local t = redis.call('TIME') "
    "redis.call('ZADD', KEYS[1], 'NX', t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1]) "
    "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then "
    "redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
    "return 0";

static void digest(struct script *script)
{
    unsigned char sum[SHA_DIGEST_LENGTH];
    (void)SHA1((const unsigned char *)script->text, strlen(script->text), sum);
    for (size_t i = 0; i < sizeof sum; i++)
        (void)snprintf(script->sha1 + 2 * i, 3, "%02x", sum[i]);
}

void scripts_prepare(struct script scripts[SCRIPTS])
{
    scripts[SCRIPT_CREATE].text = create_text;
    scripts[SCRIPT_SAVE].text = save_text;
    scripts[SCRIPT_TOUCH].text = touch_text;
    scripts[SCRIPT_DESTROY].text = destroy_text;
    scripts[SCRIPT_ENTER].text = enter_text;
    scripts[SCRIPT_EXTEND].text = extend_text;
    for (int i = 0; i < SCRIPTS; i++)
        digest(&scripts[i]);
}

void script_add(struct batch *batch, const struct script *script, bool whole, struct ses_slice key,
                int count, const struct ses_slice *args)
{
    struct ses_slice words[BATCH_WORDS_MOST] = {
        word(whole ? "EVAL" : "EVALSHA"),
        word(whole ? script->text : script->sha1),
        word("1"),
        key,
    };
    for (int i = 0; i < count; i++)
        words[4 + i] = args[i];
    batch_add(batch, 4 + count, words);
}
