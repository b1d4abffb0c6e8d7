/* SPDX-License-Identifier: MIT */
#include "memcached/visit.h"

#include <stdio.h>
#include <string.h>

/* A tombstone bars the way to an `add` that was delayed on its way until after a destroy; a `cas`
 * finds no match there anyway. It stays for longer than a kernel goes on sending what it could not
 * deliver, which is a quarter of an hour. */
enum { TOMBSTONE_S = 20 * 60 };
static const struct ses_slice tombstone = { "GONE", 4 };

/* ---- how long the store shall keep it ---- */

/* Longer than it lives: memcached counts in ticks of a second, and some of our clocks may be late.
 * What has expired is told by its envelope. Beyond 30 days memcached takes the number for a date;
 * a date that it cannot read is "until there is no room". */
int64_t store_life(int64_t now_ms, int64_t expires_ms)
{
    const int64_t margin_s = 60, most_s = 2592000, last_date = INT32_MAX;
    const int64_t rest_s = expires_ms > now_ms ? (expires_ms - now_ms) / 1000 + 1 : 1;
    if (rest_s + margin_s <= most_s)
        return rest_s + margin_s;
    const int64_t date = expires_ms / 1000 + 1 + margin_s;
    return date <= last_date ? date : 0;
}

/* ---- the connection ---- */

static int take(struct visit *visit)
{
    char why[200];
    struct pooled *pooled = pool_take(&visit->node->pool, visit->deadline, why, sizeof why);
    visit->wire = (struct wire *)pooled;
    return pooled ? SES_OK : node_fail(visit->node, SES_ERR_UNAVAILABLE, why);
}

static void give(struct visit *visit, enum pool_verdict verdict)
{
    struct pooled *pooled = &visit->wire->pooled;
    visit->wire = NULL;
    pool_give(&visit->node->pool, pooled, verdict);
}

static void name_of(const struct memcached *memcached, const struct ses_key *key,
                    struct name *ret_name)
{
    static const char digits[] = "0123456789abcdef";
    const size_t len = strlen(memcached->key_prefix);
    char *at = ret_name->text + len;
    memcpy(ret_name->text, memcached->key_prefix, len);
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        *at++ = digits[key->bytes[i] >> 4];
        *at++ = digits[key->bytes[i] & 15];
    }
    ret_name->len = (size_t)(at - ret_name->text);
}

int visit_begin(struct visit *visit, struct memcached *memcached, const struct ses_key *key,
                int64_t now_ms)
{
    *visit = (struct visit){ .memcached = memcached,
                             .key = key,
                             .now_ms = now_ms,
                             .deadline = memcached_deadline(memcached) };
    name_of(memcached, key, &visit->name);
    visit->node = &memcached->nodes[ring_find(&memcached->ring, &visit->name)];
    return take(visit);
}

void visit_end(struct visit *visit)
{
    if (visit->wire)
        give(visit, wire_rest(visit->wire) ? POOL_ANSWERED : POOL_SPOILT);
}

/* ---- answers ---- */

static int lose(struct visit *visit)
{
    const bool late = deadline_passed(visit->deadline);
    give(visit, POOL_FAILED);
    return node_fail(visit->node, SES_ERR_UNAVAILABLE,
                     late ? "no answer in time" : "the connection was lost, or spoilt");
}

static int refuse(struct visit *visit, int code, const char *why)
{
    give(visit, POOL_SPOILT);
    return node_fail(visit->node, code, why);
}

static int settle(struct visit *visit, enum answer answer)
{
    switch (answer) {
    case ANSWER_DONE:
        return SES_OK;
    case ANSWER_ABSENT:
        return SES_ERR_NOT_FOUND;
    case ANSWER_PRESENT:
        return SES_ERR_EXISTS;
    case ANSWER_CHANGED:
        return SES_ERR_GONE;
    case ANSWER_TOO_LARGE:
        return SES_ERR_TOO_LARGE;
    case ANSWER_NO_MEMORY:
        return SES_ERR_NO_MEMORY;
    case ANSWER_FULL:
        return refuse(visit, SES_ERR_FULL, "it has no room for an item");
    case ANSWER_REFUSED:
        return refuse(visit, SES_ERR_UNAVAILABLE, "it answers with an error");
    default:
        return lose(visit);
    }
}

