/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_CONFIG_LISTS_H
#define SES_CORE_CONFIG_LISTS_H

#include "core/config.h"

/* Takes "idKey", "evictDomains" and "evictPaths" apart, and checks them. The cookie's names are
 * known by then. SES_OK, SES_ERR_INVALID, SES_ERR_NO_MEMORY. */
int config_read_lists(struct config *config, struct ses_error *error);

/* Frees them, and wipes the secrets. Accepts what was read in part. */
void config_free_lists(struct config *config);

/* The keys have been taken: they are not to be found in memory twice. */
void config_wipe_sealing(struct config *config);

#endif
