/* SPDX-License-Identifier: MIT */
#include "base/blob.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct ses_blob {
    atomic_uint refs;
    uint32_t len : 31;
    uint32_t own : 1;
    unsigned char data[];
};

ses_blob *blob_alloc(size_t len, unsigned char **ret_bytes)
{
    if (len > INT32_MAX)
        return NULL;

    ses_blob *blob = malloc(sizeof *blob + len);
    if (!blob)
        return NULL;

    atomic_init(&blob->refs, 1);
    blob->len = (uint32_t)len & INT32_MAX;
    blob->own = false;
    *ret_bytes = blob->data;
    return blob;
}

void blob_mark_own(ses_blob *blob)
{
    blob->own = true;
}

bool blob_is_own(const ses_blob *blob)
{
    return blob->own;
}

ses_blob *ses_blob_new(struct ses_slice bytes)
{
    unsigned char *data = NULL;
    ses_blob *blob = blob_alloc(bytes.len, &data);
    if (blob && bytes.len > 0)
        memcpy(data, bytes.data, bytes.len);
    return blob;
}

ses_blob *ses_blob_ref(ses_blob *blob)
{
    if (blob)
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

ses_blob *ses_blob_unref(ses_blob *blob)
{
    if (!blob || atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) > 1)
        return NULL;

    free(blob);
    return NULL;
}

struct ses_slice ses_blob_bytes(const ses_blob *blob)
{
    assert(blob);
    return (struct ses_slice){ .data = blob->data, .len = blob->len };
}
