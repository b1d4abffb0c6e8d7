/* SPDX-License-Identifier: MIT */
#ifndef SES_FILE_COLLECT_H
#define SES_FILE_COLLECT_H

#include "file/state.h"

/* The operations on the whole store. */
int file_gc(void *self, int64_t now_ms, uint32_t budget, struct ses_gc_step *ret_step);
int file_count(void *self, int64_t now_ms, uint64_t *ret_count);
int file_iterate(void *self, int64_t now_ms, ses_record_fn *fn, void *arg);

void cursor_free(struct cursor *cursor);

/* Makes the entries of the index that are missing. */
int index_rebuild(struct file *file);

#endif
