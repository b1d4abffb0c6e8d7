/* SPDX-License-Identifier: MIT */
/* The database's file: where it is, whose, and who may read it. */
#include "sqlite/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const struct sqlite_store *store, const char *why)
{
    return ses_provider_fail(store->sql.host, SES_ERR_INVALID, "%s: %s", store->path, why);
}

static int fail_by_errno(const struct sqlite_store *store, const char *what, const char *path)
{
    const char *text = strerrordesc_np(errno);
    return ses_provider_fail(store->sql.host, SES_ERR_INVALID, "%s%s: %s", what, path,
                             text ? text : "unknown error");
}

/* The folder's own path and the name in it, so that a working directory that changes or a link that
 * is set anew does not lead elsewhere. NULL: errno. */
static char *absolute(const char *config)
{
    const char *slash = strrchr(config, '/');
    const char *name = slash ? slash + 1 : config;
    char *given = slash ? strndup(config, (size_t)(name - config)) : strdup(".");
    char *folder = given ? realpath(given, NULL) : NULL, *path = NULL;
    /* SQLite keeps its log beside the file. */
    const bool fits = folder && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
    if (fits && asprintf(&path, "%s/%s", folder, name) < 0)
        path = NULL;
    free(folder);
    free(given);
    return path;
}

/* Not opened: to close a file gives up the locks that the process has on it by another
 * descriptor, and another store may have it open. */
static int make_file(const struct sqlite_store *store)
{
    if (mknod(store->path, S_IFREG | S_IRUSR | S_IWUSR, 0) < 0)
        return errno == EEXIST ? SES_OK : fail_by_errno(store, "", store->path);
    if (chmod(store->path, S_IRUSR | S_IWUSR) < 0)
        return fail_by_errno(store, "", store->path);
    return SES_OK;
}

static int check_file(const struct sqlite_store *store)
{
    struct stat stat;
    if (lstat(store->path, &stat) < 0)
        return errno == ENOENT
                   ? refuse(store, "there is no such file: \"createTable\": true makes it")
                   : fail_by_errno(store, "", store->path);
    if (!S_ISREG(stat.st_mode))
        return refuse(store, "refused, because it is not a plain file");
    if (stat.st_uid != geteuid())
        return refuse(store, "refused, because it is another user's");
    if (stat.st_mode & (S_IRWXG | S_IRWXO))
        return refuse(store, "refused, because others may open it: chmod 600");
    if (faccessat(AT_FDCWD, store->path, R_OK | W_OK, AT_EACCESS) < 0)
        return fail_by_errno(store, "", store->path);
    return SES_OK;
}

int sqlite_provider_find_file(struct sqlite_store *store, const char *config)
{
    if (config[0] == '\0' || config[strlen(config) - 1] == '/' || config[0] == ':')
        return ses_provider_fail(store->sql.host, SES_ERR_INVALID,
                                 "\"ProviderConfig\" has to be the path of a file, as in "
                                 "\"/var/lib/site/sessions.db\", not \"%s\"",
                                 config);
    store->path = absolute(config);
    if (!store->path)
        return fail_by_errno(store, "the folder of ", config);
    const int r = store->sql.create_table ? make_file(store) : SES_OK;
    return r < 0 ? r : check_file(store);
}
