/* SPDX-License-Identifier: MIT */
#include "core/marker.h"

#include "base/aead.h"
#include "base/buffer.h"
#include "base/cbor.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/slice.h"

#include <sesame/error.h>

/* How long a dead id is told apart from an unknown one: longer than any request in flight. */
enum { DEAD_MS = 60 * 1000 };

enum { MARKER_FORMAT = 1, MARKER_BYTES_MAX = 320 };

/* Numbers of the members. Never reused; in the order in which they are encoded. */
enum { MEMBER_FORMAT, MEMBER_REASON, MEMBER_SINCE, MEMBER_NEXT, MEMBER_SEALED };

_Static_assert(ID_TEXT_MAX + AEAD_OVERHEAD + SES_KEY_BYTES + 3 * CBOR_HEAD_MAX < MARKER_BYTES_MAX,
               "a marker holds any id");

/* ---- writing ---- */

static int make_record(const struct buffer *bytes, struct ses_record *ret_record)
{
    if (bytes->failed)
        return SES_ERR_NO_MEMORY;
    ret_record->data = ses_blob_new(buffer_slice(bytes));
    return ret_record->data ? SES_OK : SES_ERR_NO_MEMORY;
}

static void write_number(struct buffer *out, int member, int64_t value)
{
    cbor_write_int(out, member);
    cbor_write_int(out, value);
}

int marker_make_dead(enum ses_reason reason, int64_t now_ms, struct ses_record *ret_record)
{
    unsigned char storage[MARKER_BYTES_MAX];
    struct buffer out = buffer_fixed(storage, sizeof storage);
    cbor_write_map(&out, 3);
    write_number(&out, MEMBER_FORMAT, MARKER_FORMAT);
    write_number(&out, MEMBER_REASON, reason);
    write_number(&out, MEMBER_SINCE, now_ms);
    *ret_record = (struct ses_record){ .kind = SES_KIND_DEAD, .expires_ms = now_ms + DEAD_MS };
    return make_record(&out, ret_record);
}

DEFINE_CLEANUP(struct aead *, aead_free)

/* No other use of an id begins with this byte. */
static struct aead *sealing_key(const struct id_format *format, const struct id *from)
{
    unsigned char key[AEAD_KEY_BYTES];
    const unsigned char head[2] = { 3, (unsigned char)format->realm.len };
    const struct ses_slice parts[] = { { head, sizeof head },
                                       format->realm,
                                       slice_of_text(from->text) };
    sha256(parts, 3, key);
    return aead_new(key);
}

static struct ses_slice key_slice(const struct id *id)
{
    return (struct ses_slice){ id->key.bytes, SES_KEY_BYTES };
}

int marker_make_moved(const struct id_format *format, const struct id *from, const struct id *to,
                      int64_t expires_ms, struct ses_record *ret_record)
{
    unsigned char sealed[ID_TEXT_MAX + AEAD_OVERHEAD];
    const struct ses_slice text = slice_of_text(to->text);
    CLEANUP(aead_free) struct aead *key = sealing_key(format, from);
    int r = key ? aead_seal(key, key_slice(from), text, sealed) : SES_ERR_NO_MEMORY;
    if (r < 0)
        return r;

    unsigned char storage[MARKER_BYTES_MAX];
    struct buffer out = buffer_fixed(storage, sizeof storage);
    cbor_write_map(&out, 3);
    write_number(&out, MEMBER_FORMAT, MARKER_FORMAT);
    cbor_write_int(&out, MEMBER_NEXT);
    cbor_write_bytes(&out, key_slice(to));
    cbor_write_int(&out, MEMBER_SEALED);
    cbor_write_bytes(&out, (struct ses_slice){ sealed, text.len + AEAD_OVERHEAD });
    *ret_record = (struct ses_record){ .kind = SES_KIND_MOVED, .expires_ms = expires_ms };
    return make_record(&out, ret_record);
}

/* ---- reading ---- */

static void read_member(struct cbor_reader *r, int64_t member, struct marker *marker)
{
    struct ses_slice next;
    switch (member) {
    case MEMBER_FORMAT:
        r->failed |= cbor_next_int(r) != MARKER_FORMAT;
        break;
    case MEMBER_REASON:
        marker->reason = (enum ses_reason)cbor_next_int(r);
        break;
    case MEMBER_SINCE:
        marker->since_ms = cbor_next_int(r);
        break;
    case MEMBER_NEXT:
        next = cbor_next_bytes(r);
        r->failed |= next.len != SES_KEY_BYTES;
        if (!r->failed)
            memcpy(marker->next.bytes, next.data, SES_KEY_BYTES);
        break;
    case MEMBER_SEALED:
        marker->sealed = cbor_next_bytes(r);
        break;
    default: /* of a later release */
        (void)cbor_skip(r);
    }
}

static bool decode(struct ses_slice bytes, struct marker *ret_marker)
{
    struct cbor_reader r = cbor_reader_of(bytes);
    int64_t before = -1;
    for (uint64_t left = cbor_next_map(&r); left > 0 && !r.failed; left--) {
        const int64_t member = cbor_next_int(&r);
        r.failed |= member <= before || (before < 0 && member != MEMBER_FORMAT);
        before = member;
        read_member(&r, member, ret_marker);
    }
    return cbor_at_end(&r) && before >= 0;
}

int marker_read(const struct ses_record *record, struct marker *ret_marker)
{
    struct marker marker = { 0 };
    const bool sound = decode(ses_blob_bytes(record->data), &marker);
    if (record->kind == SES_KIND_MOVED) {
        if (!sound || marker.sealed.len == 0)
            return SES_ERR_CORRUPT;
    } else if (!sound ||
               (marker.reason != SES_REASON_ENDED && marker.reason != SES_REASON_STOLEN)) {
        marker = (struct marker){ .reason = SES_REASON_CUT };
    }
    *ret_marker = marker;
    return SES_OK;
}

int marker_follow(const struct id_format *format, const struct marker *marker,
                  const struct id *from, struct id *ret_to)
{
    unsigned char text[MARKER_BYTES_MAX];
    if (marker->sealed.len > sizeof text)
        return SES_ERR_CORRUPT;
    CLEANUP(aead_free) struct aead *key = sealing_key(format, from);
    int r = key ? aead_open(key, key_slice(from), marker->sealed, text) : SES_ERR_NO_MEMORY;
    if (r < 0)
        return r;
    r = id_parse(format, (struct ses_slice){ text, marker->sealed.len - AEAD_OVERHEAD }, ret_to);
    const bool same = r == SES_OK && ses_key_equal(&ret_to->key, &marker->next);
    return same ? SES_OK : SES_ERR_CORRUPT;
}
