/* SPDX-License-Identifier: MIT */
#include "core/session.h"

/* ---- snapshots ---- */

void snapshot_drop(struct snapshot *snapshot)
{
    snapshot->blob = ses_blob_unref(snapshot->blob);
}

int snapshot_from(struct ses_record *record, struct snapshot *ret_snapshot)
{
    struct record read;
    ses_blob *blob = steal(&record->data);
    int r = record->kind == SES_KIND_SESSION ? record_open(blob, &read) : SES_ERR_GONE;
    if (r < 0) {
        (void)ses_blob_unref(blob);
        return r;
    }
    *ret_snapshot = (struct snapshot){
        .blob = blob,
        .record = read,
        .version = record->version,
        .expires_ms = record->expires_ms,
    };
    return SES_OK;
}

/* ---- limits ---- */

static int64_t absolute_end(const ses_manager *manager, const struct record_header *header)
{
    const int64_t limit_s =
        header->absolute_s > 0 ? header->absolute_s : manager->config.absolute_s;
    return limit_s > 0 ? header->absolute_base_ms + limit_s * 1000 : INT64_MAX;
}

int64_t session_next_expiry(const ses_manager *manager, const struct record_header *header,
                            int64_t now_ms)
{
    const int64_t idle_s = header->idle_s > 0 ? header->idle_s : manager->config.idle_s;
    const int64_t idle_end = now_ms + idle_s * 1000, end = absolute_end(manager, header);
    return idle_end < end ? idle_end : end;
}

bool session_past_limits(const ses_manager *manager, const struct record_header *header,
                         int64_t now_ms)
{
    return now_ms >= absolute_end(manager, header);
}

/* ---- judging a record ---- */

static enum ses_reason reason_of(int code)
{
    switch (code) {
    case SES_ERR_GONE:
        return SES_REASON_CUT;
    case SES_ERR_CORRUPT:
        return SES_REASON_CORRUPT;
    default:
        return SES_REASON_UNKNOWN;
    }
}

static int reject(ses_manager *manager, const struct id *id, const char *peer,
                  enum ses_reason reason, enum ses_reason *ret_reason)
{
    *ret_reason = reason;
    const struct happening rejected = {
        .type = SES_EVENT_REJECTED,
        .reason = reason,
        .key = &id->key,
        .peer = peer,
    };
    events_tell(&manager->events, &rejected);
    return SES_ERR_NOT_FOUND;
}

static int expire(ses_manager *manager, const struct id *id, const char *peer,
                  enum ses_reason *ret_reason)
{
    const struct happening expired = {
        .type = SES_EVENT_EXPIRED,
        .key = &id->key,
        .peer = peer,
    };
    events_tell(&manager->events, &expired);
    return reject(manager, id, peer, SES_REASON_EXPIRED, ret_reason);
}

/* What gc has not come to yet, as a provider may hand it over. Only a session is told from what
 * never was: of a marker that ran out nothing is left to say. */
static bool ran_out(const struct ses_record *record, int64_t now_ms)
{
    return now_ms >= record->expires_ms && record->kind != SES_KIND_SESSION;
}

static int load(ses_manager *manager, const struct id *id, int64_t now_ms,
                struct snapshot *ret_snapshot)
{
    struct ses_record record = { 0 };
    int r = store_load(manager->store, &id->key, now_ms, &record);
    if (r < 0)
        return r;
    if (ran_out(&record, now_ms)) {
        (void)ses_blob_unref(record.data);
        return SES_ERR_NOT_FOUND;
    }
    return snapshot_from(&record, ret_snapshot);
}

int session_lookup(ses_manager *manager, const struct id *id, const char *peer,
                   struct snapshot *ret_snapshot, enum ses_reason *ret_reason)
{
    const int64_t now_ms = manager_now_ms(manager);
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    int r = load(manager, id, now_ms, &snapshot);
    if (r == SES_ERR_NOT_FOUND || r == SES_ERR_GONE || r == SES_ERR_CORRUPT)
        return reject(manager, id, peer, reason_of(r), ret_reason);
    if (r < 0)
        return r;

    if (session_past_limits(manager, &snapshot.record.header, now_ms)) {
        /* Should this fail, the next load says the same. */
        (void)store_destroy(manager->store, &id->key, now_ms);
        return expire(manager, id, peer, ret_reason);
    }
    if (now_ms >= snapshot.expires_ms) /* left to gc: another machine's clock may see it alive */
        return expire(manager, id, peer, ret_reason);
    *ret_snapshot = snapshot;
    snapshot.blob = NULL;
    return SES_OK;
}
