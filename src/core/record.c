/* SPDX-License-Identifier: MIT */
#include "core/record.h"

#include "base/blob.h"
#include "base/cbor.h"
#include "base/slice.h"

#include <sesame/error.h>

enum { RECORD_PARTS = 2, PARTS_HEAD_BYTES = 1 /* the array's head, before the header */ };

/* Numbers of the header's members. Never reused; in the order in which they are encoded. */
enum {
    MEMBER_FORMAT,
    MEMBER_CREATED,
    MEMBER_ABSOLUTE_BASE,
    MEMBER_USER,
    MEMBER_LEVEL,
    MEMBER_AUTH,
    MEMBER_CSRF,
    MEMBER_HANDLE,
    MEMBER_PEER,
    MEMBER_USER_AGENT,
    MEMBER_PREVIOUS,
    MEMBER_IDLE,
    MEMBER_ABSOLUTE,
    MEMBER_ID_MADE,
    MEMBER_GRACE,
    MEMBER_SUSPECTED,
    MEMBER_COUNT,
};

/* ---- the header ---- */

static struct ses_slice bytes_between(const unsigned char *start, const struct cbor_reader *r)
{
    return slice_between(start, r->at);
}

static void read_member(struct cbor_reader *r, int number, struct record_header *h)
{
    switch (number) {
    case MEMBER_FORMAT:
        r->failed |= cbor_next_int(r) != RECORD_FORMAT;
        break;
    case MEMBER_CREATED:
        h->created_ms = cbor_next_int(r);
        break;
    case MEMBER_ABSOLUTE_BASE:
        h->absolute_base_ms = cbor_next_int(r);
        break;
    case MEMBER_USER:
        h->user = cbor_next_text(r);
        break;
    case MEMBER_LEVEL:
        h->level = cbor_next_int(r);
        break;
    case MEMBER_AUTH:
        h->auth_ms = cbor_next_int(r);
        break;
    case MEMBER_CSRF:
        h->csrf = cbor_next_bytes(r);
        break;
    case MEMBER_HANDLE:
        h->handle = cbor_next_bytes(r);
        break;
    case MEMBER_PEER:
        h->peer = cbor_next_text(r);
        break;
    case MEMBER_USER_AGENT:
        h->user_agent = cbor_next_text(r);
        break;
    case MEMBER_PREVIOUS:
        h->previous = cbor_next_bytes(r);
        break;
    case MEMBER_IDLE:
        h->idle_s = cbor_next_int(r);
        break;
    case MEMBER_ABSOLUTE:
        h->absolute_s = cbor_next_int(r);
        break;
    case MEMBER_ID_MADE:
        h->id_ms = cbor_next_int(r);
        break;
    case MEMBER_GRACE:
        h->grace_ms = cbor_next_int(r);
        break;
    default: /* MEMBER_SUSPECTED */
        h->suspected_ms = cbor_next_int(r);
        break;
    }
}

/* Passes over pairs whose keys stand in order behind @p before, so that there is one form only. */
static void skip_members(struct cbor_reader *r, uint64_t count, struct ses_slice before)
{
    for (; count > 0 && !r->failed; count--) {
        const unsigned char *start = r->at;
        const struct cbor_item item = cbor_next(r);
        const struct ses_slice key = bytes_between(start, r);
        (void)cbor_skip(r);
        r->failed |= (item.type != CBOR_INT && item.type != CBOR_TEXT) ||
                     (before.len > 0 && cbor_compare(before, key) >= 0);
        before = key;
    }
}

/* Known members come first, since integers are encoded in the order of their size; the key of one
 * is a single byte, its number. */
static void read_header(struct cbor_reader *r, struct record_header *h)
{
    uint64_t left = cbor_next_map(r);
    int before = -1;
    struct ses_slice last_key = { 0 };
    for (; left > 0 && !r->failed && r->at < r->end && *r->at < MEMBER_COUNT; left--) {
        const int number = *r->at;
        r->failed |= number <= before || (before < 0 && number != MEMBER_FORMAT);
        before = number;
        last_key = (struct ses_slice){ r->at, 1 };
        r->at++;
        read_member(r, number, h);
    }
    const unsigned char *unknown = r->at;
    h->unknown_count = left;
    skip_members(r, left, last_key);
    h->unknown = bytes_between(unknown, r);
    r->failed |= before < 0;
}

