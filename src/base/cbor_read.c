/* SPDX-License-Identifier: MIT */
#include "base/cbor.h"

#include "base/cbor_wire.h"
#include "base/slice.h"

#include <endian.h>
#include <string.h>

/*
 * Below the cursor, every step is a function that takes the input as a pair of pointers and returns
 * where the rest begins, or NULL where it refuses; so the position stays in a register.
 */

struct head {
    unsigned major;
    unsigned info;
    uint64_t argument;
};

static inline size_t bytes_between(const unsigned char *at, const unsigned char *end)
{
    return (size_t)(end - at);
}

/* ---- heads ---- */

static inline uint64_t big_endian(const unsigned char *at, size_t width)
{
    uint64_t wide;
    uint32_t half;
    switch (width) {
    case 1:
        return *at;
    case 2:
        return (uint64_t)at[0] << 8 | at[1];
    case 4:
        memcpy(&half, at, sizeof half);
        return be32toh(half);
    default:
        memcpy(&wide, at, sizeof wide);
        return be64toh(wide);
    }
}

/* Only its own bytes are checked: it may be longer than necessary, and of any kind. */
static inline const unsigned char *pass_head(const unsigned char *at, const unsigned char *end,
                                             struct head *ret_head)
{
    if (at == end)
        return NULL;
    const unsigned major = *at >> INFO_BITS, info = *at & INFO_MASK;
    uint64_t argument = info;
    at++;
    if (info >= INFO_ONE_BYTE) {
        /* Above are reserved ones and indefinite lengths. */
        if (info > INFO_EIGHT_BYTES)
            return NULL;
        const size_t width = (size_t)1 << (info - INFO_ONE_BYTE);
        if (bytes_between(at, end) < width)
            return NULL;
        argument = big_endian(at, width);
        at += width;
    }
    *ret_head = (struct head){ major, info, argument };
    return at;
}

/* Does the argument, where it is a number, need the bytes that it has? */
static inline bool head_shortest(struct head h)
{
    static const uint64_t least[] = { 24, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32 };
    return h.info < INFO_ONE_BYTE || h.argument >= least[h.info - INFO_ONE_BYTE];
}

static bool simple_valid(struct head h)
{
    if (h.info < INFO_TWO_BYTES || h.info > INFO_EIGHT_BYTES)
        return h.info == INFO_FALSE || h.info == INFO_TRUE || h.info == INFO_NULL;

    const struct float_form read = { h.info, h.argument };
    const struct float_form only = float_form_of(float_form_value(read));
    return read.info == only.info && read.bits == only.bits;
}

/* What a head announces: is it in the subset, and has it room in the rest of the input? An item
 * takes a byte at least, so that nobody loops over a count, or allocates, that cannot be true. */
static inline bool head_valid(struct head h, size_t left)
{
    if (h.major == MAJOR_SIMPLE)
        return simple_valid(h);
    if (!head_shortest(h))
        return false;
    switch (h.major) {
    case MAJOR_UNSIGNED:
    case MAJOR_NEGATIVE:
        return h.argument <= INT64_MAX;
    case MAJOR_BYTES:
    case MAJOR_TEXT:
    case MAJOR_ARRAY:
        return h.argument <= left;
    case MAJOR_MAP:
        return h.argument <= left / 2;
    default:
        return false;
    }
}

static inline uint64_t content_bytes(struct head h)
{
    return h.major == MAJOR_BYTES || h.major == MAJOR_TEXT ? h.argument : 0;
}

/* A whole scalar or string, or the head of an array or map, with all checks. */
static inline const unsigned char *pass_item(const unsigned char *at, const unsigned char *end,
                                             struct head *ret_head)
{
    struct head h; /* not *ret_head at once: that would live in memory */
    at = pass_head(at, end, &h);
    if (!at || !head_valid(h, bytes_between(at, end)))
        return NULL;
    const struct ses_slice content = { at, (size_t)content_bytes(h) };
    if (h.major == MAJOR_TEXT && !utf8_valid(content))
        return NULL;
    *ret_head = h;
    return at + content.len;
}

/* The same of an item that was accepted before. */
static inline const unsigned char *pass_trusted_item(const unsigned char *at,
                                                     const unsigned char *end,
                                                     struct head *ret_head)
{
    struct head h;
    at = pass_head(at, end, &h);
    if (!at || content_bytes(h) > bytes_between(at, end))
        return NULL;
    *ret_head = h;
    return at + content_bytes(h);
}

/* ---- one item after the other ---- */

