/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include "base/cbor_wire.h"

/* The argument follows in as many bytes as @p info says, the highest first. */
static void write_long_head(struct buffer *b, enum major major, unsigned info, uint64_t argument)
{
    unsigned char head[CBOR_HEAD_MAX];
    const unsigned width = 1U << (info - INFO_ONE_BYTE);
    head[0] = (unsigned char)(major << INFO_BITS | info);
    for (unsigned i = width; i > 0; i--, argument >>= 8)
        head[i] = (unsigned char)argument;
    buffer_append(b, head, 1 + width);
}

static void write_head(struct buffer *b, enum major major, uint64_t argument)
{
    if (argument < INFO_ONE_BYTE)
        buffer_byte(b, (unsigned char)(major << INFO_BITS | argument));
    else if (argument <= UINT8_MAX)
        write_long_head(b, major, INFO_ONE_BYTE, argument);
    else if (argument <= UINT16_MAX)
        write_long_head(b, major, INFO_TWO_BYTES, argument);
    else if (argument <= UINT32_MAX)
        write_long_head(b, major, INFO_FOUR_BYTES, argument);
    else
        write_long_head(b, major, INFO_EIGHT_BYTES, argument);
}

void cbor_write_null(struct buffer *b)
{
    write_head(b, MAJOR_SIMPLE, INFO_NULL);
}

void cbor_write_bool(struct buffer *b, bool value)
{
    write_head(b, MAJOR_SIMPLE, value ? INFO_TRUE : INFO_FALSE);
}

void cbor_write_int(struct buffer *b, int64_t value)
{
    if (value >= 0)
        write_head(b, MAJOR_UNSIGNED, (uint64_t)value);
    else
        write_head(b, MAJOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_write_double(struct buffer *b, double value)
{
    const struct float_form form = float_form_of(value);
    write_long_head(b, MAJOR_SIMPLE, form.info, form.bits);
}

void cbor_write_text(struct buffer *b, struct ses_slice text)
{
    b->failed |= !utf8_valid(text);
    write_head(b, MAJOR_TEXT, text.len);
    buffer_append(b, text.data, text.len);
}

void cbor_write_bytes(struct buffer *b, struct ses_slice bytes)
{
    write_head(b, MAJOR_BYTES, bytes.len);
    buffer_append(b, bytes.data, bytes.len);
}

void cbor_write_array(struct buffer *b, uint64_t count)
{
    write_head(b, MAJOR_ARRAY, count);
}

void cbor_write_map(struct buffer *b, uint64_t count)
{
    write_head(b, MAJOR_MAP, count);
}
