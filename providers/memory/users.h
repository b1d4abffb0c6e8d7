/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMORY_USERS_H
#define SES_MEMORY_USERS_H

/*
 * The index by owner: for each user the keys of his sessions. A member is made before its record
 * and dropped after it, so a list may show a key too many, never one too few; whoever reads the
 * list looks the record up. The record's entry points at its member; whoever takes the pointer out
 * of the entry, under the shard's lock, is the one who drops the member.
 */

#include "memory/hold.h"

#include <sesame/ext/provider.h>

enum { USER_GROUPS = 64 };

struct member {
    struct member *next;
    struct member *prev;
    struct user *user;
    struct ses_key key; /* of the session */
};

struct user {
    struct user *next; /* in its bucket */
    struct member *members;
    struct ses_key key;
    uint32_t count;
};

/* One lock's share of the users. */
struct user_group {
    _Alignas(64) pthread_mutex_t mutex;
    struct user **buckets;
    uint32_t mask; /* buckets - 1, if there are any */
    uint32_t count;
};

struct users {
    struct user_group groups[USER_GROUPS];
};

struct users *users_new(void);
void users_free(struct users *users);

static inline struct user_group *users_group(struct users *users, const struct ses_key *user)
{
    return &users->groups[user->bytes[0] % USER_GROUPS];
}

/* The next three with the group's lock held. */
struct user *users_find(const struct user_group *group, const struct ses_key *user);
struct member *users_add(struct user_group *group, const struct ses_key *user,
                         const struct ses_key *key); /* NULL: out of memory */
void users_remove(struct user_group *group, struct member *member);

/* Takes the lock itself. Accepts NULL. */
void users_drop(struct users *users, struct member *member);

/* Copies the keys of the user's members. @return 0 or SES_ERR_NO_MEMORY; free @p ret_keys. */
int users_keys(struct users *users, const struct ses_key *user, struct ses_key **ret_keys,
               uint32_t *ret_count);

#endif
