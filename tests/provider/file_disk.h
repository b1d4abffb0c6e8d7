/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_FILE_DISK_H
#define SES_TEST_PROVIDER_FILE_DISK_H

/*
 * What a disk may hold after the power went out.
 *
 * The calls of file_calls.h are noted while a store works. A crash may then come after any of them:
 * what was synced by then is there, and of the rest any part. What may become of each call is
 * decided apart from all others, so that nothing is taken for granted which only the order of one
 * file system's journal gives:
 *
 *  - A name made, removed or replaced by a rename: done or not, until its folder is synced; a
 *    rename is one step. That a file is synced does not make its name so.
 *  - The size of a file, and its time of change: set or not. fdatasync is worth the size, fsync
 *    also the time.
 *  - What is written: nothing of it, all, its first or its last sectors of 512 bytes, or cut at a
 *    byte that is not a sector's end; if it lengthens the file, also zeros. A sector that is not
 *    written to keeps its content.
 *
 * Taken for granted: a sync that succeeded, zeros where nothing was written, the modes of files
 * (nothing changes them with the umask of these tests), and that a name leads to one file.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts to note what happens in that folder, which is empty. */
void disk_watch(const char *folder);
void disk_leave(void);

/* How many calls there were so far. */
size_t disk_calls(void);

/* As if the kernel had written everything. */
void disk_settle(void);

/* Is what was noted all that has happened? Compares it with the folder. */
void assert_nothing_was_missed(void);

/* Tells of every disk that a crash after so many calls may leave, or of a sample if there are
 * more than DISKS_ALL; each in a folder of its own, and once in a life of @p seen. */
enum { DISKS_ALL = 4096, DISKS_SAMPLE = 100 };

struct disks_seen {
    uint64_t *hashes; /* a set, by open addressing */
    size_t count, room;
};
void disks_forget(struct disks_seen *seen);

typedef void disk_fn(void *arg, const char *folder);
size_t disks_after(size_t calls, struct disks_seen *seen, disk_fn *fn, void *arg);

#endif
