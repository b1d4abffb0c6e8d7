/* SPDX-License-Identifier: MIT */
#include "core/providers.h"

#include "core/hint.h"
#include "core/module.h"
#include "core/registry.h"
#include "core/settings.h"

#include "base/buffer.h"

#include <sesame/manager.h>

/* The modules of ours, whether they are installed or not. */
static const char *const our_modules[] = {
#define X(name) #name,
#include "known-modules.h"
#undef X
    NULL,
};

struct other_name {
    const char *name;
    const char *ours;
};

/* beego's, for what has another name here. */
static const struct other_name aliases[] = {
    { "memcache", "memcached" },
    { "postgresql", "postgres" },
    { "redis_cluster", "redis" },
    { "redis_sentinel", "redis" },
    { NULL, NULL },
};

/* Names of the same thing that no configuration has ever had: not taken, but understood. */
static const struct other_name synonyms[] = {
    { "mariadb", "mysql" },
    { "pgsql", "postgres" },
    { "valkey", "redis" },
    { NULL, NULL },
};

static bool is_there(const char *name)
{
    return registry_find(name) || module_exists(name);
}

static const char *our_name(const char *name)
{
    const struct other_name *alias = aliases;
    while (alias->name && strcmp(alias->name, name) != 0)
        alias++;
    return alias->name && !is_there(name) ? alias->ours : name;
}

static bool is_our_module(const char *name)
{
    size_t i = 0;
    while (our_modules[i] && strcmp(our_modules[i], name) != 0)
        i++;
    return our_modules[i] != NULL;
}

/* ---- what is said of a name that is none ---- */

static void tell(const char *name, struct buffer *names, struct hint *hint)
{
    buffer_text(names, names->len > 0 ? ", " : "");
    buffer_text(names, name);
    hint_offer(hint, name, name);
}

/* What would be found. */
static void tell_all(struct buffer *names, struct hint *hint)
{
    struct module_list modules;
    for (size_t i = 0; registry_at(i); i++)
        tell(registry_at(i)->name, names, hint);
    module_list_read(&modules);
    for (size_t i = 0; i < modules.count; i++) {
        if (!registry_find(modules.names[i]))
            tell(modules.names[i], names, hint);
    }
}

static void offer_others(const struct other_name *others, struct hint *hint)
{
    for (; others->name; others++)
        hint_offer(hint, others->name, others->ours);
}

static int fail_unknown(const char *name, const char *why, struct ses_error *error)
{
    char list[128];
    struct buffer names = buffer_fixed(list, sizeof list);
    struct hint hint = { .name = name };
    tell_all(&names, &hint);
    for (size_t i = 0; our_modules[i]; i++)
        hint_offer(&hint, our_modules[i], our_modules[i]);
    offer_others(aliases, &hint);
    offer_others(synonyms, &hint);
    return error_set(error, SES_ERR_INVALID,
                     "unknown provider \"%.32s\"; %s%s%sknown are: %.*s (%s)", name,
                     hint.meant ? "perhaps \"" : "", hint.meant ? hint.meant : "",
                     hint.meant ? "\" is meant; " : "", (int)names.len, list, why);
}

static int fail_not_installed(const char *name, const char *why, struct ses_error *error)
{
    return error_set(error, SES_ERR_INVALID,
                     "provider \"%s\" is not installed; it is a module, which sesame built with "
                     "-D%s=enabled installs (%s)",
                     name, name, why);
}

/* ---- finding one ---- */

static int load(const char *name, const struct ses_provider_ops **ret_ops, struct ses_error *error)
{
    char why[160];
    int r = module_load(name, ret_ops, why, sizeof why);
    if (r == SES_ERR_NOT_FOUND && is_our_module(name))
        return fail_not_installed(name, why, error);
    if (r == SES_ERR_NOT_FOUND || r == SES_ERR_INVALID)
        return fail_unknown(name, why, error);
    if (r < 0)
        return error_set(error, r, "%s", why);
    r = ses_provider_register(*ret_ops);
    if (r == SES_OK || r == SES_ERR_EXISTS) /* another thread was as fast */
        return SES_OK;
    return error_set(error, r, "module \"%s\": %s", name, ses_strerror(r));
}

int provider_find(const char *name, const struct ses_provider_ops **ret_ops,
                  struct ses_error *error)
{
    const char *ours = our_name(name);
    *ret_ops = registry_find(ours);
    return *ret_ops ? SES_OK : load(ours, ret_ops, error);
}
