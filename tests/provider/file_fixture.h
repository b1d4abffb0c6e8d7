/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_FILE_FIXTURE_H
#define SES_TEST_PROVIDER_FILE_FIXTURE_H

/* What the tests of the provider "file" share: a store in a folder of each test's own. */

#include "provider/folder.h"
#include "support/test.h"

#include "file/frame.h"
#include "file/state.h"

#include <stdbool.h>
#include <sys/stat.h>

extern const struct ses_provider_ops ses_provider_file;

enum { LIFE = 60000 };
#define NOW_MS INT64_C(4000000000000) /* later than what the kernel sets by itself */

struct shop {
    char root[128];
    struct store *store;
    char told[512]; /* the last line of the log */
    unsigned lines;
};

/* A new folder, and a store in it. */
int shop_setup(void **state);
int shop_teardown(void **state);

/* Another one in the same folder; or the code of why there is none. */
int shop_open(struct shop *shop, const char *root, void (*settings)(void *instance),
              struct store **ret_store);

struct ses_key key_of(unsigned number);

/* A record of @p len times that byte, version @p version. */
int create(struct store *store, const struct ses_key *key, uint64_t version, unsigned char byte,
           size_t len);
int save(struct store *store, const struct ses_key *key, uint64_t expected, uint64_t version,
         unsigned char byte, size_t len);
int create_for(struct store *store, const struct ses_key *key, const struct ses_key *user,
               uint32_t limit);

/* Its code, and the version of what is there. Checks that all bytes are the same one. */
int load(struct store *store, const struct ses_key *key, uint64_t *ret_version);

/* How many the user has. */
unsigned listed(struct store *store, const struct ses_key *user);

/* The paths of things in the folder; static storage, of the last four calls. */
const char *path_of(const struct shop *shop, const char *rest);
const char *record_path(const struct shop *shop, const struct ses_key *key);
const char *entry_path(const struct shop *shop, const struct ses_key *user,
                       const struct ses_key *key);
bool is_there(const char *path);

#endif
