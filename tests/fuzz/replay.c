/* SPDX-License-Identifier: MIT */

/*
 * Runs a fuzz target once on every file of a corpus, and tells TAP. Stands in for libFuzzer's main
 * in an ordinary build, so that every run of the suite replays what fuzzing has found.
 */

#include "base/cleanup.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Of exactly the file's size: a sanitizer then sees a read one byte past the end. */
static uint8_t *read_whole(FILE *file, size_t *ret_size)
{
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size < 0 || fseek(file, 0, SEEK_SET) != 0)
        return NULL;
    uint8_t *data = malloc(size ? (size_t)size : 1);
    if (data && fread(data, 1, (size_t)size, file) != (size_t)size) {
        free(data);
        return NULL;
    }
    *ret_size = (size_t)size;
    return data;
}

static bool replay(const char *folder, const char *name)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return false;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    size_t size;
    CLEANUP(free) uint8_t *data = read_whole(file, &size);
    (void)fclose(file);
    if (!data)
        return false;
    (void)LLVMFuzzerTestOneInput(data, size);
    return true;
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    int count = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : 0;
    if (count <= 0) {
        printf("Bail out! no corpus\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* an input that kills us leaves its predecessors told */
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        printf("# %s\n", entries[i]->d_name);
        bool ok = replay(argv[1], entries[i]->d_name);
        printf("%sok %d - %s\n", ok ? "" : "not ", i + 1, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
