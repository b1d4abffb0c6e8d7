/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQL_WITHIN_H
#define SES_TEST_PROVIDER_SQL_WITHIN_H

#include "provider/sql_storm.h"

/* Sessions that are stored within transactions of the application (sql_subject, and these). */
struct sql_application {
    void *(*connect)(void);
    void (*say)(void *connection, const char *text); /* must succeed */
    int64_t (*number)(void *connection, const char *text);
    void (*cut)(void *connection); /* the server ends it */
    void (*close)(void *connection);
    const char *snapshot; /* begins a transaction whose reads all show one moment */
};
extern struct sql_application application; /* to be set before */

void row_and_session_change_together(void **state);
void what_is_rolled_back_is_not_stored_and_can_be_made_again(void **state);
void change_of_another_request_is_merged(void **state);
void old_snapshot_is_never_replayed(void **state);
void rows_and_counter_agree_after_a_storm_with_rollbacks(void **state);
void new_session_exists_once_the_transaction_is_committed(void **state);
void ended_session_is_gone_also_within(void **state);
void renewed_session_is_followed(void **state);
void cookie_of_a_new_id_is_sent_also_after_a_rollback(void **state);
void first_use_of_a_new_id_needs_no_transaction(void **state);
void without_a_transaction_it_is_refused_and_nothing_is_lost(void **state);
void without_changes_the_connection_is_not_used(void **state);
void lost_connection_is_unavailable_and_stores_nothing(void **state);

#define SQL_WITHIN_TESTS                                                                           \
 cmocka_unit_test(row_and_session_change_together),                                                \
     cmocka_unit_test(what_is_rolled_back_is_not_stored_and_can_be_made_again),                    \
     cmocka_unit_test(change_of_another_request_is_merged),                                        \
     cmocka_unit_test(old_snapshot_is_never_replayed),                                             \
     cmocka_unit_test(rows_and_counter_agree_after_a_storm_with_rollbacks),                        \
     cmocka_unit_test(new_session_exists_once_the_transaction_is_committed),                       \
     cmocka_unit_test(ended_session_is_gone_also_within),                                          \
     cmocka_unit_test(renewed_session_is_followed),                                                \
     cmocka_unit_test(cookie_of_a_new_id_is_sent_also_after_a_rollback),                           \
     cmocka_unit_test(first_use_of_a_new_id_needs_no_transaction),                                 \
     cmocka_unit_test(without_a_transaction_it_is_refused_and_nothing_is_lost),                    \
     cmocka_unit_test(without_changes_the_connection_is_not_used),                                 \
     cmocka_unit_test(lost_connection_is_unavailable_and_stores_nothing)

/* ---- for cases of a database's own ---- */

/* A store, and a connection of the application: the case's state. */
struct within {
    struct sql_shop shop;
    void *connection;
};

#define CASE_WITHIN(name) cmocka_unit_test_setup_teardown(name, within_set_up, within_tear_down)
int within_set_up(void **state);
int within_tear_down(void **state);

/* Asks by that connection for a session that does not exist. @return the code. */
int load_within(struct within *within);

#endif