/* ---- reading ---- */

static enum answer ask(struct visit *visit, struct item *ret_item)
{
    return talk_gets(visit->wire, &visit->name, visit->deadline, ret_item);
}

/* A server that was started anew has closed what lay in the pool. */
static int ask_again(struct visit *visit, struct item *ret_item)
{
    give(visit, POOL_FAILED);
    const int r = take(visit);
    return r == SES_OK ? settle(visit, ask(visit, ret_item)) : r;
}

static bool is_tombstone(struct ses_slice value)
{
    return value.len == tombstone.len && begins_with(value, tombstone.data, tombstone.len);
}

int visit_look(struct visit *visit, struct found *ret_found)
{
    const struct memcached *memcached = visit->memcached;
    struct item item;
    const enum answer answer = ask(visit, &item);
    const bool again = answer == ANSWER_LOST && !deadline_passed(visit->deadline);
    const int r = again ? ask_again(visit, &item) : settle(visit, answer);
    if (r < 0)
        return r;
    *ret_found = (struct found){ .unique = item.unique, .head = item.value.data };
    if (is_tombstone(item.value))
        return SES_ERR_GONE;
    if (!envelope_read(&memcached->crc, visit->key, item.value, &ret_found->envelope))
        return node_fail(visit->node, SES_ERR_CORRUPT, "a value does not check");
    return SES_OK;
}

/* ---- writing ---- */

static int put(struct visit *visit, const struct storing *storing)
{
    return settle(visit, talk_store(visit->wire, &visit->name, storing, visit->deadline));
}

static int put_envelope(struct visit *visit, struct storing storing,
                        const struct envelope *envelope)
{
    unsigned char head[ENVELOPE_HEAD];
    envelope_write_head(&visit->memcached->crc, visit->key, envelope, head);
    storing.life = store_life(visit->now_ms, envelope->expires_ms);
    storing.head = (struct ses_slice){ head, sizeof head };
    storing.data = envelope->data;
    return put(visit, &storing);
}

int visit_add(struct visit *visit, const struct envelope *envelope)
{
    return put_envelope(visit, (struct storing){ .verb = STORE_ADD }, envelope);
}

int visit_swap(struct visit *visit, uint64_t unique, const struct envelope *envelope)
{
    const struct storing storing = { .verb = STORE_CAS, .unique = unique };
    return put_envelope(visit, storing, envelope);
}

int visit_extend(struct visit *visit, const struct found *found, int64_t expires_ms)
{
    unsigned char head[ENVELOPE_HEAD];
    memcpy(head, found->head, sizeof head);
    envelope_write_expiry(&visit->memcached->crc, visit->key, expires_ms, head + ENVELOPE_EXPIRY);
    const struct storing storing = {
        .verb = STORE_CAS,
        .unique = found->unique,
        .life = store_life(visit->now_ms, expires_ms),
        .head = { head, sizeof head },
        .data = found->envelope.data,
    };
    return put(visit, &storing);
}

static int delete_it(struct visit *visit)
{
    const int r = visit->wire ? SES_OK : take(visit);
    if (r < 0)
        return r;
    const enum answer answer = talk_delete(visit->wire, &visit->name, visit->deadline);
    return settle(visit, answer == ANSWER_ABSENT ? ANSWER_DONE : answer);
}

/* Without room for a tombstone the record has to go all the same. */
int visit_bury(struct visit *visit)
{
    const struct storing storing = { .verb = STORE_SET, .life = TOMBSTONE_S, .head = tombstone };
    const int r = put(visit, &storing);
    return r == SES_ERR_FULL || r == SES_ERR_TOO_LARGE ? delete_it(visit) : r;
}

/* ---- the server ---- */

int node_ping(struct node *node, struct deadline deadline)
{
    struct visit visit = { .memcached = node->memcached, .node = node, .deadline = deadline };
    const int r = take(&visit);
    if (r < 0)
        return r;
    const int settled = settle(&visit, talk_version(visit.wire, deadline));
    visit_end(&visit);
    return settled;
}
