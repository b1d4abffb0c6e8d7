/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_ASK_H
#define SES_REDIS_ASK_H

#include "redis/state.h"

/* Asking for keys, wherever they are. A key's text is prefix, "s-" or "u-", and 64 digits. */
enum { NAME_ROOM = 64 + 2 + 2 * SES_KEY_BYTES };

struct name {
    char text[NAME_ROOM];
    size_t len;
};

enum name_kind { NAME_SESSION, NAME_USER };

void name_of(const struct redis *redis, enum name_kind kind, const struct ses_key *key,
             struct name *ret_name);
static inline struct ses_slice name_slice(const struct name *name)
{
    return (struct ses_slice){ name->text, name->len };
}
bool name_read(const struct redis *redis, const char *text, size_t len, struct ses_key *ret_key);

/*
 * One command for one key. SES_OK with a reply that is no error and is the caller's to free; or a
 * failure, which was told. What the server refused to do at that moment is asked again, wherever
 * the route says, as long as the deadline lasts; what it may have done is not, unless the batch
 * says that it repeats.
 */
int redis_ask(struct redis *redis, struct ses_slice key, const struct batch *batch,
              struct deadline deadline, redisReply **ret_reply);

/* A script with its key and its arguments; the same holds for it. */
struct script_call {
    enum script_name script;
    struct ses_slice key;
    int count;
    const struct ses_slice *args;
};
int redis_run(struct redis *redis, const struct script_call *call, struct deadline deadline,
              redisReply **ret_reply);

#define REDIS_RUN(redis, name, on, deadline, ret_reply, ...)                                       \
 redis_run(redis,                                                                                  \
           &(struct script_call){ .script = (name),                                                \
                                  .key = (on),                                                     \
                                  .count = (int)(sizeof((struct ses_slice[]){ __VA_ARGS__ }) /     \
                                                 sizeof(struct ses_slice)),                        \
                                  .args = (struct ses_slice[]){ __VA_ARGS__ } },                   \
           deadline, ret_reply)

/*
 * GETRANGE 0 to @p last of many sessions, in as few trips as their servers are many; the replies
 * are the caller's to free, all of them, whatever the code.
 */
int redis_look(struct redis *redis, const struct ses_key *keys, size_t count, long last,
               struct deadline deadline, redisReply **replies);

/* One command for that very server, without asking the route. */
int node_ask(struct redis *redis, struct node *node, const struct batch *batch,
             struct deadline deadline, redisReply **ret_reply);

/* The same, untold: any reply, or NULL with a line in @p why. */
redisReply *node_try(struct node *node, const struct batch *batch, struct deadline deadline,
                     char *why, size_t why_size);

/* A failure that was not told yet. */
int redis_fail(const struct redis *redis, const struct node *node, const char *why);

/* A number as a word. */
struct digits {
    char text[24];
};
struct ses_slice number_word(struct digits *digits, int64_t number);

/* An array's member, if it is there and a string. */
bool reply_member(const redisReply *reply, size_t i, struct ses_slice *ret_text);
bool reply_number(const redisReply *reply, size_t i, int64_t *ret_number);

#endif
