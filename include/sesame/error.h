/* SPDX-License-Identifier: MIT */
#ifndef SESAME_ERROR_H
#define SESAME_ERROR_H

/**
 * @file
 * How calls fail.
 *
 * Every function that can fail returns an `int`: 0 (#SES_OK) or one of the
 * negative codes below. Codes above #SES_ERR_FAILURE are ordinary outcomes that
 * a correct program handles; codes below it mean that something is broken. On
 * failure no `ret_` parameter is written.
 */

#include <sesame/common.h>

SES_BEGIN_DECLS

/** What a call returns. Numbers are never reused. */
enum ses_code {
    SES_OK = 0, /**< done */

    /* Outcomes: part of normal operation. */
    SES_ERR_NOT_FOUND = -1,  /**< no such session or value, or it has expired */
    SES_ERR_EXISTS = -2,     /**< the name or key is already taken */
    SES_ERR_CONFLICT = -3,   /**< others kept changing the session; nothing was changed */
    SES_ERR_GONE = -4,       /**< the session ended or changed its id meanwhile */
    SES_ERR_TOO_LARGE = -5,  /**< over a size limit, or a sum over 64 bits */
    SES_ERR_WRONG_TYPE = -6, /**< the value is there, but of another type */
    SES_ERR_DENIED = -7,     /**< a policy forbids it */
    SES_ERR_FULL = -8,       /**< the store has reached its configured limit */

    SES_ERR_FAILURE = -99, /**< never returned: the line between the two kinds */

    /* Failures: worth a log line and, on the request path, a 500 or 503. */
    SES_ERR_INVALID = -100,      /**< the caller broke the contract */
    SES_ERR_NO_MEMORY = -101,    /**< out of memory */
    SES_ERR_UNAVAILABLE = -102,  /**< the store cannot be reached now; retry may work */
    SES_ERR_CORRUPT = -103,      /**< the store returned bytes that do not decode */
    SES_ERR_UNSUPPORTED = -104,  /**< this provider or build cannot do that */
    SES_ERR_ABI = -105,          /**< a sized struct comes from an incompatible build */
    SES_ERR_NO_RANDOMNESS = -106 /**< the kernel gave no random bytes; nothing was made up */
};

/** What went wrong while setting up, in one line. Owned by the caller, nothing to free. */
struct ses_error {
    int code;          /**< one of enum ses_code */
    char message[252]; /**< says what was wrong and what would be right */
};

/** Short English text for @p code; never NULL. Static storage. Any thread. */
SES_API const char *ses_strerror(int code);

/** True for the codes that mean something is broken (see the file comment). */
static inline bool ses_is_failure(int code)
{
    return code < SES_ERR_FAILURE;
}

SES_END_DECLS

#endif
