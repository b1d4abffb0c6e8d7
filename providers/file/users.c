/* SPDX-License-Identifier: MIT */
#include "file/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { SHELF_TRIES = 1000 };

/* ---- the folder of a user ---- */

int shelf_open(struct shelf *shelf, const struct file *file, const struct ses_key *user, int how,
               bool make)
{
    shelf->file = file;
    shelf->user = user;
    place_of_user(user, &shelf->place);
    shelf->fd = beneath_open(file->root, shelf->place.path, O_RDONLY | O_DIRECTORY);
    if (shelf->fd == -ENOENT && make)
        shelf->fd = beneath_make(file, shelf->place.path);
    if (shelf->fd == -ENOENT && !make)
        return SES_ERR_NOT_FOUND;
    if (shelf->fd == -ENOENT)
        return SES_ERR_GONE; /* removed as soon as it was made */
    if (shelf->fd < 0) {
        const int error = -shelf->fd;
        static const char what[] = "opening the index of a user";
        return make ? file_fail_write(file, error, what) : file_fail(file, error, what);
    }
    const int r = fd_lock(shelf->fd, how);
    if (r == -EWOULDBLOCK)
        return SES_ERR_DENIED;
    return r < 0 ? file_fail(file, -r, "locking the index of a user") : SES_OK;
}

void shelf_close(struct shelf *shelf)
{
    if (shelf->fd >= 0)
        fd_unlock(shelf->fd);
    fd_close(shelf->fd);
    shelf->fd = -1;
}

static int sync_shelf(const struct shelf *shelf)
{
    return shelf->file->durability == DURABLE_FULL && fsync(shelf->fd) < 0 ? -errno : 0;
}

int shelf_add(const struct shelf *shelf, const struct ses_key *key)
{
    char name[KEY_DIGITS + 1];
    key_to_name(key, name);
    int r = mknodat(shelf->fd, name, S_IFREG | S_IRUSR | S_IWUSR, 0) < 0 ? -errno : 0;
    if (r == -ENOENT)
        return SES_ERR_GONE;
    if (r == 0 || r == -EEXIST) /* who made it may have died before it was synced */
        r = sync_shelf(shelf);
    return r < 0 ? file_fail_write(shelf->file, -r, "writing the index of a user") : SES_OK;
}

/* The folder goes with the last entry; a create that waits for its lock then makes another. */
static void remove_if_empty(const struct shelf *shelf)
{
    const int parent = beneath_open(shelf->file->root, shelf->place.folder, O_RDONLY | O_DIRECTORY);
    if (parent >= 0)
        (void)unlinkat(parent, shelf->place.name, AT_REMOVEDIR);
    fd_close(parent);
}

/* What stays if it fails is removed when it is seen the next time. */
void shelf_remove(const struct shelf *shelf, const struct ses_key *key)
{
    char name[KEY_DIGITS + 1];
    key_to_name(key, name);
    (void)unlinkat(shelf->fd, name, 0);
    remove_if_empty(shelf);
}

/* ---- what is in it ---- */

int user_look(struct image *image, const struct ses_key *user, int64_t now_ms)
{
    const int r = image_look(image);
    if (r == SES_ERR_NOT_FOUND || r == SES_ERR_CORRUPT)
        return SES_ERR_GONE;
    if (r < 0)
        return r;
    const struct frame *frame = &image->slots.frame;
    if (!ses_kind_is_live(frame->kind) || !ses_key_equal(&frame->user, user))
        return SES_ERR_GONE;
    return image_is_alive(image, now_ms) ? SES_OK : SES_ERR_NOT_FOUND;
}

static int ask_one(const struct file *file, const struct ses_key *user, const struct ses_key *key,
                   int64_t now_ms)
{
    struct image image;
    image_init(&image, file, key);
    const int r = user_look(&image, user, now_ms);
    image_close(&image);
    return r;
}

int shelf_may_have_more(const struct shelf *shelf, uint32_t limit, int64_t now_ms)
{
    struct names names = { 0 };
    uint32_t alive = 0;
    int r = names_read(shelf->fd, &names, NULL);
    if (r < 0) {
        names_free(&names);
        return r == -ENOENT ? SES_OK : file_fail(shelf->file, -r, "reading the index of a user");
    }
    r = SES_OK;
    for (size_t i = 0; names.count >= limit && i < names.count && alive < limit; i++) {
        r = ask_one(shelf->file, shelf->user, &names.keys[i], now_ms);
        if (ses_is_failure(r))
            break;
        alive += r == SES_OK;
        r = SES_OK;
    }
    names_free(&names);
    if (r < 0)
        return r;
    return alive < limit ? SES_OK : SES_ERR_DENIED;
}

int user_forget(const struct file *file, const struct ses_key *user, const struct ses_key *key)
{
    struct shelf shelf;
    int r = shelf_open(&shelf, file, user, LOCK_EX, false);
    if (r == SES_OK)
        r = ask_one(file, user, key, INT64_MIN);
    if (r == SES_ERR_GONE && shelf.fd >= 0)
        shelf_remove(&shelf, key);
    shelf_close(&shelf);
    return ses_is_failure(r) ? r : SES_OK;
}

