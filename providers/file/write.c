/* SPDX-License-Identifier: MIT */

/* How a record is written: into the older of two slots, or into a new file if it has outgrown
 * them. */

#include "file/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

/* The last instant that an inode of ext4 can have, in the year 2446. */
static const int64_t latest_s = 15032385535;

static int set_mtime(int fd, int64_t expires_ms)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
    const int64_t ms = expires_ms < 0 ? 0 : expires_ms;
    times[1].tv_sec = ms / 1000 > latest_s ? latest_s : ms / 1000;
    times[1].tv_nsec = ms % 1000 * 1000000;
    return futimens(fd, times) < 0 ? -errno : 0;
}

static int sync_data(const struct file *file, int fd)
{
    int r = 0;
    if (file->durability == DURABLE_DATA)
        r = fdatasync(fd);
    else if (file->durability == DURABLE_FULL)
        r = fsync(fd);
    return r < 0 ? -errno : 0;
}

/* One call, unless the disk fills up in the middle. */
static int write_all(int fd, struct iovec parts[2], off_t at)
{
    int first = 0;
    while (first < 2) {
        const ssize_t wrote = pwritev(fd, parts + first, 2 - first, at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        at += wrote;
        size_t left = (size_t)wrote;
        for (; first < 2 && left >= parts[first].iov_len; first++)
            left -= parts[first].iov_len;
        if (first < 2) {
            parts[first].iov_base = (char *)parts[first].iov_base + left;
            parts[first].iov_len -= left;
        }
        if (wrote == 0 && first < 2)
            return -EIO;
    }
    return 0;
}

/* One that fails has left a torn slot at most, which does not count. */
static int write_slot(const struct image *image, int fd, const struct frame *frame, int slot)
{
    unsigned char head[FRAME_HEAD];
    frame_write_head(&image->file->crc, image->key, frame, head);
    struct iovec parts[2] = { { .iov_base = head, .iov_len = sizeof head } };
    memcpy(&parts[1].iov_base, &frame->data.data, sizeof parts[1].iov_base);
    parts[1].iov_len = frame->data.len;
    return write_all(fd, parts, (off_t)slot * frame->capacity);
}

/* The expiry is set last: what a crash leaves before it is the frame's own. */
static int finish(const struct image *image, int fd, const struct frame *frame)
{
    int r = set_mtime(fd, frame->expires_ms);
    if (r == 0)
        r = sync_data(image->file, fd);
    return r == -ENOSPC || r == -EDQUOT ? -EIO : r; /* perhaps written: not "full" any more */
}

/* ---- a file of its own ---- */

static int make_temporary(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
        return -errno;
    const int fd = beneath_open(folder, name, O_RDWR | O_CREAT | O_EXCL);
    if (fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) < 0) {
        const int error = -errno;
        fd_close(fd);
        return error;
    }
    return fd;
}

static int fill(const struct image *image, int fd, const struct frame *frame)
{
    int r = ftruncate(fd, (off_t)frame->capacity * 2) < 0 ? -errno : 0;
    if (r == 0)
        r = write_slot(image, fd, frame, 0);
    return r < 0 ? r : finish(image, fd, frame);
}

static void temporary_name(const struct image *image, char out[KEY_DIGITS + 8])
{
    (void)snprintf(out, KEY_DIGITS + 8, "%s%s", image->place.name, temporary_suffix);
}

void image_remove_temporary(const struct image *image)
{
    char name[KEY_DIGITS + 8];
    temporary_name(image, name);
    const int folder = beneath_open(image->file->root, image->place.folder, O_RDONLY | O_DIRECTORY);
    if (folder >= 0)
        (void)unlinkat(folder, name, 0);
    fd_close(folder);
}

/* With the old file's lock held nobody else makes one of this name. */
static int replace_file(const struct image *image, const struct frame *frame)
{
    char name[KEY_DIGITS + 8];
    temporary_name(image, name);
    const int folder = beneath_open(image->file->root, image->place.folder, O_RDONLY | O_DIRECTORY);
    if (folder < 0)
        return folder;
    const int fd = make_temporary(folder, name);
    int r = fd < 0 ? fd : fill(image, fd, frame);
    fd_close(fd);
    if (r == 0 && renameat(folder, name, folder, image->place.name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(folder, name, 0);
    else if (image->file->durability == DURABLE_FULL && fsync(folder) < 0)
        r = -EIO;
    fd_close(folder);
    return r;
}

/* ---- the slots ---- */

/* A store that is full still takes the end of a session: in the place of the session itself,
 * whose blocks are there, after what is older can no more come back. */
static int write_over(const struct image *image, const struct frame *frame)
{
    const int newest = image->slots.newest;
    static const unsigned char nothing[FRAME_HEAD];
    struct iovec parts[2] = { { .iov_len = sizeof nothing }, { 0 } };
    const void *zeros = nothing;
    memcpy(&parts[0].iov_base, &zeros, sizeof zeros);
    int r = write_all(image->fd, parts, (off_t)(1 - newest) * frame->capacity);
    if (r == -ENOSPC || r == -EDQUOT)
        r = 0; /* nothing was ever there, or the other write fails as well */
    if (r == 0)
        r = sync_data(image->file, image->fd);
    return r < 0 ? r : write_slot(image, image->fd, frame, newest);
}

static int write_older(const struct image *image, const struct frame *frame)
{
    int r = write_slot(image, image->fd, frame, 1 - image->slots.newest);
    if ((r == -ENOSPC || r == -EDQUOT) && !ses_kind_is_live(frame->kind))
        r = write_over(image, frame);
    return r < 0 ? r : finish(image, image->fd, frame);
}

static int write_first(const struct image *image, const struct frame *frame)
{
    int r = image->stat.st_size > 0 && ftruncate(image->fd, 0) < 0 ? -errno : 0;
    if (r == 0)
        r = fill(image, image->fd, frame);
    if (r < 0 || image->file->durability != DURABLE_FULL)
        return r;
    const int folder = beneath_open(image->file->root, image->place.folder, O_RDONLY | O_DIRECTORY);
    if (folder < 0)
        return folder;
    r = fsync(folder) < 0 ? -EIO : 0;
    fd_close(folder);
    return r;
}

int image_write(struct image *image, const struct ses_key *user, const struct ses_record *record)
{
    const struct slots *slots = &image->slots;
    struct frame frame = {
        .kind = record->kind,
        .sequence = slots->newest < 0 ? 1 : slots->frame.sequence + 1,
        .version = record->version,
        .expires_ms = record->expires_ms,
        .data = ses_blob_bytes(record->data),
    };
    if (frame.data.len > FRAME_MOST)
        return SES_ERR_TOO_LARGE;
    if (user && ses_kind_is_live(record->kind))
        frame.user = *user;
    const bool fits = slots->newest >= 0 && slots->frame.capacity >= frame.data.len + FRAME_HEAD;
    frame.capacity = fits ? slots->frame.capacity : slot_capacity(frame.data.len);

    int r;
    if (slots->newest < 0)
        r = write_first(image, &frame);
    else
        r = fits ? write_older(image, &frame) : replace_file(image, &frame);
    return r < 0 ? file_fail_write(image->file, -r, "writing a record") : SES_OK;
}

int image_touch(struct image *image, int64_t expires_ms)
{
    int r = set_mtime(image->fd, expires_ms);
    if (r == 0 && image->file->durability == DURABLE_FULL && fsync(image->fd) < 0)
        r = -errno;
    return r < 0 ? file_fail(image->file, -r, "moving an expiry") : SES_OK;
}
