/* SPDX-License-Identifier: MIT */
/*
 * Provider "file": records in a folder, which any number of processes and threads share.
 *
 *  - ProviderConfig: the folder.
 *  - Settings: folderDepth, folderWidth, durability: "none", "data" or "full", rebuildIndex.
 *  - Layout: sessions/xx/<key>, two slots in each file (frame.h); users/xx/<user>/<key>, empty
 *    files, the index (users.h); quarantine/, what did not check; layout; gc.lock.
 *  - Atomic save: the file's lock is held from the look at the version to the write of the older
 *    slot, which counts when its checksum does. Reading takes no lock (record.h).
 *  - Expiry: the file's time of change is when the record expires, so that gc() tells by it what
 *    is alive, and a touch sets nothing else.
 *  - Loses: at a crash of the process nothing; at one of the machine what "durability" says.
 *  - Owners: a folder's lock for each user, taken before that of a record (users.h).
 *  - Fork: no thread, and no state but descriptors and gc's place. Locks are given back, not only
 *    closed, because a child may have a copy of their descriptor.
 *  - Files are opened beneath the folder and through no link (folder.h).
 */

#include "file/collect.h"
#include "file/users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- failures ---- */

static int code_of(int error)
{
    switch (error) {
    case ENOMEM:
        return SES_ERR_NO_MEMORY;
    case ELOOP: /* a link, or what else is not ours */
    case ENOTDIR:
    case EISDIR:
    case ENXIO:
    case EXDEV:
        return SES_ERR_CORRUPT;
    default:
        return SES_ERR_UNAVAILABLE;
    }
}

int file_fail(const struct file *file, int error, const char *what)
{
    const int code = code_of(error);
    if (code == SES_ERR_CORRUPT)
        return ses_provider_fail(file->host, code,
                                 "%s: refused, because it is not a file or folder of ours alone",
                                 what);
    const char *why = strerrordesc_np(error);
    return ses_provider_fail(file->host, code, "%s: %s", what, why ? why : "unknown error");
}

int file_fail_write(const struct file *file, int error, const char *what)
{
    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        return ses_provider_fail(file->host, SES_ERR_FULL, "%s: %s", what, strerrordesc_np(error));
    return file_fail(file, error, what);
}

/* ---- life time ---- */

static int file_open(void *self, ses_provider_host *host, const char *config)
{
    struct file *file = self;
    file->host = host;
    file->root = -1;
    crc_init(&file->crc);
    if (file->width != 16 && file->width != 256)
        return ses_provider_fail(host, SES_ERR_INVALID, "\"folderWidth\" must be 16 or 256");
    int r = root_open(file, config);
    if (r == SES_OK && file->rebuild_index)
        r = index_rebuild(file);
    return r;
}

static void file_close(void *self)
{
    struct file *file = self;
    fd_close(file->root);
    file->root = -1;
    cursor_free(&file->cursor);
}

/* ---- one record ---- */

static int file_load(void *self, const struct ses_key *key, int64_t now_ms,
                     struct ses_record *ret_record)
{
    struct image image;
    (void)now_ms; /* what has expired is handed over, too */
    image_init(&image, self, key);
    int r = image_look(&image);
    if (r == SES_OK)
        r = image_record(&image, ret_record);
    image_close(&image);
    return r;
}

static int insert(const struct file *file, const struct ses_key *key, int64_t now_ms,
                  const struct ses_key *user, const struct ses_record *record)
{
    struct image image;
    image_init(&image, file, key);
    int r = image_hold_new(&image);
    if (r == SES_OK && image_is_alive(&image, now_ms))
        r = SES_ERR_EXISTS;
    if (r == SES_OK) {
        r = image_write(&image, user, record);
        if (r < 0 && image.slots.newest < 0)
            (void)image_remove(&image);
    }
    image_close(&image);
    return r;
}

/* The entry goes first, and again if there is no record for it. */
static int insert_listed(const struct shelf *shelf, const struct ses_key *key, int64_t now_ms,
                         uint32_t limit, const struct ses_record *record)
{
    int r = limit > 0 ? shelf_may_have_more(shelf, limit, now_ms) : SES_OK;
    if (r == SES_OK)
        r = shelf_add(shelf, key);
    if (r < 0)
        return r;
    r = insert(shelf->file, key, now_ms, shelf->user, record);
    if (r < 0) {
        struct image image;
        image_init(&image, shelf->file, key);
        if (user_look(&image, shelf->user, now_ms) == SES_ERR_GONE)
            shelf_remove(shelf, key);
        image_close(&image);
    }
    return r;
}

enum { CREATE_TRIES = 1000 };

