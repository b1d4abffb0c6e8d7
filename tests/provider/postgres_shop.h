/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_POSTGRES_SHOP_H
#define SES_TEST_PROVIDER_POSTGRES_SHOP_H

#include "provider/postgres_fixture.h"

/* One server for all cases of a program, each of which finds its database empty. */
extern struct server server;
extern struct sql_shop shop;
extern PGconn *guest;
extern char words[WORDS_ROOM]; /* that lead to it */

void start_server(const char *const *more); /* as postgres_start(), and the guest */
int end_guest(void **state);                /* after all cases */

#define CASE_ALONE(name)     cmocka_unit_test_setup(name, empty_database)
#define CASE_IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, new_shop, end_shop)
int empty_database(void **state);
int new_shop(void **state);
int end_shop(void **state);

/* Until the answer is not 0, by connections of their own. */
void wait_until(const char *question);

#endif
