/* SPDX-License-Identifier: MIT */
#include "provider/folder.h"

#include "file/state.h"

#include <err.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const struct ses_provider_ops ses_provider_file;

static char folder[64];
static pid_t owner;

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat, (void)type, (void)where;
    (void)remove(path);
    return 0;
}

void remove_folder(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_own(void)
{
    if (getpid() == owner)
        remove_folder(folder);
}

static const char *preferred = "/tmp";

void prefer_memory(void)
{
    static const char memory[] = "/dev/shm";
    if (access(memory, W_OK | X_OK) == 0)
        preferred = memory;
}

const char *own_folder(void)
{
    if (!folder[0]) {
        const char *where = getenv("TMPDIR");
        (void)snprintf(folder, sizeof folder, "%.40s/sesame-file-XXXXXX",
                       where ? where : preferred);
        if (!mkdtemp(folder))
            err(2, "%s", folder);
        owner = getpid();
        (void)atexit(remove_own);
    }
    return folder;
}

static void write_settings(void *instance, int64_t depth, int64_t width, enum durability durability)
{
    struct file *file = instance;
    file->depth = depth;
    file->width = width;
    file->durability = durability;
}

void file_plain(void *instance)
{
    write_settings(instance, 1, 256, DURABLE_NONE);
}

void file_deep(void *instance)
{
    write_settings(instance, 2, 16, DURABLE_NONE);
}

void file_full(void *instance)
{
    write_settings(instance, 0, 256, DURABLE_FULL);
}

int conform_in_folder(void (*settings)(void *instance))
{
    const struct ses_conformance subject = {
        .size = sizeof subject,
        .ops = &ses_provider_file,
        .provider_config = own_folder(),
        .settings = settings,
        .shared = true,
        .rounds = 2000,
    };
    return ses_conformance_run(&subject);
}
