/* SPDX-License-Identifier: MIT */
#include "provider/postgres_shop.h"

#include "shared/deadline.h"

struct server server;
struct sql_shop shop;
PGconn *guest;
char words[WORDS_ROOM];

void start_server(const char *const *more)
{
    postgres_start(&server, more);
    (void)postgres_words(&server, "", words);
    guest = postgres_guest(&server, "");
}

int end_guest(void **state)
{
    (void)state;
    PQfinish(guest);
    return 0;
}

int empty_database(void **state)
{
    (void)state;
    postgres_say(guest, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return 0;
}

int new_shop(void **state)
{
    (void)empty_database(state);
    return postgres_open(&shop, words, NULL);
}

int end_shop(void **state)
{
    (void)state;
    sql_shop_close(&shop);
    return 0;
}

void wait_until(const char *question)
{
    const struct deadline deadline = deadline_in(20000);
    while (postgres_ask_number(&server, question) == 0)
        assert_false(deadline_passed(deadline));
}
