/* SPDX-License-Identifier: MIT */
#ifndef DEMO_LIMITS_H
#define DEMO_LIMITS_H

/* How much the demo keeps when nobody has said it. Whoever finds it can make sessions, so without a
 * limit he could fill the memory of the machine. */

/* The configuration with limits on the provider memory, to be freed; NULL: it stays as it is,
 * because it has a limit, is of another provider, or is no JSON (which the library tells best).
 */
char *limits_add(const char *provider, const char *config);

#endif
