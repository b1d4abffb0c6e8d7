/* SPDX-License-Identifier: MIT */
#include "core/carrier.h"

#include "core/cookie.h"
#include "core/seal.h"

#include "base/slice.h"

enum {
    NUMBER_BYTES = 8,
    HEAD_BYTES = 2 * NUMBER_BYTES + 1,
    CHUNK_MARK_BYTES = 3 /* "8." and "-8" */
};

/* As far as a record's own instants reach. */
#define FAR_MS (INT64_C(1) << 53)

/* ---- the provider that keeps nothing ---- */

struct nothing {
    char unused;
};

static int cookie_open(void *self, ses_provider_host *host, const char *config)
{
    (void)self, (void)host, (void)config; /* read with the manager's own settings */
    return SES_OK;
}

static void cookie_close(void *self)
{
    (void)self;
}

static int cookie_load(void *self, const struct ses_key *key, int64_t now_ms,
                       struct ses_record *ret_record)
{
    (void)self, (void)key, (void)now_ms, (void)ret_record;
    return SES_ERR_NOT_FOUND;
}

static int cookie_create(void *self, const struct ses_key *key, int64_t now_ms,
                         const struct ses_owner *owner, const struct ses_record *record)
{
    (void)self, (void)key, (void)now_ms, (void)owner, (void)record;
    return SES_OK;
}

static int cookie_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                       const struct ses_record *record, struct ses_record *ret_winner)
{
    (void)self, (void)key, (void)now_ms, (void)expected, (void)record, (void)ret_winner;
    return SES_OK;
}

static int cookie_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                        int64_t expires_ms)
{
    (void)self, (void)key, (void)now_ms, (void)expected, (void)expires_ms;
    return SES_OK;
}

static int cookie_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    (void)self, (void)key, (void)now_ms;
    return SES_OK;
}

const struct ses_provider_ops ses_provider_cookie = {
    .size = sizeof ses_provider_cookie,
    .abi = SES_PROVIDER_ABI,
    .flags = SES_PROVIDER_EXPIRES,
    .name = "cookie",
    .instance_size = sizeof(struct nothing),
    .open = cookie_open,
    .close = cookie_close,
    .load = cookie_load,
    .create = cookie_create,
    .save = cookie_save,
    .touch = cookie_touch,
    .destroy = cookie_destroy,
};

/* ---- tokens ---- */

static void write_number(struct buffer *out, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buffer_byte(out, (unsigned char)(number >> shift));
}

static uint64_t read_number(const unsigned char *bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < NUMBER_BYTES; i++)
        number = number << 8 | bytes[i];
    return number;
}

size_t carrier_part_max(const ses_session *session)
{
    const size_t name = strlen(session->manager->config.faces[true].name);
    return COOKIE_PAIR_MAX - name - CHUNK_MARK_BYTES - 1;
}

static bool fits(const ses_session *session, const struct id *id, const struct snapshot *next)
{
    const size_t bytes = HEAD_BYTES + strlen(id->text) + ses_blob_bytes(next->blob).len;
    const size_t parts = (size_t)session->manager->config.seal_chunks;
    return seal_token_bytes(bytes) <= carrier_part_max(session) * parts;
}

int carrier_seal(ses_session *session)
{
    const struct snapshot *snapshot = &session->snapshot;
    const struct ses_slice id = slice_of_text(session->id.text);
    const struct ses_slice record = ses_blob_bytes(snapshot->blob);
    CLEANUP(buffer_free) struct buffer content = { 0 };
    write_number(&content, (uint64_t)snapshot->expires_ms);
    write_number(&content, snapshot->version);
    buffer_byte(&content, (unsigned char)id.len);
    buffer_append(&content, id.data, id.len);
    buffer_append(&content, record.data, record.len);
    if (content.failed)
        return SES_ERR_NO_MEMORY;
    return seal(session->manager->sealer, buffer_slice(&content), &session->arena, &session->token);
}

/* Whoever could seal it is trusted with more than this; the checks are for what a later release of
 * ours may have sealed. */
static bool is_sound(const struct ses_record *record)
{
    return record->version != 0 && record->expires_ms >= 0 && record->expires_ms <= FAR_MS;
}

static int read_content(ses_session *session, struct ses_slice content)
{
    const unsigned char *bytes = content.data;
    if (content.len < HEAD_BYTES || content.len < (size_t)HEAD_BYTES + bytes[HEAD_BYTES - 1])
        return SES_ERR_NOT_FOUND;
    const struct ses_slice id = { bytes + HEAD_BYTES, bytes[HEAD_BYTES - 1] };
    const struct ses_slice data = slice_between(bytes + HEAD_BYTES + id.len, bytes + content.len);
    CLEANUP(record_drop)
    struct ses_record record = {
        .expires_ms = (int64_t)read_number(bytes),
        .version = read_number(bytes + NUMBER_BYTES),
        .kind = SES_KIND_SESSION,
        .data = ses_blob_new(data),
    };
    if (!record.data)
        return SES_ERR_NO_MEMORY;
    int r =
        is_sound(&record) ? id_parse(&session->manager->ids, id, &session->id) : SES_ERR_NOT_FOUND;
    return r == SES_OK ? snapshot_from(&record, &session->snapshot) : r;
}

int carrier_read(ses_session *session, struct ses_slice token)
{
    struct ses_slice content;
    bool old;
    int r = unseal(session->manager->sealer, token, &session->arena, &content, &old);
    if (r == SES_OK)
        r = read_content(session, content);
    if (r < 0) {
        session->id.text[0] = '\0';
        return r == SES_ERR_CORRUPT ? SES_ERR_NOT_FOUND : r;
    }
    if (old) /* sealed anew by the first key */
        session->cookie = COOKIE_SET;
    return SES_OK;
}

