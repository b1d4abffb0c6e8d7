/* SPDX-License-Identifier: MIT */
#include "core/lookup.h"

#include "core/scan.h"

#include "base/slice.h"

/* ---- snapshots ---- */

void snapshot_drop(struct snapshot *snapshot)
{
    snapshot->blob = ses_blob_unref(snapshot->blob);
}

int snapshot_from(struct ses_record *record, struct snapshot *ret_snapshot)
{
    struct record read;
    ses_blob *blob = steal(&record->data);
    int r = ses_kind_is_live(record->kind) ? record_open(blob, &read) : SES_ERR_GONE;
    if (r < 0) {
        (void)ses_blob_unref(blob);
        return r;
    }
    *ret_snapshot = (struct snapshot){
        .blob = blob,
        .record = read,
        .version = record->version,
        .expires_ms = record->expires_ms,
        .kind = record->kind,
    };
    return SES_OK;
}

/* ---- limits ---- */

int64_t limits_absolute_end(const ses_manager *manager, const struct record_header *header)
{
    const int64_t limit_s =
        header->absolute_s > 0 ? header->absolute_s : manager->config.absolute_s;
    return limit_s > 0 ? header->absolute_base_ms + limit_s * 1000 : INT64_MAX;
}

int64_t limits_next_expiry(const ses_manager *manager, const struct record_header *header,
                           int64_t now_ms)
{
    const int64_t idle_s = header->idle_s > 0 ? header->idle_s : manager->config.idle_s;
    const int64_t idle_end = now_ms + idle_s * 1000, end = limits_absolute_end(manager, header);
    return idle_end < end ? idle_end : end;
}

/* ---- where an id leads ---- */

/* What gc has not come to yet, as a provider may hand it over. Only a session is told from what
 * never was: of a marker that ran out nothing is left to say. */
static bool ran_out(const struct ses_record *record, int64_t now_ms)
{
    return now_ms >= record->expires_ms && record->kind != SES_KIND_SESSION;
}

int lookup_record(ses_manager *manager, const struct ses_key *key, int64_t now_ms,
                  struct ses_record *ret_record)
{
    CLEANUP(record_drop) struct ses_record record = { 0 };
    int r = store_load(manager->store, key, now_ms, &record);
    if (r == SES_OK && ran_out(&record, now_ms))
        return SES_ERR_NOT_FOUND;
    if (r == SES_OK) {
        *ret_record = record;
        record.data = NULL;
    }
    return r;
}

int lookup_dead(const struct ses_record *record, struct found *found)
{
    struct marker marker;
    int r = marker_read(record, &marker);
    if (r < 0)
        return r;
    found->reason = marker.reason;
    if (marker.reason == SES_REASON_STOLEN)
        found->suspected_ms = marker.since_ms;
    return SES_ERR_NOT_FOUND;
}

/* The id before the present one is taken until that has been used, and a little longer, for
 * requests that were under way. */
static bool in_grace(const struct record_header *header, const struct id *former, int64_t now_ms)
{
    const struct ses_slice key = { former->key.bytes, SES_KEY_BYTES };
    return slice_equal(header->previous, key) &&
           (header->grace_ms == GRACE_UNTIL_USED || now_ms < header->grace_ms);
}

/* What the present id has, if the former one is still taken for it. */
static int take_moved(ses_manager *manager, struct ses_record *record, const struct id *next,
                      const char *peer, int64_t now_ms, struct found *found)
{
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    int r = snapshot_from(record, &snapshot);
    if (r < 0)
        return r;
    if (!in_grace(&snapshot.record.header, found->id, now_ms))
        return suspect_theft(manager, &next->key, peer, found);
    *found->snapshot = snapshot;
    *found->id = *next;
    found->moved = true;
    snapshot.blob = NULL;
    return SES_OK;
}

/* One step and no more. */
static int find_moved(ses_manager *manager, const struct id_format *format,
                      const struct ses_record *moved, const char *peer, int64_t now_ms,
                      struct found *found)
{
    CLEANUP(record_drop) struct ses_record record = { 0 };
    struct marker marker;
    struct id next;
    int r = marker_read(moved, &marker);
    if (r == SES_OK)
        r = marker_follow(format, &marker, found->id, &next);
    if (r < 0)
        return r;
    found->reason = SES_REASON_ENDED; /* should nothing be there */
    r = lookup_record(manager, &next.key, now_ms, &record);
    if (r < 0)
        return r;
    if (record.kind == SES_KIND_DEAD)
        return lookup_dead(&record, found);
    if (record.kind == SES_KIND_MOVED)
        return suspect_theft(manager, &next.key, peer, found);
    return take_moved(manager, &record, &next, peer, now_ms, found);
}