/* Limits that later arithmetic relies on: no sum of these overflows. */
static bool instant_sane(int64_t ms)
{
    return ms >= 0 && ms < (int64_t)1 << 53;
}

static bool seconds_sane(int64_t s)
{
    return s >= 0 && s < (int64_t)1 << 32;
}

static bool header_sane(const struct record_header *h)
{
    return instant_sane(h->created_ms) && instant_sane(h->absolute_base_ms) &&
           instant_sane(h->auth_ms) && instant_sane(h->id_ms) && instant_sane(h->suspected_ms) &&
           (instant_sane(h->grace_ms) || h->grace_ms == GRACE_UNTIL_USED) && h->level >= 0 &&
           h->level <= INT32_MAX && seconds_sane(h->idle_s) && seconds_sane(h->absolute_s) &&
           (h->handle.len == 0 || h->handle.len == HANDLE_BYTES);
}

static void write_int(struct buffer *out, int number, int64_t value)
{
    if (value == 0)
        return;
    cbor_write_int(out, number);
    cbor_write_int(out, value);
}

static void write_text(struct buffer *out, int number, struct ses_slice text)
{
    if (text.len == 0)
        return;
    cbor_write_int(out, number);
    cbor_write_text(out, text);
}

static void write_bytes(struct buffer *out, int number, struct ses_slice bytes)
{
    if (bytes.len == 0)
        return;
    cbor_write_int(out, number);
    cbor_write_bytes(out, bytes);
}

static uint64_t count_members(const struct record_header *h)
{
    const bool present[] = {
        true,          h->created_ms,     h->absolute_base_ms, h->user.len,
        h->level,      h->auth_ms,        h->csrf.len,         h->handle.len,
        h->peer.len,   h->user_agent.len, h->previous.len,     h->idle_s,
        h->absolute_s, h->id_ms,          h->grace_ms,         h->suspected_ms,
    };
    uint64_t count = h->unknown_count;
    for (size_t i = 0; i < sizeof present / sizeof present[0]; i++)
        count += present[i];
    return count;
}

void record_write_header(struct buffer *out, const struct record_header *h)
{
    cbor_write_map(out, count_members(h));
    write_int(out, MEMBER_FORMAT, RECORD_FORMAT); /* never 0, so always there */
    write_int(out, MEMBER_CREATED, h->created_ms);
    write_int(out, MEMBER_ABSOLUTE_BASE, h->absolute_base_ms);
    write_text(out, MEMBER_USER, h->user);
    write_int(out, MEMBER_LEVEL, h->level);
    write_int(out, MEMBER_AUTH, h->auth_ms);
    write_bytes(out, MEMBER_CSRF, h->csrf);
    write_bytes(out, MEMBER_HANDLE, h->handle);
    write_text(out, MEMBER_PEER, h->peer);
    write_text(out, MEMBER_USER_AGENT, h->user_agent);
    write_bytes(out, MEMBER_PREVIOUS, h->previous);
    write_int(out, MEMBER_IDLE, h->idle_s);
    write_int(out, MEMBER_ABSOLUTE, h->absolute_s);
    write_int(out, MEMBER_ID_MADE, h->id_ms);
    write_int(out, MEMBER_GRACE, h->grace_ms);
    write_int(out, MEMBER_SUSPECTED, h->suspected_ms);
    buffer_append(out, h->unknown.data, h->unknown.len);
}

/* ---- the values ---- */

static bool key_sane(struct ses_slice key)
{
    return key.len > 0 && key.len <= RECORD_KEY_MAX && !memchr(key.data, '\0', key.len);
}

static void check_pairs(struct cbor_reader *r, uint64_t count)
{
    struct ses_slice before = { 0 };
    for (; count > 0 && !r->failed; count--) {
        const unsigned char *start = r->at;
        const struct ses_slice text = cbor_next_text(r);
        const struct ses_slice key = bytes_between(start, r);
        (void)cbor_skip(r);
        r->failed |= !key_sane(text) || (before.len > 0 && cbor_compare(before, key) >= 0);
        before = key;
    }
}

