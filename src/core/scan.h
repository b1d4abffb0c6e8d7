/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_SCAN_H
#define SES_CORE_SCAN_H

/*
 * Who sends made-up ids (S-62): refused ids, counted per peer and minute. A peer is an IPv4 address
 * or an IPv6 network of 64 bits, which is what one subscriber has at least.
 *
 * The table has 16 KiB, for ever: 2048 peers, in sets of 4. A newcomer takes the place of whoever
 * was refused least in its set in this minute, so a flood of different peers can push others out,
 * and with them what was counted of them; it cannot grow, and it cannot make an innocent peer look
 * like a scanner. Which peers share a set is decided by a salt, so nobody can choose whom to push.
 *
 * No locks: any thread, and after a fork. Each process counts for itself.
 */

#include <stdbool.h>
#include <stdint.h>

struct scans;

/* NULL: no memory, or no randomness. */
struct scans *scans_new(void);
void scans_free(struct scans *scans); /* accepts NULL */

/*
 * An id of this peer was refused. True once per peer and minute: when that passes @p limit, which
 * is the same in every call; 0: nobody is watched. A peer that is NULL or no address is not
 * counted: all of those would be one. A clock that goes back makes a minute longer, or new.
 */
bool scans_note(struct scans *scans, const char *peer, uint32_t limit, int64_t now_ms);

/* Has this peer passed the limit in this minute? Cheap as long as nobody has. */
bool scans_over(const struct scans *scans, const char *peer, uint32_t limit, int64_t now_ms);

#endif