struct cbor_reader cbor_reader_of(struct ses_slice input)
{
    static const unsigned char nothing[1];
    const unsigned char *start = input.len > 0 ? input.data : nothing;
    return (struct cbor_reader){ .at = start, .end = start + input.len };
}

static struct cbor_item simple_item(struct head h)
{
    if (h.info >= INFO_TWO_BYTES) {
        const struct float_form form = { h.info, h.argument };
        return (struct cbor_item){ .type = CBOR_DOUBLE, .number = float_form_value(form) };
    }
    if (h.info == INFO_NULL)
        return (struct cbor_item){ .type = CBOR_NULL };
    return (struct cbor_item){ .type = CBOR_BOOL, .boolean = h.info == INFO_TRUE };
}

/* Of a valid head. @p rest is behind the content. */
static struct cbor_item item_of(struct head h, const unsigned char *rest)
{
    switch (h.major) {
    case MAJOR_UNSIGNED:
        return (struct cbor_item){ .type = CBOR_INT, .integer = (int64_t)h.argument };
    case MAJOR_NEGATIVE:
        return (struct cbor_item){ .type = CBOR_INT, .integer = -1 - (int64_t)h.argument };
    case MAJOR_BYTES:
        return (struct cbor_item){ .type = CBOR_BYTES,
                                   .bytes = slice_between(rest - h.argument, rest) };
    case MAJOR_TEXT:
        return (struct cbor_item){ .type = CBOR_TEXT,
                                   .bytes = slice_between(rest - h.argument, rest) };
    case MAJOR_ARRAY:
        return (struct cbor_item){ .type = CBOR_ARRAY, .count = h.argument };
    case MAJOR_MAP:
        return (struct cbor_item){ .type = CBOR_MAP, .count = h.argument };
    default:
        return simple_item(h);
    }
}

/* The next head with its content; false, and the reader fails, when there is none. */
static inline bool take_head(struct cbor_reader *r, struct head *ret_head)
{
    const unsigned char *rest = NULL;
    if (!r->failed)
        rest = r->trusted ? pass_trusted_item(r->at, r->end, ret_head)
                          : pass_item(r->at, r->end, ret_head);
    if (!rest) {
        r->failed = true;
        return false;
    }
    r->at = rest;
    return true;
}

struct cbor_item cbor_next(struct cbor_reader *r)
{
    if (r->failed || r->at == r->end)
        return (struct cbor_item){ .type = CBOR_NONE };

    struct head h;
    if (!take_head(r, &h))
        return (struct cbor_item){ .type = CBOR_NONE };
    return item_of(h, r->at);
}
/* The next head, which must be of one major type. Not by way of a struct cbor_item: the typed
 * functions below are most of what reading a record costs. */
static inline bool take(struct cbor_reader *r, unsigned major, struct head *ret_head)
{
    r->failed = !take_head(r, ret_head) || ret_head->major != major;
    return !r->failed;
}

int64_t cbor_next_int(struct cbor_reader *r)
{
    struct head h;
    if (!take_head(r, &h))
        return 0;
    if (h.major == MAJOR_UNSIGNED)
        return (int64_t)h.argument;
    if (h.major == MAJOR_NEGATIVE)
        return -1 - (int64_t)h.argument;
    r->failed = true;
    return 0;
}

static inline struct ses_slice next_string(struct cbor_reader *r, unsigned major)
{
    struct head h;
    return take(r, major, &h) ? slice_between(r->at - h.argument, r->at) : (struct ses_slice){ 0 };
}

struct ses_slice cbor_next_text(struct cbor_reader *r)
{
    return next_string(r, MAJOR_TEXT);
}

struct ses_slice cbor_next_bytes(struct cbor_reader *r)
{
    return next_string(r, MAJOR_BYTES);
}

uint64_t cbor_next_map(struct cbor_reader *r)
{
    struct head h;
    return take(r, MAJOR_MAP, &h) ? h.argument : 0;
}

uint64_t cbor_next_array(struct cbor_reader *r)
{
    struct head h;
    return take(r, MAJOR_ARRAY, &h) ? h.argument : 0;
}

/* ---- whole items ---- */

static const unsigned char *pass_whole(const unsigned char *at, const unsigned char *end,
                                       unsigned depth_left);

static const unsigned char *pass_array(const unsigned char *at, const unsigned char *end,
                                       uint64_t count, unsigned depth_left)
{
    for (; count > 0 && at; count--)
        at = pass_whole(at, end, depth_left);
    return at;
}

