/* SPDX-License-Identifier: MIT */
#include "core/overlay.h"

#include "base/cbor.h"

#include <sesame/error.h>

struct ses_value value_decode(struct ses_slice item)
{
    const struct cbor_item head = cbor_item_trusted(item);
    switch (head.type) {
    case CBOR_NONE:
        return (struct ses_value){ .type = SES_TYPE_ABSENT };
    case CBOR_NULL:
        return (struct ses_value){ .type = SES_TYPE_NULL };
    case CBOR_BOOL:
        return (struct ses_value){ .type = SES_TYPE_BOOL, .boolean = head.boolean };
    case CBOR_INT:
        return (struct ses_value){ .type = SES_TYPE_INT, .integer = head.integer };
    case CBOR_DOUBLE:
        return (struct ses_value){ .type = SES_TYPE_DOUBLE, .number = head.number };
    case CBOR_TEXT:
        return (struct ses_value){ .type = SES_TYPE_TEXT, .bytes = head.bytes };
    case CBOR_BYTES:
        return (struct ses_value){ .type = SES_TYPE_BYTES, .bytes = head.bytes };
    default:
        return (struct ses_value){ .type = SES_TYPE_OTHER, .bytes = item };
    }
}

static void write_value(struct buffer *out, const struct ses_value *value)
{
    switch (value->type) {
    case SES_TYPE_ABSENT:
        break;
    case SES_TYPE_NULL:
        cbor_write_null(out);
        break;
    case SES_TYPE_BOOL:
        cbor_write_bool(out, value->boolean);
        break;
    case SES_TYPE_INT:
        cbor_write_int(out, value->integer);
        break;
    case SES_TYPE_DOUBLE:
        cbor_write_double(out, value->number);
        break;
    case SES_TYPE_TEXT:
        cbor_write_text(out, value->bytes);
        break;
    case SES_TYPE_BYTES:
        cbor_write_bytes(out, value->bytes);
        break;
    case SES_TYPE_OTHER:
        buffer_append(out, value->bytes.data, value->bytes.len);
        break;
    }
}

static bool value_sane(const struct ses_value *value)
{
    if ((unsigned)value->type > SES_TYPE_OTHER || (value->bytes.len > 0 && !value->bytes.data))
        return false;
    return value->type != SES_TYPE_OTHER || cbor_valid(value->bytes);
}

int value_encode(struct arena *arena, const struct ses_value *value, struct ses_slice *ret_item)
{
    if (!value_sane(value))
        return SES_ERR_INVALID;
    if (value->bytes.len > UINT32_MAX)
        return SES_ERR_TOO_LARGE;

    const size_t room = CBOR_HEAD_MAX + value->bytes.len;
    unsigned char *bytes = arena_alloc(arena, room);
    if (!bytes)
        return SES_ERR_NO_MEMORY;
    struct buffer out = buffer_fixed(bytes, room);
    write_value(&out, value);
    if (out.failed) /* text that is not UTF-8: there is room for all else */
        return SES_ERR_INVALID;
    *ret_item = buffer_slice(&out);
    return SES_OK;
}
