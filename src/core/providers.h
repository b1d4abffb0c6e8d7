/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_PROVIDERS_H
#define SES_CORE_PROVIDERS_H

#include <sesame/ext/provider.h>

/*
 * The provider that an operator means: one that is linked in or registered, or else a module, which
 * is registered once it is loaded. The ancestor's names of ours are taken, too, unless somebody has
 * a provider of such a name.
 *
 * SES_ERR_INVALID (there is none; the error says which there are, what was perhaps meant, or what
 * has to be installed), or what module_load() and ses_provider_register() answer.
 */
int provider_find(const char *name, const struct ses_provider_ops **ret_ops,
                  struct ses_error *error);

#endif
