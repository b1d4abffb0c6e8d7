/* SPDX-License-Identifier: MIT */
#include "provider/sql_store.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct sql_tables tables;

static struct sql_shop shop;

int sql_new_database(void **state)
{
    (void)state;
    tables.empty();
    return 0;
}

static void settings_of_the_subject(void *instance)
{
    (sql_subject.settings ? sql_subject.settings : sql_shop_settings)(instance);
}

void without_create_table(void *instance)
{
    struct sql *sql = instance;
    settings_of_the_subject(instance);
    sql->create_table = false;
}

int sql_tables_open(struct sql_shop *opened, const struct ses_provider_ops *ops,
                    void (*settings)(void *instance))
{
    return sql_shop_open(opened, ops ? ops : sql_subject.ops, sql_subject.config,
                         settings ? settings : settings_of_the_subject);
}

void assert_config_refused(struct sql_shop *refused, const char *config,
                           void (*settings)(void *instance), int code, const char *says)
{
    const int r = sql_shop_open(refused, sql_subject.ops, config,
                                settings ? settings : settings_of_the_subject);
    if (r != code || refused->lines != 1 || !strstr(refused->told, says))
        fail_msg("%d, %d lines: \"%s\" does not say \"%s\"", r, refused->lines, refused->told,
                 says);
    assert_null(strchr(refused->told, '\n'));
}

void assert_refused(struct sql_shop *refused, void (*settings)(void *instance), const char *says)
{
    assert_config_refused(refused, sql_subject.config, settings, SES_ERR_INVALID, says);
}

void assert_shape_refused(struct sql_shop *refused, const char *schema, const char *sessions,
                          const char *says)
{
    tables.empty();
    tables.say(schema);
    if (sessions)
        tables.say(sessions);
    assert_refused(refused, without_create_table, says);
    assert_refused(refused, NULL, says);
}

const char *part_of_the_page(const char *begin, const char *end)
{
    static char page[1 << 16];
    FILE *file = fopen(tables.page, "re");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    (void)fclose(file);
    char *part = strstr(page, begin);
    assert_non_null(part);
    char *after = strstr(part, end);
    assert_non_null(after);
    *after = '\0';
    return part;
}

void use_every_operation(struct sql_shop *used)
{
    struct fixture *f = &used->f;
    const struct ses_key key = new_key(), other = new_key(), user = new_key();
    struct ses_gc_step step;
    uint64_t count;
    (void)put(f, &other, "alpha");
    assert_ok(create_owned(f, &key, &user, 3));
    struct ses_record record = { 0 };
    struct sighting sighting = { .key = &key };
    assert_ok(store_load(f->store, &key, f->now, &record));
    assert_ok(store_touch(f->store, &key, f->now, record.version, f->now + 2 * LIFE_MS));
    assert_ok(save_as(f, &key, record.version, "beta", SES_KIND_SESSION));
    assert_ok(store_list(f->store, &user, f->now, note_sighting, &sighting));
    assert_ok(store_iterate(f->store, f->now, note_sighting, &sighting));
    assert_int_equal(sighting.seen, 2);
    assert_ok(store_count(f->store, f->now, &count));
    assert_ok(store_gc(f->store, f->now, 10, &step));
    assert_ok(store_ping(f->store));
    assert_ok(store_destroy(f->store, &key, f->now));
    assert_int_equal(used->lines, 0);
    drop_record(&record);
}

static void assert_version(const struct ses_key *key, uint64_t version)
{
    struct ses_record record = { 0 };
    assert_ok(store_load(shop.f.store, key, shop.f.now, &record));
    assert_int_equal(record.version, version);
    drop_record(&record);
}

/* ---- making them ---- */

void missing_table_is_one_line_and_is_not_made_unasked(void **state)
{
    (void)state;
    assert_refused(&shop, without_create_table,
                   "no table sesame_sessions: \"createTable\": true makes");
    assert_int_equal(tables.number(tables.count), 0);
}

