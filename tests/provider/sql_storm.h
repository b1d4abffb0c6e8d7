/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_SQL_STORM_H
#define SES_TEST_PROVIDER_SQL_STORM_H

#include "provider/sql_shop.h"

#include <sys/types.h>

/* Several processes that write to the same sessions of one database, and processes that fork. */

struct sql_subject {
    const struct ses_provider_ops *ops;
    const char *config;               /* with neither " nor \ in it */
    void (*settings)(void *instance); /* NULL: sql_patient_settings */
    void (*settle)(void); /* until the server is done with what a killed client has sent; or NULL */
    void (*check)(void);  /* is the database itself sound? Or NULL */
};
extern struct sql_subject storm_subject; /* to be set before */

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

/* Processes that die in the middle of writing: sql_crash.c. */
void killed_writer_loses_nothing_tears_nothing_and_brings_nothing_back(void **state);

#endif