static int file_create(void *self, const struct ses_key *key, int64_t now_ms,
                       const struct ses_owner *owner, const struct ses_record *record)
{
    const struct file *file = self;
    if (!owner || !ses_kind_is_live(record->kind))
        return insert(file, key, now_ms, NULL, record);

    int r = SES_ERR_GONE;
    for (int tries = 0; tries < CREATE_TRIES && r == SES_ERR_GONE; tries++) {
        struct shelf shelf;
        r = shelf_open(&shelf, file, &owner->user, LOCK_EX, true);
        if (r == SES_OK)
            r = insert_listed(&shelf, key, now_ms, owner->limit, record);
        shelf_close(&shelf);
    }
    return r == SES_ERR_GONE ? file_fail(file, EBUSY, "writing the index of a user") : r;
}

/* SES_ERR_CONFLICT, with @p ret_winner if it is not NULL. */
static int hold_version(struct image *image, int64_t now_ms, uint64_t expected,
                        struct ses_record *ret_winner)
{
    int r = image_hold(image);
    if (r < 0)
        return r;
    if (!image_is_alive(image, now_ms))
        return SES_ERR_NOT_FOUND;
    if (image->slots.frame.version == expected)
        return SES_OK;
    r = ret_winner ? image_record(image, ret_winner) : SES_OK;
    return r == SES_OK ? SES_ERR_CONFLICT : r;
}

static int file_save(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                     const struct ses_record *record, struct ses_record *ret_winner)
{
    struct image image;
    image_init(&image, self, key);
    int r = hold_version(&image, now_ms, expected, ret_winner);
    const struct ses_key user = image.slots.frame.user;
    const bool leaves =
        r == SES_OK && !ses_kind_is_live(record->kind) && frame_has_user(&image.slots.frame);
    if (r == SES_OK)
        r = image_write(&image, &user, record);
    image_close(&image);
    if (r == SES_OK && leaves) /* if it fails, a list finds it out */
        (void)user_forget(self, &user, key);
    return r;
}

static int file_touch(void *self, const struct ses_key *key, int64_t now_ms, uint64_t expected,
                      int64_t expires_ms)
{
    struct image image;
    image_init(&image, self, key);
    int r = hold_version(&image, now_ms, expected, NULL);
    if (r == SES_OK && expires_ms > image_expires(&image))
        r = image_touch(&image, expires_ms);
    image_close(&image);
    return r;
}

static int file_destroy(void *self, const struct ses_key *key, int64_t now_ms)
{
    struct image image;
    (void)now_ms; /* what has expired may go as well */
    image_init(&image, self, key);
    int r = image_hold_any(&image, true);
    if (r == SES_OK)
        r = image_remove(&image);
    const struct ses_key user = image.slots.frame.user;
    const bool owned = r == SES_OK && image.slots.newest >= 0 && frame_has_user(&image.slots.frame);
    image_close(&image);
    if (owned)
        (void)user_forget(self, &user, key);
    return r == SES_ERR_NOT_FOUND ? SES_OK : r;
}

/* ---- the whole store: list is in users.c, the others in collect.c ---- */

static int file_ping(void *self)
{
    const struct file *file = self;
    struct stat stat;
    if (fstat(file->root, &stat) < 0)
        return file_fail(file, errno, "looking at the folder");
    if (stat.st_nlink == 0)
        return file_fail(file, ENOENT, "looking at the folder");
    if (faccessat(file->root, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return file_fail(file, errno, "writing to the folder");
    return SES_OK;
}

/* ---- the vtable ---- */

static const char *const durability_choices[] = {
    [DURABLE_NONE] = "none",
    [DURABLE_DATA] = "data",
    [DURABLE_FULL] = "full",
    NULL,
};

static const struct ses_setting file_settings[] = {
    {
        .name = "folderDepth",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct file, depth),
        .max = 3,
        .preset = 1,
    },
    {
        .name = "folderWidth",
        .type = SES_SETTING_INT,
        .offset = offsetof(struct file, width),
        .min = 16,
        .max = 256,
        .preset = 256,
    },
    {
        .name = "durability",
        .type = SES_SETTING_CHOICE,
        .offset = offsetof(struct file, durability),
        .preset = DURABLE_NONE,
        .choices = durability_choices,
    },
    {
        .name = "rebuildIndex",
        .type = SES_SETTING_BOOL,
        .offset = offsetof(struct file, rebuild_index),
    },
    { 0 },
};

extern const struct ses_provider_ops ses_provider_file;

const struct ses_provider_ops ses_provider_file = {
    .size = sizeof ses_provider_file,
    .abi = SES_PROVIDER_ABI,
    .name = "file",
    .instance_size = sizeof(struct file),
    .settings = file_settings,
    .open = file_open,
    .close = file_close,
    .load = file_load,
    .create = file_create,
    .save = file_save,
    .touch = file_touch,
    .destroy = file_destroy,
    .gc = file_gc,
    .count = file_count,
    .iterate = file_iterate,
    .list = file_list,
    .ping = file_ping,
};
