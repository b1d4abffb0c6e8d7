/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_USERS_H
#define SES_REDIS_USERS_H

#include "redis/ask.h"
#include "shared/envelope.h"

/*
 * The index by user: a sorted set under a key of its own, in a cluster on another server than the
 * sessions are. An entry is a session's key and birth, so that it tells a session from another that
 * was later made under the same key; its score is when it was last looked at, by the server's
 * clock.
 *
 *  - Index first, record second; record removed first, entry last. So a list may meet entries of
 *    nothing, and looks at each; it never misses a session.
 *  - An entry is of nothing if its record has ended, or if there is none of its birth GRACE_MS
 * after it was written. Until then its create may be under way.
 *  - The set outlives the day, of USERS_DAY_MS, in which its latest session expires. Whoever moves
 *    a session's expiry into another day extends the set first (ANSWER_EXTEND).
 */
enum { USERS_DAY_MS = 1 << 26, GRACE_MS = 60000 };

/* Before a session is made. SES_ERR_DENIED when @p owner's limit is reached. */
int users_enter(struct redis *redis, const struct ses_owner *owner, const struct ses_key *key,
                const struct envelope *envelope, int64_t now_ms, struct deadline deadline);

/* After it was removed, or not made. If it fails, the next look at it will do. */
void users_leave(struct redis *redis, const struct ses_key *user, const struct ses_key *key,
                 uint64_t birth, struct deadline deadline);

/* @p owner is what a script answered. */
void users_leave_owner(struct redis *redis, const struct ses_key *key, struct ses_slice owner,
                       struct deadline deadline);
int users_extend(struct redis *redis, const struct ses_key *key, struct ses_slice owner,
                 int64_t now_ms, int64_t expires_ms, struct deadline deadline);

int redis_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn,
               void *arg);

#endif
