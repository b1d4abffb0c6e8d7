/* SPDX-License-Identifier: MIT */
#include "provider/file_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct call_faults inject;
void (*call_seen)(const struct call *call);

static bool fails(bool may_be_interrupted)
{
    if (!inject.on || (inject.interrupted && !may_be_interrupted) || ++inject.calls != inject.at)
        return false;
    if (inject.before)
        inject.before(inject.arg);
    errno = inject.error;
    return inject.error != 0;
}

static int tell(int r, struct call call)
{
    if (r >= 0 && call_seen) {
        const int error = errno;
        call_seen(&call);
        errno = error;
    }
    return r;
}

/* clang-format off */
#define REAL(name, parameters)                                                                     \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters

#define WRAP(name, parameters, interruptible, ...)                                                 \
    REAL(name, parameters)                                                                         \
    {                                                                                              \
        return fails(interruptible) ? -1 : (__VA_ARGS__);                                          \
    }
/* clang-format on */

/* NOLINTBEGIN(readability-identifier-naming): the names are the linker's */

/* ---- what changes nothing that is followed ---- */

WRAP(fstat64, (int fd, struct stat *stat), false, __real_fstat64(fd, stat))
WRAP(fstatat64, (int fd, const char *path, struct stat *stat, int flags), false,
     __real_fstatat64(fd, path, stat, flags))
WRAP(flock, (int fd, int how), true, __real_flock(fd, how))
WRAP(fchmod, (int fd, mode_t mode), false, __real_fchmod(fd, mode))
WRAP(fchmodat, (int fd, const char *path, mode_t mode, int flags), false,
     __real_fchmodat(fd, path, mode, flags))
WRAP(faccessat, (int fd, const char *path, int mode, int flags), false,
     __real_faccessat(fd, path, mode, flags))

ssize_t __real_pread64(int fd, void *bytes, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t at)
{
    return fails(true) ? -1 : __real_pread64(fd, bytes, len, at);
}

/* ---- names ---- */

static struct call make_call(int fd, const char *path, bool folder)
{
    return (struct call){ .kind = CALL_MAKE, .fd = fd, .path = path, .folder = folder };
}

WRAP(mkdir, (const char *path, mode_t mode), false,
     tell(__real_mkdir(path, mode), make_call(AT_FDCWD, path, true)))
WRAP(mkdirat, (int fd, const char *path, mode_t mode), false,
     tell(__real_mkdirat(fd, path, mode), make_call(fd, path, true)))
WRAP(mknodat, (int fd, const char *path, mode_t mode, dev_t device), false,
     tell(__real_mknodat(fd, path, mode, device), make_call(fd, path, false)))
WRAP(unlinkat, (int fd, const char *path, int flags), false,
     tell(__real_unlinkat(fd, path, flags),
          (struct call){ .kind = CALL_REMOVE, .fd = fd, .path = path }))
WRAP(renameat, (int from, const char *old, int to, const char *new), false,
     tell(__real_renameat(from, old, to, new),
          (struct call){ .kind = CALL_RENAME, .fd = from, .path = old, .to_fd = to, .to = new }))

/* openat2 is called by its number. */
long __real_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d)
{
    if (fails(true))
        return -1;
    if (number != SYS_openat2)
        return __real_syscall(number, a, b, c, d);
    if (inject.no_openat2) {
        errno = ENOSYS;
        return -1;
    }
    const char *path = (const char *)b;                      /* NOLINT(performance-no-int-to-ptr) */
    const struct open_how *how = (const struct open_how *)c; /* NOLINT(performance-no-int-to-ptr) */
    const bool makes = call_seen && how->flags & O_CREAT &&
                       __real_faccessat((int)a, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    const long fd = __real_syscall(number, a, b, c, d);
    return makes ? tell((int)fd, make_call((int)a, path, false)) : fd;
}

/* ---- what is in a file ---- */

WRAP(ftruncate64, (int fd, off_t len), false,
     tell(__real_ftruncate64(fd, len), (struct call){ .kind = CALL_SIZE, .fd = fd, .at = len }))
WRAP(futimens, (int fd, const struct timespec times[2]), false,
     tell(__real_futimens(fd, times),
          (struct call){ .kind = CALL_TIMES, .fd = fd, .mtime = times[1] }))

static ssize_t tell_write(ssize_t wrote, int fd, off_t at, const struct iovec *parts)
{
    const size_t len = wrote < 0 ? 0 : (size_t)wrote;
    const int r = wrote < 0 ? -1 : 0;
    (void)tell(r, (struct call){ CALL_WRITE, .fd = fd, .at = at, .parts = parts, .len = len });
    return wrote;
}

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    struct iovec part = { .iov_len = len };
    memcpy(&part.iov_base, &bytes, sizeof bytes);
    return fails(true) ? -1 : tell_write(__real_write(fd, bytes, len), fd, -1, &part);
}

static bool no_room(off_t at)
{
    if (inject.full_at <= 0 || at != inject.full_at)
        return false;
    if (inject.full_once)
        inject.full_at = 0;
    errno = ENOSPC;
    return true;
}

/* One that fails has written half of it. */
ssize_t __real_pwritev64(int fd, const struct iovec *parts, int count, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    if (no_room(at))
        return -1;
    if (!fails(true))
        return tell_write(__real_pwritev64(fd, parts, count, at), fd, at, parts);
    const int error = errno;
    if (!inject.interrupted)
        (void)tell_write(__real_pwritev64(fd, parts, 1, at), fd, at, parts);
    errno = error;
    return -1;
}

/* ---- what waits for the disk ---- */

/* A descriptor that is none is found out, and others may run, as if there had been a disk. */
static int pass_sync(int fd)
{
    (void)sched_yield();
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

/* clang-format off */
#define WRAP_SYNC(name, sync)                                                                      \
    REAL(name, (int fd))                                                                           \
    {                                                                                              \
        if (fails(false))                                                                          \
            return -1;                                                                             \
        const int r = inject.no_sync ? pass_sync(fd) : __real_##name(fd);                          \
        return tell(r, (struct call){ .kind = (sync), .fd = fd });                                 \
    }
/* clang-format on */

WRAP_SYNC(fsync, CALL_SYNC)
WRAP_SYNC(fdatasync, CALL_DATASYNC)

/* NOLINTEND(readability-identifier-naming) */
