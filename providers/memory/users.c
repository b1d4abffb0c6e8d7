/* SPDX-License-Identifier: MIT */
#include "memory/users.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 8 };

struct users *users_new(void)
{
    struct users *users = aligned_alloc(_Alignof(struct users), sizeof *users);
    if (!users)
        return NULL;
    memset(users, 0, sizeof *users);
    for (size_t g = 0; g < USER_GROUPS; g++)
        (void)pthread_mutex_init(&users->groups[g].mutex, NULL);
    return users;
}

static void free_user(struct user *user)
{
    while (user->members) {
        struct member *member = user->members;
        user->members = member->next;
        free(member);
    }
    free(user);
}

static void free_group(struct user_group *group)
{
    for (uint32_t b = 0; group->buckets && b <= group->mask; b++) {
        while (group->buckets[b]) {
            struct user *user = group->buckets[b];
            group->buckets[b] = user->next;
            free_user(user);
        }
    }
    free(group->buckets);
    (void)pthread_mutex_destroy(&group->mutex);
}

void users_free(struct users *users)
{
    if (!users)
        return;
    for (size_t g = 0; g < USER_GROUPS; g++)
        free_group(&users->groups[g]);
    free(users);
}

/* ---- the table of one group: chained, because a user is found once per log-in, not per request
 * ---- */

static struct user **bucket_of(const struct user_group *group, const struct ses_key *user)
{
    uint32_t hash;
    memcpy(&hash, user->bytes + 8, sizeof hash);
    return &group->buckets[hash & group->mask];
}

struct user *users_find(const struct user_group *group, const struct ses_key *user)
{
    struct user *at = group->buckets ? *bucket_of(group, user) : NULL;
    while (at && !ses_key_equal(&at->key, user))
        at = at->next;
    return at;
}

static bool resize(struct user_group *group, uint32_t size)
{
    struct user_group resized = { .mask = size - 1 };
    resized.buckets = calloc(size, sizeof(struct user *));
    if (!resized.buckets)
        return false;
    for (uint32_t b = 0; group->buckets && b <= group->mask; b++) {
        while (group->buckets[b]) {
            struct user *user = group->buckets[b];
            struct user **to = bucket_of(&resized, &user->key);
            group->buckets[b] = user->next;
            user->next = *to;
            *to = user;
        }
    }
    free(group->buckets);
    group->buckets = resized.buckets;
    group->mask = resized.mask;
    return true;
}

/* Keeps about one user per bucket. A table that cannot grow only gets slower. */
static bool make_room(struct user_group *group)
{
    if (!group->buckets)
        return resize(group, BUCKETS_MIN);
    if (group->count > group->mask)
        (void)resize(group, (group->mask + 1) * 2);
    return true;
}

static struct user *add_user(struct user_group *group, const struct ses_key *key)
{
    struct user *user = make_room(group) ? calloc(1, sizeof *user) : NULL;
    if (!user)
        return NULL;
    struct user **bucket = bucket_of(group, key);
    user->key = *key;
    user->next = *bucket;
    *bucket = user;
    group->count++;
    return user;
}

static void remove_user(struct user_group *group, struct user *user)
{
    struct user **link = bucket_of(group, &user->key);
    while (*link != user)
        link = &(*link)->next;
    *link = user->next;
    group->count--;
    free(user);
    if (group->mask >= BUCKETS_MIN && group->count < group->mask / 8)
        (void)resize(group, (group->mask + 1) / 2);
}

struct member *users_add(struct user_group *group, const struct ses_key *key_of_user,
                         const struct ses_key *key)
{
    struct member *member = malloc(sizeof *member);
    struct user *user = member ? users_find(group, key_of_user) : NULL;
    if (member && !user)
        user = add_user(group, key_of_user);
    if (!user) {
        free(member);
        return NULL;
    }
    *member = (struct member){ .next = user->members, .user = user, .key = *key };
    if (user->members)
        user->members->prev = member;
    user->members = member;
    user->count++;
    return member;
}

void users_remove(struct user_group *group, struct member *member)
{
    struct user *user = member->user;
    if (member->prev)
        member->prev->next = member->next;
    else
        user->members = member->next;
    if (member->next)
        member->next->prev = member->prev;
    free(member);
    if (--user->count == 0)
        remove_user(group, user);
}

void users_drop(struct users *users, struct member *member)
{
    if (!member)
        return;
    /* The user outlives its members, so the way to the lock is safe without it. */
    struct user_group *group = users_group(users, &member->user->key);
    HOLD(&group->mutex);
    users_remove(group, member);
}

int users_keys(struct users *users, const struct ses_key *key_of_user, struct ses_key **ret_keys,
               uint32_t *ret_count)
{
    struct user_group *group = users_group(users, key_of_user);
    HOLD(&group->mutex);

    const struct user *user = users_find(group, key_of_user);
    *ret_keys = NULL;
    *ret_count = 0;
    if (!user)
        return SES_OK;
    *ret_keys = malloc(user->count * sizeof **ret_keys);
    if (!*ret_keys)
        return SES_ERR_NO_MEMORY;
    for (const struct member *m = user->members; m; m = m->next)
        (*ret_keys)[(*ret_count)++] = m->key;
    return SES_OK;
}
