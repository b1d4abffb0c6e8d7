/* SPDX-License-Identifier: MIT */
#include "provider/file_disk_model.h"

#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry *disk_find(struct disk *disk, int folder, const char *name)
{
    for (size_t i = 0; i < disk->entry_count; i++) {
        struct entry *entry = &disk->entries[i];
        if (entry->node >= 0 && entry->folder == folder && strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

static void set_entry(struct disk *disk, int folder, const char *name, int node)
{
    struct entry *entry = disk_find(disk, folder, name);
    if (!entry) {
        assert_true(disk->entry_count < ENTRIES);
        entry = &disk->entries[disk->entry_count++];
        entry->folder = folder;
        (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    }
    entry->node = node;
}

static void resize(struct node *node, size_t len)
{
    assert_true(len <= BYTES);
    if (len > node->len)
        memset(node->bytes + node->len, 0, len - node->len);
    node->len = len;
}

static void put_bytes(struct node *node, size_t at, const unsigned char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (at + len > node->len)
        resize(node, at + len);
    memcpy(node->bytes + at, bytes, len);
}

void disk_clear(struct disk *disk)
{
    for (int i = 0; i < NODES; i++) {
        disk->nodes[i].len = 0;
        disk->nodes[i].mtime = (struct timespec){ 0 };
    }
    disk->entry_count = 0;
}

/* ---- what becomes of it ---- */

static void apply_write(struct disk *disk, const struct op *op, unsigned variant)
{
    struct node *node = &disk->nodes[op->node];
    const unsigned sectors = (unsigned)((op->len + SECTOR - 1) / SECTOR);
    const unsigned torn = variant - FIRST_TORN, at = torn / 2 + 1;
    if (variant == DONE)
        put_bytes(node, op->at, op->bytes, op->len);
    else if (torn < 2 * (sectors - 1) && torn % 2 == 0)
        put_bytes(node, op->at, op->bytes, (size_t)at * SECTOR);
    else if (torn < 2 * (sectors - 1))
        put_bytes(node, op->at + (size_t)at * SECTOR, op->bytes + (size_t)at * SECTOR,
                  op->len - (size_t)at * SECTOR);
    else if (torn == 2 * (sectors - 1))
        put_bytes(node, op->at, op->bytes, op->len / 2);
    else if (torn == 2 * (sectors - 1) + 1)
        put_bytes(node, op->at, op->bytes, op->len - 1);
    else if (op->at + op->len > node->len)
        resize(node, op->at + op->len);
}

unsigned op_variants(const struct op *op)
{
    const unsigned sectors = (unsigned)((op->len + SECTOR - 1) / SECTOR);
    return op->kind == CALL_WRITE ? FIRST_TORN + 2 * (sectors - 1) + 3 : FIRST_TORN;
}

static void rename_entry(struct disk *disk, const struct op *op)
{
    struct entry *entry = disk_find(disk, op->folder, op->name);
    if (entry)
        entry->node = -1;
    set_entry(disk, op->to_folder, op->to, op->node);
}

void disk_apply(struct disk *disk, const struct op *op, unsigned variant)
{
    struct entry *entry;
    if (variant == ABSENT)
        return;
    switch (op->kind) {
    case CALL_MAKE:
        disk->nodes[op->node].folder = op->is_folder;
        set_entry(disk, op->folder, op->name, op->node);
        break;
    case CALL_REMOVE:
        if ((entry = disk_find(disk, op->folder, op->name)) != NULL)
            entry->node = -1;
        break;
    case CALL_RENAME:
        rename_entry(disk, op);
        break;
    case CALL_SIZE:
        resize(&disk->nodes[op->node], op->at);
        break;
    case CALL_WRITE:
        apply_write(disk, op, variant);
        break;
    case CALL_TIMES:
        disk->nodes[op->node].mtime = op->mtime;
        break;
    default:
        break;
    }
}

/* ---- a disk in a folder ---- */

static void write_node(const struct node *node, const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    if (node->len > 0)
        assert_int_equal(pwrite(fd, node->bytes, node->len, 0), node->len);
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, node->mtime };
    if (node->mtime.tv_sec > 0)
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(close(fd), 0);
}

void disk_write(const struct disk *disk, int folder, const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < disk->entry_count; i++) {
        const struct entry *entry = &disk->entries[i];
        char below[PATH_MAX];
        if (entry->node < 0 || entry->folder != folder)
            continue;
        (void)snprintf(below, sizeof below, "%s/%s", path, entry->name);
        if (disk->nodes[entry->node].folder)
            disk_write(disk, entry->node, below);
        else
            write_node(&disk->nodes[entry->node], below);
    }
}

static void compare_node(const struct node *node, const char *path)
{
    static unsigned char bytes[BYTES + 1];
    struct stat stat;
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &stat), 0);
    const ssize_t len = pread(fd, bytes, sizeof bytes, 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(len, node->len);
    assert_memory_equal(bytes, node->bytes, node->len);
    if (node->mtime.tv_sec > 0) {
        assert_int_equal(stat.st_mtim.tv_sec, node->mtime.tv_sec);
        assert_int_equal(stat.st_mtim.tv_nsec, node->mtime.tv_nsec);
    }
}

static size_t count_names(const char *path)
{
    size_t count = 0;
    DIR *stream = opendir(path);
    assert_non_null(stream);
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    assert_int_equal(closedir(stream), 0);
    return count;
}

void disk_compare(const struct disk *disk, int folder, const char *path)
{
    size_t count = 0;
    for (size_t i = 0; i < disk->entry_count; i++) {
        const struct entry *entry = &disk->entries[i];
        char below[PATH_MAX];
        if (entry->node < 0 || entry->folder != folder)
            continue;
        (void)snprintf(below, sizeof below, "%s/%s", path, entry->name);
        if (disk->nodes[entry->node].folder)
            disk_compare(disk, entry->node, below);
        else
            compare_node(&disk->nodes[entry->node], below);
        count++;
    }
    assert_int_equal(count_names(path), count);
}

/* ---- all of it in one number ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

/* The sum over what can be reached, so that the order of entries does not count. */
uint64_t disk_hash(const struct disk *disk, int folder, uint64_t path)
{
    uint64_t sum = path;
    for (size_t i = 0; i < disk->entry_count; i++) {
        const struct entry *entry = &disk->entries[i];
        if (entry->node < 0 || entry->folder != folder)
            continue;
        const struct node *node = &disk->nodes[entry->node];
        uint64_t hash = mix(path, entry->name, strlen(entry->name) + 1);
        if (disk->nodes[entry->node].folder) {
            sum += disk_hash(disk, entry->node, hash);
            continue;
        }
        hash = mix(hash, &node->len, sizeof node->len);
        hash = mix(hash, &node->mtime, sizeof node->mtime);
        sum += mix(hash, node->bytes, node->len);
    }
    return sum;
}
