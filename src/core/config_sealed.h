/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_CONFIG_SEALED_H
#define SES_CORE_CONFIG_SEALED_H

#include "core/config.h"

/*
 * The ancestor configures its cookie provider by JSON inside of "ProviderConfig". Those keys as the
 * manager's own: securityKey is sealPassphrase, maxage is cookieLifeTime, and cookieName, which
 * wins over the outer one. *@p ret_json is to be freed; NULL: @p json stays as it is.
 */
int config_lift_sealed(const char *json, char **ret_json, struct ses_error *error);

#endif
