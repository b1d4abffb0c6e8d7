/* SPDX-License-Identifier: MIT */
/* Every form of the DSN, and every operator's mistake as one line at start. */
#include "provider/mysql_fixture.h"
#include "shared/deadline.h"

#include <stdio.h>

static struct server server;
static struct sql_shop shop;

static struct mysql_config read_well(const char *text)
{
    struct mysql_config config;
    const char *problem = mysql_config_read(&config, text);
    if (problem)
        fail_msg("%s: %s", text, problem);
    return config;
}

static void assert_refused(const char *text, const char *because)
{
    struct mysql_config config;
    const char *problem = mysql_config_read(&config, text);
    if (!problem || !strstr(problem, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, problem ? problem : "", because);
    mysql_config_free(&config);
}

/* ---- what is read ---- */

static void dsn_names_user_password_address_and_database(void **state)
{
    (void)state;
    struct mysql_config config = read_well("ann:secret@tcp(db.example:3307)/shop");
    assert_string_equal(config.user, "ann");
    assert_string_equal(config.password, "secret");
    assert_string_equal(config.host, "db.example");
    assert_string_equal(config.port, "3307");
    assert_string_equal(config.database, "shop");
    assert_null(config.path);
    assert_int_equal(config.tls, MYSQL_TLS_NONE);
    mysql_config_free(&config);
    config = read_well("ann@unix(/run/s.sock)/shop");
    assert_string_equal(config.path, "/run/s.sock");
    assert_string_equal(config.password, "");
    mysql_config_free(&config);
}

static void dsn_may_leave_out_what_has_a_default(void **state)
{
    static const char *const texts[] = { "/shop", "ann@/shop", "ann:x@tcp/shop", "ann@tcp()/shop?",
                                         "tcp(127.0.0.1)/shop" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct mysql_config config = read_well(texts[i]);
        assert_string_equal(config.host, "127.0.0.1");
        assert_string_equal(config.port, "3306");
        assert_string_equal(config.database, "shop");
        mysql_config_free(&config);
    }
    struct mysql_config config = read_well("ann@tcp([::1]:3307)/shop");
    assert_string_equal(config.host, "::1");
    assert_string_equal(config.port, "3307");
    mysql_config_free(&config);
    config = read_well("ann@tcp([fe80::1%eth0])/shop");
    assert_string_equal(config.host, "fe80::1%eth0");
    mysql_config_free(&config);
    config = read_well("unix/shop");
    assert_string_equal(config.path, "/tmp/mysql.sock");
    mysql_config_free(&config);
}

static void password_may_hold_what_else_has_a_meaning(void **state)
{
    (void)state;
    struct mysql_config config = read_well("ann:a:b@c/d?e(f)g@tcp(h:1)/sh%2Fop?tls=preferred");
    assert_string_equal(config.user, "ann");
    assert_string_equal(config.password, "a:b@c/d?e(f)g");
    assert_string_equal(config.host, "h");
    assert_string_equal(config.database, "sh/op");
    assert_int_equal(config.tls, MYSQL_TLS_PREFERRED);
    mysql_config_free(&config);
}

static void parameters_are_read_and_those_of_go_have_no_effect(void **state)
{
    (void)state;
    struct mysql_config config =
        read_well("/d?tls=true&caFile=%2Fetc%2Fca.pem&timeout=5s&readTimeout=1m30s"
                  "&writeTimeout=500ms&parseTime=true&loc=Europe%2FBerlin&charset=utf8mb4,utf8"
                  "&collation=utf8mb4_bin&multiStatements=true&interpolateParams=true");
    assert_int_equal(config.tls, MYSQL_TLS_VERIFIED);
    assert_string_equal(config.ca_file, "/etc/ca.pem");
    assert_int_equal(config.connect_ms, 5000);
    assert_int_equal(config.read_ms, 90000);
    assert_int_equal(config.write_ms, 500);
    mysql_config_free(&config);
    config = read_well("/d?tls=skip-verify");
    assert_int_equal(config.tls, MYSQL_TLS_UNVERIFIED);
    mysql_config_free(&config);
    config = read_well("unix(/s)/d?tls=preferred");
    assert_int_equal(config.tls, MYSQL_TLS_NONE);
    mysql_config_free(&config);
}

static void mistakes_are_named_with_what_would_be_right(void **state)
{
    char path[200], text[300];
    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    (void)snprintf(text, sizeof text, "unix(/%s)/d", path);
    assert_refused(text, "107");
    (void)snprintf(text, sizeof text, "%s@/d", path);
    assert_refused(text, "128 bytes");
    assert_refused("", "is required");
    assert_refused("ann:x@tcp(h:1)/s%2", "written %XX");
    assert_refused("ann:x@tcp(h:1)", "no slash before the database");
    assert_refused("ann:x@tcp(h:1)/", "a database is named");
    assert_refused("ann:x@tcp(h:1)/?tls=true", "a database is named");
    assert_refused("/d%00", "written %XX");
    assert_refused("ann:x@tcp(h:1/d", "ends with a parenthesis");
    assert_refused("ann:x@udp(h:1)/d", "protocol is tcp or unix");
    assert_refused("ann:x@h:1/d", "protocol is tcp or unix");
    assert_refused("tcp(h:0)/d", "1 to 65535");
    assert_refused("tcp(h:65536)/d", "1 to 65535");
    assert_refused("tcp(h:)/d", "1 to 65535");
    assert_refused("tcp(::1)/d", "[::1]:3306");
    assert_refused("tcp([::1)/d", "[::1]:3306");
    assert_refused("tcp([::1]1)/d", "[::1]:3306");
    assert_refused("tcp(:1)/d", "tcp(host:port)");
    assert_refused("tcp(a;host=b)/d", "tcp(host:port)");
    assert_refused("tcp(a,b)/d", "tcp(host:port)");
    assert_refused("unix(s)/d", "unix(/path)");
    assert_refused("unix(/s)/d?tls=true", "TLS is for tcp");
    assert_refused("/d?tls=yes", "\"tls\" is true, skip-verify");
    assert_refused("/d?caFile=%2Fca", "\"caFile\" asks for tls=true");
    assert_refused("/d?tls=true&caFile=", "\"caFile\" is the path");
    assert_refused("/d?timeout=5", "a number with a unit");
    assert_refused("/d?readTimeout=", "a number with a unit");
    assert_refused("/d?writeTimeout=1d", "a number with a unit");
    assert_refused("/d?timeout=12345678s", "a number with a unit");
    assert_refused("/d?wait_timeout=5", "unknown parameter in the DSN: it may have tls, caFile");
    assert_refused("/d?parsetime=true", "unknown parameter");
    assert_refused("/d?tls", "name=value");
    assert_refused("/d?loc=%zz", "name=value");
}

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Pieces of DSNs in any order; what is read points into itself, and what is refused says nothing of
 * it. */
static void any_text_is_read_or_refused_in_one_line(void **state)
{
    static const char *const pieces[] = {
        "ann", ":",      "@", "/",   "(", ")", "tcp", "unix", "[",  "]",    "?",  "tls=",
        "&",   "secret", "%", "%41", "=", "5", "s",   "true", "::", "\xff", "db", "timeout"
    };
    uint32_t seed = 20260101;
    unsigned well = 0;
    (void)state;
    for (int round = 0; round < 200000; round++) {
        char text[200] = "";
        for (uint32_t i = draw(&seed) % 14; i > 0; i--)
            (void)strcat(text, pieces[draw(&seed) % (sizeof pieces / sizeof *pieces)]);
        struct mysql_config config;
        const char *problem = mysql_config_read(&config, text);
        if (problem)
            assert_true(!strchr(problem, '\n') && !strstr(problem, "secret"));
        else
            assert_true(config.database[0] && (config.path || (config.host[0] && config.port[0])));
        well += !problem;
        mysql_config_free(&config);
    }
    assert_true(well > 100);
}

/* ---- starting ---- */

static void assert_no_start(const char *dsn, int code, const char *because)
{
    const int r = mysql_shop_open(&shop, dsn, NULL);
    if (r != code)
        fail_msg("%s: %d, %s", dsn, r, shop.told);
    assert_int_equal(shop.lines, 1);
    if (!strstr(shop.told, because))
        fail_msg("\"%s\" does not say \"%s\"", shop.told, because);
    assert_null(strstr(shop.told, "secret"));
    assert_null(strstr(shop.told, MYSQL_PASSWORD));
}

static void what_the_server_refuses_is_one_line_at_start(void **state)
{
    char path[SERVER_PATH_ROOM], dsn[DSN_ROOM];
    (void)state;
    (void)mysql_socket(&server, path);
    (void)snprintf(dsn, sizeof dsn, "site:secret@unix(%s)/site", path);
    assert_no_start(dsn, SES_ERR_INVALID, "Access denied for user 'site'");
    (void)snprintf(dsn, sizeof dsn, "nobody@unix(%s)/site", path);
    assert_no_start(dsn, SES_ERR_INVALID, "Access denied for user 'nobody'");
    (void)snprintf(dsn, sizeof dsn, "site:%s@unix(%s)/other", MYSQL_PASSWORD, path);
    assert_no_start(dsn, SES_ERR_INVALID, "Unknown database 'other'");
    assert_no_start("site:secret@udp/site", SES_ERR_INVALID, "protocol is tcp or unix");
    assert_no_start("site:secret@tcp(127.0.0.1:1)/site", SES_ERR_UNAVAILABLE, "127.0.0.1");
    assert_no_start("site:secret@unix(/nowhere/s)/site", SES_ERR_UNAVAILABLE, "/nowhere/s");
    assert_no_start("site:secret@tcp(no.such.invalid)/site", SES_ERR_UNAVAILABLE,
                    "no.such.invalid");
}

static void store_is_reached_by_name_and_number(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        char dsn[DSN_ROOM];
        const struct ses_key key = new_key();
        (void)snprintf(dsn, sizeof dsn, "site:" MYSQL_PASSWORD "@tcp(%s:%d)/site?timeout=1s",
                       hosts[i], server.port);
        assert_ok(mysql_shop_open(&shop, dsn, NULL));
        (void)put(&shop.f, &key, "alpha");
        sql_shop_close(&shop);
    }
}

