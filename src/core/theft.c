/* SPDX-License-Identifier: MIT */
#include "core/lookup.h"

#include "base/buffer.h"

/* A mark that is outrun by other saves is left: the event has told of it. */
enum { MARK_TRIES = 8 };

/* To where the chain of renewed ids ends, and what is there. */
static int chase(ses_manager *manager, struct ses_key *key, struct found *found,
                 struct ses_record *ret_record)
{
    CLEANUP(record_drop) struct ses_record record = { 0 };
    int r = lookup_record(manager, key, manager_now_ms(manager), &record);
    for (int hops = 0; r == SES_OK && record.kind == SES_KIND_MOVED; hops++) {
        struct marker marker;
        r = hops < HOPS_MAX ? marker_read(&record, &marker) : SES_ERR_NOT_FOUND;
        if (r < 0)
            return r;
        *key = marker.next;
        record_drop(&record);
        r = lookup_record(manager, key, manager_now_ms(manager), &record);
    }
    if (r == SES_OK && record.kind == SES_KIND_DEAD)
        return lookup_dead(&record, found);
    if (r == SES_OK) {
        *ret_record = record;
        record.data = NULL;
    }
    return r;
}

/* ---- ending it: thief and visitor cannot be told apart ---- */

static int end_stolen(ses_manager *manager, const struct ses_key *key,
                      const struct snapshot *snapshot)
{
    const struct record_header *header = &snapshot->record.header;
    const struct whose whose = { .user = header->user, .handle = header->handle };
    uint64_t ended = 0;
    if (header->user.len > 0 && header->handle.len > 0 && store_has_list(manager->store))
        return end_all(manager, &whose, SES_REASON_STOLEN, &ended);
    return end_key(manager, key, SES_REASON_STOLEN, NULL);
}

/* ---- or only noting it, for the application to show ---- */

static int mark_once(ses_manager *manager, const struct ses_key *key,
                     const struct snapshot *snapshot, struct ses_record *ret_winner)
{
    const struct record *record = &snapshot->record;
    struct record_header header = record->header;
    CLEANUP(buffer_free) struct buffer out = { 0 };
    header.suspected_ms = manager_now_ms(manager);
    record_write_header(&out, &header);
    if (out.failed)
        return SES_ERR_NO_MEMORY;

    CLEANUP(record_drop)
    struct ses_record marked = {
        .data = record_assemble(buffer_slice(&out), record->count, &record->pairs, 1),
        .expires_ms = snapshot->expires_ms,
        .kind = snapshot->kind,
    };
    int r = marked.data ? tags_next(manager->tags, &marked.version) : SES_ERR_NO_MEMORY;
    return r < 0 ? r
                 : store_save(manager->store, key, header.suspected_ms, snapshot->version, &marked,
                              ret_winner);
}

static void mark(ses_manager *manager, const struct ses_key *key, const struct snapshot *snapshot)
{
    CLEANUP(snapshot_drop) struct snapshot base = *snapshot;
    (void)ses_blob_ref(base.blob);
    for (int tries = 0; tries < MARK_TRIES && base.record.header.suspected_ms == 0; tries++) {
        struct ses_record winner = { 0 };
        (void)mark_once(manager, key, &base, &winner);
        if (!winner.data)
            return;
        snapshot_drop(&base);
        if (snapshot_from(&winner, &base) < 0)
            return;
    }
}

static bool has_run_out(const ses_manager *manager, const struct snapshot *snapshot)
{
    const int64_t now_ms = manager_now_ms(manager);
    return now_ms >= snapshot->expires_ms ||
           now_ms >= limits_absolute_end(manager, &snapshot->record.header);
}

static int answer(ses_manager *manager, const struct ses_key *key, const struct snapshot *snapshot)
{
    if (manager->config.when_stolen == STOLEN_END)
        return end_stolen(manager, key, snapshot);
    mark(manager, key, snapshot);
    return SES_OK;
}

/* Told also when the store could not be told all of it: that may be the only time it is seen. */
int suspect_theft(ses_manager *manager, const struct ses_key *key, const char *peer,
                  struct found *found)
{
    struct ses_key at = *key;
    struct ses_record record = { 0 };
    CLEANUP(snapshot_drop) struct snapshot snapshot = { 0 };
    found->reason = SES_REASON_ENDED; /* should it have ended anyway */
    int r = chase(manager, &at, found, &record);
    if (r == SES_OK)
        r = snapshot_from(&record, &snapshot);
    if (r == SES_OK && has_run_out(manager, &snapshot))
        r = SES_ERR_NOT_FOUND;
    if (r == SES_OK)
        r = answer(manager, &at, &snapshot);
    if (!snapshot.blob || r == SES_ERR_NOT_FOUND)
        return r;

    const struct happening theft = {
        .type = SES_EVENT_THEFT,
        .key = &at,
        .peer = peer,
        .user = snapshot.record.header.user,
    };
    events_tell(&manager->events, &theft);
    if (r < 0)
        return r;
    found->reason = SES_REASON_STOLEN;
    if (manager->config.when_stolen == STOLEN_END) /* whoever it is: it may be the visitor */
        found->suspected_ms = manager_now_ms(manager);
    return SES_ERR_NOT_FOUND;
}