void table_is_made_on_request_and_then_used_by_all(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(sql_tables_open(&shop, NULL, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    for (int i = 0; i < 2; i++) {
        assert_ok(sql_tables_open(&shop, NULL, i ? NULL : without_create_table));
        assert_int_equal(shop.lines, 0);
        assert_version(&key, version);
        sql_shop_close(&shop);
    }
    assert_int_equal(tables.number("SELECT version FROM sesame_schema"), 1);
    assert_int_equal(tables.number("SELECT count(*) FROM sesame_schema"), 1);
    assert_int_equal(tables.number("SELECT count(*) FROM sesame_sessions"), 1);
}

static int64_t rows_of_the_page(const struct ses_key *key, const struct ses_owner *owner)
{
    char text[600];
    const char *quote = tables.quote, *bytes = tables.bytes;
    (void)snprintf(text, sizeof text,
                   "SELECT count(*) FROM sesame_sessions WHERE version = -7 AND kind = 1 "
                   "AND %skey%s = CAST('%.32s' AS %s) AND %suser%s = CAST('%.32s' AS %s) "
                   "AND expires = 4000000000000 AND record = CAST('bytes' AS %s)",
                   quote, quote, (const char *)key->bytes, bytes, quote, quote,
                   (const char *)owner->user.bytes, bytes, bytes);
    return tables.number(text);
}

/* As the page says, so that others may ask. */
void row_shows_what_the_page_says(void **state)
{
    char text[200];
    (void)state;
    const struct ses_key key = { "0123456789abcdef0123456789abcdef" };
    const struct ses_owner owner = { { "fedcba9876543210fedcba9876543210" }, 0 };
    assert_ok(sql_tables_open(&shop, NULL, NULL));
    struct ses_record record = make_record(SLICE("bytes"), 4000000000000), winner = { 0 };
    record.version = UINT64_MAX - 6;
    assert_ok(store_create(shop.f.store, &key, shop.f.now, &owner, &record));
    assert_int_equal(rows_of_the_page(&key, &owner), 1);
    record.kind = SES_KIND_DEAD;
    record.version = 7;
    assert_ok(store_save(shop.f.store, &key, shop.f.now, UINT64_MAX - 6, &record, &winner));
    (void)snprintf(text, sizeof text,
                   "SELECT count(*) FROM sesame_sessions WHERE version = 7 AND kind = 3 "
                   "AND %suser%s IS NULL",
                   tables.quote, tables.quote);
    assert_int_equal(tables.number(text), 1);
    drop_record(&record);
    sql_shop_close(&shop);
}

/* A touch that moves nothing has found its row; a create over one alive has changed none. */
void rows_are_counted_as_they_were_found(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(sql_tables_open(&shop, NULL, NULL));
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + 1000);
    assert_ok(store_create(shop.f.store, &key, shop.f.now, NULL, &record));
    for (int i = 0; i < 3; i++) {
        assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_EXISTS);
        assert_ok(store_touch(shop.f.store, &key, shop.f.now, record.version, shop.f.now + 1));
    }
    for (int i = 0; i < 3; i++) { /* one that has expired is replaced, also by its equal */
        shop.f.now = record.expires_ms;
        assert_ok(store_create(shop.f.store, &key, shop.f.now, NULL, &record));
    }
    drop_record(&record);
    assert_int_equal(tables.number("SELECT count(*) FROM sesame_sessions"), 1);
    assert_int_equal(shop.lines, 0);
    sql_shop_close(&shop);
}

static void with_another_prefix(void *instance)
{
    struct sql *sql = instance;
    settings_of_the_subject(instance);
    sql->table_prefix = "shop_2_";
}

void tables_of_several_prefixes_share_a_database_and_no_session(void **state)
{
    static struct sql_shop other;
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(sql_tables_open(&shop, NULL, NULL));
    assert_ok(sql_tables_open(&other, NULL, with_another_prefix));
    (void)put(&shop.f, &key, "alpha");
    assert_absent(&other.f, &key);
    sql_shop_close(&other);
    sql_shop_close(&shop);
    assert_int_equal(tables.number("SELECT count(*) FROM shop_2_sessions"), 0);
}

/* ---- later versions ---- */

static struct sql_dialect later;
static struct sql_step later_steps[3];

static int open_later(void *self, ses_provider_host *host, const char *config)
{
    return tables.open(self, host, config, &later);
}

struct ses_provider_ops later_release(const char *const *texts)
{
    const int known = tables.dialect->version;
    struct ses_provider_ops ops = *sql_subject.ops;
    ops.open = open_later;
    later = *tables.dialect;
    memcpy(later_steps, tables.dialect->steps, (size_t)known * sizeof *later_steps);
    later_steps[known].texts = texts;
    later.steps = later_steps;
    later.version = known + 1;
    return ops;
}

#define ONE_MORE_COLUMN "ALTER TABLE @sessions ADD COLUMN extra INTEGER NOT NULL DEFAULT 7"

static const char *const one_more_column[] = { ONE_MORE_COLUMN, NULL };

void older_table_is_brought_forward_on_request_and_keeps_its_rows(void **state)
{
    (void)state;
    const struct ses_provider_ops ops = later_release(one_more_column);
    const struct ses_key key = new_key();
    assert_ok(sql_tables_open(&shop, NULL, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    assert_code(sql_tables_open(&shop, &ops, without_create_table), SES_ERR_INVALID);
    assert_non_null(strstr(shop.told, "of version 1: \"createTable\": true brings it forward"));
    assert_int_equal(tables.number("SELECT version FROM sesame_schema"), 1);

    assert_ok(sql_tables_open(&shop, &ops, NULL));
    assert_version(&key, version);
    sql_shop_close(&shop);
    assert_int_equal(tables.number("SELECT extra FROM sesame_sessions"), 7);
    assert_refused(&shop, NULL, "of version 2, and this build knows 1");
}

void migration_that_fails_changes_nothing(void **state)
{
    static const char *const broken[] = { ONE_MORE_COLUMN, "NONSENSE", NULL };
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(sql_tables_open(&shop, NULL, NULL));
    const uint64_t version = put(&shop.f, &key, "alpha");
    sql_shop_close(&shop);
    const struct ses_provider_ops ops = later_release(broken);
    assert_code(sql_tables_open(&shop, &ops, NULL), SES_ERR_INVALID);
    assert_int_equal(shop.lines, 1);
    assert_int_equal(tables.number("SELECT version FROM sesame_schema"), 1);
    assert_int_equal(tables.number(tables.columns), 7);
    assert_ok(sql_tables_open(&shop, NULL, NULL));
    assert_version(&key, version);
    sql_shop_close(&shop);
}

/* Each would fail if it did what another one has done. */
void of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward(void **state)
{
    enum { PROCESSES = 6, ROUNDS = 10 };
    (void)state;
    const struct ses_provider_ops ops = later_release(one_more_column);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[PROCESSES];
        tables.empty();
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(sql_tables_open(&shop, &ops, NULL) == SES_OK ? 0 : 1);
        }
        for (int i = 0; i < PROCESSES; i++) {
            int status = -1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(tables.number("SELECT version FROM sesame_schema"), 2);
    }
}
