/* SPDX-License-Identifier: MIT */

/* The folder that ProviderConfig names, and what has to hold of it before anything is put there. */

#include "file/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int refuse(const struct file *file, const char *path, const char *why)
{
    return ses_provider_fail(file->host, SES_ERR_INVALID, "the folder %.150s %s", path, why);
}

/* One that may be written by anybody is a place for links, unless names in it are their owner's. */
static int check_root(const struct file *file, const char *path)
{
    struct stat stat;
    if (fstat(file->root, &stat) < 0)
        return file_fail(file, errno, "looking at the folder");
    if (stat.st_uid != geteuid())
        return refuse(file, path, "belongs to another user");
    if ((stat.st_mode & (S_IWGRP | S_IWOTH)) && !(stat.st_mode & S_ISVTX))
        return refuse(file, path, "may be written by others; chmod 700 helps");
    if (faccessat(file->root, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return refuse(file, path, errno == EROFS ? "is read-only" : "cannot be written");
    return SES_OK;
}

/* A slash at the end would follow a link. */
static int strip(const char *path, char out[PATH_MAX])
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len == 0 || len >= PATH_MAX)
        return -1;
    memcpy(out, path, len);
    out[len] = '\0';
    return 0;
}

/* That the folder is there is known to the one that it lies in. */
static int sync_parent(const struct file *file, const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX] = ".";
    if (slash)
        (void)snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path),
                       path);
    const int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int r = fd < 0 || fsync(fd) < 0 ? file_fail(file, errno, "making the folder") : SES_OK;
    fd_close(fd);
    return r;
}

static int open_path(struct file *file, const char *path)
{
    const int made = mkdir(path, S_IRWXU);
    if (made < 0 && errno != EEXIST && errno != EROFS)
        return ses_provider_fail(file->host, SES_ERR_INVALID, "cannot make the folder %.150s: %s",
                                 path, strerrordesc_np(errno));
    if (made == 0 && chmod(path, S_IRWXU) < 0) /* whatever the umask took */
        return file_fail(file, errno, "making the folder");
    if (made == 0 && file->durability == DURABLE_FULL && sync_parent(file, path) < 0)
        return SES_ERR_UNAVAILABLE;
    file->root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file->root >= 0)
        return check_root(file, path);
    if (errno == ENOTDIR || errno == ELOOP)
        return refuse(file, path, "is not a folder, or is a link");
    return ses_provider_fail(file->host, SES_ERR_INVALID, "cannot open the folder %.150s: %s", path,
                             strerrordesc_np(errno));
}

/* ---- how it is laid out ---- */

enum { LAYOUT_BYTES = 64 };

static int write_layout(const struct file *file, const char *text)
{
    static const char temporary[] = "layout.new";
    const size_t len = strlen(text);
    (void)unlinkat(file->root, temporary, 0);
    const int fd = beneath_open(file->root, temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return fd;
    int r = 0;
    if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 || write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
        r = errno ? -errno : -EIO;
    fd_close(fd);
    if (r == 0 && renameat(file->root, temporary, file->root, "layout") < 0)
        r = -errno;
    if (r == 0 && fsync(file->root) < 0)
        r = -errno;
    return r;
}

/* 1: there is one. 0: there is none. */
static int read_layout(const struct file *file, char text[LAYOUT_BYTES])
{
    struct stat stat;
    const int fd = beneath_open(file->root, "layout", O_RDONLY);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int r = fstat(fd, &stat) < 0 ? -errno : file_check(&stat);
    const ssize_t got = r < 0 ? 0 : read(fd, text, LAYOUT_BYTES - 1);
    if (got < 0)
        r = -errno;
    fd_close(fd);
    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return r < 0 ? r : 1;
}

static int agree_on_layout(const struct file *file)
{
    char wanted[LAYOUT_BYTES], found[LAYOUT_BYTES];
    (void)snprintf(wanted, sizeof wanted, "sesame-file 1 depth %d width %d\n", (int)file->depth,
                   (int)file->width);
    int r = read_layout(file, found);
    if (r == 0)
        r = write_layout(file, wanted);
    else if (r > 0 && strncmp(found, wanted, strlen(wanted) - 1) == 0 &&
             strlen(found) == strlen(wanted) - 1)
        r = 0;
    else if (r > 0)
        return ses_provider_fail(file->host, SES_ERR_INVALID,
                                 "the folder is laid out as \"%s\", not as \"%.*s\": set "
                                 "folderDepth and folderWidth as it is, or take another folder",
                                 found, (int)strlen(wanted) - 1, wanted);
    return r < 0 ? file_fail(file, -r, "the file layout") : SES_OK;
}

static int make_folders(const struct file *file)
{
    static const char *const folders[] = { "sessions", "users", "quarantine" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct stat stat;
        const int fd = beneath_make(file, folders[i]);
        if (fd < 0)
            return file_fail(file, -fd, "making folders");
        const int r = fstat(fd, &stat);
        fd_close(fd);
        if (r < 0 || stat.st_uid != geteuid() || (stat.st_mode & (S_IWGRP | S_IWOTH)))
            return refuse(file, folders[i], "in it may be written by others");
    }
    return SES_OK;
}

int root_open(struct file *file, const char *path)
{
    char stripped[PATH_MAX];
    if (strip(path, stripped) < 0)
        return ses_provider_fail(file->host, SES_ERR_INVALID, "ProviderConfig must name a folder");
    int r = open_path(file, stripped);
    if (r < 0)
        return r;
    r = fd_lock(file->root, LOCK_EX); /* several processes may start at once */
    if (r < 0)
        return file_fail(file, -r, "locking the folder");
    r = agree_on_layout(file);
    if (r == SES_OK)
        r = make_folders(file);
    fd_unlock(file->root);
    return r;
}
