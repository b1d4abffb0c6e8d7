/* SPDX-License-Identifier: MIT */
#ifndef DEMO_KEYFILE_H
#define DEMO_KEYFILE_H

/* Where the demo keeps the key of sealed sessions, if nobody names another. */
#define KEYFILE_NAME "sesame-demo.keys"

#include <stdbool.h>

/* Makes it in the working directory, if there is none yet: one key, for its owner's eyes only.
 * false, with a line on standard error: it cannot be made. */
bool keyfile_need(void);

#endif
