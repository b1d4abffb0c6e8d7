/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQL_STORE_H
#define SES_TEST_PROVIDER_SQL_STORE_H

#include "provider/sql_shop.h"
#include "sql/store.h"

/* The tables of a store: who makes them, brings them forward, and what of another shape is refused
 * (sql_subject, and these). */
struct sql_tables {
    const struct sql_dialect *dialect;
    int (*open)(void *instance, ses_provider_host *host, const char *config,
                const struct sql_dialect *dialect); /* as the provider does, with another dialect */
    void (*empty)(void);                 /* makes the subject's database anew, or another */
    void (*say)(const char *text);       /* somebody else in it; must succeed */
    int64_t (*number)(const char *text); /* the first of the answer to somebody else */
    const char *count;                   /* asks how many tables there are; or NULL */
    const char *columns;                 /* asks how many columns the table of sessions has; NULL:
                                            a step is no transaction, and may be done in part */
    const char *quote;                   /* around a name that is a word of SQL */
    const char *bytes;                   /* the type that a text is cast to, to be bytes */
    const char *page;                    /* the path of what is written about the provider */
};
extern struct sql_tables tables; /* to be set before */

void table_is_made_on_request_and_then_used_by_all(void **state);
void row_shows_what_the_page_says(void **state);
void rows_are_counted_as_they_were_found(void **state);
void tables_of_several_prefixes_share_a_database_and_no_session(void **state);
void older_table_is_brought_forward_on_request_and_keeps_its_rows(void **state);
void of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward(void **state);
void missing_table_is_one_line_and_is_not_made_unasked(void **state); /* with .count */
void migration_that_fails_changes_nothing(void **state);              /* with .columns */

#define CASE_IN_A_DATABASE(name) cmocka_unit_test_setup(name, sql_new_database)
#define SQL_TABLES_TESTS                                                                           \
 CASE_IN_A_DATABASE(table_is_made_on_request_and_then_used_by_all),                                \
     CASE_IN_A_DATABASE(row_shows_what_the_page_says),                                             \
     CASE_IN_A_DATABASE(rows_are_counted_as_they_were_found),                                      \
     CASE_IN_A_DATABASE(tables_of_several_prefixes_share_a_database_and_no_session),               \
     CASE_IN_A_DATABASE(older_table_is_brought_forward_on_request_and_keeps_its_rows),             \
     CASE_IN_A_DATABASE(of_many_that_start_at_once_one_makes_the_table_and_one_brings_it_forward)

/* ---- for cases of a database's own ---- */

int sql_new_database(void **state); /* tables.empty, as cmocka calls it */

/* The subject's settings, but that a missing table is not made. */
void without_create_table(void *instance);

/* NULL: the subject's. @return the code of opening; on failure there is nothing to close. */
int sql_tables_open(struct sql_shop *shop, const struct ses_provider_ops *ops,
                    void (*settings)(void *instance));

/* With that code, and in one line that says so. */
void assert_config_refused(struct sql_shop *shop, const char *config,
                           void (*settings)(void *instance), int code, const char *says);
void assert_refused(struct sql_shop *shop, void (*settings)(void *instance), const char *says);

/* A database of these tables, whether or not missing ones are made. */
void assert_shape_refused(struct sql_shop *shop, const char *schema, const char *sessions,
                          const char *says); /* sessions: or NULL */

/* The provider of a later release, whose tables have one more version than today's. One at a
 * time. */
struct ses_provider_ops later_release(const char *const *texts);

/* What the page has from there on and before that; until the next call. */
const char *part_of_the_page(const char *begin, const char *end);

/* Each operation of a store once; nothing is told. */
void use_every_operation(struct sql_shop *shop);

#endif
