/* SPDX-License-Identifier: MIT */

/*
 * What a store hands over as a marker: the first byte says of which kind, the others are its bytes.
 * One that has moved leads nowhere without the id that it was sealed for; a dead one that does not
 * read grants the least. The input as two ids makes a marker that leads from one to the other, and
 * to nowhere with a bit off or a byte less.
 */

#include "core/marker.h"

#include "base/base64url.h"
#include "base/blob.h"
#include "base/slice.h"

#include <sesame/error.h>

#include <stdlib.h>
#include <string.h>

enum { RANDOM = 32, MARKER_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct id_format format = {
    .purpose = ID_OF_SESSION,
    .prefix = { "", 0 },
    .realm = { "id", 2 },
    .random_bytes = RANDOM,
};

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* The id of these random bytes; what is missing is zero. */
static struct id id_of(struct ses_slice bytes)
{
    unsigned char plain[1 + RANDOM] = { 1 };
    char text[ID_TEXT_MAX + 1] = "";
    struct id id;
    if (bytes.len > 0)
        memcpy(plain + 1, bytes.data, bytes.len < RANDOM ? bytes.len : RANDOM);
    base64url_encode(plain, sizeof plain, text);
    demand(id_parse(&format, slice_of_text(text), &id) == SES_OK);
    return id;
}

static bool within(struct ses_slice part, struct ses_slice whole)
{
    const unsigned char *start = part.data, *from = whole.data;
    return part.len == 0 || (start >= from && start + part.len <= from + whole.len);
}

/* ---- any bytes ---- */

static void check_moved(const struct marker *marker, struct ses_slice bytes)
{
    const struct id zero = id_of((struct ses_slice){ "", 0 });
    struct id to;
    demand(marker->sealed.len > 0 && within(marker->sealed, bytes));
    if (marker_follow(&format, marker, &zero, &to) == SES_OK) /* the corpus has one */
        demand(ses_key_equal(&to.key, &marker->next));
}

static void check_any(enum ses_kind kind, struct ses_slice bytes)
{
    struct ses_record record = { .data = ses_blob_new(bytes), .kind = kind };
    struct marker marker;
    demand(record.data != NULL);
    const int r = marker_read(&record, &marker);
    if (kind == SES_KIND_DEAD) {
        demand(r == SES_OK);
        demand(marker.reason == SES_REASON_CUT || marker.reason == SES_REASON_ENDED ||
               marker.reason == SES_REASON_STOLEN);
    } else if (r == SES_OK) {
        check_moved(&marker, ses_blob_bytes(record.data));
    } else {
        demand(r == SES_ERR_CORRUPT);
    }
    (void)ses_blob_unref(record.data);
}

/* ---- one that we made ---- */

static int follow(struct ses_slice bytes, const struct id *from, struct id *ret_to)
{
    struct ses_record record = { .data = ses_blob_new(bytes), .kind = SES_KIND_MOVED };
    struct marker marker;
    demand(record.data != NULL);
    int r = marker_read(&record, &marker);
    if (r == SES_OK)
        r = marker_follow(&format, &marker, from, ret_to);
    (void)ses_blob_unref(record.data);
    return r;
}

static void check_made(const uint8_t *data, size_t size)
{
    const size_t half = size / 2;
    const struct id from = id_of((struct ses_slice){ data, half });
    const struct id to = id_of((struct ses_slice){ data + half, size - half });
    unsigned char bytes[MARKER_MAX];
    struct ses_record made;
    struct id found;
    demand(marker_make_moved(&format, &from, &to, 1, &made) == SES_OK);
    const struct ses_slice whole = ses_blob_bytes(made.data);
    demand(whole.len <= sizeof bytes && follow(whole, &from, &found) == SES_OK);
    demand(slice_equal(slice_of_text(found.text), slice_of_text(to.text)));
    if (!ses_key_equal(&from.key, &to.key))
        demand(follow(whole, &to, &found) == SES_ERR_CORRUPT);

    const size_t bit = (data[0] * 256u + data[size - 1]) % (whole.len * 8);
    memcpy(bytes, whole.data, whole.len);
    demand(follow((struct ses_slice){ bytes, bit / 8 }, &from, &found) == SES_ERR_CORRUPT);
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    demand(follow((struct ses_slice){ bytes, whole.len }, &from, &found) == SES_ERR_CORRUPT);
    (void)ses_blob_unref(made.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    check_any(data[0] % 2 ? SES_KIND_MOVED : SES_KIND_DEAD,
              (struct ses_slice){ data + 1, size - 1 });
    check_made(data, size);
    return 0;
}
