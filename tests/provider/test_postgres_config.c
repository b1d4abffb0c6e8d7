/* SPDX-License-Identifier: MIT */
/* Every form of "ProviderConfig", and every operator's mistake as one line at start. */
#include "provider/fixture.h"

#include "postgres/config.h"

#include <stdlib.h>

static struct postgres_config read_well(const char *text)
{
    struct postgres_config config = { 0 };
    const char *problem = postgres_config_read(&config, text);
    if (problem)
        fail_msg("%s: %s", text, problem);
    return config;
}

/* Wherever a password may stand in what is refused, it is this one. */
#define SECRET "s3cret"

static void assert_refused(const char *text, const char *because)
{
    struct postgres_config config = { 0 };
    const char *problem = postgres_config_read(&config, text);
    if (!problem || !strstr(problem, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, problem ? problem : "", because);
    if (strstr(problem, SECRET) || strchr(problem, '\n'))
        fail_msg("%s: \"%s\"", text, problem);
    postgres_config_free(&config);
}

static void assert_option(const struct postgres_config *config, const char *name, const char *value)
{
    const char *is = postgres_config_option(config, name);
    if (!is || strcmp(is, value) != 0)
        fail_msg("%s is \"%s\"", name, is ? is : "");
}

static void assert_host(const struct postgres_config *config, size_t at, const char *name,
                        const char *address, const char *port)
{
    assert_true(at < config->host_count);
    assert_string_equal(config->hosts[at].name, name);
    assert_string_equal(config->hosts[at].address, address);
    assert_string_equal(config->hosts[at].port, port);
}

/* ---- what is understood ---- */

static void url_names_host_port_user_password_and_database(void **state)
{
    static const char *const schemes[] = { "postgres", "postgresql" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        char url[100];
        (void)snprintf(url, sizeof url,
                       "%s://ann:p%%40ss%%2Fw@db.example:7000/site?sslmode=require", schemes[i]);
        struct postgres_config config = read_well(url);
        assert_int_equal(config.host_count, 1);
        assert_host(&config, 0, "db.example", "", "7000");
        assert_option(&config, "user", "ann");
        assert_option(&config, "password", "p@ss/w");
        assert_option(&config, "dbname", "site");
        assert_option(&config, "sslmode", "require");
        postgres_config_free(&config);
    }
}

static void words_are_libpqs_as_beego_passes_them(void **state)
{
    (void)state;
    struct postgres_config config =
        read_well("user=ann password='it\\'s a \\\\' host=db port=7 dbname=site sslmode=disable "
                  "connect_timeout=3 options='-csearch_path=shop'");
    assert_host(&config, 0, "db", "", "7");
    assert_option(&config, "password", "it's a \\");
    assert_option(&config, "options", "-csearch_path=shop");
    assert_int_equal(config.connect_ms, 3000);
    postgres_config_free(&config);
}

static void several_hosts_have_a_port_each_or_one_for_all(void **state)
{
    (void)state;
    struct postgres_config config =
        read_well("postgres://a:1,b,[::1]:3/site?target_session_attrs=primary");
    assert_int_equal(config.host_count, 3);
    assert_host(&config, 0, "a", "", "1");
    assert_host(&config, 1, "b", "", "5432");
    assert_host(&config, 2, "::1", "", "3");
    postgres_config_free(&config);
    config =
        read_well("host=a,b port=9 hostaddr=10.0.0.1,10.0.0.2 target_session_attrs=read-write");
    assert_host(&config, 0, "a", "10.0.0.1", "9");
    assert_host(&config, 1, "b", "10.0.0.2", "9");
    postgres_config_free(&config);
    config = read_well("hostaddr=10.0.0.1,10.0.0.2");
    assert_int_equal(config.host_count, 2);
    assert_host(&config, 1, "", "10.0.0.2", "5432");
    postgres_config_free(&config);
}

static void nothing_at_all_is_what_libpq_does_without_us(void **state)
{
    (void)state;
    struct postgres_config config = read_well("");
    assert_int_equal(config.host_count, 1);
    assert_host(&config, 0, "", "", "5432");
    postgres_config_free(&config);
    assert_int_equal(setenv("PGHOST", "elsewhere,/run/pg", 1), 0);
    assert_int_equal(setenv("PGPORT", "77", 1), 0);
    config = read_well("dbname=site");
    assert_int_equal(config.host_count, 2);
    assert_host(&config, 0, "elsewhere", "", "77");
    assert_host(&config, 1, "/run/pg", "", "77");
    postgres_config_free(&config);
    config = read_well("host=here");
    assert_int_equal(config.host_count, 1);
    assert_host(&config, 0, "here", "", "77");
    postgres_config_free(&config);
    assert_int_equal(unsetenv("PGHOST"), 0);
    assert_int_equal(unsetenv("PGPORT"), 0);
}

/* ---- what is refused ---- */

static void text_that_libpq_does_not_understand_is_one_line_without_the_password(void **state)
{
    (void)state;
    assert_refused("postgres://ann:" SECRET "@h:1/d?sslmod=require", "perhaps \"sslmode\"");
    assert_refused("postgres://ann:" SECRET "@h?application=x", "perhaps \"application_name\"");
    assert_refused("postgres://ann:" SECRET "@h?x=1", "has an unknown parameter");
    assert_refused("postgres://ann:" SECRET "%4@h", "with %XX for special characters");
    assert_refused("postgres://ann:" SECRET "@[::1", "no URL of libpq");
    assert_refused("postgres://ann:my@" SECRET "@h/site", "%40");
    assert_refused("postgres://ann:my@" SECRET "/or@h/site", "%40");
    assert_refused("postgres://ann:my:" SECRET "/or@h/site", "%3A");
    assert_refused("postgresql://ann:my/" SECRET "@h", "%2F");
    assert_refused("postgres://ann:" SECRET "@h?password", "no URL of libpq");
    assert_refused("mysql://ann:" SECRET "@h/d?a=b", "none of postgres:// and postgresql://");
    assert_refused("host=h password=" SECRET " sslmodee=require", "perhaps \"sslmode\"");
    assert_refused("host=h password=my " SECRET " user=a", "not in libpq's words");
    assert_refused("host=h password='my " SECRET, "not in libpq's words");
    assert_refused("host=h password='" SECRET " sslmod=x' hostname=y", "perhaps \"host");
    assert_refused("host=h password=a\\ " SECRET "=x y=z", "not in libpq's words");
    assert_refused(SECRET, "not in libpq's words");
    assert_refused("=", "not in libpq's words");
    assert_refused("127.0.0.1:5432," SECRET, "not in libpq's words");
}

static void value_that_libpq_would_refuse_later_is_refused_at_once(void **state)
{
    (void)state;
    assert_refused("sslmode=on password=" SECRET, "\"sslmode\" has to be one of disable, allow");
    assert_refused("sslmode=verify", "verify-ca, verify-full");
    assert_refused("gssencmode=no", "\"gssencmode\" has to be one of disable, prefer, require");
    assert_refused("channel_binding=1", "\"channel_binding\" has to be");
    assert_refused("ssl_min_protocol_version=1.2", "\"ssl_min_protocol_version\" has to be");
    assert_refused("keepalives=yes", "\"keepalives\" has to be one of 0, 1");
    assert_refused("connect_timeout=soon", "\"connect_timeout\" has to be a number");
    assert_refused("postgres://h?connect_timeout=-1", "\"connect_timeout\" has to be a number");
    assert_refused("tcp_user_timeout=1s", "\"tcp_user_timeout\" has to be a number");
    assert_refused("port=0", "a port is a number from 1 to 65535");
    assert_refused("port=65536", "a port is a number");
    assert_refused("postgres://a:x/d", "a port is a number");
    assert_refused("postgres://ann:" SECRET ":1@h:5a/d", "a port is a number");
}

static void hosts_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    assert_refused("host=a,b port=1,2,3", "one port for all hosts, or one for each");
    assert_refused("host=a,b hostaddr=10.0.0.1", "as many of \"hostaddr\" as of \"host\"");
    assert_refused("host=1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h", "more hosts than 16");
}

static void what_makes_no_sense_for_sessions_is_refused(void **state)
{
    (void)state;
    assert_refused("target_session_attrs=standby", "has to be one of read-write, primary, any");
    assert_refused("target_session_attrs=prefer-standby", "has to be one of read-write");
    assert_refused("target_session_attrs=read-only", "has to be one of read-write");
    assert_refused("replication=true", "\"replication\" is not for here");
    assert_refused("service=site password=" SECRET, "\"service\" is not for here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_names_host_port_user_password_and_database),
        cmocka_unit_test(words_are_libpqs_as_beego_passes_them),
        cmocka_unit_test(several_hosts_have_a_port_each_or_one_for_all),
        cmocka_unit_test(nothing_at_all_is_what_libpq_does_without_us),
        cmocka_unit_test(text_that_libpq_does_not_understand_is_one_line_without_the_password),
        cmocka_unit_test(value_that_libpq_would_refuse_later_is_refused_at_once),
        cmocka_unit_test(hosts_that_do_not_fit_together_are_refused),
        cmocka_unit_test(what_makes_no_sense_for_sessions_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
