/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_ENTRIES_H
#define SES_REDIS_ENTRIES_H

#include "redis/users.h"

/* Entries of a user's index, and what their sessions turn out to be. */

enum { ENTRY_LEN = SES_KEY_BYTES + 8 };

enum entry_state {
    ENTRY_UNKNOWN,
    ENTRY_ALIVE,
    ENTRY_EXPECTED, /* its create may be under way */
    ENTRY_ENDED,    /* its session has ended, or never was */
};

struct entry {
    struct ses_key key;
    uint64_t birth;
    int64_t looked_at_ms;
    enum entry_state state;
    struct envelope envelope; /* if alive; data borrows from the reply */
};

struct entries {
    struct entry *list;
    struct ses_key *keys;
    redisReply **replies;
    size_t count;
};

void entry_write(const struct ses_key *key, uint64_t birth, unsigned char bytes[ENTRY_LEN]);

/* Of a reply's members from @p first on: entry, score, entry, score ... */
int entries_read(struct entries *entries, const redisReply *reply, size_t first);
void entries_free(struct entries *entries);

/* On whose behalf they are looked at, and when. */
struct looking {
    struct redis *redis;
    const struct ses_key *user;
    struct name index; /* the user's */
    int64_t now_ms;
    int64_t server_now_ms; /* 0: its clock was not asked; entries of nothing are expected then */
    struct deadline deadline;
};

/* Looks at each one's session, whole or just its head. */
int entries_look(struct entries *entries, const struct looking *looking, bool whole);

/* Takes out the entries that have ended and, @p refresh, notes when the others were looked at. */
int entries_tidy(const struct entries *entries, const struct looking *looking, bool refresh);

#endif
