/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"
#include "base/cleanup.h"

#include "support/cbor_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool same_bytes(struct ses_slice a, struct ses_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void check_shape(struct cbor_reader *r, unsigned depth);

static void check_pairs(struct cbor_reader *r, uint64_t count, unsigned depth)
{
    struct ses_slice before = { 0 };
    for (; count > 0; count--) {
        const unsigned char *start = r->at;
        const enum cbor_type type = cbor_next(r).type;
        require(type == CBOR_TEXT || type == CBOR_INT);
        const struct ses_slice key = { start, (size_t)(r->at - start) };
        require(before.len == 0 || cbor_compare(before, key) < 0);
        before = key;
        check_shape(r, depth);
    }
}

/* What the single items do not show: depth, and the keys of maps. */
static void check_shape(struct cbor_reader *r, unsigned depth)
{
    const struct cbor_item item = cbor_next(r);
    require(item.type != CBOR_NONE);
    if (item.type == CBOR_ARRAY || item.type == CBOR_MAP)
        require(++depth <= CBOR_DEPTH_MAX);
    for (uint64_t left = item.count; item.type == CBOR_ARRAY && left > 0; left--)
        check_shape(r, depth);
    if (item.type == CBOR_MAP)
        check_pairs(r, item.count, depth);
}

/* One item that is accepted is passed over to its last byte, in each way, and is the only spelling
 * of what it says. */
static void check_accepted(struct ses_slice input)
{
    struct cbor_reader r = cbor_reader_of(input);
    require(same_bytes(cbor_skip(&r), input) && cbor_at_end(&r));
    r = cbor_reader_of(input);
    require(same_bytes(cbor_skip_trusted(&r), input) && cbor_at_end(&r));

    r = cbor_reader_of(input);
    check_shape(&r, 0);
    require(cbor_at_end(&r));

    CLEANUP(buffer_free) struct buffer again = { 0 };
    require(cbor_rewrite(input, &again) && same_bytes(buffer_slice(&again), input));
}

/* Items one after the other, up to the first that is refused: they are written as they were read.
 */
static void check_sequence(struct ses_slice input)
{
    CLEANUP(buffer_free) struct buffer again = { 0 };
    const bool all = cbor_rewrite(input, &again);
    require(!again.failed && again.len <= input.len && (!all || again.len == input.len));
    require(same_bytes(buffer_slice(&again), (struct ses_slice){ input.data, again.len }));
}

/* A whole item followed by anything is still found; the reader does not move where it fails. */
static void check_skips(struct ses_slice input)
{
    struct cbor_reader checked = cbor_reader_of(input), trusted = checked;
    while (!checked.failed && checked.at < checked.end) {
        const struct ses_slice item = cbor_skip(&checked);
        if (checked.failed)
            break;
        require(cbor_valid(item));
        require(same_bytes(cbor_skip_trusted(&trusted), item) && trusted.at == checked.at);
    }
    (void)cbor_skip_trusted(&trusted);
    require(trusted.at >= checked.at && trusted.at <= trusted.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ses_slice input = { data, size };
    check_sequence(input);
    check_skips(input);
    if (cbor_valid(input))
        check_accepted(input);
    return 0;
}
