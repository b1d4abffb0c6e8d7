/* SPDX-License-Identifier: MIT */
#ifndef SES_MEMCACHED_VISIT_H
#define SES_MEMCACHED_VISIT_H

#include "memcached/state.h"
#include "shared/envelope.h"

/*
 * One operation's stay at the server that keeps its key: one connection, within one deadline.
 * A gets and its cas go over the same connection, so that what memcached calls an item's unique
 * number was given out by the process that compares it, also when a server is started anew.
 */
struct visit {
    struct memcached *memcached;
    const struct ses_key *key;
    int64_t now_ms;
    struct name name;
    struct node *node;
    struct deadline deadline;
    struct wire *wire; /* NULL: none any more */
};

/* What lies under a key. */
struct found {
    uint64_t unique;
    struct envelope envelope; /* borrows; of a record only */
    const unsigned char *head;
};

int visit_begin(struct visit *visit, struct memcached *memcached, const struct ses_key *key,
                int64_t now_ms);
void visit_end(struct visit *visit);

/* SES_OK: a record, alive or not. SES_ERR_NOT_FOUND: nothing. SES_ERR_GONE: a tombstone. A failure.
 * Reading is repeated once over a new connection. */
int visit_look(struct visit *visit, struct found *ret_found);

/* What a write of one item came to: SES_OK, or SES_ERR_EXISTS (add: there is an item), or
 * SES_ERR_GONE (cas: another one), or SES_ERR_NOT_FOUND (cas: none), or a failure. */
int visit_add(struct visit *visit, const struct envelope *envelope);
int visit_swap(struct visit *visit, uint64_t unique, const struct envelope *envelope);

/* The same with the value that was found, and another expiry. */
int visit_extend(struct visit *visit, const struct found *found, int64_t expires_ms);

/* Puts a tombstone there, whatever there is. */
int visit_bury(struct visit *visit);

/* Asks that server whether it is there. */
int node_ping(struct node *node, struct deadline deadline);

/* memcached's exptime of what shall be kept until then at least. */
int64_t store_life(int64_t now_ms, int64_t expires_ms);

#endif