int user_remember(const struct file *file, const struct ses_key *user, const struct ses_key *key)
{
    int r = SES_ERR_GONE;
    for (int tries = 0; tries < SHELF_TRIES && r == SES_ERR_GONE; tries++) {
        struct shelf shelf;
        r = shelf_open(&shelf, file, user, LOCK_EX, true);
        if (r == SES_OK)
            r = shelf_add(&shelf, key);
        shelf_close(&shelf);
    }
    return r;
}

/* ---- what was left behind ---- */

static int read_names(const struct file *file, const char *path, struct names *names)
{
    const int fd = beneath_open(file->root, path, O_RDONLY | O_DIRECTORY);
    const int r = fd < 0 ? fd : names_read(fd, names, NULL);
    fd_close(fd);
    return r < 0 && r != -ENOENT ? file_fail(file, -r, "reading the index of users") : SES_OK;
}

int shelves_read(const struct file *file, uint32_t number, struct names *users)
{
    char path[PLACE_BYTES];
    (void)snprintf(path, sizeof path, "users/%02x", number % SHELF_FOLDERS);
    return read_names(file, path, users);
}

int shelf_read(const struct file *file, const struct ses_key *user, struct names *entries)
{
    struct place place;
    place_of_user(user, &place);
    return read_names(file, place.path, entries);
}

static bool record_is_gone(const struct file *file, const struct ses_key *key)
{
    struct place place;
    struct stat stat;
    place_of_record(file, key, &place);
    return fstatat(file->root, place.path, &stat, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* Whoever creates holds the lock from before the entry until after the record. So with it in our
 * hands an entry without a record is nobody's who lives, however young it is. */
void shelf_sweep(const struct file *file, const struct ses_key *user, const struct ses_key *key)
{
    struct shelf shelf;
    if (key && !record_is_gone(file, key))
        return;
    if (shelf_open(&shelf, file, user, LOCK_EX | LOCK_NB, false) == SES_OK) {
        if (!key)
            remove_if_empty(&shelf);
        else if (record_is_gone(file, key))
            shelf_remove(&shelf, key);
    }
    shelf_close(&shelf);
}

/* ---- list ---- */

/* What a list shows, and which entries lead to nothing. */
struct listing {
    struct names names;
    struct ses_record *records; /* data is NULL: not shown */
    bool *lost;
};

static int listing_fill(struct listing *listing, const struct shelf *shelf, int64_t now_ms)
{
    int r = names_read(shelf->fd, &listing->names, NULL);
    if (r < 0)
        return r == -ENOENT ? SES_OK : file_fail(shelf->file, -r, "reading the index of a user");
    const size_t count = listing->names.count;
    listing->records = calloc(count + 1, sizeof *listing->records);
    listing->lost = calloc(count + 1, sizeof *listing->lost);
    if (!listing->records || !listing->lost)
        return file_fail(shelf->file, ENOMEM, "reading the index of a user");

    for (size_t i = 0; i < count; i++) {
        struct image image;
        image_init(&image, shelf->file, &listing->names.keys[i]);
        r = user_look(&image, shelf->user, now_ms);
        if (r == SES_OK)
            r = image_record(&image, &listing->records[i]);
        image_close(&image);
        listing->lost[i] = r == SES_ERR_GONE;
        if (ses_is_failure(r))
            return r;
    }
    return SES_OK;
}

static void listing_free(struct listing *listing)
{
    for (size_t i = 0; listing->records && i < listing->names.count; i++)
        (void)ses_blob_unref(listing->records[i].data);
    free(listing->records);
    free(listing->lost);
    names_free(&listing->names);
}

static int listing_show(const struct listing *listing, ses_record_fn *fn, void *arg)
{
    int r = SES_OK;
    for (size_t i = 0; listing->records && r == 0 && i < listing->names.count; i++) {
        if (listing->records[i].data)
            r = fn(arg, &listing->names.keys[i], &listing->records[i]);
    }
    return r;
}

/* All is read before anything is shown, and nothing is added meanwhile: a session that gets a new
 * key is there under the old one, the new one or both. */
int file_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn, void *arg)
{
    const struct file *file = self;
    struct listing listing = { 0 };
    struct shelf shelf;
    int r = shelf_open(&shelf, file, user, LOCK_SH, false);
    if (r == SES_OK)
        r = listing_fill(&listing, &shelf, now_ms);
    shelf_close(&shelf);
    for (size_t i = 0; r == SES_OK && i < listing.names.count; i++) {
        if (listing.lost && listing.lost[i])
            (void)user_forget(file, user, &listing.names.keys[i]);
    }
    if (!ses_is_failure(r))
        r = listing_show(&listing, fn, arg);
    listing_free(&listing);
    return r;
}
