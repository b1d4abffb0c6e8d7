/* SPDX-License-Identifier: MIT */
#ifndef SESAME_BLOB_H
#define SESAME_BLOB_H

/**
 * @file
 * Immutable, reference-counted bytes.
 *
 * A blob never changes once it is shared, so a provider and any number of
 * sessions in any number of threads may hold the same one without a copy or a
 * lock. The count is atomic. Applications do not need this header; providers do.
 */

#include <sesame/common.h>

SES_BEGIN_DECLS

/** Bytes with a count of holders. */
typedef struct ses_blob ses_blob;

/** Copies @p bytes. @return a new reference, or NULL when out of memory. */
SES_API SES_MUST_USE ses_blob *ses_blob_new(struct ses_slice bytes);

/** @return @p blob itself, as a new reference. Accepts NULL. Any thread. */
SES_API ses_blob *ses_blob_ref(ses_blob *blob);

/** Drops a reference. Accepts NULL. @return NULL, so `b = ses_blob_unref(b)`. Any thread. */
SES_API ses_blob *ses_blob_unref(ses_blob *blob);

/** @return the bytes, borrowed: valid while you hold a reference. @p blob is not NULL. */
SES_API struct ses_slice ses_blob_bytes(const ses_blob *blob);

SES_END_DECLS

#endif
