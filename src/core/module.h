/* SPDX-License-Identifier: MIT */
#ifndef SES_CORE_MODULE_H
#define SES_CORE_MODULE_H

#include <sesame/ext/provider.h>

/*
 * A provider as a loadable module: NAME.so in the folder sesame/ beside the library, which exports
 * `const struct ses_provider_ops ses_provider_NAME`. Loaded once, never unloaded. On failure @p why
 * says in one line what was looked for and what is wrong with it.
 *
 * SES_ERR_INVALID (not a provider's name), SES_ERR_NOT_FOUND (no such file, or the library is
 * linked into the program), SES_ERR_UNSUPPORTED (it does not load, or has no such symbol).
 */
int module_load(const char *name, const struct ses_provider_ops **ret_ops, char *why,
                size_t why_size);

/* There is a file of that name; whether it loads is another question. */
bool module_exists(const char *name);

enum { MODULE_NAME_MAX = 32, MODULES_MAX = 32 };

/* The names of what lies in that folder, sorted; of more than MODULES_MAX the first. */
struct module_list {
    char names[MODULES_MAX][MODULE_NAME_MAX + 1];
    size_t count;
};

void module_list_read(struct module_list *ret_list);

#endif
