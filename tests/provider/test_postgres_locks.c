/* SPDX-License-Identifier: MIT */
/* What others hold: locks, deadlocks, conflicts of transactions; hosts that hang; forks; TLS. */
#include "provider/postgres_fixture.h"

#include "shared/deadline.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUDGET_MS = 600, SLACK_MS = 1000 };

static struct server server;
static struct sql_shop shop;
static PGconn *guest;
static char words[WORDS_ROOM];

static void of_little_patience(void *instance)
{
    struct sql *sql = instance;
    sql_shop_settings(instance);
    sql->budget_ms = BUDGET_MS;
}

static int empty_database(void **state)
{
    (void)state;
    postgres_say(guest, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return 0;
}

static int new_shop(void **state)
{
    (void)empty_database(state);
    return postgres_open(&shop, words, NULL);
}

static int end_shop(void **state)
{
    (void)state;
    sql_shop_close(&shop);
    return 0;
}

static void wait_until(const char *question)
{
    const struct deadline deadline = deadline_in(20000);
    while (postgres_ask_number(&server, question) == 0)
        assert_false(deadline_passed(deadline));
}

#define WAITS                                                                                      \
 "FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND "                      \
 "application_name = 'sesame'"

/* ---- locks ---- */

static void lock_of_another_is_unavailable_within_the_budget_and_nobody_waits_for_it_on(
    void **state)
{
    (void)state;
    assert_ok(postgres_open(&shop, words, of_little_patience));
    const struct ses_key key = new_key();
    const uint64_t version = put(&shop.f, &key, "alpha");
    postgres_say(guest, "BEGIN; UPDATE sesame_sessions SET checksum = checksum");
    const int64_t before = monotonic_ms();
    assert_code(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    assert_loads(&shop.f, &key, "alpha", version, shop.f.now + LIFE_MS);
    wait_until("SELECT (count(*) = 0)::int " WAITS); /* the server has given up, too */
    postgres_say(guest, "COMMIT");
    assert_ok(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION));
    sql_shop_close(&shop);
}

struct creation {
    const struct ses_key *key, *user;
    int code;
};

static void *create_in_thread(void *arg)
{
    struct creation *creation = arg;
    creation->code = create_owned(&shop.f, creation->key, creation->user, 5);
    return NULL;
}

static void hex_of(const struct ses_key *key, char text[2 * SES_KEY_BYTES + 1])
{
    for (int i = 0; i < SES_KEY_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
}

/* The store has the user's lock and wants the row, the guest the other way round. The store's
 * transaction is the one that the server undoes: the guest is set to look much later. */
static void deadlock_is_tried_anew(void **state)
{
    char key_hex[2 * SES_KEY_BYTES + 1], user_hex[2 * SES_KEY_BYTES + 1], text[300];
    (void)state;
    const struct ses_key key = new_key(), user = new_key();
    struct creation creation = { .key = &key, .user = &user };
    pthread_t thread;
    hex_of(&key, key_hex);
    hex_of(&user, user_hex);
    (void)snprintf(text, sizeof text,
                   "SET deadlock_timeout = '20s'; BEGIN; INSERT INTO sesame_sessions VALUES "
                   "('\\x%s', 1, 9000000000000, 1, NULL, 1, '')",
                   key_hex);
    postgres_say(guest, text);
    assert_int_equal(pthread_create(&thread, NULL, create_in_thread, &creation), 0);
    wait_until("SELECT count(*) " WAITS);
    (void)snprintf(text, sizeof text,
                   "SELECT pg_advisory_xact_lock(hashtextextended('sesame_sessions %s', 0))",
                   user_hex);
    postgres_say(guest, text); /* returns once the store has lost */
    postgres_say(guest, "ROLLBACK; RESET deadlock_timeout");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(creation.code);
    assert_int_equal(shop.lines, 0);
    wait_until("SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'");
}

/* Each write is refused twice before it is let through. */
static void refuse_with(const char *state_code)
{
    char text[600];
    (void)snprintf(text, sizeof text,
                   "DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries; "
                   "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
                   "BEGIN IF nextval('tries') %% 3 <> 0 THEN RAISE EXCEPTION 'no' "
                   "USING ERRCODE = '%s'; END IF; RETURN NEW; END $$; "
                   "DROP TRIGGER IF EXISTS refuse ON sesame_sessions; CREATE TRIGGER refuse "
                   "BEFORE INSERT OR UPDATE ON sesame_sessions FOR EACH ROW "
                   "EXECUTE FUNCTION refuse()",
                   state_code);
    postgres_say(guest, text);
}

static void transaction_that_does_not_fit_in_is_tried_anew(void **state)
{
    static const char *const codes[] = { "40001", "40P01" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct ses_key key = new_key(), user = new_key(), other = new_key();
        refuse_with(codes[i]);
        const uint64_t version = put(&shop.f, &key, "alpha");
        assert_ok(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION));
        assert_ok(create_owned(&shop.f, &other, &user, 1));
        assert_int_equal(postgres_number(guest, "SELECT last_value FROM tries"), 9);
        assert_code(create_owned(&shop.f, &other, &user, 1), SES_ERR_DENIED);
    }
    assert_int_equal(shop.lines, 0); /* nothing of it is left to be told */
}

static void never_let_through_is_unavailable_within_the_budget(void **state)
{
    (void)state;
    assert_ok(postgres_open(&shop, words, of_little_patience));
    const struct ses_key key = new_key();
    refuse_with("40001");
    postgres_say(guest, "ALTER SEQUENCE tries INCREMENT BY 3");
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + LIFE_MS);
    const int64_t before = monotonic_ms();
    assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_in_range(monotonic_ms() - before, BUDGET_MS / 4, BUDGET_MS / 2 + SLACK_MS);
    drop_record(&record);
    sql_shop_close(&shop);
}

