/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include "base/cbor_wire.h"
#include "base/slice.h"

#include <string.h>

/* ---- heads ---- */

struct head {
    unsigned major;
    unsigned info;
    uint64_t argument;
};

static size_t bytes_left(const struct cbor_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Bytes that the argument takes behind the first byte of a head with this info. */
static size_t argument_width(unsigned info)
{
    return (size_t)1 << (info - INFO_ONE_BYTE);
}

static void read_argument(struct cbor_reader *r, struct head *h)
{
    /* Above are reserved ones and indefinite lengths. */
    if (h->info > INFO_EIGHT_BYTES || bytes_left(r) < argument_width(h->info)) {
        r->failed = true;
        return;
    }
    h->argument = 0;
    for (size_t left = argument_width(h->info); left > 0; left--)
        h->argument = h->argument << 8 | *r->at++;
}

/* False, and the reader has failed, if there is no whole head. It may be longer than necessary. */
static inline bool read_head(struct cbor_reader *r, struct head *h)
{
    r->failed |= r->at == r->end;
    if (r->failed)
        return false;

    const unsigned first = *r->at++;
    h->major = first >> INFO_BITS;
    h->info = first & INFO_MASK;
    h->argument = h->info;
    if (h->info >= INFO_ONE_BYTE)
        read_argument(r, h);
    return !r->failed;
}

/* Does the argument, where it is a number, need the bytes that it has? */
static bool head_shortest(const struct head *h)
{
    static const uint64_t least[] = { 24, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32 };
    return h->info < INFO_ONE_BYTE || h->argument >= least[h->info - INFO_ONE_BYTE];
}

/* ---- items ---- */

struct cbor_reader cbor_reader_of(struct ses_slice input)
{
    static const unsigned char nothing[1];
    const unsigned char *start = input.len > 0 ? input.data : nothing;
    return (struct cbor_reader){ .at = start, .end = start + input.len };
}

static void read_int(struct cbor_reader *r, const struct head *h, struct cbor_item *item)
{
    r->failed |= h->argument > INT64_MAX;
    item->type = CBOR_INT;
    item->integer = (int64_t)(h->argument & INT64_MAX);
    if (h->major == MAJOR_NEGATIVE)
        item->integer = -1 - item->integer;
}

static void read_string(struct cbor_reader *r, const struct head *h, struct cbor_item *item)
{
    r->failed |= h->argument > bytes_left(r);
    if (r->failed)
        return;
    item->type = h->major == MAJOR_TEXT ? CBOR_TEXT : CBOR_BYTES;
    item->bytes = (struct ses_slice){ r->at, (size_t)h->argument };
    r->at += h->argument;
    r->failed |= item->type == CBOR_TEXT && !utf8_valid(item->bytes);
}

/* An item takes a byte at least: a count that cannot be true is refused before anybody loops on it. */
static void read_count(struct cbor_reader *r, const struct head *h, struct cbor_item *item)
{
    const bool map = h->major == MAJOR_MAP;
    r->failed |= h->argument > (map ? bytes_left(r) / 2 : bytes_left(r));
    item->type = map ? CBOR_MAP : CBOR_ARRAY;
    item->count = h->argument;
}

static void read_float(struct cbor_reader *r, const struct head *h, struct cbor_item *item)
{
    item->type = CBOR_DOUBLE;
    item->number = float_form_value((struct float_form){ h->info, h->argument });
    const struct float_form form = float_form_of(item->number);
    r->failed |= form.info != h->info || form.bits != h->argument;
}

static void read_simple(struct cbor_reader *r, const struct head *h, struct cbor_item *item)
{
    switch (h->info) {
    case INFO_FALSE:
    case INFO_TRUE:
        item->type = CBOR_BOOL;
        item->boolean = h->info == INFO_TRUE;
        break;
    case INFO_NULL:
        item->type = CBOR_NULL;
        break;
    case INFO_TWO_BYTES:
    case INFO_FOUR_BYTES:
    case INFO_EIGHT_BYTES:
        read_float(r, h, item);
        break;
    default:
        r->failed = true;
        break;
    }
}

static void read_content(struct cbor_reader *r, const struct head *h, struct cbor_item *item)
{
    r->failed |= h->major != MAJOR_SIMPLE && !head_shortest(h);
    switch (h->major) {
    case MAJOR_UNSIGNED:
    case MAJOR_NEGATIVE:
        read_int(r, h, item);
        break;
    case MAJOR_BYTES:
    case MAJOR_TEXT:
        read_string(r, h, item);
        break;
    case MAJOR_ARRAY:
    case MAJOR_MAP:
        read_count(r, h, item);
        break;
    case MAJOR_SIMPLE:
        read_simple(r, h, item);
        break;
    default:
        r->failed = true;
        break;
    }
}

/* Into a zeroed item, and in place: copies of it would cost more than all the checks. */
static inline void read_item(struct cbor_reader *r, struct cbor_item *item)
{
    struct head h;
    if (!read_head(r, &h))
        return;
    read_content(r, &h, item);
    if (r->failed)
        *item = (struct cbor_item){ .type = CBOR_NONE };
}

struct cbor_item cbor_next(struct cbor_reader *r)
{
    struct cbor_item item = { .type = CBOR_NONE };
    if (r->at < r->end)
        read_item(r, &item);
    return item;
}

static struct cbor_item next_of_type(struct cbor_reader *r, enum cbor_type type)
{
    const struct cbor_item item = cbor_next(r);
    if (item.type == type)
        return item;
    r->failed = true;
    return (struct cbor_item){ .type = CBOR_NONE };
}

int64_t cbor_next_int(struct cbor_reader *r)
{
    return next_of_type(r, CBOR_INT).integer;
}

struct ses_slice cbor_next_text(struct cbor_reader *r)
{
    return next_of_type(r, CBOR_TEXT).bytes;
}

struct ses_slice cbor_next_bytes(struct cbor_reader *r)
{
    return next_of_type(r, CBOR_BYTES).bytes;
}

uint64_t cbor_next_map(struct cbor_reader *r)
{
    return next_of_type(r, CBOR_MAP).count;
}

uint64_t cbor_next_array(struct cbor_reader *r)
{
    return next_of_type(r, CBOR_ARRAY).count;
}

/* ---- whole items ---- */

static void skip_item(struct cbor_reader *r, unsigned depth_left);

static void skip_array(struct cbor_reader *r, uint64_t count, unsigned depth_left)
{
    for (; count > 0 && !r->failed; count--)
        skip_item(r, depth_left);
}

static struct ses_slice skip_key(struct cbor_reader *r)
{
    const unsigned char *start = r->at;
    struct cbor_item key = { .type = CBOR_NONE };
    read_item(r, &key);
    r->failed |= key.type != CBOR_TEXT && key.type != CBOR_INT;
    return slice_between(start, r->at);
}

static void skip_map(struct cbor_reader *r, uint64_t count, unsigned depth_left)
{
    struct ses_slice before = { 0 };
    for (; count > 0 && !r->failed; count--) {
        const struct ses_slice key = skip_key(r);
        r->failed |= before.len > 0 && cbor_compare(before, key) >= 0;
        before = key;
        skip_item(r, depth_left);
    }
}

/* Calls itself as often as items are nested, so CBOR_DEPTH_MAX times at most. */
static void skip_item(struct cbor_reader *r, unsigned depth_left)
{
    struct cbor_item item = { .type = CBOR_NONE };
    read_item(r, &item);
    const bool nests = item.type == CBOR_ARRAY || item.type == CBOR_MAP;
    if (nests && depth_left == 0)
        r->failed = true;
    else if (item.type == CBOR_ARRAY)
        skip_array(r, item.count, depth_left - 1);
    else if (item.type == CBOR_MAP)
        skip_map(r, item.count, depth_left - 1);
}

static struct ses_slice passed_since(const unsigned char *start, const struct cbor_reader *r)
{
    return r->failed ? (struct ses_slice){ 0 } : slice_between(start, r->at);
}

struct ses_slice cbor_skip(struct cbor_reader *r)
{
    const unsigned char *start = r->at;
    skip_item(r, CBOR_DEPTH_MAX);
    return passed_since(start, r);
}

/* Passes over a head's string, or returns how many items belong to its array or map. */
static uint64_t pass_content(struct cbor_reader *r, const struct head *h)
{
    if (h->major < MAJOR_BYTES || h->major > MAJOR_MAP)
        return 0;
    if (h->argument > bytes_left(r)) {
        r->failed = true;
        return 0;
    }
    if (h->major == MAJOR_ARRAY)
        return h->argument;
    if (h->major == MAJOR_MAP)
        return h->argument * 2;
    r->at += h->argument;
    return 0;
}

struct ses_slice cbor_skip_trusted(struct cbor_reader *r)
{
    const unsigned char *start = r->at;
    struct head h;
    uint64_t items = 1;
    while (items > 0 && read_head(r, &h)) {
        items += pass_content(r, &h) - 1;
        r->failed |= items > bytes_left(r); /* so that no sum of counts overflows */
    }
    return passed_since(start, r);
}

bool cbor_at_end(const struct cbor_reader *r)
{
    return !r->failed && r->at == r->end;
}

bool cbor_valid(struct ses_slice item)
{
    struct cbor_reader r = cbor_reader_of(item);
    (void)cbor_skip(&r);
    return cbor_at_end(&r);
}

int cbor_compare(struct ses_slice a, struct ses_slice b)
{
    const size_t shorter = a.len < b.len ? a.len : b.len;
    const int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0; /* not secret */
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
