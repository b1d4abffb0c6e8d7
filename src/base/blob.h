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

/*
 * A mark that its maker may set before it is shared: the content was made by this process, by
 * construction what it should be, and need not be checked when it comes back.
 */
void blob_mark_own(ses_blob *blob);
bool blob_is_own(const ses_blob *blob);

static inline void blob_unref_p(ses_blob **blob)
{
    (void)ses_blob_unref(*blob);
}

/* CLEANUP(blob_unref) ses_blob *blob = ... */

#endif