/* A server that accepts and says nothing: other clients would wait for ever. */
static void connecting_ends_with_the_timeout_of_the_dsn(void **state)
{
    char dsn[DSN_ROOM];
    static const char *const parameters[] = { "?timeout=200ms", "?timeout=200ms&tls=skip-verify",
                                              "?readTimeout=200ms" };
    (void)state;
    server_freeze(&server);
    for (int i = 0; i < 3; i++) {
        const int64_t before = monotonic_ms();
        assert_no_start(mysql_tcp_dsn(server.port, parameters[i], dsn), SES_ERR_UNAVAILABLE,
                        "no answer in time");
        assert_in_range(monotonic_ms() - before, 150, 800);
    }
    server_thaw(&server);
}

/* ---- TLS ---- */

/* An authority of our own, and a certificate for "localhost", made by openssl's command. */
static void make_certificates(const struct server *where)
{
    char command[1600];
    (void)snprintf(
        command, sizeof command,
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=ours -keyout ca.key -out ca.crt 2>/dev/null && "
        "printf subjectAltName=DNS:localhost > ext && "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost "
        "-keyout tls.key -out tls.csr 2>/dev/null && "
        "openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -days 2 -extfile ext "
        "-out tls.crt 2>/dev/null",
        where->folder);
    assert_int_equal(system(command), 0); /* words of ours alone */
}

