/* SPDX-License-Identifier: MIT */

/* What no code over this layout avoids: the calls, with the least that must be known between them.
 * A slot that is written is a copy of the newer one, so that it stays valid without a checksum. */

#include "file_work.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRAME = SITE_HEAD + SITE_RECORD, FILE_BYTES = 2 * SITE_SLOT };

/* How they are called. */
struct manner {
    int flags;
    bool sets_time;
};

static const struct manner plain, timed = { .sets_time = true }, least = { .flags = O_NOATIME };

static uint64_t read_path(const struct site *site, const char *path, const struct manner *manner,
                          unsigned char bytes[FILE_BYTES])
{
    const int fd = openat(site->root, path, O_RDONLY | O_CLOEXEC | manner->flags);
    const ssize_t got = pread(fd, bytes, FILE_BYTES, 0);
    (void)close(fd);
    return got < FRAME;
}

static uint64_t read_all(const struct site *site, const struct bench_share *share,
                         const struct manner *manner)
{
    uint64_t state = site_seed(share, false), failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        char path[SITE_PATH];
        unsigned char bytes[FILE_BYTES];
        site_key(site_pick(site, share, &state), &key);
        site_path(&key, path);
        failures += read_path(site, path, manner, bytes);
    }
    return failures;
}

uint64_t bare_read(void *arg, const struct bench_share *share)
{
    return read_all(arg, share, &plain);
}

uint64_t bare_read_least(void *arg, const struct bench_share *share)
{
    return read_all(arg, share, &least);
}

static off_t older_slot(const unsigned char bytes[FILE_BYTES])
{
    uint64_t first, second;
    memcpy(&first, bytes + SITE_SEQUENCE_AT, sizeof first);
    memcpy(&second, bytes + SITE_SLOT + SITE_SEQUENCE_AT, sizeof second);
    return first < second ? 0 : SITE_SLOT;
}

static uint64_t write_path(const struct site *site, const char *path, const struct manner *manner)
{
    unsigned char bytes[FILE_BYTES] = { 0 };
    const struct timespec times[2] = {
        { .tv_nsec = UTIME_OMIT },
        { .tv_sec = site->now_ms / 1000 + 1000 },
    };
    const int fd = openat(site->root, path, O_RDWR | O_CLOEXEC | manner->flags);
    uint64_t failures = flock(fd, LOCK_EX) != 0;
    failures += pread(fd, bytes, FILE_BYTES, 0) < FRAME;
    const off_t older = older_slot(bytes);
    failures += pwrite(fd, bytes + SITE_SLOT - older, FRAME, older) != FRAME;
    if (manner->sets_time)
        failures += futimens(fd, times) != 0;
    (void)close(fd);
    return failures;
}

static uint64_t write_all(const struct site *site, const struct bench_share *share,
                          const struct manner *manner)
{
    uint64_t state = site_seed(share, false), failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        char path[SITE_PATH];
        unsigned char bytes[FILE_BYTES];
        site_key(site_pick(site, share, &state), &key);
        site_path(&key, path);
        failures += read_path(site, path, manner, bytes);
        failures += write_path(site, path, manner);
    }
    return failures;
}

uint64_t bare_write(void *arg, const struct bench_share *share)
{
    return write_all(arg, share, &plain);
}

uint64_t bare_write_least(void *arg, const struct bench_share *share)
{
    return write_all(arg, share, &least);
}

uint64_t bare_write_time(void *arg, const struct bench_share *share)
{
    return write_all(arg, share, &timed);
}

static uint64_t replace(const struct site *site, const char *path,
                        const unsigned char bytes[FILE_BYTES])
{
    char temporary[SITE_PATH + 4];
    (void)snprintf(temporary, sizeof temporary, "%s.new", path);
    const int fd = openat(site->root, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    uint64_t failures = pwrite(fd, bytes, FRAME, 0) != FRAME;
    (void)close(fd);
    failures += renameat(site->root, temporary, site->root, path) != 0;
    return failures;
}

uint64_t renamed_write(void *arg, const struct bench_share *share)
{
    const struct site *site = arg;
    uint64_t state = site_seed(share, false), failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        char path[SITE_PATH];
        unsigned char bytes[FILE_BYTES];
        site_key(site_pick_renamed(site, share, &state), &key);
        site_path(&key, path);
        failures += read_path(site, path, &plain, bytes);
        failures += replace(site, path, bytes);
    }
    return failures;
}

/* Zeros: gc takes that for a create that was not ended. */
uint64_t bare_create(void *arg, const struct bench_share *share)
{
    const struct site *site = arg;
    static const unsigned char frame[FRAME];
    const uint64_t first = site_fresh(site, share, false);
    uint64_t failures = 0;
    for (uint64_t i = 0; i < share->operations; i++) {
        struct ses_key key;
        char path[SITE_PATH];
        site_key(first + i, &key);
        site_path(&key, path);
        const int fd = openat(site->root, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        failures += flock(fd, LOCK_EX) != 0;
        failures += pwrite(fd, frame, FRAME, 0) != FRAME;
        (void)close(fd);
    }
    return failures;
}

/* ---- gc ---- */

static uint64_t empty_folder(const struct site *site, unsigned folder)
{
    char path[SITE_PATH];
    (void)snprintf(path, sizeof path, "sessions/%02x", folder);
    const int fd = openat(site->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream)
        return 0;
    uint64_t removed = 0;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): of a stream that nobody else has */
    while ((entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.')
            removed += unlinkat(fd, entry->d_name, 0) == 0;
    }
    (void)closedir(stream);
    return removed;
}

uint64_t bare_collect(const struct site *site, unsigned *folder, uint64_t wanted)
{
    uint64_t removed = 0;
    while (removed<wanted && * folder> 0)
        removed += empty_folder(site, --*folder);
    return removed;
}
