/* SPDX-License-Identifier: MIT */
#include "core/carrier.h"

#include "base/cbor.h"
#include "base/slice.h"

/* ---- keys ---- */

struct key {
    unsigned char bytes[CBOR_HEAD_MAX + RECORD_KEY_MAX];
    struct ses_slice encoded;
};

static bool key_encode(const ses_session *session, const char *text, struct key *ret_key)
{
    const size_t limit = (size_t)session->manager->config.max_key_bytes;
    const struct ses_slice key = { text, text ? strnlen(text, limit + 1) : 0 };
    if (key.len == 0 || key.len > limit)
        return false;
    struct buffer out = buffer_fixed(ret_key->bytes, sizeof ret_key->bytes);
    cbor_write_text(&out, key);
    ret_key->encoded = buffer_slice(&out);
    return !out.failed; /* it is not UTF-8 */
}

/* ---- reading ---- */

static int find(ses_session *session, const char *key_text, struct ses_slice *ret_item)
{
    struct key key;
    if (!key_encode(session, key_text, &key))
        return SES_ERR_INVALID;
    return overlay_find(&session->overlay, &session->snapshot.record, key.encoded, ret_item)
               ? SES_OK
               : SES_ERR_NOT_FOUND;
}

static int find_typed(ses_session *session, const char *key, enum ses_type type,
                      struct ses_value *ret_value)
{
    struct ses_slice item;
    int r = find(session, key, &item);
    if (r < 0)
        return r;
    *ret_value = value_decode(item);
    return ret_value->type == type ? SES_OK : SES_ERR_WRONG_TYPE;
}

enum ses_type ses_type_of(ses_session *session, const char *key)
{
    struct ses_slice item;
    return find(session, key, &item) == SES_OK ? value_decode(item).type : SES_TYPE_ABSENT;
}

/* Asking for one text a thousand times copies it once. */
struct text_copy {
    struct text_copy *next;
    const void *source;
    const char *text;
};

static const char *text_copied(ses_session *session, struct ses_slice source)
{
    for (const struct text_copy *copy = session->texts; copy; copy = copy->next) {
        if (copy->source == source.data)
            return copy->text;
    }
    struct text_copy *copy = arena_alloc(&session->arena, sizeof *copy);
    const char *text = arena_text(&session->arena, source);
    if (!copy || !text)
        return NULL;
    *copy = (struct text_copy){ session->texts, source.data, text };
    session->texts = copy;
    return text;
}

int ses_get_text(ses_session *session, const char *key, const char **ret_text)
{
    struct ses_value value;
    int r = find_typed(session, key, SES_TYPE_TEXT, &value);
    if (r < 0)
        return r;
    if (value.bytes.len > 0 && memchr(value.bytes.data, '\0', value.bytes.len))
        return SES_ERR_WRONG_TYPE;
    const char *text = value.bytes.len > 0 ? text_copied(session, value.bytes) : "";
    if (!text)
        return SES_ERR_NO_MEMORY;
    *ret_text = text;
    return SES_OK;
}

int ses_get_bytes(ses_session *session, const char *key, struct ses_slice *ret_bytes)
{
    struct ses_value value;
    int r = find_typed(session, key, SES_TYPE_BYTES, &value);
    if (r == SES_ERR_WRONG_TYPE && value.type == SES_TYPE_TEXT)
        r = SES_OK;
    if (r == SES_OK)
        *ret_bytes = value.bytes;
    return r;
}

int ses_get_int(ses_session *session, const char *key, int64_t *ret_value)
{
    struct ses_value value;
    int r = find_typed(session, key, SES_TYPE_INT, &value);
    if (r == SES_OK)
        *ret_value = value.integer;
    return r;
}

int ses_get_double(ses_session *session, const char *key, double *ret_value)
{
    struct ses_value value;
    int r = find_typed(session, key, SES_TYPE_DOUBLE, &value);
    if (r == SES_OK)
        *ret_value = value.number;
    return r;
}

int ses_get_bool(ses_session *session, const char *key, bool *ret_value)
{
    struct ses_value value;
    int r = find_typed(session, key, SES_TYPE_BOOL, &value);
    if (r == SES_OK)
        *ret_value = value.boolean;
    return r;
}

int ses_get_cbor(ses_session *session, const char *key, struct ses_slice *ret_item)
{
    return find(session, key, ret_item);
}

struct each {
    ses_value_fn *fn;
    void *arg;
};

static int show_pair(void *arg, const struct pair *pair)
{
    const struct each *each = arg;
    const struct ses_slice key = value_decode(pair->key).bytes;
    const struct ses_value value = value_decode(pair->value);
    char text[RECORD_KEY_MAX + 1];
    memcpy(text, key.data, key.len); /* record_decode() has bounded it */
    text[key.len] = '\0';
    return each->fn(each->arg, text, &value);
}

int ses_each(ses_session *session, ses_value_fn *fn, void *arg)
{
    struct each each = { fn, arg };
    return overlay_each(&session->overlay, &session->snapshot.record, show_pair, &each);
}

/* ---- changing ---- */

/* SES_OK when the session can be changed and the key is one. */
static int begin_change(const ses_session *session, const char *key_text, struct key *ret_key)
{
    int r = session_changeable(session);
    if (r < 0)
        return r;
    return key_encode(session, key_text, ret_key) ? SES_OK : SES_ERR_INVALID;
}

static int set(ses_session *session, const char *key_text, const struct ses_value *value)
{
    struct key key;
    struct ses_slice item = { 0 };
    int r = begin_change(session, key_text, &key);
    if (r < 0)
        return r;
    if (value->bytes.len > session->overlay.limits->value_bytes)
        return SES_ERR_TOO_LARGE;
    r = value_encode(&session->arena, value, &item);
    return r < 0 ? r : overlay_set(&session->overlay, key.encoded, item);
}

