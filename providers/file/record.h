/* SPDX-License-Identifier: MIT */
#ifndef SES_FILE_RECORD_H
#define SES_FILE_RECORD_H

#include "file/folder.h"
#include "file/frame.h"

/*
 * One record's file, open.
 *
 *     struct image image;
 *     int r = image_hold(file, key, &image);    // locked; or image_look(), which is not
 *     ...
 *     image_close(&image);                      // also after a failure
 *
 * Functions answer with our codes, and have reported failures.
 */
struct image {
    const struct file *file;
    const struct ses_key *key;
    struct place place;
    int fd; /* -1: none */
    bool locked;
    bool existed; /* before image_hold_new() */
    struct stat stat;
    struct slots slots;
    unsigned char *bytes; /* what was read: small, or on the heap */
    size_t room;
    unsigned char small[4096];
};

void image_init(struct image *image, const struct file *file, const struct ses_key *key);
void image_close(struct image *image);

/* Reads it without a lock, unless writers are faster than we read. SES_ERR_NOT_FOUND,
 * SES_ERR_CORRUPT: it was moved to the quarantine. */
int image_look(struct image *image);

/* The same, for a change: locked, and still under its name. */
int image_hold(struct image *image);

/* The same for whoever removes it, valid or not: look at slots.newest. Without @p waits
 * SES_ERR_DENIED if somebody else has it. */
int image_hold_any(struct image *image, bool waits);

/* The same, and makes the file if there is none: then, and for what is not valid, slots.newest
 * is -1. */
int image_hold_new(struct image *image);

/* Until when it is alive: what was written with it, or what a touch set since. */
int64_t image_expires(const struct image *image);
bool image_is_alive(const struct image *image, int64_t now_ms);

/* A copy of the record. */
int image_record(const struct image *image, struct ses_record *ret_record);

/* The rest asks for a lock. */

/* Writes the older slot; if the record has outgrown it, another file in the place of this one. */
int image_write(struct image *image, const struct ses_key *user, const struct ses_record *record);
int image_touch(struct image *image, int64_t expires_ms);
int image_remove(struct image *image);

/* What a writer has left that died before its file took the place of this one. */
void image_remove_temporary(const struct image *image);

/* Moves what is not valid out of the way, and answers SES_ERR_CORRUPT. */
int image_quarantine(struct image *image);

#endif