static void assert_starts(const char *dsn)
{
    const struct ses_key key = new_key();
    if (mysql_shop_open(&shop, dsn, NULL) != SES_OK)
        fail_msg("%s: %s", dsn, shop.told);
    (void)put(&shop.f, &key, "alpha");
    struct ses_record record = { 0 };
    assert_ok(store_load(shop.f.store, &key, shop.f.now, &record));
    drop_record(&record);
}

static void assert_tls(bool is)
{
    assert_int_equal(mysql_question(&server, "SELECT variable_value > 0 FROM "
                                             "information_schema.global_status "
                                             "WHERE variable_name = 'Ssl_finished_accepts'"),
                     is);
    sql_shop_close(&shop);
}

static void tls_is_spoken_and_the_servers_name_is_checked(void **state)
{
    char dsn[DSN_ROOM], words[2][SERVER_PATH_ROOM + 20];
    (void)state;
    struct server plain = server;
    assert_starts(mysql_tcp_dsn(plain.port, "?tls=preferred", dsn));
    assert_tls(false);
    assert_no_start(mysql_tcp_dsn(plain.port, "?tls=skip-verify", dsn), SES_ERR_UNAVAILABLE,
                    "no TLS");

    server_stop(&server);
    make_certificates(&server);
    (void)snprintf(words[0], sizeof words[0], "--ssl-cert=%s/tls.crt", server.folder);
    (void)snprintf(words[1], sizeof words[1], "--ssl-key=%s/tls.key", server.folder);
    int at = 0;
    while (server.words[at])
        at++;
    server.words[at] = strdup(words[0]);
    server.words[at + 1] = strdup(words[1]);
    server_start_again(&server, mysql_answers);

    assert_starts(mysql_tcp_dsn(server.port, "?tls=skip-verify", dsn));
    assert_tls(true);
    assert_starts(mysql_tcp_dsn(server.port, "?tls=preferred", dsn));
    assert_tls(true);
    char escaped[DSN_ROOM] = "";
    for (const char *c = server.folder; *c; c++)
        (void)snprintf(escaped + strlen(escaped), sizeof escaped - strlen(escaped),
                       *c == '/' ? "%%2F" : "%c", *c);
    (void)snprintf(dsn, sizeof dsn,
                   "site:" MYSQL_PASSWORD "@tcp(localhost:%d)/site?tls=true&caFile=%s%%2Fca.crt",
                   server.port, escaped);
    assert_starts(dsn);
    assert_tls(true);
    /* Its certificate is not for the number, and of no authority that the system knows. */
    (void)snprintf(dsn, sizeof dsn,
                   "site:" MYSQL_PASSWORD "@tcp(127.0.0.1:%d)/site?tls=true&caFile=%s%%2Fca.crt",
                   server.port, escaped);
    assert_no_start(dsn, SES_ERR_UNAVAILABLE, "certificate");
    (void)snprintf(dsn, sizeof dsn, "site:" MYSQL_PASSWORD "@tcp(localhost:%d)/site?tls=true",
                   server.port);
    assert_no_start(dsn, SES_ERR_UNAVAILABLE, "certificate");
}

static int start(void **state)
{
    (void)state;
    mysql_start(&server, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dsn_names_user_password_address_and_database),
        cmocka_unit_test(dsn_may_leave_out_what_has_a_default),
        cmocka_unit_test(password_may_hold_what_else_has_a_meaning),
        cmocka_unit_test(parameters_are_read_and_those_of_go_have_no_effect),
        cmocka_unit_test(mistakes_are_named_with_what_would_be_right),
        cmocka_unit_test(any_text_is_read_or_refused_in_one_line),
        cmocka_unit_test(what_the_server_refuses_is_one_line_at_start),
        cmocka_unit_test(store_is_reached_by_name_and_number),
        cmocka_unit_test(connecting_ends_with_the_timeout_of_the_dsn),
        cmocka_unit_test(tls_is_spoken_and_the_servers_name_is_checked),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
