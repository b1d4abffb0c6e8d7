/* SPDX-License-Identifier: MIT */
#include "core/module.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SUFFIX ".so"

/* Nothing in it can leave the folder, or be another file's name on another file system. */
static bool name_valid(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && len <= MODULE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* Beside the library that holds this very function. A program that is linked with it statically has
 * no such folder: where it lies is only known from argv[0], and that is its caller's to choose. */
static bool module_folder(char *path, size_t size)
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
    const int len = snprintf(path, size, "%.*s/sesame", folder_len, library->l_name);
    return len > 0 && (size_t)len < size;
}

static bool module_path(const char *name, char *path, size_t size)
{
    char folder[PATH_MAX];
    if (!module_folder(folder, sizeof folder))
        return false;
    const int len = snprintf(path, size, "%s/%s" SUFFIX, folder, name);
    return len > 0 && (size_t)len < size;
}

int module_load(const char *name, const struct ses_provider_ops **ret_ops, char *why,
                size_t why_size)
{
    char path[PATH_MAX], symbol[MODULE_NAME_MAX + sizeof "ses_provider_"];
    if (!name_valid(name)) {
        (void)snprintf(why, why_size, "a provider's name is 1 to %d of a-z, 0-9 and _",
                       MODULE_NAME_MAX);
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

/* ---- what there is ---- */

bool module_exists(const char *name)
{
    char path[PATH_MAX];
    return name_valid(name) && module_path(name, path, sizeof path) && access(path, F_OK) == 0;
}

/* Without its suffix. false: the file is not named as a module is. */
static bool name_of_file(const char *file, char name[MODULE_NAME_MAX + 1])
{
    const size_t len = strlen(file), suffix_len = sizeof SUFFIX - 1;
    if (len <= suffix_len || len - suffix_len > MODULE_NAME_MAX ||
        strcmp(file + len - suffix_len, SUFFIX) != 0)
        return false;
    (void)snprintf(name, MODULE_NAME_MAX + 1, "%.*s", (int)(len - suffix_len), file);
    return name_valid(name);
}

void module_list_read(struct module_list *ret_list)
{
    char folder[PATH_MAX];
    struct dirent **entries = NULL;
    ret_list->count = 0;
    const bool found = module_folder(folder, sizeof folder);
    const int count = found ? scandir(folder, &entries, NULL, alphasort) : 0;
    for (int i = 0; i < count; i++) {
        if (ret_list->count < MODULES_MAX &&
            name_of_file(entries[i]->d_name, ret_list->names[ret_list->count]))
            ret_list->count++;
        free(entries[i]);
    }
    free(entries);
}
