/* SPDX-License-Identifier: MIT */
#ifndef SES_BASE_BLOB_H
#define SES_BASE_BLOB_H

#include "base/cleanup.h"

#include <sesame/blob.h>

/*
 * A blob whose bytes the caller writes before anybody else sees it: saves the copy that
 * ses_blob_new() makes. *ret_bytes is writable until the blob is shared.
 */
ses_blob *blob_alloc(size_t len, unsigned char **ret_bytes);

static inline void blob_unref_p(ses_blob **blob)
{
    (void)ses_blob_unref(*blob);
}

/* CLEANUP(blob_unref) ses_blob *blob = ... */

#endif