static void server_that_became_a_standby_is_unavailable_and_left(void **state)
{
    (void)state;
    const struct ses_key key = new_key();
    struct sql *sql = store_instance(shop.f.store);
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + LIFE_MS);
    refuse_with("25006");
    assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_int_equal(pool_count(sql->writers), 0);
    drop_record(&record);
}

static void *ping_in_thread(void *arg)
{
    (void)store_ping(arg);
    return NULL;
}

/* The others would each find out by themselves, and wait for it. */
static void with_several_hosts_all_idle_connections_are_left_at_once(void **state)
{
    char text[WORDS_ROOM], hosts[300];
    (void)state;
    (void)snprintf(hosts, sizeof hosts, "host=%s,%s", server.folder, server.folder);
    assert_ok(postgres_open(&shop, postgres_words(&server, hosts, text), NULL));
    struct sql *sql = store_instance(shop.f.store);
    postgres_say(guest, "BEGIN; LOCK TABLE sesame_schema");
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ping_in_thread, shop.f.store), 0);
    wait_until("SELECT (count(*) = 3)::int " WAITS);
    postgres_say(guest, "COMMIT");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pool_count(sql->writers), 3);
    const struct ses_key key = new_key();
    struct ses_record record = make_record(SLICE("alpha"), shop.f.now + LIFE_MS);
    refuse_with("25006");
    assert_code(store_create(shop.f.store, &key, shop.f.now, NULL, &record), SES_ERR_UNAVAILABLE);
    assert_int_equal(pool_count(sql->writers), 0);
    drop_record(&record);
    sql_shop_close(&shop);
}

/* Whatever the role's settings are. */
static void isolation_and_patience_are_ours(void **state)
{
    char text[WORDS_ROOM];
    (void)state;
    const struct ses_key key = new_key();
    assert_ok(postgres_open(&shop,
                            postgres_words(&server,
                                           "options='-cdefault_transaction_isolation=serializable "
                                           "-cstatement_timeout=100 -clock_timeout=100'",
                                           text),
                            NULL));
    postgres_say(guest, "ALTER TABLE sesame_sessions ADD CHECK (current_setting("
                        "'transaction_isolation') = 'read committed')");
    const uint64_t version = put(&shop.f, &key, "alpha");
    postgres_say(guest, "BEGIN; UPDATE sesame_sessions SET checksum = checksum");
    assert_int_equal(PQsendQuery(guest, "SELECT pg_sleep(0.2); COMMIT"), 1);
    assert_ok(save_as(&shop.f, &key, version, "beta", SES_KIND_SESSION));
    for (PGresult *result; (result = PQgetResult(guest));)
        PQclear(result);
    assert_int_equal(shop.lines, 0);
    sql_shop_close(&shop);
}

/* ---- what does not check ---- */

static void row_that_was_changed_is_corrupt_told_and_never_served(void **state)
{
    static const char *const changes[] = {
        "UPDATE sesame_sessions SET record = 'alphb'",
        "UPDATE sesame_sessions SET version = version + 1",
        "UPDATE sesame_sessions SET version = 0",
        "UPDATE sesame_sessions SET kind = 4",
        "UPDATE sesame_sessions SET kind = 5",
        "UPDATE sesame_sessions SET checksum = checksum + 4294967296",
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct ses_key key = new_key();
        struct ses_record record = { 0 };
        (void)put(&shop.f, &key, "alpha");
        postgres_say(guest, changes[i]);
        assert_code(store_load(shop.f.store, &key, shop.f.now, &record), SES_ERR_CORRUPT);
        assert_null(record.data);
        assert_non_null(strstr(shop.told, "a row does not check"));
        assert_ok(store_destroy(shop.f.store, &key, shop.f.now));
    }
}

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
    assert_ok(postgres_open(&shop, text, NULL));
    assert_in_range(monotonic_ms() - before, 200, 1000);
    assert_int_equal(postgres_number(guest, "SELECT count(pg_terminate_backend(pid, 10000)) FROM "
                                            "pg_stat_activity WHERE application_name = 'sesame'"),
                     1);
    before = monotonic_ms();
    assert_ok(store_ping(shop.f.store));
    assert_in_range(monotonic_ms() - before, 0, 250);
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
#define CASE_ALONE(name)     cmocka_unit_test_setup(name, empty_database)
#define CASE_IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, new_shop, end_shop)
    const struct CMUnitTest tests[] = {
        CASE_ALONE(lock_of_another_is_unavailable_within_the_budget_and_nobody_waits_for_it_on),
        CASE_IN_A_SHOP(deadlock_is_tried_anew),
        CASE_IN_A_SHOP(transaction_that_does_not_fit_in_is_tried_anew),
        CASE_ALONE(never_let_through_is_unavailable_within_the_budget),
        CASE_IN_A_SHOP(server_that_became_a_standby_is_unavailable_and_left),
        CASE_ALONE(with_several_hosts_all_idle_connections_are_left_at_once),
        CASE_ALONE(isolation_and_patience_are_ours),
        CASE_IN_A_SHOP(row_that_was_changed_is_corrupt_told_and_never_served),
        CASE_ALONE(host_that_hangs_leaves_the_others_their_time_and_is_not_asked_again),
        CASE_ALONE(each_host_that_fails_is_told_in_the_one_line),
        CASE_IN_A_SHOP(child_lets_go_of_its_copy_without_a_word_to_the_server),
        CASE_ALONE(by_tls_all_works_and_a_wrong_name_is_refused),
    };
    postgres_start(&server, (const char *const[]){ "-c", "deadlock_timeout=300ms", NULL });
    (void)postgres_words(&server, "", words);
    guest = postgres_guest(&server, "");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(guest);
    return failed;
}
