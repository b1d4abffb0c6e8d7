/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQL_STORM_H
#define SES_TEST_PROVIDER_SQL_STORM_H

#include "provider/sql_shop.h"

#include <sys/types.h>

/* Several processes that write to the same sessions of one database, and processes that fork
 * (sql_subject). */

/* A session of its own, and a save of it; both as the store answers. */
int sql_create_once(struct fixture *f, struct ses_key *ret_key, uint64_t *ret_version);
int sql_save_once(struct fixture *f, const struct ses_key *key, uint64_t *version);
int sql_storm_open(struct sql_shop *shop);           /* a store of the subject's */
void wait_for_all(const pid_t *children, int count); /* each has to end with 0 */

void keys_of_several_processes_are_all_kept(void **state);
void one_counter_of_several_processes_counts_each(void **state);
void limit_of_a_user_holds_among_processes(void **state);
void eight_threads_write_to_sessions_of_their_own(void **state);
void parent_and_child_go_on_with_connections_of_their_own(void **state);
void forks_of_a_process_whose_threads_are_at_work_harm_neither(void **state);

/* T-32: what a name may be made of, through a manager. */
void names_of_users_are_never_read_as_sql(void **state);

#define SQL_STORM_TESTS                                                                            \
 cmocka_unit_test(keys_of_several_processes_are_all_kept),                                         \
     cmocka_unit_test(one_counter_of_several_processes_counts_each),                               \
     cmocka_unit_test(limit_of_a_user_holds_among_processes),                                      \
     cmocka_unit_test(eight_threads_write_to_sessions_of_their_own),                               \
     cmocka_unit_test(parent_and_child_go_on_with_connections_of_their_own),                       \
     cmocka_unit_test(forks_of_a_process_whose_threads_are_at_work_harm_neither),                  \
     cmocka_unit_test(names_of_users_are_never_read_as_sql)

/* Processes that die in the middle of writing: sql_crash.c. */
void killed_writer_loses_nothing_tears_nothing_and_brings_nothing_back(void **state);

#endif
