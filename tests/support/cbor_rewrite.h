/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_CBOR_REWRITE_H
#define SES_TEST_CBOR_REWRITE_H

/* Reads all items of an input, one after the other, and writes each again: what is deterministic
 * comes out byte by byte as it went in. */

#include "base/cbor.h"

static inline void rewrite_item(const struct cbor_item *item, struct buffer *out)
{
    switch (item->type) {
    case CBOR_NONE:
        break;
    case CBOR_NULL:
        cbor_write_null(out);
        break;
    case CBOR_BOOL:
        cbor_write_bool(out, item->boolean);
        break;
    case CBOR_INT:
        cbor_write_int(out, item->integer);
        break;
    case CBOR_DOUBLE:
        cbor_write_double(out, item->number);
        break;
    case CBOR_TEXT:
        cbor_write_text(out, item->bytes);
        break;
    case CBOR_BYTES:
        cbor_write_bytes(out, item->bytes);
        break;
    case CBOR_ARRAY:
        cbor_write_array(out, item->count);
        break;
    case CBOR_MAP:
        cbor_write_map(out, item->count);
        break;
    }
}

/* False if something could not be read or written. */
static inline bool cbor_rewrite(struct ses_slice input, struct buffer *out)
{
    struct cbor_reader r = cbor_reader_of(input);
    struct cbor_item item = cbor_next(&r);
    for (; item.type != CBOR_NONE; item = cbor_next(&r))
        rewrite_item(&item, out);
    return cbor_at_end(&r) && !out->failed;
}

#endif
