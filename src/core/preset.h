/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_PRESET_H
#define SES_CORE_PRESET_H

/*
 * What the standards ask of a session's policy: OWASP ASVS by level, NIST SP 800-63B by
 * authenticator assurance level. A preset changes what is not configured; what is, stays, and how
 * it falls short is said.
 */

#include "core/config.h"

#include <sesame/manager.h>

/* Its name; "" for none. An index is what struct config holds. */
extern const char *const preset_words[];

/* Of that name, or -1. Any case. */
int preset_find(const char *name);

/* Limits that are not configured become the preset's; before anything else is worked out. */
void preset_fill(struct config *config);

/* Calls @p fn for each way in which the configuration falls short, a sentence without its end. */
void preset_shortfalls(const struct config *config, int preset, ses_line_fn *fn, void *arg);

/* What no setting can meet, or NULL. */
const char *preset_duty(int preset);

#endif