/* What follows the header. @p own: it is known to be in order, so it need not even be touched. */
static bool read_values(struct cbor_reader *r, bool own, struct record *record)
{
    record->count = cbor_next_map(r);
    const unsigned char *pairs = r->at;
    if (own)
        r->at = r->end;
    else
        check_pairs(r, record->count);
    record->pairs = bytes_between(pairs, r);
    return cbor_at_end(r);
}

static int decode(struct ses_slice bytes, bool own, struct record *record)
{
    struct cbor_reader r = cbor_reader_of(bytes);
    r.trusted = own;
    r.failed |= cbor_next_array(&r) != RECORD_PARTS;

    const unsigned char *header = r.at;
    record->header = (struct record_header){ 0 };
    read_header(&r, &record->header);
    record->header_bytes = bytes_between(header, &r);
    return read_values(&r, own, record) && header_sane(&record->header) ? SES_OK : SES_ERR_CORRUPT;
}

int record_decode(struct ses_slice bytes, struct record *record)
{
    return decode(bytes, false, record);
}

int record_open(const ses_blob *blob, struct record *record)
{
    return decode(ses_blob_bytes(blob), blob_is_own(blob), record);
}

static void move_slice(struct ses_slice *slice, const unsigned char *from, const unsigned char *to)
{
    if (slice->len > 0)
        slice->data = to + ((const unsigned char *)slice->data - from);
}

/* The header, decoded from bytes at @p from, as it is when the same bytes stand at @p to. */
static void move_header(struct record_header *h, const unsigned char *from, const unsigned char *to)
{
    move_slice(&h->user, from, to);
    move_slice(&h->csrf, from, to);
    move_slice(&h->handle, from, to);
    move_slice(&h->peer, from, to);
    move_slice(&h->user_agent, from, to);
    move_slice(&h->previous, from, to);
    move_slice(&h->unknown, from, to);
}

int record_open_like(const ses_blob *blob, const struct record *like, struct record *record)
{
    const struct ses_slice bytes = ses_blob_bytes(blob), header = like->header_bytes;
    const unsigned char *start = (const unsigned char *)bytes.data + PARTS_HEAD_BYTES;
    const unsigned char *end = (const unsigned char *)bytes.data + bytes.len;
    const struct ses_slice ours = { start, header.len };
    if (header.len == 0 || !blob_is_own(blob) || bytes.len < PARTS_HEAD_BYTES + header.len ||
        !slice_equal(ours, header))
        return record_open(blob, record);

    struct cbor_reader r = cbor_reader_of(slice_between(start + header.len, end));
    record->header = like->header;
    move_header(&record->header, header.data, start);
    record->header_bytes = ours;
    return read_values(&r, true, record) ? SES_OK : SES_ERR_CORRUPT;
}

bool record_next(struct ses_slice *pairs, struct pair *ret_pair)
{
    return cbor_take_pair(pairs, &ret_pair->key, &ret_pair->value);
}

bool record_find(const struct record *record, struct ses_slice key, struct ses_slice *ret_value)
{
    return cbor_find(record->pairs, key, ret_value);
}

/* ---- the whole ---- */

size_t record_size(struct ses_slice header_bytes, uint64_t count, size_t pair_bytes)
{
    unsigned char heads[2 * CBOR_HEAD_MAX];
    struct buffer out = buffer_fixed(heads, sizeof heads);
    cbor_write_array(&out, RECORD_PARTS);
    cbor_write_map(&out, count);
    return out.len + header_bytes.len + pair_bytes;
}

ses_blob *record_assemble(struct ses_slice header_bytes, uint64_t count,
                          const struct ses_slice *parts, size_t part_count)
{
    size_t pair_bytes = 0;
    for (size_t i = 0; i < part_count; i++)
        pair_bytes += parts[i].len;
    const size_t total = record_size(header_bytes, count, pair_bytes);
    unsigned char *bytes = NULL;
    ses_blob *blob = blob_alloc(total, &bytes);
    if (!blob)
        return NULL;

    struct buffer out = buffer_fixed(bytes, total);
    cbor_write_array(&out, RECORD_PARTS);
    buffer_append(&out, header_bytes.data, header_bytes.len);
    cbor_write_map(&out, count);
    for (size_t i = 0; i < part_count; i++)
        buffer_append(&out, parts[i].data, parts[i].len);
    blob_mark_own(blob);
    return blob;
}
