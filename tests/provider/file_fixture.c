/* SPDX-License-Identifier: MIT */
#include "provider/file_fixture.h"

#include "core/store.h"

#include <err.h>
#include <unistd.h>

static void note_line(void *arg, enum ses_log_level level, const char *line)
{
    struct shop *shop = arg;
    (void)level;
    (void)snprintf(shop->told, sizeof shop->told, "%s", line);
    shop->lines++;
}

int shop_open(struct shop *shop, const char *root, void (*settings)(void *instance),
              struct store **ret_store)
{
    const struct store_hooks hooks = { .log = note_line, .log_arg = shop };
    struct store *store = NULL;
    int r = store_prepare(&ses_provider_file, &hooks, &store);
    assert_ok(r);
    settings(store_instance(store));
    r = store_open(store, root);
    if (r == SES_OK)
        *ret_store = store;
    else
        store_close(store);
    return r;
}

int shop_setup(void **state)
{
    static unsigned number;
    struct shop *shop = calloc(1, sizeof *shop);
    if (!shop)
        return -1;
    (void)snprintf(shop->root, sizeof shop->root, "%s/%u", own_folder(), number++);
    *state = shop;
    return shop_open(shop, shop->root, file_plain, &shop->store);
}

int shop_teardown(void **state)
{
    struct shop *shop = *state;
    store_close(shop->store);
    remove_folder(shop->root);
    free(shop);
    return 0;
}

struct ses_key key_of(unsigned number)
{
    struct ses_key key = { { (unsigned char)number, (unsigned char)(number >> 8), 0xa5 } };
    key.bytes[SES_KEY_BYTES - 1] = 1;
    return key;
}

static struct ses_record record_of(uint64_t version, unsigned char byte, size_t len)
{
    unsigned char *bytes = malloc(len + 1);
    assert_non_null(bytes);
    memset(bytes, byte, len);
    struct ses_record record = { ses_blob_new((struct ses_slice){ bytes, len }), version,
                                 NOW_MS + LIFE, SES_KIND_SESSION };
    free(bytes);
    assert_non_null(record.data);
    return record;
}

int create(struct store *store, const struct ses_key *key, uint64_t version, unsigned char byte,
           size_t len)
{
    const struct ses_record record = record_of(version, byte, len);
    const int r = store_create(store, key, NOW_MS, NULL, &record);
    (void)ses_blob_unref(record.data);
    return r;
}

int create_for(struct store *store, const struct ses_key *key, const struct ses_key *user,
               uint32_t limit)
{
    const struct ses_owner owner = { *user, limit };
    const struct ses_record record = record_of(1, 'a', 100);
    const int r = store_create(store, key, NOW_MS, &owner, &record);
    (void)ses_blob_unref(record.data);
    return r;
}

int save(struct store *store, const struct ses_key *key, uint64_t expected, uint64_t version,
         unsigned char byte, size_t len)
{
    const struct ses_record record = record_of(version, byte, len);
    struct ses_record winner = { 0 };
    const int r = store_save(store, key, NOW_MS, expected, &record, &winner);
    (void)ses_blob_unref(record.data);
    (void)ses_blob_unref(winner.data);
    return r;
}

int load(struct store *store, const struct ses_key *key, uint64_t *ret_version)
{
    struct ses_record record;
    const int r = store_load(store, key, NOW_MS, &record);
    if (r != SES_OK)
        return r;
    const struct ses_slice bytes = ses_blob_bytes(record.data);
    const unsigned char *byte = bytes.data;
    for (size_t i = 1; i < bytes.len; i++)
        assert_int_equal(byte[i], byte[0]);
    *ret_version = record.version;
    (void)ses_blob_unref(record.data);
    return SES_OK;
}

static int add_one(void *arg, const struct ses_key *key, const struct ses_record *record)
{
    (void)key, (void)record;
    ++*(unsigned *)arg;
    return 0;
}

unsigned listed(struct store *store, const struct ses_key *user)
{
    unsigned count = 0;
    assert_ok(store_list(store, user, NOW_MS, add_one, &count));
    return count;
}

/* ---- paths ---- */

static char *next_path(void)
{
    static char paths[4][512];
    static unsigned turn;
    return paths[turn++ % 4];
}

const char *path_of(const struct shop *shop, const char *rest)
{
    char *path = next_path();
    (void)snprintf(path, 512, "%s/%s", shop->root, rest);
    return path;
}

static void write_hex(const struct ses_key *key, char out[65])
{
    for (size_t i = 0; i < SES_KEY_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", key->bytes[i]);
}

const char *record_path(const struct shop *shop, const struct ses_key *key)
{
    char *path = next_path(), name[65];
    write_hex(key, name);
    (void)snprintf(path, 512, "%s/sessions/%.2s/%s", shop->root, name, name);
    return path;
}

const char *entry_path(const struct shop *shop, const struct ses_key *user,
                       const struct ses_key *key)
{
    char *path = next_path(), name[65], folder[65];
    write_hex(key, name);
    write_hex(user, folder);
    (void)snprintf(path, 512, "%s/users/%.2s/%s/%s", shop->root, folder, folder, name);
    return path;
}

bool is_there(const char *path)
{
    struct stat stat;
    return lstat(path, &stat) == 0;
}
