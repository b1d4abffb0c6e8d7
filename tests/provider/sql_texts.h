/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQL_TEXTS_H
#define SES_TEST_PROVIDER_SQL_TEXTS_H

#include "provider/sql_shop.h"

/* T-32: texts that somebody might read as SQL (sql_subject). */
enum { CORPUS = 38 };
extern const char *const corpus[CORPUS];

void prefix_of_anything_but_a_name_is_refused(void **state);

/* ---- for cases of a database's own ---- */

/* Each as a key, a user and a record: the store's answers are those to any others. */
void use_texts(struct sql_shop *shop);

/* The same in a store without a record; afterwards each is there, and each ends alone. */
void assert_texts_are_bytes(struct sql_shop *shop);

#endif
