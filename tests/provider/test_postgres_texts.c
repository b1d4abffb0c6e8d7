/* SPDX-License-Identifier: MIT */
/* T-32: what reaches SQL, whatever the server is told to do with texts. */
#include "provider/postgres_shop.h"
#include "provider/sql_texts.h"

#include <stdio.h>

/* Whatever the server does with texts, it does to none of ours. */
static void bytes_of_keys_users_and_records_are_never_read_as_sql(void **state)
{
    static const char *const settings[] = {
        "",
        "options='-cstandard_conforming_strings=off -cbackslash_quote=on'",
        "client_encoding=SJIS",
        "client_encoding=BIG5",
        "client_encoding=SQL_ASCII",
        "client_encoding=LATIN1 options='-cbytea_output=escape'",
    };
    (void)state;
    for (size_t n = 0; n < sizeof settings / sizeof *settings; n++) {
        char text[WORDS_ROOM];
        (void)empty_database(NULL);
        assert_ok(postgres_open(&shop, postgres_words(&server, settings[n], text), NULL));
        assert_texts_are_bytes(&shop);
        sql_shop_close(&shop);
    }
}

/* As names of databases, which do not exist: said, and nothing done. */
static void parts_of_the_connection_string_are_never_read_as_sql(void **state)
{
    (void)state;
    assert_ok(postgres_open(&shop, words, NULL));
    sql_shop_close(&shop);
    for (size_t i = 0; i < CORPUS; i++) {
        char url[WORDS_ROOM];
        size_t len = (size_t)snprintf(url, sizeof url, "postgres://postgres@/");
        for (const char *at = corpus[i]; *at; at++)
            len += (size_t)snprintf(url + len, sizeof url - len, "%%%02x", (unsigned char)*at);
        (void)snprintf(url + len, sizeof url - len, "?host=%s&port=%d", server.folder, server.port);
        assert_code(postgres_open(&shop, url, NULL), SES_ERR_UNAVAILABLE);
        assert_int_equal(shop.lines, 1);
    }
    assert_int_equal(postgres_number(guest, "SELECT count(*) FROM sesame_sessions"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_ALONE(prefix_of_anything_but_a_name_is_refused),
        CASE_ALONE(bytes_of_keys_users_and_records_are_never_read_as_sql),
        CASE_ALONE(parts_of_the_connection_string_are_never_read_as_sql),
    };
    start_server(NULL);
    sql_subject = (struct sql_subject){ .ops = &ses_provider_postgres, .config = words };
    return cmocka_run_group_tests(tests, NULL, end_guest);
}