static int find(ses_manager *manager, const struct id_format *format, const char *peer,
                int64_t now_ms, struct found *found)
{
    CLEANUP(record_drop) struct ses_record record = { 0 };
    /* should nothing be there */
    found->reason = found->trusted ? SES_REASON_ENDED : SES_REASON_UNKNOWN;
    int r = lookup_record(manager, &found->id->key, now_ms, &record);
    if (r < 0)
        return r;
    if (record.kind == SES_KIND_DEAD)
        return lookup_dead(&record, found);
    if (record.kind == SES_KIND_MOVED && found->trusted)
        return lookup_moved(manager, &record, found->id, found->snapshot);
    if (record.kind == SES_KIND_MOVED)
        return find_moved(manager, format, &record, peer, now_ms, found);
    return snapshot_from(&record, found->snapshot);
}

int lookup_moved(ses_manager *manager, struct ses_record *moved, struct id *id,
                 struct snapshot *ret_snapshot)
{
    CLEANUP(record_drop) struct ses_record record = *moved;
    struct id at = *id;
    moved->data = NULL;
    for (int hops = 0; record.kind == SES_KIND_MOVED; hops++) {
        struct marker marker;
        struct id next;
        int r = hops < HOPS_MAX ? marker_read(&record, &marker) : SES_ERR_GONE;
        if (r == SES_OK)
            r = marker_follow(&manager->ids, &marker, &at, &next);
        if (r < 0)
            return r;
        record_drop(&record);
        r = lookup_record(manager, &next.key, manager_now_ms(manager), &record);
        if (r < 0)
            return r == SES_ERR_NOT_FOUND ? SES_ERR_GONE : r;
        at = next;
    }
    int r = snapshot_from(&record, ret_snapshot);
    if (r == SES_OK)
        *id = at;
    return r;
}

/* ---- judging a record ---- */

static bool is_suspicious(enum ses_reason reason)
{
    return reason == SES_REASON_MALFORMED || reason == SES_REASON_UNKNOWN ||
           reason == SES_REASON_EXPIRED || reason == SES_REASON_TOO_MANY ||
           reason == SES_REASON_SCANNING;
}

static void note_scan(ses_manager *manager, const char *peer)
{
    const uint32_t limit = (uint32_t)manager->config.scan_limit;
    const struct happening scan = { .type = SES_EVENT_SCAN, .peer = peer };
    if (scans_note(manager->scans, peer, limit, manager_now_ms(manager)))
        events_tell(&manager->events, &scan);
}

int lookup_reject(ses_manager *manager, const struct ses_key *key, const char *peer,
                  enum ses_reason reason)
{
    const struct happening rejected = {
        .type = SES_EVENT_REJECTED,
        .reason = reason,
        .key = key,
        .peer = peer,
    };
    events_tell(&manager->events, &rejected);
    if (is_suspicious(reason))
        note_scan(manager, peer);
    return SES_ERR_NOT_FOUND;
}

static int expire(ses_manager *manager, const char *peer, struct found *found)
{
    CLEANUP(snapshot_drop) struct snapshot snapshot = *found->snapshot;
    const struct happening expired = {
        .type = SES_EVENT_EXPIRED,
        .key = &found->id->key,
        .peer = peer,
        .user = snapshot.record.header.user,
    };
    *found->snapshot = (struct snapshot){ 0 };
    found->reason = SES_REASON_EXPIRED;
    events_tell(&manager->events, &expired);
    return lookup_reject(manager, &found->id->key, peer, SES_REASON_EXPIRED);
}

int lookup_judge(ses_manager *manager, const char *peer, struct found *found)
{
    const int64_t now_ms = manager_now_ms(manager);
    /* Left to gc when it is idle: another machine's clock may see it alive. */
    if (now_ms >= limits_absolute_end(manager, &found->snapshot->record.header))
        /* Should this fail, the next load says the same. */
        (void)store_destroy(manager->store, &found->id->key, now_ms);
    else if (now_ms < found->snapshot->expires_ms)
        return SES_OK;
    return expire(manager, peer, found);
}

int lookup(ses_manager *manager, const struct id_format *format, const char *peer,
           struct found *found)
{
    int r = find(manager, format, peer, manager_now_ms(manager), found);
    if (r == SES_ERR_CORRUPT)
        found->reason = SES_REASON_CORRUPT;
    if (r == SES_ERR_NOT_FOUND || r == SES_ERR_CORRUPT || r == SES_ERR_GONE)
        return lookup_reject(manager, &found->id->key, peer, found->reason);
    return r < 0 ? r : lookup_judge(manager, peer, found);
}
