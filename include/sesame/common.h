/* SPDX-License-Identifier: MIT */
#ifndef SESAME_COMMON_H
#define SESAME_COMMON_H

/**
 * @file
 * Attributes, and the one plain type every other header needs.
 *
 * How to read this API: a name without `struct` is opaque and belongs to the
 * library (`ses_manager *`); a name with `struct` is a plain record that you
 * fill in or read (`struct ses_slice`). Every record that may grow starts with
 * its size; zero means "the default" for each of its other members.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/** Opens the part of a header that has C linkage. */
# define SES_BEGIN_DECLS extern "C" {
/** Closes what #SES_BEGIN_DECLS opened. */
# define SES_END_DECLS }
#else
/** Opens the part of a header that has C linkage. */
# define SES_BEGIN_DECLS
/** Closes what #SES_BEGIN_DECLS opened. */
# define SES_END_DECLS
#endif

/** Marks what the shared library exports. */
#define SES_API __attribute__((visibility("default")))
/** The compiler warns when the result is dropped. */
#define SES_MUST_USE __attribute__((warn_unused_result))
/** Argument @p f is a printf format, its values start at @p a. */
#define SES_PRINTF(f, a) __attribute__((format(printf, f, a)))

/** Bytes that somebody else owns. Never freed by the holder. */
struct ses_slice {
    const void *data; /**< may be NULL when len is 0 */
    size_t len;       /**< in bytes */
};

#endif
