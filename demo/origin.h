/* SPDX-License-Identifier: MIT */
#ifndef DEMO_ORIGIN_H
#define DEMO_ORIGIN_H

#include <stdbool.h>

struct MHD_Connection;

/* Does the request come from a page of this site, or from no page at all? A form on somebody else's
 * page sends the visitor's cookie along when that is older than SameSite, or on another port. */
bool origin_is_ours(struct MHD_Connection *connection);

#endif