/* The ledger knows of ends that the token does not. Its own record is not needed beyond that. */
static int ask_ledger(ses_session *session, struct found *found)
{
    ses_manager *manager = session->manager;
    CLEANUP(snapshot_drop) struct snapshot kept = { 0 };
    struct found ledger = { .id = &session->id, .snapshot = &kept };
    int r = lookup(manager, &manager->ids, session_peer(session), &ledger);
    found->reason = ledger.reason;
    found->suspected_ms = ledger.suspected_ms;
    return r;
}

int carrier_find(ses_session *session)
{
    ses_manager *manager = session->manager;
    struct found found = { .id = &session->id, .snapshot = &session->snapshot };
    int r = manager->has_ledger ? ask_ledger(session, &found)
                                : lookup_judge(manager, session_peer(session), &found);
    if (r == SES_OK) {
        session_hit(session, &found);
        return SES_OK;
    }
    snapshot_drop(&session->snapshot);
    session->snapshot.record = (struct record){ 0 };
    session->cookie = COOKIE_LEAVE;
    return session_miss(session, &found, r);
}

int carrier_open(ses_session *session, struct ses_slice token)
{
    int r = carrier_read(session, token);
    return r == SES_OK ? carrier_find(session) : r;
}

/* ---- parts ---- */

const char *carrier_part_name(ses_session *session, unsigned part)
{
    const struct ses_slice name = slice_of_text(session->face->name);
    char *text = arena_alloc(&session->arena, name.len + CHUNK_MARK_BYTES);
    if (!text)
        return NULL;
    memcpy(text, name.data, name.len + 1);
    if (part > 0) {
        text[name.len] = '-';
        text[name.len + 1] = (char)('0' + part);
        text[name.len + 2] = '\0';
    }
    return text;
}

static int append_part(ses_session *session, const struct ses_request *request, unsigned part,
                       struct buffer *out)
{
    struct cookie_scan scan = cookie_scan_of(request->cookies, request->cookie_count);
    const char *name = carrier_part_name(session, part);
    struct ses_slice value;
    if (!name)
        return SES_ERR_NO_MEMORY;
    if (!cookie_next(&scan, slice_of_text(name), &value))
        return SES_ERR_NOT_FOUND;
    buffer_append(out, value.data, value.len);
    return SES_OK;
}

int carrier_join(ses_session *session, const struct ses_request *request, struct ses_slice first,
                 struct ses_slice *ret_token)
{
    const char *text = first.data;
    CLEANUP(buffer_free) struct buffer out = { 0 };
    session->chunks = 1;
    if (first.len < 2 || text[1] != '.') {
        *ret_token = first;
        return SES_OK;
    }
    if (text[0] < '2' || text[0] > '0' + SEAL_PARTS_MAX)
        return SES_ERR_NOT_FOUND;
    session->chunks = (unsigned)(text[0] - '0');
    buffer_append(&out, text + 2, first.len - 2);
    for (unsigned part = 1; part < session->chunks; part++) {
        int r = append_part(session, request, part, &out);
        if (r < 0)
            return r;
    }
    const char *whole = out.failed ? NULL : arena_text(&session->arena, buffer_slice(&out));
    *ret_token = (struct ses_slice){ whole, out.len };
    return whole ? SES_OK : SES_ERR_NO_MEMORY;
}

/* ---- keeping ---- */

/* What the store gets: all of it, or what a ledger needs to know. */
static int kept_record(const ses_session *session, const struct snapshot *next,
                       struct ses_record *ret_record)
{
    struct ses_record record = snapshot_record(next);
    record.data = is_sealed(session) ? record_assemble(next->record.header_bytes, 0, NULL, 0)
                                     : ses_blob_ref(record.data);
    *ret_record = record;
    return record.data ? SES_OK : SES_ERR_NO_MEMORY;
}

static int prepare(const ses_session *session, const struct id *id, const struct snapshot *next,
                   struct ses_record *ret_record)
{
    if (is_sealed(session) && !fits(session, id, next))
        return SES_ERR_TOO_LARGE;
    return kept_record(session, next, ret_record);
}

/* A token that changed goes out with the response. */
static int note_change(ses_session *session, int code)
{
    if (code == SES_OK && is_sealed(session))
        session->cookie = COOKIE_SET;
    return code;
}

int carrier_create(ses_session *session, const struct id *id, const struct ses_owner *owner,
                   const struct snapshot *next)
{
    ses_manager *manager = session->manager;
    CLEANUP(record_drop) struct ses_record record = { 0 };
    const int64_t now_ms = manager_now_ms(manager);
    int r = prepare(session, id, next, &record);
    if (r < 0)
        return r;
    if (session->transaction)
        return store_create_within(manager->store, session->transaction, &id->key, now_ms, &record);
    r = store_create(manager->store, &id->key, now_ms, owner, &record);
    return note_change(session, r);
}

int carrier_save(ses_session *session, uint64_t expected, const struct snapshot *next,
                 struct ses_record *ret_winner)
{
    ses_manager *manager = session->manager;
    CLEANUP(record_drop) struct ses_record record = { 0 };
    const struct ses_key *key = &session->id.key;
    const int64_t now_ms = manager_now_ms(manager);
    int r = prepare(session, &session->id, next, &record);
    if (r < 0)
        return r;
    if (session->transaction)
        return store_save_within(manager->store, session->transaction, key, now_ms, expected,
                                 &record);
    r = store_save(manager->store, key, now_ms, expected, &record, ret_winner);
    return note_change(session, r);
}

int carrier_touch(ses_session *session, int64_t now_ms, int64_t expires_ms)
{
    int r = store_touch(session->manager->store, &session->id.key, now_ms,
                        session->snapshot.version, expires_ms);
    return note_change(session, r);
}
