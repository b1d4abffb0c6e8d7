/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_FILE_DISK_MODEL_H
#define SES_TEST_PROVIDER_FILE_DISK_MODEL_H

/* A disk in memory, and what a call does to it or, if a crash comes, may have done. */

#include "provider/file_calls.h"

#include <stdint.h>

enum { NODES = 96, ENTRIES = 96, NAME = 72, BYTES = 8192, SECTOR = 512, ROOT = 0 };

struct node {
    bool folder;
    size_t len;
    struct timespec mtime; /* zero: never set */
    unsigned char bytes[BYTES];
};

struct entry {
    int folder, node; /* node -1: free */
    char name[NAME];
};

struct disk {
    struct node nodes[NODES];
    struct entry entries[ENTRIES];
    size_t entry_count;
};

enum { SETTLE = CALL_DATASYNC + 1 };

struct op {
    int kind; /* enum call_kind, or SETTLE */
    int node;
    bool is_folder; /* MAKE */
    int folder, to_folder;
    char name[NAME], to[NAME];
    size_t at, len;
    struct timespec mtime;
    unsigned char *bytes;
};

/* What may have become of it; op_variants() of them. */
enum { ABSENT, DONE, FIRST_TORN };

struct entry *disk_find(struct disk *disk, int folder, const char *name);
void disk_clear(struct disk *disk);

/* How many things may become of it, and one of them. */
unsigned op_variants(const struct op *op);
void disk_apply(struct disk *disk, const struct op *op, unsigned variant);

/* Of what can be reached; the order in which it was made does not count. */
uint64_t disk_hash(const struct disk *disk, int folder, uint64_t path);

/* Makes that folder, or asserts that it is the same. */
void disk_write(const struct disk *disk, int folder, const char *path);
void disk_compare(const struct disk *disk, int folder, const char *path);

#endif
