/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_REGISTRY_H
#define SES_CORE_REGISTRY_H

#include <sesame/ext/provider.h>

/* The provider of that name, or NULL. */
const struct ses_provider_ops *registry_find(const char *name);

/* The names known, as "cookie, file, memory". */
void registry_names(char *out, size_t size);

#endif