int ses_set_text(ses_session *session, const char *key, const char *text)
{
    if (!text)
        return SES_ERR_INVALID;
    const struct ses_value value = { .type = SES_TYPE_TEXT, .bytes = slice_of_text(text) };
    return set(session, key, &value);
}

int ses_set_bytes(ses_session *session, const char *key, struct ses_slice bytes)
{
    const struct ses_value value = { .type = SES_TYPE_BYTES, .bytes = bytes };
    return set(session, key, &value);
}

int ses_set_int(ses_session *session, const char *key, int64_t value)
{
    const struct ses_value integer = { .type = SES_TYPE_INT, .integer = value };
    return set(session, key, &integer);
}

int ses_set_double(ses_session *session, const char *key, double value)
{
    const struct ses_value number = { .type = SES_TYPE_DOUBLE, .number = value };
    return set(session, key, &number);
}

int ses_set_bool(ses_session *session, const char *key, bool value)
{
    const struct ses_value boolean = { .type = SES_TYPE_BOOL, .boolean = value };
    return set(session, key, &boolean);
}

int ses_set_null(ses_session *session, const char *key)
{
    const struct ses_value null = { .type = SES_TYPE_NULL };
    return set(session, key, &null);
}

int ses_set_cbor(ses_session *session, const char *key, struct ses_slice item)
{
    const struct ses_value other = { .type = SES_TYPE_OTHER, .bytes = item };
    return set(session, key, &other);
}

int ses_delete(ses_session *session, const char *key)
{
    const struct ses_value absent = { .type = SES_TYPE_ABSENT };
    return set(session, key, &absent);
}

int ses_clear(ses_session *session)
{
    int r = session_changeable(session);
    if (r == SES_OK)
        overlay_clear(&session->overlay);
    return r;
}

int ses_increment(ses_session *session, const char *key_text, int64_t delta)
{
    struct key key;
    int r = begin_change(session, key_text, &key);
    return r < 0 ? r
                 : overlay_increment(&session->overlay, &session->snapshot.record, key.encoded,
                                     delta);
}

int ses_update(ses_session *session, const char *key_text, ses_update_fn *fn, void *arg)
{
    struct key key;
    int r = begin_change(session, key_text, &key);
    return r < 0
               ? r
               : overlay_update(&session->overlay, &session->snapshot.record, key.encoded, fn, arg);
}

int ses_set_lifetime(ses_session *session, uint32_t idle_s, uint32_t absolute_s)
{
    int r = session_changeable(session);
    if (r < 0)
        return r;
    session->patch.limits = true;
    session->patch.idle_s = idle_s;
    session->patch.absolute_s = absolute_s;
    return SES_OK;
}

/* ---- taking ---- */

struct taking {
    struct arena *arena;
    struct overlay *pending;
    struct ses_slice key;
    struct ses_value value;
};

/* A copy: the record that the value stood in may be gone before the session is. */
static int remember_value(struct taking *taking, struct ses_slice item)
{
    void *copy = arena_alloc(taking->arena, item.len);
    if (!copy)
        return SES_ERR_NO_MEMORY;
    memcpy(copy, item.data, item.len);
    taking->value = value_decode((struct ses_slice){ copy, item.len });
    return SES_OK;
}

/* The increments and updates of this request count, and go along with the value. */
static int find_taken(void *arg, const struct record *record)
{
    struct taking *taking = arg;
    struct ses_slice item;
    int r = overlay_compute(taking->pending, record, taking->key, &item);
    if (r != SES_OK)
        return r;
    return item.len > 0 ? remember_value(taking, item) : SES_ERR_NOT_FOUND;
}

/* What was set in this request is not stored yet, so nobody else can have it. */
static int take_pending(ses_session *session, struct taking *taking)
{
    struct ses_slice item;
    if (!overlay_find(&session->overlay, &session->snapshot.record, taking->key, &item))
        return SES_ERR_NOT_FOUND;
    int r = remember_value(taking, item);
    return r < 0 ? r : overlay_set(&session->overlay, taking->key, (struct ses_slice){ 0 });
}

static int take_stored(ses_session *session, struct taking *taking)
{
    struct overlay without = { .limits = session->overlay.limits, .arena = &session->arena };
    int r = overlay_set(&without, taking->key, (struct ses_slice){ 0 });
    if (r < 0)
        return r;
    CLEANUP(snapshot_drop) struct snapshot next = { 0 };
    const struct swap swap = { .overlay = &without, .inspect = find_taken, .arg = taking };
    r = session_swap(session, &swap, &next);
    if (r != SES_OK)
        return r;
    overlay_forget(&session->overlay, taking->key);
    session_adopt(session, &next);
    return SES_OK;
}

int ses_take(ses_session *session, const char *key_text, struct ses_value *ret_value)
{
    struct key key;
    int r = begin_change(session, key_text, &key);
    if (r < 0)
        return r;
    if (is_sealed(session) && !session->manager->has_ledger)
        return SES_ERR_UNSUPPORTED; /* nobody could tell who was first */
    struct taking taking = { &session->arena, &session->overlay, key.encoded, { 0 } };
    const bool pending =
        !session->snapshot.blob || overlay_replaces(&session->overlay, key.encoded);
    r = pending ? take_pending(session, &taking) : take_stored(session, &taking);
    if (r == SES_OK)
        *ret_value = taking.value;
    session_tell_outcome(session);
    return r;
}
