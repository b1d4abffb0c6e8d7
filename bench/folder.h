/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

/* A temporary folder on a disk: below TMPDIR, or in the folder build. */

typedef void folder_work_fn(const char *folder, void *arg);

/* Runs @p work in a process of its own with a new folder, and removes that when it ends, or when
 * this is told to end, once the servers that it has started have ended as well. @p name is a part
 * of the folder's. @return the exit status of it. */
int folder_with(const char *name, folder_work_fn *work, void *arg);

#endif
