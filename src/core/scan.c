/* SPDX-License-Identifier: MIT */
#include "core/scan.h"

#include "core/proxy.h"

#include "base/digest.h"
#include "base/random.h"

#include <sesame/error.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETS = 512, /* a power of 2 */
    WAYS = 4,
    SCAN_SALT_BYTES = 16,
    MINUTE_MS = 60 * 1000,
    MINUTES = 1 << 12,      /* after so many, 68 hours, a minute looks like another */
    COUNT_MAX = 0xfffff,    /* counting ends there; "scanLimit" is at most 1,000,000 */
    WATCH_SLACK_MINUTES = 2 /* threads may read the clock in another order than they count in */
};

/*
 * One peer in one word, so that no reader ever sees half of a change:
 *
 *     32 bits of the peer's hash | 12 bits of the minute | 20 bits of count; 0: nobody
 */
struct scans {
    _Atomic uint64_t sets[SETS][WAYS];
    _Atomic int64_t latest_over; /* the minute in which a peer was over the limit last */
    unsigned char salt[SCAN_SALT_BYTES];
};

struct scans *scans_new(void)
{
    struct scans *scans = aligned_alloc(64, (sizeof *scans + 63) / 64 * 64);
    if (!scans)
        return NULL;
    memset(scans, 0, sizeof *scans);
    atomic_init(&scans->latest_over, INT64_MIN);
    if (random_bytes(scans->salt, sizeof scans->salt) != SES_OK) {
        free(scans);
        return NULL;
    }
    return scans;
}

void scans_free(struct scans *scans)
{
    free(scans);
}

/* ---- one word ---- */

static uint64_t word_of(uint32_t print, uint32_t minute, uint32_t count)
{
    return (uint64_t)print << 32 | (uint64_t)minute << 20 | count;
}

static uint32_t count_of(uint64_t word)
{
    return (uint32_t)word & COUNT_MAX;
}

static uint32_t minute_of(uint64_t word)
{
    return (uint32_t)word >> 20;
}

/* The minute before the one that is counted in is taken for it: clocks that differ by a little, or
 * are set back by it, do not start the count anew. */
static bool is_counting(uint64_t word, uint32_t minute)
{
    const uint32_t age = (minute - minute_of(word)) % MINUTES;
    return count_of(word) > 0 && (age == 0 || age == MINUTES - 1);
}

static bool is_of(uint64_t word, uint32_t print)
{
    return count_of(word) > 0 && word >> 32 == print;
}

/* ---- where a peer is counted ---- */

struct spot {
    size_t set;
    uint32_t print;
};

/* Of IPv6 the first half only; the other half is the subscriber's to choose. */
static bool find_spot(const struct scans *scans, const char *peer, struct spot *ret_spot)
{
    struct network address;
    unsigned char digest[SHA256_BYTES];
    uint64_t hash;
    if (!peer || !address_parse(peer, &address))
        return false;
    if (!address_is_v4(&address))
        memset(address.address + 8, 0, 8);
    const struct ses_slice parts[] = { { scans->salt, SCAN_SALT_BYTES },
                                       { address.address, sizeof address.address } };
    sha256(parts, 2, digest);
    memcpy(&hash, digest, sizeof hash);
    *ret_spot = (struct spot){ .set = hash % SETS, .print = (uint32_t)(hash >> 32) };
    return true;
}

/* The peer's place in its set; or the one that it may take: that of somebody who is not counted any
 * more, or was refused least. */
static _Atomic uint64_t *find_way(_Atomic uint64_t set[WAYS], uint32_t print, uint32_t minute,
                                  uint64_t *ret_word)
{
    size_t least = 0;
    uint32_t least_count = UINT32_MAX;
    for (size_t i = 0; i < WAYS; i++) {
        const uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);
        const bool own = is_of(word, print);
        const uint32_t count = is_counting(word, minute) ? count_of(word) : 0;
        if (own || count < least_count) {
            least = i;
            least_count = count;
            *ret_word = word;
        }
        if (own)
            break;
    }
    return &set[least];
}

/* What the word becomes by one more refusal. */
static uint64_t one_more(uint64_t word, uint32_t print, uint32_t minute)
{
    if (!is_of(word, print) || !is_counting(word, minute))
        return word_of(print, minute, 1);
    return count_of(word) < COUNT_MAX ? word + 1 : word;
}

/* ---- counting ---- */

static int64_t full_minute(int64_t now_ms)
{
    return now_ms / MINUTE_MS;
}

static uint32_t short_minute(int64_t now_ms)
{
    return (uint32_t)((uint64_t)full_minute(now_ms) % MINUTES);
}

bool scans_note(struct scans *scans, const char *peer, uint32_t limit, int64_t now_ms)
{
    const uint32_t minute = short_minute(now_ms);
    struct spot spot;
    if (limit == 0 || !find_spot(scans, peer, &spot))
        return false;

    uint64_t before = 0, after;
    _Atomic uint64_t *way;
    do {
        way = find_way(scans->sets[spot.set], spot.print, minute, &before);
        after = one_more(before, spot.print, minute);
    } while (!atomic_compare_exchange_weak(way, &before, after));

    if (count_of(after) <= limit)
        return false;
    atomic_store(&scans->latest_over, full_minute(now_ms));
    return after != before && count_of(after) == limit + 1;
}

/* Most of the time nobody is over the limit, and the peer need not be hashed to know. */
static bool somebody_over(const struct scans *scans, int64_t now_ms)
{
    const int64_t latest = atomic_load_explicit(&scans->latest_over, memory_order_relaxed);
    const int64_t minute = full_minute(now_ms);
    return latest >= minute - WATCH_SLACK_MINUTES && latest <= minute + WATCH_SLACK_MINUTES;
}

bool scans_over(const struct scans *scans, const char *peer, uint32_t limit, int64_t now_ms)
{
    const uint32_t minute = short_minute(now_ms);
    struct spot spot;
    if (limit == 0 || !somebody_over(scans, now_ms) || !find_spot(scans, peer, &spot))
        return false;
    for (size_t i = 0; i < WAYS; i++) {
        const uint64_t word = atomic_load_explicit(&scans->sets[spot.set][i], memory_order_relaxed);
        if (is_of(word, spot.print))
            return is_counting(word, minute) && count_of(word) > limit;
    }
    return false;
}
