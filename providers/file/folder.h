/* SPDX-License-Identifier: MIT */
#ifndef SES_FILE_FOLDER_H
#define SES_FILE_FOLDER_H

#include "file/state.h"

#include <dirent.h>
#include <sys/stat.h>

/*
 * The folder: names, and the one way to open them.
 *
 * A name is made of a key and of nothing else. Whatever is opened is opened beneath the root, and
 * through no link, whoever swaps a folder meanwhile. Functions answer 0 or a descriptor, or an
 * errno made negative, and report nothing.
 */

enum {
    KEY_DIGITS = 2 * SES_KEY_BYTES,
    PLACE_BYTES = 160,
};

/* A path beneath the root: of a folder, and of a file in it. */
struct place {
    char path[PLACE_BYTES];
    char folder[PLACE_BYTES];
    char name[KEY_DIGITS + 1];
};

void place_of_record(const struct file *file, const struct ses_key *key, struct place *ret_place);
void place_of_user(const struct ses_key *user, struct place *ret_place);

/* The folders of records are numbered; the path of the first @p levels of that one. */
uint32_t folder_count(const struct file *file);
void folder_path(const struct file *file, uint32_t number, int64_t levels, char out[PLACE_BYTES]);

void key_to_name(const struct ses_key *key, char out[KEY_DIGITS + 1]);
bool key_of_name(const char *name, size_t len, struct ses_key *ret_key);

/* ---- the root ---- */

/* Makes what is missing, and answers with a code of ours: it is reported. */
int root_open(struct file *file, const char *path);

/* ---- beneath it ---- */

/* Adds O_CLOEXEC and O_NONBLOCK. @p dir: the root, or a folder that was opened so. */
int beneath_open(int dir, const char *path, int flags);

/* The folder of that path, with all that are missing on the way to it. */
int beneath_make(const struct file *file, const char *path);

/* Closes, and leaves errno as it is. */
void fd_close(int fd);

/* Waits for it. @p how: LOCK_SH, LOCK_EX, perhaps with LOCK_NB. */
int fd_lock(int fd, int how);

/* Before a locked descriptor is closed: a child that was forked meanwhile has a copy of it, and
 * with it the lock. */
void fd_unlock(int fd);

/* Is it a file of ours, which nobody else can have prepared? 0, or an errno made negative. */
int file_check(const struct stat *stat);

/* ---- what is in a folder ---- */

struct names {
    struct ses_key *keys;
    size_t count, room;
};

/* Appends the keys that have a file there. With @p stale those of temporary files go there. */
int names_read(int folder, struct names *names, struct names *stale);
void names_free(struct names *names);

extern const char temporary_suffix[];

#endif
