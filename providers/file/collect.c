/* SPDX-License-Identifier: MIT */
#include "file/collect.h"

#include "file/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- from folder to folder ---- */

/* The first folder after @p number that may be there, when that one is not: where a folder on the
 * way to it is missing, so are all that would be in it. */
static uint32_t next_folder(const struct file *file, uint32_t number)
{
    uint32_t each = folder_count(file);
    char path[PLACE_BYTES];
    for (int64_t level = 1; level < file->depth; level++) {
        each /= (uint32_t)file->width;
        folder_path(file, number, level, path);
        const int fd = beneath_open(file->root, path, O_PATH | O_DIRECTORY);
        fd_close(fd);
        if (fd == -ENOENT)
            return (number / each + 1) * each;
    }
    return number + 1;
}

/* Reads that folder, and moves on to the next. */
static int read_folder(const struct file *file, uint32_t *number, struct names *names,
                       struct names *stale)
{
    char path[PLACE_BYTES];
    folder_path(file, *number, file->depth, path);
    const int fd = beneath_open(file->root, path, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOENT) {
        *number = next_folder(file, *number);
        return SES_OK;
    }
    ++*number;
    const int r = fd < 0 ? fd : names_read(fd, names, stale);
    fd_close(fd);
    return r < 0 ? file_fail(file, -r, "reading a folder of records") : SES_OK;
}

/* ---- all records ---- */

typedef int visit_fn(void *arg, const struct image *image);

/* Not alive, not valid, not there any more: passed over. */
static int visit_key(const struct file *file, const struct ses_key *key, int64_t now_ms,
                     visit_fn *fn, void *arg)
{
    struct image image;
    image_init(&image, file, key);
    int r = image_look(&image);
    if (r == SES_OK && image_is_alive(&image, now_ms) && ses_kind_is_live(image.slots.frame.kind))
        r = fn(arg, &image);
    else if (r == SES_ERR_CORRUPT || !ses_is_failure(r))
        r = SES_OK;
    image_close(&image);
    return r;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ses_key)); /* not secret: the order of names in a folder */
}

/* Sorted, so that a file system which shows a name twice while it is replaced is found out. */
static int visit_names(const struct file *file, struct names *names, int64_t now_ms, visit_fn *fn,
                       void *arg)
{
    int r = SES_OK;
    if (names->count > 0)
        qsort(names->keys, names->count, sizeof *names->keys, compare_keys);
    for (size_t i = 0; i < names->count && r == SES_OK; i++) {
        if (i == 0 || compare_keys(&names->keys[i - 1], &names->keys[i]) != 0)
            r = visit_key(file, &names->keys[i], now_ms, fn, arg);
    }
    return r;
}

static int visit_all(const struct file *file, int64_t now_ms, visit_fn *fn, void *arg)
{
    int r = SES_OK;
    for (uint32_t number = 0; r == SES_OK && number < folder_count(file);) {
        struct names names = { 0 };
        r = read_folder(file, &number, &names, NULL);
        if (r == SES_OK)
            r = visit_names(file, &names, now_ms, fn, arg);
        names_free(&names);
    }
    return r;
}

static int count_one(void *arg, const struct image *image)
{
    *(uint64_t *)arg += image->slots.frame.kind == SES_KIND_SESSION;
    return SES_OK;
}

int file_count(void *self, int64_t now_ms, uint64_t *ret_count)
{
    *ret_count = 0;
    return visit_all(self, now_ms, count_one, ret_count);
}

struct shower {
    ses_record_fn *fn;
    void *arg;
};

static int show_one(void *arg, const struct image *image)
{
    const struct shower *shower = arg;
    struct ses_record record;
    int r = image_record(image, &record);
    if (r < 0)
        return r;
    r = shower->fn(shower->arg, image->key, &record);
    (void)ses_blob_unref(record.data);
    return r;
}

int file_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    struct shower shower = { fn, arg };
    return visit_all(self, now_ms, show_one, &shower);
}

static int link_one(void *arg, const struct image *image)
{
    const struct file *file = arg;
    const struct frame *frame = &image->slots.frame;
    return frame_has_user(frame) ? user_remember(file, &frame->user, image->key) : SES_OK;
}

int index_rebuild(struct file *file)
{
    return visit_all(file, INT64_MIN, link_one, file);
}

/* ---- gc ---- */

/* One thread at a time. A child whose parent was at it when it was forked starts anew; what the
 * parent's walk had in memory may be half-made, and is left alone. */
static bool cursor_take(struct cursor *cursor)
{
    const int us = (int)getpid();
    int holder = 0;
    if (atomic_compare_exchange_strong(&cursor->walker, &holder, us))
        return true;
    if (holder == us || !atomic_compare_exchange_strong(&cursor->walker, &holder, us))
        return false;
    cursor->records = cursor->users = cursor->entries = (struct walk){ 0 };
    return true;
}

static void cursor_release(struct cursor *cursor)
{
    atomic_store(&cursor->walker, 0);
}

void cursor_free(struct cursor *cursor)
{
    free(cursor->records.keys);
    free(cursor->users.keys);
    free(cursor->entries.keys);
    cursor->records = cursor->users = cursor->entries = (struct walk){ 0 };
}

