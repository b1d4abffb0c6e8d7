/* SPDX-License-Identifier: MIT */
#include "core/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <unistd.h>

enum { NAME_LEN_MAX = 32 };

/* Nothing in it can leave the folder, or be another file's name on another file system. */
static bool name_valid(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && len <= NAME_LEN_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* Beside the library that holds this very function. A program that is linked with it statically has
 * no such folder: where it lies is only known from argv[0], and that is its caller's to choose. */
static bool module_path(const char *name, char *path, size_t size)
{
    static const char anchor = 0;
    Dl_info info;
    void *found = NULL;
    if (dladdr1(&anchor, &info, &found, RTLD_DL_LINKMAP) == 0 || !found)
        return false;
    const struct link_map *library = found;
    const char *slash = strrchr(library->l_name, '/');
    if (!slash)
        return false;
    const int folder_len = (int)(slash - library->l_name);
    const int len = snprintf(path, size, "%.*s/sesame/%s.so", folder_len, library->l_name, name);
    return len > 0 && (size_t)len < size;
}

int module_load(const char *name, const struct ses_provider_ops **ret_ops, char *why,
                size_t why_size)
{
    char path[PATH_MAX], symbol[NAME_LEN_MAX + sizeof "ses_provider_"];
    if (!name_valid(name)) {
        (void)snprintf(why, why_size, "a provider's name is 1 to %d of a-z, 0-9 and _",
                       NAME_LEN_MAX);
        return SES_ERR_INVALID;
    }
    if (!module_path(name, path, sizeof path)) {
        (void)snprintf(why, why_size, "the library has no folder to look for modules in");
        return SES_ERR_NOT_FOUND;
    }
    if (access(path, F_OK) != 0) {
        (void)snprintf(why, why_size, "there is no module %s", path);
        return SES_ERR_NOT_FOUND;
    }

    (void)snprintf(symbol, sizeof symbol, "ses_provider_%s", name);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct ses_provider_ops *ops = module ? dlsym(module, symbol) : NULL;
    if (!ops || !ops->name || strcmp(ops->name, name) != 0) {
        /* POSIX lets dlerror() be unsafe in threads; that of glibc and of musl is not. */
        /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const char *reason = ops ? "its provider has another name" : dlerror();
        (void)snprintf(why, why_size, "module %s: %s", path, reason ? reason : "no provider in it");
        if (module)
            (void)dlclose(module);
        return SES_ERR_UNSUPPORTED;
    }
    *ret_ops = ops; /* stays loaded: its code is in use from here on */
    return SES_OK;
}
