/* SPDX-License-Identifier: MIT */
#include "provider/sql_texts.h"

#include "sql/store.h"

#include <stdio.h>

const char *const corpus[] = {
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "\xbf\x5c\x27",
    "\xbf'",
    "\x81\x5c",
    "\x95\x5c'",
    "\xa1\x5c' OR 1=1 -- ",
    "\x83\x5c' OR 1=1 -- ",
    ";",
    "--",
    "/*",
    "a'b",
    "x'); DROP TABLE sesame_sessions; --",
    "' OR '1'='1",
    "\xff\xfe",
    "\xc0\xa7",
    "%00",
    "?",
    "?1",
    "#",
    "file:x?mode=memory",
    "a\nb",
    "a\tb",
    "@",
    "$1",
    "$$",
    ":a",
    "E'\\000'",
    "\\x00",
    "%s%n",
    "[x]",
    "a b",
    "\xe2\x80\x99",
    "\xf0\x9f\x94\x91",
};

static struct ses_key key_of(size_t i)
{
    struct ses_key key = { { 0 } };
    (void)snprintf((char *)key.bytes, sizeof key.bytes, "%s", corpus[i]);
    return key;
}

/* A record that ends with the text, or with a byte 0. */
static struct ses_record record_of(const struct sql_shop *shop, size_t i, bool with_zero)
{
    const struct ses_slice bytes = { corpus[i], strlen(corpus[i]) + with_zero };
    return make_record(bytes, shop->f.now + LIFE_MS);
}

static void assert_there(struct sql_shop *shop, const struct ses_key *key,
                         const struct ses_record *record)
{
    struct ses_record there = { 0 };
    const struct ses_slice bytes = ses_blob_bytes(record->data);
    assert_ok(store_load(shop->f.store, key, shop->f.now, &there));
    assert_int_equal(ses_blob_bytes(there.data).len, bytes.len);
    assert_memory_equal(ses_blob_bytes(there.data).data, bytes.data, bytes.len);
    assert_int_equal(there.version, record->version);
    assert_int_equal(there.expires_ms, record->expires_ms);
    drop_record(&there);
}

static void assert_user_has_only(struct sql_shop *shop, const struct ses_key *user,
                                 const struct ses_key *key)
{
    const struct ses_key other = new_key();
    struct sighting sighting = { .key = key };
    assert_code(create_owned(&shop->f, &other, user, 1), SES_ERR_DENIED);
    assert_ok(store_list(shop->f.store, user, shop->f.now, note_sighting, &sighting));
    assert_int_equal(sighting.seen, 1);
    assert_int_equal(sighting.others, 0);
}

static void use(struct sql_shop *shop, size_t i)
{
    const struct ses_key key = key_of(i);
    struct ses_owner owner = { .limit = 1 };
    (void)snprintf((char *)owner.user.bytes, sizeof owner.user.bytes, "u%s", corpus[i]);
    struct ses_record winner = { 0 }, record = record_of(shop, i, true),
                      next = record_of(shop, i, false);
    assert_ok(store_create(shop->f.store, &key, shop->f.now, &owner, &record));
    assert_user_has_only(shop, &owner.user, &key);
    assert_there(shop, &key, &record);
    assert_ok(store_save(shop->f.store, &key, shop->f.now, record.version, &next, &winner));
    assert_there(shop, &key, &next);
    assert_code(store_save(shop->f.store, &key, shop->f.now, 1, &next, &winner), SES_ERR_CONFLICT);
    drop_record(&winner);
    drop_record(&next);
    drop_record(&record);
}

void use_texts(struct sql_shop *shop)
{
    for (size_t i = 0; i < CORPUS; i++)
        use(shop, i);
}

void assert_texts_are_bytes(struct sql_shop *shop)
{
    const struct ses_key none = { { 0 } };
    struct sighting all = { .key = &none };
    uint64_t count = 0;
    use_texts(shop);
    assert_ok(store_iterate(shop->f.store, shop->f.now, note_sighting, &all));
    assert_int_equal(all.others, CORPUS);
    for (size_t i = 0; i < CORPUS; i++) {
        assert_ok(store_count(shop->f.store, shop->f.now, &count));
        assert_int_equal(count, CORPUS - i);
        const struct ses_key key = key_of(i);
        assert_ok(store_destroy(shop->f.store, &key, shop->f.now));
    }
    assert_ok(store_count(shop->f.store, shop->f.now, &count));
    assert_int_equal(count, 0);
    assert_int_equal(shop->lines, 0);
}

static const char *prefix;

static void of_that_prefix(void *instance)
{
    struct sql *sql = instance;
    (sql_subject.settings ? sql_subject.settings : sql_shop_settings)(instance);
    sql->table_prefix = prefix;
}

void prefix_of_anything_but_a_name_is_refused(void **state)
{
    static struct sql_shop shop;
    static const char *const more[] = { "",    "A_",  "1a",
                                        "a-b", "a.b", "abcdefghijklmnopqrstuvwxyz0123456" };
    (void)state;
    for (size_t i = 0; i < CORPUS + sizeof more / sizeof *more; i++) {
        prefix = i < CORPUS ? corpus[i] : more[i - CORPUS];
        assert_code(sql_shop_open(&shop, sql_subject.ops, sql_subject.config, of_that_prefix),
                    SES_ERR_INVALID);
        assert_non_null(strstr(shop.told, "\"tablePrefix\" has to be"));
    }
}
