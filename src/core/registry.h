/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_REGISTRY_H
#define SES_CORE_REGISTRY_H

#include <sesame/ext/provider.h>

/* The provider of that name, or NULL. */
const struct ses_provider_ops *registry_find(const char *name);

/* Each of them, from 0 on; NULL where there are no more. */
const struct ses_provider_ops *registry_at(size_t i);

#endif
