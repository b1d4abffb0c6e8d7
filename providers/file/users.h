/* SPDX-License-Identifier: MIT */
#ifndef SES_FILE_USERS_H
#define SES_FILE_USERS_H

#include "file/record.h"

/*
 * The index by user: a folder for each, with an empty file for each of their records.
 *
 * The entry is made before the record and goes after it, so a list may find too much, never too
 * little; it asks each record whose it is. Whoever adds, removes or counts holds the folder's lock,
 * and the lock of a record only within it, never the other way round.
 * What is too much, because somebody died between the two, is removed by a list and by gc.
 */

/* The folders that the folders of users lie in. */
enum { SHELF_FOLDERS = 256 };

/* The lock of a user's folder. */
struct shelf {
    const struct file *file;
    const struct ses_key *user;
    struct place place;
    int fd;
};

/* SES_ERR_NOT_FOUND: there is none, and @p make is false. SES_ERR_DENIED: somebody has it, and
 * @p how has LOCK_NB. */
int shelf_open(struct shelf *shelf, const struct file *file, const struct ses_key *user, int how,
               bool make);
void shelf_close(struct shelf *shelf);

/* SES_ERR_GONE: the folder was removed since it was opened. */
int shelf_add(const struct shelf *shelf, const struct ses_key *key);
void shelf_remove(const struct shelf *shelf, const struct ses_key *key);

/* Is the user's record alive under that key? Fills @p image, which the caller closes. An
 * outcome of ours, or a failure. SES_ERR_GONE: it is nobody's, or somebody else's, any more. */
int user_look(struct image *image, const struct ses_key *user, int64_t now_ms);

/* Has the user fewer than @p limit? SES_ERR_DENIED. */
int shelf_may_have_more(const struct shelf *shelf, uint32_t limit, int64_t now_ms);

/* The entry goes, if the record is not the user's any more. */
int user_forget(const struct file *file, const struct ses_key *user, const struct ses_key *key);

/* Makes the entry if it is missing. */
int user_remember(const struct file *file, const struct ses_key *user, const struct ses_key *key);

/* What gc looks at: which users there are in one of those folders, and the entries of one. */
int shelves_read(const struct file *file, uint32_t number, struct names *users);
int shelf_read(const struct file *file, const struct ses_key *user, struct names *entries);

/* The entry goes, if its record has gone; without @p key, the folder that is empty. Waits for
 * nobody: what somebody is at is left to the next walk. */
void shelf_sweep(const struct file *file, const struct ses_key *user, const struct ses_key *key);

int file_list(void *self, const struct ses_key *user, int64_t now_ms, ses_record_fn *fn, void *arg);

#endif
