/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQL_TRIALS_H
#define SES_TEST_PROVIDER_SQL_TRIALS_H

#include "provider/fixture.h"

/* What every provider of a database with a server has to stand. The subject says how a store is
 * opened; @p json is the same for a manager. Each is a program's whole run. */

/* Several processes write to the same sessions, reach a user's limit, and fork. */
int sql_storm_run(const struct ses_conformance *subject, const char *json);

/* Writers that are killed, a thousand of them. */
int sql_crash_run(const struct ses_conformance *subject);

#endif