/* Takes over what was read. */
static void walk_begin(struct walk *walk, const struct names *names)
{
    free(walk->keys);
    *walk = (struct walk){ .keys = names->keys, .count = names->count };
}

static const struct ses_key *walk_on(struct walk *walk)
{
    return walk->next < walk->count ? &walk->keys[walk->next++] : NULL;
}

/* By its time alone: a save and a touch set it to when the record expires. */
static bool surely_alive(const struct image *image, int64_t now_ms)
{
    struct stat stat;
    if (fstatat(image->file->root, image->place.path, &stat, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return S_ISREG(stat.st_mode) && stat.st_mtim.tv_sec > now_ms / 1000;
}

/* With the record's lock held. */
static int remove_what_ended(struct image *image, int64_t now_ms)
{
    if (image_is_alive(image, now_ms))
        return SES_ERR_EXISTS;
    if (image->slots.newest < 0 && !image->slots.blank)
        return image_quarantine(image);
    return image_remove(image);
}

static bool collect_one(const struct file *file, const struct ses_key *key, int64_t now_ms)
{
    struct image image;
    image_init(&image, file, key);
    if (surely_alive(&image, now_ms))
        return false;
    int r = image_hold_any(&image, false);
    if (r == SES_OK)
        r = remove_what_ended(&image, now_ms);
    const struct frame ended = image.slots.frame;
    const bool owned = r == SES_OK && image.slots.newest >= 0 && frame_has_user(&ended);
    image_close(&image);
    if (owned)
        (void)user_forget(file, &ended.user, key);
    return r == SES_OK;
}

/* Nobody writes a temporary file but who has the lock of the file that it is to replace. */
static void collect_temporary(const struct file *file, const struct ses_key *key)
{
    struct image image;
    image_init(&image, file, key);
    const int r = image_hold_any(&image, false);
    if (r == SES_OK || r == SES_ERR_NOT_FOUND)
        image_remove_temporary(&image);
    image_close(&image);
}

static int read_records(struct file *file)
{
    struct names names = { 0 }, stale = { 0 };
    const int r = read_folder(file, &file->cursor.folder, &names, &stale);
    for (size_t i = 0; i < stale.count; i++)
        collect_temporary(file, &stale.keys[i]);
    names_free(&stale);
    walk_begin(&file->cursor.records, &names);
    return r;
}

static int read_users(struct file *file)
{
    struct names names = { 0 };
    const int r = shelves_read(file, file->cursor.folder++ - folder_count(file), &names);
    walk_begin(&file->cursor.users, &names);
    return r;
}

static int read_entries(struct file *file, const struct ses_key *user)
{
    struct names names = { 0 };
    const int r = shelf_read(file, user, &names);
    if (r == SES_OK && names.count == 0)
        shelf_sweep(file, user, NULL);
    file->cursor.user = *user;
    walk_begin(&file->cursor.entries, &names);
    return r;
}

/* The users come after the records, so that their entries go in the same walk. */
static int read_next(struct file *file, struct ses_gc_step *ret_step)
{
    const uint32_t folder = file->cursor.folder, of_records = folder_count(file);
    if (folder < of_records)
        return read_records(file);
    if (folder < of_records + SHELF_FOLDERS)
        return read_users(file);
    ret_step->more = false;
    file->cursor.folder = 0;
    return SES_OK;
}

/* Reading a folder costs as much of the budget as a record or an entry does. */
static int step(struct file *file, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    struct cursor *cursor = &file->cursor;
    int r = SES_OK;
    *ret_step = (struct ses_gc_step){ .more = true };
    for (; budget > 0 && r == SES_OK && ret_step->more; budget--) {
        const struct ses_key *key;
        if ((key = walk_on(&cursor->records)) != NULL)
            ret_step->removed += collect_one(file, key, now_ms);
        else if ((key = walk_on(&cursor->entries)) != NULL)
            shelf_sweep(file, &cursor->user, key);
        else if ((key = walk_on(&cursor->users)) != NULL)
            r = read_entries(file, key);
        else
            r = read_next(file, ret_step);
    }
    return r;
}

/* -EWOULDBLOCK: another process is at it. */
static int lock_walk(const struct file *file, int *ret_fd)
{
    const int fd = beneath_open(file->root, "gc.lock", O_RDWR | O_CREAT);
    int r = fd < 0 ? fd : fd_lock(fd, LOCK_EX | LOCK_NB);
    *ret_fd = fd;
    return r;
}

int file_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step)
{
    struct file *file = self;
    int fd, r;
    *ret_step = (struct ses_gc_step){ 0 };
    if (!cursor_take(&file->cursor))
        return SES_OK;
    r = lock_walk(file, &fd);
    if (r == 0)
        r = step(file, now_ms, budget, ret_step);
    else
        r = r == -EWOULDBLOCK ? SES_OK : file_fail(file, -r, "locking the collection");
    if (fd >= 0)
        fd_unlock(fd);
    fd_close(fd);
    cursor_release(&file->cursor);
    return r;
}
