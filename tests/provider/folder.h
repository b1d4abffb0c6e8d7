/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_FOLDER_H
#define SES_TEST_PROVIDER_FOLDER_H

#include <sesame/ext/conformance.h>

/* A folder of the test program's own, removed with all that is in it when the program ends. */
const char *own_folder(void);

/* That one lies in memory, where there is room for such: before the first own_folder(). For tests
 * that ask nothing of a disk. */
void prefer_memory(void);

/* Removes what is in that folder, and it. */
void remove_folder(const char *path);

/* Settings of the provider "file", as the configuration would write them: for the conformance
 * suite, which applies no presets. */
void file_plain(void *instance);
void file_deep(void *instance);
void file_full(void *instance);

/* Runs the suite in a folder of its own. */
int conform_in_folder(void (*settings)(void *instance));

#endif