static const unsigned char *pass_key(const unsigned char *at, const unsigned char *end)
{
    struct head h;
    at = pass_item(at, end, &h);
    const bool may_be_key =
        at && (h.major == MAJOR_TEXT || h.major == MAJOR_UNSIGNED || h.major == MAJOR_NEGATIVE);
    return may_be_key ? at : NULL;
}

static const unsigned char *pass_map(const unsigned char *at, const unsigned char *end,
                                     uint64_t count, unsigned depth_left)
{
    struct ses_slice before = { 0 };
    for (; count > 0 && at; count--) {
        const unsigned char *start = at;
        at = pass_key(start, end);
        if (!at)
            return NULL;
        const struct ses_slice key = slice_between(start, at);
        if (before.len > 0 && cbor_compare(before, key) >= 0)
            return NULL;
        before = key;
        at = pass_whole(at, end, depth_left);
    }
    return at;
}

/* Calls itself as often as items are nested, so CBOR_DEPTH_MAX times at most. */
static const unsigned char *pass_whole(const unsigned char *at, const unsigned char *end,
                                       unsigned depth_left)
{
    struct head h;
    at = pass_item(at, end, &h);
    if (!at || (h.major != MAJOR_ARRAY && h.major != MAJOR_MAP))
        return at;
    if (depth_left == 0)
        return NULL;
    if (h.major == MAJOR_ARRAY)
        return pass_array(at, end, h.argument, depth_left - 1);
    return pass_map(at, end, h.argument, depth_left - 1);
}

/* Moves the cursor to what one of the functions above returned. */
static struct ses_slice move_to(struct cbor_reader *r, const unsigned char *rest)
{
    if (!rest) {
        r->failed = true;
        return (struct ses_slice){ 0 };
    }
    const struct ses_slice passed = slice_between(r->at, rest);
    r->at = rest;
    return passed;
}

/* Items in the array or map of a head. */
static inline uint64_t inner_items(struct head h)
{
    if (h.major == MAJOR_ARRAY)
        return h.argument;
    return h.major == MAJOR_MAP ? 2 * h.argument : 0;
}

static inline const unsigned char *pass_trusted(const unsigned char *at, const unsigned char *end)
{
    for (uint64_t items = 1; items > 0 && at; items--) {
        struct head h = { 0 };
        at = pass_trusted_item(at, end, &h);
        items += inner_items(h);
    }
    return at;
}

struct cbor_item cbor_item_trusted(struct ses_slice item)
{
    const unsigned char *at = item.data;
    struct head h;
    if (item.len == 0)
        return (struct cbor_item){ .type = CBOR_NONE };
    at = pass_head(at, at + item.len, &h);
    if (!at || content_bytes(h) > item.len)
        return (struct cbor_item){ .type = CBOR_NONE };
    return item_of(h, at + content_bytes(h));
}

struct ses_slice cbor_skip_trusted(struct cbor_reader *r)
{
    return move_to(r, r->failed ? NULL : pass_trusted(r->at, r->end));
}

struct ses_slice cbor_skip(struct cbor_reader *r)
{
    if (r->trusted)
        return cbor_skip_trusted(r);
    return move_to(r, r->failed ? NULL : pass_whole(r->at, r->end, CBOR_DEPTH_MAX));
}

/* Where the key's value begins, and where it ends; NULL where there is no whole pair. */
static inline const unsigned char *pass_pair(const unsigned char *at, const unsigned char *end,
                                             const unsigned char **ret_value)
{
    const unsigned char *value = pass_trusted(at, end);
    *ret_value = value;
    return value ? pass_trusted(value, end) : NULL;
}

bool cbor_take_pair(struct ses_slice *pairs, struct ses_slice *ret_key, struct ses_slice *ret_value)
{
    const struct cbor_reader r = cbor_reader_of(*pairs);
    const unsigned char *value, *rest = pass_pair(r.at, r.end, &value);
    if (!rest)
        return false;
    *ret_key = slice_between(r.at, value);
    *ret_value = slice_between(value, rest);
    *pairs = slice_between(rest, r.end);
    return true;
}

bool cbor_find(struct ses_slice pairs, struct ses_slice key, struct ses_slice *ret_value)
{
    struct cbor_reader r = cbor_reader_of(pairs);
    const unsigned char *value, *rest;
    while ((rest = pass_pair(r.at, r.end, &value)) != NULL) {
        if (slice_equal(slice_between(r.at, value), key)) {
            *ret_value = slice_between(value, rest);
            return true;
        }
        r.at = rest;
    }
    return false;
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
