/* SPDX-License-Identifier: MIT */
#ifndef SESAME_VERSION_H
#define SESAME_VERSION_H

/**
 * @file
 * Which sesame this is: at compile time the macros, at run time the function.
 */

#include <sesame/common.h>

SES_BEGIN_DECLS

#define SES_VERSION_MAJOR 0 /**< grows with an incompatible API */
#define SES_VERSION_MINOR 1 /**< grows with additions */
#define SES_VERSION_PATCH 0 /**< grows with corrections */

/** The library's own version, "0.1.0". Static storage. Any thread. */
SES_API const char *ses_version(void);

SES_END_DECLS

#endif
