/* SPDX-License-Identifier: MIT */

/*
 * Any bytes as a stored record. What is accepted can be walked and searched within its bounds, its
 * header comes back when it is written again, and every overlay on it makes a record that is
 * accepted, of exactly the size that was computed.
 */

#include "core/overlay.h"

#include "base/blob.h"
#include "base/cbor.h"
#include "base/slice.h"

#include <sesame/error.h>

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "fuzz_record: %s\n", what);
    abort();
}

static bool within(struct ses_slice part, struct ses_slice whole)
{
    const char *start = part.data, *from = whole.data;
    return part.len == 0 || (start >= from && start + part.len <= from + whole.len);
}

static void walk(const struct record *record, struct ses_slice bytes)
{
    struct ses_slice pairs = record->pairs, found;
    struct pair pair, before = { 0 };
    uint64_t count = 0;
    require(within(record->pairs, bytes) && within(record->header_bytes, bytes), "bounds");
    for (; record_next(&pairs, &pair); count++) {
        require(pair.key.len > 0 && pair.value.len > 0, "an empty pair");
        require(within(pair.key, bytes) && within(pair.value, bytes), "bounds of a pair");
        require(cbor_valid(pair.key) && cbor_valid(pair.value), "a pair that is not valid");
        require(count == 0 || cbor_compare(before.key, pair.key) < 0, "keys out of order");
        if (count < 32) /* each is a search from the start */
            require(record_find(record, pair.key, &found) && found.data == pair.value.data,
                    "a key that is not found");
        before = pair;
    }
    require(count == record->count, "another count");
}

/* Written from what was read; members of the value zero, which may be there, are left out. */
static void rewrite(const struct record *record)
{
    struct buffer header = { 0 };
    record_write_header(&header, &record->header);
    require(!header.failed, "a header that cannot be written");
    ses_blob *blob = record_assemble(buffer_slice(&header), record->count, &record->pairs, 1);
    struct record again;
    require(blob && record_decode(ses_blob_bytes(blob), &again) == SES_OK, "not read again");
    require(slice_equal(again.header_bytes, buffer_slice(&header)), "another header");
    require(slice_equal(again.pairs, record->pairs), "other pairs");
    require(again.header.unknown_count == record->header.unknown_count &&
                slice_equal(again.header.unknown, record->header.unknown),
            "other unknown members");
    (void)ses_blob_unref(blob);
    buffer_free(&header);
}

/* Each bit of @p how is a change. */
static void change(struct overlay *overlay, const struct record *record, unsigned how)
{
    const struct ses_slice new_key = { "\x63new", 4 }, number_key = { "\x61n", 2 };
    struct ses_slice pairs = record->pairs;
    struct pair first;
    if (how & 1)
        overlay_clear(overlay);
    if ((how & 2) && record_next(&pairs, &first))
        (void)overlay_set(overlay, first.key, (struct ses_slice){ 0 });
    if ((how & 4) && record_next(&pairs, &first))
        (void)overlay_set(overlay, first.key, (struct ses_slice){ "\xf6", 1 });
    if (how & 8)
        (void)overlay_set(overlay, new_key, (struct ses_slice){ "\x82\x01\x02", 3 });
    if (how & 16)
        (void)overlay_increment(overlay, record, number_key, how & 32 ? -1 : INT64_MAX);
}

static void replay(const struct record *record, struct ses_slice bytes, unsigned how)
{
    static const struct overlay_limits limits = { 1 << 24, 1 << 24, 65536 };
    unsigned char storage[256];
    struct arena arena;
    arena_init(&arena, storage, sizeof storage);
    struct overlay overlay = { .limits = &limits, .arena = &arena };
    change(&overlay, record, how);

    ses_blob *blob = NULL;
    const int r = overlay_replay(&overlay, record, record->header_bytes, &blob);
    struct record next;
    require(r == SES_OK || r == SES_ERR_TOO_LARGE, "a replay that fails");
    if (r == SES_OK) {
        const struct ses_slice written = ses_blob_bytes(blob);
        require(record_decode(written, &next) == SES_OK, "a replay that is not read again");
        require(record_size(next.header_bytes, next.count, next.pairs.len) == written.len,
                "another size than computed");
        require(!overlay_empty(&overlay) || slice_equal(written, bytes), "a change from nowhere");
        (void)ses_blob_unref(blob);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ses_slice bytes = { data, size };
    struct record record;
    if (record_decode(bytes, &record) != SES_OK)
        return 0;
    walk(&record, bytes);
    rewrite(&record);
    for (unsigned how = 0; how < 64; how++)
        replay(&record, bytes, how);
    return 0;
}
