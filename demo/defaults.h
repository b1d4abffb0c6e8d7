/* SPDX-License-Identifier: MIT */
#ifndef DEMO_DEFAULTS_H
#define DEMO_DEFAULTS_H

/* What the demo sets when nobody has said it:
 *
 * - limits of the provider memory. Whoever finds the demo can make sessions, so without a limit he
 *   could fill the memory of the machine.
 * - rememberLifetime, so that "Remember me" can be tried; not with a preset, which may forbid it.
 * - a key for sealed sessions, made on first use in a file of the working directory.
 */

/* The configuration with these, to be freed; NULL: it stays as it is, because nothing is missing,
 * or it is no JSON (which the library tells best). */
char *defaults_add(const char *provider, const char *config);

#endif
