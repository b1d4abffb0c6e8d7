/* SPDX-License-Identifier: MIT */
/* Every form of "ProviderConfig", and every operator's mistake as one line at start. */
#include "provider/redis_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct redis_config fresh(void)
{
    return (struct redis_config){
        .pool_size = 16, .connect_ms = 500, .budget_ms = 2000, .prefix = "sesame-"
    };
}

static struct redis_config read_well(const char *text)
{
    struct redis_config config = fresh();
    const char *problem = redis_config_read(&config, text);
    if (problem)
        fail_msg("%s: %s", text, problem);
    return config;
}

static void assert_refused(const char *text, const char *because)
{
    struct redis_config config = fresh();
    const char *problem = redis_config_read(&config, text);
    if (!problem || !strstr(problem, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, problem ? problem : "", because);
    redis_config_free(&config);
}

static void url_names_host_port_user_password_and_database(void **state)
{
    (void)state;
    struct redis_config config = read_well("redis://ann:p%40ss%2Fw@cache.example:7000/3");
    assert_int_equal(config.mode, REDIS_SINGLE);
    assert_string_equal(config.addresses[0].host, "cache.example");
    assert_string_equal(config.addresses[0].port, "7000");
    assert_string_equal(config.user, "ann");
    assert_string_equal(config.password, "p@ss/w");
    assert_int_equal(config.database, 3);
    assert_false(config.tls);
    redis_config_free(&config);
}

static void url_may_leave_out_what_has_a_default(void **state)
{
    (void)state;
    struct redis_config config = read_well("redis://:secret@[::1]");
    assert_string_equal(config.addresses[0].host, "::1");
    assert_string_equal(config.addresses[0].port, "6379");
    assert_null(config.user);
    assert_string_equal(config.password, "secret");
    assert_int_equal(config.pool_size, 16);
    redis_config_free(&config);
    config = read_well("");
    assert_string_equal(config.addresses[0].host, "127.0.0.1");
    redis_config_free(&config);
}

static void parameters_of_a_url_win_over_the_settings(void **state)
{
    (void)state;
    struct redis_config config =
        read_well("rediss://h?poolSize=3&connectTimeoutMs=20&budgetMs=40&idleSeconds=5&database=9"
                  "&waitReplicas=2&keyPrefix=a_b-&caFile=%2Fca&certFile=c&keyFile=k&serverName=n");
    assert_true(config.tls);
    assert_int_equal(config.pool_size, 3);
    assert_int_equal(config.connect_ms, 20);
    assert_int_equal(config.budget_ms, 40);
    assert_int_equal(config.idle_s, 5);
    assert_int_equal(config.database, 9);
    assert_int_equal(config.wait_replicas, 2);
    assert_string_equal(config.prefix, "a_b-");
    assert_string_equal(config.ca_file, "/ca");
    assert_string_equal(config.cert_file, "c");
    assert_string_equal(config.key_file, "k");
    assert_string_equal(config.tls_name, "n");
    redis_config_free(&config);
}

static void unix_sockets_sentinels_and_clusters_have_urls(void **state)
{
    (void)state;
    struct redis_config config = read_well("unix://:pw@/run/redis/s%20ock?database=2");
    assert_string_equal(config.addresses[0].path, "/run/redis/s ock");
    assert_string_equal(config.password, "pw");
    redis_config_free(&config);

    config = read_well("sentinel://u:p@one,two:7,[::2]:8/mymaster/4?sentinelPassword=q");
    assert_int_equal(config.mode, REDIS_SENTINEL);
    assert_int_equal(config.address_count, 3);
    assert_string_equal(config.addresses[0].port, "26379");
    assert_string_equal(config.addresses[2].host, "::2");
    assert_string_equal(config.master, "mymaster");
    assert_int_equal(config.database, 4);
    assert_string_equal(config.sentinel_password, "q");
    redis_config_free(&config);

    config = read_well("clusters://a:1,b:2");
    assert_int_equal(config.mode, REDIS_CLUSTER);
    assert_true(config.tls);
    assert_int_equal(config.address_count, 2);
    redis_config_free(&config);
}

static void lists_of_the_ancestor_mean_what_they_meant_there(void **state)
{
    (void)state;
    struct redis_config config = read_well("127.0.0.1:6379,100,astaxie");
    assert_int_equal(config.mode, REDIS_SINGLE);
    assert_string_equal(config.addresses[0].host, "127.0.0.1");
    assert_int_equal(config.pool_size, 100);
    assert_string_equal(config.password, "astaxie");
    redis_config_free(&config);

    config = read_well("127.0.0.1:6379,,,5,30,60,3");
    assert_int_equal(config.pool_size, 16);
    assert_null(config.password);
    assert_int_equal(config.database, 5);
    assert_int_equal(config.idle_s, 30);
    redis_config_free(&config);

    config = read_well("10.0.0.1:7000;10.0.0.2:7000,10");
    assert_int_equal(config.mode, REDIS_CLUSTER);
    assert_int_equal(config.address_count, 2);
    redis_config_free(&config);

    config = read_well("10.0.0.1:26379;10.0.0.2,10,pw,0,30,60,3,mymaster");
    assert_int_equal(config.mode, REDIS_SENTINEL);
    assert_string_equal(config.master, "mymaster");
    assert_string_equal(config.addresses[1].port, "26379");
    redis_config_free(&config);
}

static void json_of_the_ancestor_is_read_too(void **state)
{
    (void)state;
    struct redis_config config =
        read_well("{\"save_path\":\"10.0.0.1:26379;10.0.0.2:26379\",\"poolsize\":\"20\","
                  "\"password\":\"pw\",\"db_num\":2,\"idle_timeout\":\"30\","
                  "\"idle_check_frequency\":\"60\",\"max_retries\":3,\"master_name\":\"mm\"}");
    assert_int_equal(config.mode, REDIS_SENTINEL);
    assert_int_equal(config.pool_size, 20);
    assert_int_equal(config.database, 2);
    assert_int_equal(config.idle_s, 30);
    assert_string_equal(config.master, "mm");
    redis_config_free(&config);
}

static void mistakes_are_named_with_what_would_be_right(void **state)
{
    (void)state;
    assert_refused("http://localhost", "none of redis://");
    assert_refused("redis://", "has no host");
    assert_refused("redis://h:0", "1 to 65535");
    assert_refused("redis://h:65536", "1 to 65535");
    assert_refused("redis://h:6379x", "1 to 65535");
    assert_refused("redis://[::1", "[::1]:6379");
    assert_refused("redis://h/zero", "the database is a number");
    assert_refused("redis://secret@h", "after a colon");
    assert_refused("redis://:p%4@h", "%XX");
    assert_refused("redis://:p%00@h", "%XX");
    assert_refused("redis://:p%\x14\x11@h", "%XX"); /* 0x20 less than 41 */
    assert_refused("redis://h?pool=3", "unknown parameter");
    assert_refused("redis://h?poolSize=0", "out of its range");
    assert_refused("redis://h?poolSize", "name=value");
    assert_refused("redis://a,b", "cluster:// or sentinel://");
    assert_refused("unix://run/redis", "unix:///path");
    assert_refused("sentinel://a:1,b:2", "the name of the master is missing");
    assert_refused("cluster://a:1/2", "no databases");
    assert_refused("cluster://a:1?database=2", "no databases");
    assert_refused("redis://h?keyPrefix=a:b", "keyPrefix");
    assert_refused("h:6379,many", "size of the pool");
    assert_refused("h:6379,1,,x", "database");
    assert_refused("{\"save_path\":", "JSON");
    assert_refused("{\"save_path\":\"h\",\"password\":\"a,b\"}", "needs a URL");
}

static void no_password_is_in_what_is_said_of_a_mistake(void **state)
{
    (void)state;
    static const char *const texts[] = { "redis://:topsecret@h:0", "h:0,1,topsecret",
                                         "redis://topsecret@h", "redis://:topsecret@h?x=y" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct redis_config config = fresh();
        const char *problem = redis_config_read(&config, texts[i]);
        assert_non_null(problem);
        assert_null(strstr(problem, "topsecret"));
        redis_config_free(&config);
    }
}

/* ---- against a server ---- */

static void assert_no_start(const char *config, int code, const char *because)
{
    struct redis_shop *shop = calloc(1, sizeof *shop);
    assert_code(shop_open(shop, config), code);
    if (!strstr(shop->told, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", config, shop->told, because);
    shop_close(shop);
    free(shop);
}

static void server_that_is_not_there_or_refuses_is_told_at_start(void **state)
{
    static struct server server;
    char url[URL_ROOM], text[URL_ROOM];
    (void)state;
    redis_start(&server, (const char *const[]){ "--requirepass", "right", NULL });
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", free_port());
    assert_no_start(url, SES_ERR_UNAVAILABLE, "Connection refused");
    assert_no_start("unix:///nowhere/redis.sock", SES_ERR_UNAVAILABLE, "No such file");
    assert_no_start("redis://no-such-host.invalid", SES_ERR_UNAVAILABLE, "no-such-host.invalid");
    assert_no_start(redis_unix_url(&server, "", url), SES_ERR_UNAVAILABLE, "NOAUTH");
    (void)snprintf(text, sizeof text, "redis://:wrong@127.0.0.1:%d", server.port);
    assert_no_start(text, SES_ERR_UNAVAILABLE, "WRONGPASS");
    (void)snprintf(text, sizeof text, "redis://:right@127.0.0.1:%d/99", server.port);
    assert_no_start(text, SES_ERR_UNAVAILABLE, "DB index is out of range");
    (void)snprintf(text, sizeof text, "rediss://:right@127.0.0.1:%d", server.port);
    assert_no_start(text, SES_ERR_UNAVAILABLE, "TLS handshake failed");
    server_end(&server);
}

static void user_that_may_not_do_what_sessions_need_is_told_at_start(void **state)
{
    static const struct {
        const char *rights, *because;
    } users[] = {
        { "~other-* +@all", "NOPERM" },
        { "~sesame-* +@all -eval -evalsha", "'evalsha' command" },
        { "~sesame-* +@all -set", "script" },
    };
    static struct server server;
    char url[URL_ROOM], text[200];
    (void)state;
    redis_start(&server, NULL);
    (void)snprintf(url, sizeof url, "redis://ann:secret@127.0.0.1:%d", server.port);
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        (void)snprintf(text, sizeof text, "ACL SETUSER ann reset on >secret %s", users[i].rights);
        reply_free(redis_say(&server, text));
        assert_no_start(url, SES_ERR_INVALID, users[i].because);
    }
    server_end(&server);
}

/* ---- TLS ---- */

/* An authority of our own, and a certificate for "redis.test", made by openssl's command. */
static void make_certificates(const struct server *server)
{
    char command[1000];
    const char *f = server->folder;
    (void)snprintf(
        command, sizeof command,
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=ours -keyout ca.key -out ca.crt 2>/dev/null && "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis.test "
        "-addext subjectAltName=DNS:redis.test,IP:127.0.0.1 -keyout tls.key -out tls.csr "
        "2>/dev/null && printf 'subjectAltName=DNS:redis.test,IP:127.0.0.1' > ext && "
        "openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -days 2 -extfile ext "
        "-out tls.crt 2>/dev/null",
        f);
    assert_int_equal(system(command), 0);
}

static void tls_is_spoken_and_the_servers_name_is_checked(void **state)
{
    static struct server plain, server;
    char port[16], crt[SERVER_PATH_ROOM], key[SERVER_PATH_ROOM], ca[SERVER_PATH_ROOM];
    char url[URL_ROOM];
    (void)state;
    redis_start(&plain, NULL); /* for its folder */
    make_certificates(&plain);
    (void)snprintf(port, sizeof port, "%d", free_port());
    redis_start(&server,
                (const char *const[]){ "--tls-port", port, "--tls-cert-file",
                                       server_file(&plain, "tls.crt", crt), "--tls-key-file",
                                       server_file(&plain, "tls.key", key), "--tls-ca-cert-file",
                                       server_file(&plain, "ca.crt", ca), NULL });
    (void)snprintf(url, sizeof url, "rediss://127.0.0.1:%s?caFile=%s", port, ca);
    struct redis_shop *shop = calloc(1, sizeof *shop);
    /* By default the server wants a certificate of its clients, too. */
    assert_code(shop_open(shop, url), SES_ERR_UNAVAILABLE);
    shop_close(shop);

    (void)snprintf(url, sizeof url, "rediss://127.0.0.1:%s?caFile=%s&certFile=%s&keyFile=%s", port,
                   ca, crt, key);
    assert_ok(shop_open(shop, url));
    for (int i = 0; i < 50; i++) {
        const struct ses_key k = new_key();
        const uint64_t version = put(&shop->f, &k, "alpha");
        assert_ok(save_as(&shop->f, &k, version, "beta", SES_KIND_SESSION));
    }
    shop_close(shop);
    free(shop);

    (void)snprintf(url, sizeof url,
                   "rediss://127.0.0.1:%s?caFile=%s&certFile=%s&keyFile=%s&serverName=other.test",
                   port, ca, crt, key);
    assert_no_start(url, SES_ERR_UNAVAILABLE, "hostname mismatch");
    (void)snprintf(url, sizeof url, "rediss://127.0.0.1:%s", port);
    assert_no_start(url, SES_ERR_UNAVAILABLE, "certificate");
    (void)snprintf(url, sizeof url, "rediss://127.0.0.1:%s?caFile=/nowhere", port);
    assert_no_start(url, SES_ERR_INVALID, "authorities cannot be read");
    server_end(&server);
    server_end(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_names_host_port_user_password_and_database),
        cmocka_unit_test(url_may_leave_out_what_has_a_default),
        cmocka_unit_test(parameters_of_a_url_win_over_the_settings),
        cmocka_unit_test(unix_sockets_sentinels_and_clusters_have_urls),
        cmocka_unit_test(lists_of_the_ancestor_mean_what_they_meant_there),
        cmocka_unit_test(json_of_the_ancestor_is_read_too),
        cmocka_unit_test(mistakes_are_named_with_what_would_be_right),
        cmocka_unit_test(no_password_is_in_what_is_said_of_a_mistake),
        cmocka_unit_test(server_that_is_not_there_or_refuses_is_told_at_start),
        cmocka_unit_test(user_that_may_not_do_what_sessions_need_is_told_at_start),
        cmocka_unit_test(tls_is_spoken_and_the_servers_name_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
