/* SPDX-License-Identifier: MIT */
/* Hosts that hang or fail, copies of connections in a child, and TLS. */
#include "provider/postgres_shop.h"

#include "shared/deadline.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- hosts ---- */

/* Takes connections and never says a word. */
static int listen_and_say_nothing(int *ret_port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)(*ret_port = free_port())),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 100), 0);
    return fd;
}

static void of_much_patience(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->budget_ms = 8000;
}

static void host_that_hangs_leaves_the_others_their_time_and_is_not_asked_again(void **state)
{
    char text[WORDS_ROOM];
    int port;
    (void)state;
    const int listener = listen_and_say_nothing(&port);
    (void)snprintf(text, sizeof text,
                   "postgres://postgres:"
                   "%s"
                   "@localhost:%d,localhost:%d,127.0.0.1:1/postgres",
                   POSTGRES_PASSWORD_URL, port, server.port);
    int64_t before = monotonic_ms();
    assert_ok(postgres_open(&shop, text, of_much_patience));
    assert_in_range(monotonic_ms() - before, 1000, 4000);
    assert_int_equal(postgres_number(guest, "SELECT count(pg_terminate_backend(pid, 10000)) FROM "
                                            "pg_stat_activity WHERE application_name = 'sesame'"),
                     1);
    before = monotonic_ms();
    assert_ok(store_ping(shop.f.store));
    assert_in_range(monotonic_ms() - before, 0, 1000);
    sql_shop_close(&shop);
    (void)close(listener);
}

static void each_host_that_fails_is_told_in_the_one_line(void **state)
{
    (void)state;
    assert_code(postgres_open(&shop, "host=/nowhere,127.0.0.1 port=7,1 user=u", NULL),
                SES_ERR_UNAVAILABLE);
    assert_int_equal(shop.lines, 1);
    assert_non_null(strstr(shop.told, "/nowhere"));
    assert_non_null(strstr(shop.told, "; connection to server at \"127.0.0.1\", port 1 failed"));
}

/* ---- forks ---- */

static int64_t backend(void)
{
    return postgres_number(guest, "SELECT max(pid) FROM pg_stat_activity "
                                  "WHERE application_name = 'sesame'");
}

static void child_lets_go_of_its_copy_without_a_word_to_the_server(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    (void)put(&shop.f, &key, "alpha");
    const int64_t before = backend();
    for (int i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0)
            _exit(store_ping(shop.f.store) == SES_OK ? 0 : 1);
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_ok(store_ping(shop.f.store));
    }
    wait_until("SELECT (count(*) = 1)::int FROM pg_stat_activity WHERE application_name = "
               "'sesame'");
    assert_int_equal(backend(), before);
    assert_int_equal(shop.lines, 0);
}

/* ---- TLS ---- */

static void make_certificate(void)
{
    char text[900];
    const char *data = server.folder;
    (void)snprintf(text, sizeof text,
                   "cd %s/data && openssl req -x509 -newkey ec -pkeyopt "
                   "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext "
                   "subjectAltName=DNS:localhost -keyout server.key -out server.crt >log.txt 2>&1 "
                   "&& chmod 600 server.key && cp server.crt ../root.crt && "
                   "chown --reference=PG_VERSION server.key server.crt",
                   data);
    assert_int_equal(system(text), 0); /* NOLINT(cert-env33-c): of the test's own words */
    postgres_say(guest, "ALTER SYSTEM SET ssl = on");
    postgres_say(guest, "SELECT pg_reload_conf()");
    wait_until("SELECT count(*) FROM pg_settings WHERE name = 'ssl' AND setting = 'on'");
}

/* Records of all sizes, so that some do not end where libpq's buffer does. */
static void by_tls_all_works_and_a_wrong_name_is_refused(void **state)
{
    static unsigned char bytes[200000];
    char text[WORDS_ROOM], more[300];
    (void)state;
    make_certificate();
    (void)snprintf(more, sizeof more, "host=localhost sslmode=verify-full sslrootcert=%s/root.crt",
                   server.folder);
    assert_ok(postgres_open(&shop, postgres_port_words(&server, more, text), NULL));
    const int64_t before = monotonic_ms();
    for (size_t len = 1; len < sizeof bytes; len += 3989) {
        const struct ses_key key = new_key();
        struct ses_record record =
                              make_record((struct ses_slice){ bytes, len }, shop.f.now + LIFE_MS),
                          there = { 0 };
        assert_ok(store_create(shop.f.store, &key, shop.f.now, NULL, &record));
        assert_ok(store_load(shop.f.store, &key, shop.f.now, &there));
        assert_int_equal(ses_blob_bytes(there.data).len, len);
        drop_record(&there);
        drop_record(&record);
    }
    assert_in_range(monotonic_ms() - before, 0, 5000);
    assert_int_equal(postgres_number(guest, "SELECT count(*) FROM pg_stat_ssl WHERE ssl"), 1);
    sql_shop_close(&shop);
    (void)snprintf(more, sizeof more, "sslmode=verify-full sslrootcert=%s/root.crt", server.folder);
    assert_code(postgres_open(&shop, postgres_port_words(&server, more, text), NULL),
                SES_ERR_UNAVAILABLE);
    assert_int_equal(shop.lines, 1);
    assert_non_null(strstr(shop.told, "does not match host name"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE_ALONE(host_that_hangs_leaves_the_others_their_time_and_is_not_asked_again),
        CASE_ALONE(each_host_that_fails_is_told_in_the_one_line),
        CASE_IN_A_SHOP(child_lets_go_of_its_copy_without_a_word_to_the_server),
        CASE_ALONE(by_tls_all_works_and_a_wrong_name_is_refused),
    };
    start_server(NULL);
    return cmocka_run_group_tests(tests, NULL, end_guest);
}
