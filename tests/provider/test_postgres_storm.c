/* SPDX-License-Identifier: MIT */
/* Several processes write to the same sessions through managers of their own; nothing is lost. */
#include "provider/postgres_fixture.h"
#include "provider/sql_storm.h"

#include <sesame/sesame.h>

int main(void)
{
    static struct server server;
    static char words[WORDS_ROOM];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_several_processes_are_all_kept),
        cmocka_unit_test(one_counter_of_several_processes_counts_each),
        cmocka_unit_test(limit_of_a_user_holds_among_processes),
        cmocka_unit_test(eight_threads_write_to_sessions_of_their_own),
        cmocka_unit_test(parent_and_child_go_on_with_connections_of_their_own),
        cmocka_unit_test(forks_of_a_process_whose_threads_are_at_work_harm_neither),
        cmocka_unit_test(names_of_users_are_never_read_as_sql),
    };
    postgres_start(&server, NULL);
    storm_subject = (struct sql_subject){
        .ops = &ses_provider_postgres,
        .config = postgres_words(&server, "", words),
    };
    if (ses_provider_register(&ses_provider_postgres) != SES_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
