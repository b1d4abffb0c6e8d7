/* SPDX-License-Identifier: MIT */
#include "file/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

const char temporary_suffix[] = ".new";

/* ---- names ---- */

static const char digits[] = "0123456789abcdef";

void key_to_name(const struct ses_key *key, char out[KEY_DIGITS + 1])
{
    for (size_t i = 0; i < SES_KEY_BYTES; i++) {
        out[2 * i] = digits[key->bytes[i] >> 4];
        out[2 * i + 1] = digits[key->bytes[i] & 15];
    }
    out[KEY_DIGITS] = '\0';
}

bool key_of_name(const char *name, size_t len, struct ses_key *ret_key)
{
    if (len != KEY_DIGITS || strspn(name, digits) < KEY_DIGITS)
        return false;
    for (size_t i = 0; i < SES_KEY_BYTES; i++) {
        const size_t high = (size_t)(strchr(digits, name[2 * i]) - digits);
        const size_t low = (size_t)(strchr(digits, name[2 * i + 1]) - digits);
        ret_key->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static size_t level_digits(const struct file *file)
{
    return file->width == 16 ? 1 : 2;
}

static char *append(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    at[len] = '\0';
    return at + len;
}

/* "sessions", and "/xx" of the name for each level. Answers where it ends. By hand, as is the
 * rest of a record's place: snprintf takes 0.5 microseconds for it, of 5.3 that the bare calls of
 * a load take, and this 0.1. */
static char *write_folder(const struct file *file, const char *name, int64_t levels,
                          char out[PLACE_BYTES])
{
    static const char sessions[] = "sessions";
    const size_t each = level_digits(file);
    char *at = append(out, sessions, sizeof sessions - 1);
    for (int64_t level = 0; level < levels; level++, name += each) {
        at = append(at, "/", 1);
        at = append(at, name, each);
    }
    return at;
}

void place_of_record(const struct file *file, const struct ses_key *key, struct place *ret_place)
{
    key_to_name(key, ret_place->name);
    const char *end = write_folder(file, ret_place->name, file->depth, ret_place->folder);
    char *at = append(ret_place->path, ret_place->folder, (size_t)(end - ret_place->folder));
    at = append(at, "/", 1);
    (void)append(at, ret_place->name, KEY_DIGITS);
}

void place_of_user(const struct ses_key *user, struct place *ret_place)
{
    key_to_name(user, ret_place->name);
    (void)snprintf(ret_place->folder, PLACE_BYTES, "users/%.2s", ret_place->name);
    (void)snprintf(ret_place->path, PLACE_BYTES, "users/%.2s/%s", ret_place->name, ret_place->name);
}

uint32_t folder_count(const struct file *file)
{
    uint32_t count = 1;
    for (int64_t level = 0; level < file->depth; level++)
        count *= (uint32_t)file->width;
    return count;
}

void folder_path(const struct file *file, uint32_t number, int64_t levels, char out[PLACE_BYTES])
{
    char name[16];
    (void)snprintf(name, sizeof name, "%0*x", (int)(level_digits(file) * (size_t)file->depth),
                   number);
    (void)write_folder(file, name, levels, out);
}

/* ---- opening ---- */

void fd_close(int fd)
{
    const int error = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = error;
}

/* For a kernel without openat2, before 5.6, or a container that forbids it: one by one. */
static int open_by_steps(int dir, const char *path, int flags, mode_t mode)
{
    int at = dir;
    const char *slash;
    while (at >= 0 && (slash = strchr(path, '/')) != NULL) {
        char name[PLACE_BYTES];
        (void)snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
        const int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (at != dir)
            fd_close(at);
        at = next;
        path = slash + 1;
    }
    if (at < 0)
        return -1;
    const int fd = openat(at, path, flags | O_NOFOLLOW, mode);
    if (at != dir)
        fd_close(at);
    return fd;
}

int beneath_open(int dir, const char *path, int flags)
{
    const mode_t mode = flags & O_CREAT ? S_IRUSR | S_IWUSR : 0;
    const struct open_how how = {
        .flags = (uint64_t)(uint32_t)(flags | O_CLOEXEC | O_NONBLOCK),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int fd;
    do {
        fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd < 0 && (errno == ENOSYS || errno == EPERM))
            fd = open_by_steps(dir, path, (int)how.flags, mode);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return fd < 0 ? -errno : fd;
}

/* The mode is set apart, because the umask may take from it. Who loses a race finds it made. */
static int make_one(int dir, const char *name)
{
    if (mkdirat(dir, name, S_IRWXU) < 0)
        return errno == EEXIST ? 0 : -errno;
    return fchmodat(dir, name, S_IRWXU, 0) < 0 ? -errno : 1;
}

int beneath_make(const struct file *file, const char *path)
{
    int dir = beneath_open(file->root, ".", O_RDONLY | O_DIRECTORY);
    while (dir >= 0 && *path) {
        char name[PLACE_BYTES];
        const size_t len = strcspn(path, "/");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, path);
        path += len + (path[len] == '/');
        const int made = make_one(dir, name);
        int next = made < 0 ? made : beneath_open(dir, name, O_RDONLY | O_DIRECTORY);
        if (made > 0 && file->durability == DURABLE_FULL && next >= 0 && fsync(dir) < 0) {
            const int error = -errno;
            fd_close(next);
            next = error;
        }
        fd_close(dir);
        dir = next;
    }
    return dir;
}

int fd_lock(int fd, int how)
{
    int r;
    do
        r = flock(fd, how);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

void fd_unlock(int fd)
{
    const int error = errno;
    (void)flock(fd, LOCK_UN);
    errno = error;
}

int file_check(const struct stat *stat)
{
    const mode_t mode = S_IRUSR | S_IWUSR, all = 07777;
    return S_ISREG(stat->st_mode) && stat->st_uid == geteuid() && stat->st_nlink <= 1 &&
                   (stat->st_mode & all) == mode
               ? 0
               : -ELOOP; /* answered for a link as well: not a file of ours */
}

/* ---- what is in a folder ---- */

static int names_add(struct names *names, const struct ses_key *key)
{
    if (names->count == names->room) {
        const size_t room = names->room ? 2 * names->room : 64;
        struct ses_key *keys = realloc(names->keys, room * sizeof *keys);
        if (!keys)
            return -ENOMEM;
        names->keys = keys;
        names->room = room;
    }
    names->keys[names->count++] = *key;
    return 0;
}

static int names_take(const char *name, struct names *names, struct names *stale)
{
    struct ses_key key;
    const size_t len = strlen(name);
    if (key_of_name(name, len, &key))
        return names_add(names, &key);
    if (stale && len == KEY_DIGITS + strlen(temporary_suffix) &&
        strcmp(name + KEY_DIGITS, temporary_suffix) == 0 && key_of_name(name, KEY_DIGITS, &key))
        return names_add(stale, &key);
    return 0;
}

int names_read(int folder, struct names *names, struct names *stale)
{
    const int own = beneath_open(folder, ".", O_RDONLY | O_DIRECTORY);
    DIR *stream = own < 0 ? NULL : fdopendir(own);
    if (!stream) {
        const int r = own < 0 ? own : -errno;
        fd_close(own);
        return r;
    }
    int r = 0;
    const struct dirent *entry;
    errno = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): of a stream that nobody else has */
    while (r == 0 && (entry = readdir(stream)) != NULL) {
        r = names_take(entry->d_name, names, stale);
        errno = 0;
    }
    if (r == 0)
        r = -errno;
    (void)closedir(stream);
    return r;
}

void names_free(struct names *names)
{
    free(names->keys);
    *names = (struct names){ 0 };
}
