/* SPDX-License-Identifier: MIT */
/* The adapter in a real libmicrohttpd, spoken to over a socket in bytes that no HTTP library would
 * send. */
#include "client.h"

#include "support/fake_provider.h"

#include <sesame/adapters/microhttpd.h>
#include <sesame/sesame.h>

#include <stdio.h>
#include <unistd.h>

enum { PAIR_MAX = 128, FIELDS_MAX = 8192, PAGE_MAX = 8192 };

/* ---- the site: /NAME is answered by the handler of that name ---- */

struct visit {
    ses_manager *manager;
    struct MHD_Connection *connection;
    ses_session *session;
    struct MHD_Response *response;
    char page[PAGE_MAX];
};

static struct MHD_Response *respond(const char *page)
{
    /* MHD copies it, and does not write to it. */
    return MHD_create_response_from_buffer(strlen(page), (void *)page, MHD_RESPMEM_MUST_COPY);
}

static int change_and_write(struct visit *visit)
{
    int64_t visits = 0;
    int r = ses_increment(visit->session, "visits", 1);
    (void)ses_get_int(visit->session, "visits", &visits);
    (void)snprintf(visit->page, sizeof visit->page, "visit %d", (int)visits);
    visit->response = respond(visit->page);
    return r;
}

static int count_visit(struct visit *visit)
{
    int r = change_and_write(visit);
    return r < 0 ? r : ses_mhd_queue(visit->session, visit->connection, 200, visit->response);
}

/* The headers come twice to the same response. */
static int commit_then_queue(struct visit *visit)
{
    int r = change_and_write(visit);
    if (r == SES_OK)
        r = ses_mhd_commit(visit->session, visit->response);
    return r < 0 ? r : ses_mhd_queue(visit->session, visit->connection, 200, visit->response);
}

/* libmicrohttpd refuses the second one. The page says what the adapter made of that. */
static int queue_twice(struct visit *visit)
{
    int r = change_and_write(visit);
    if (r == SES_OK)
        r = ses_mhd_queue(visit->session, visit->connection, 200, visit->response);
    if (r == SES_OK &&
        ses_mhd_queue(visit->session, visit->connection, 200, visit->response) != SES_ERR_INVALID)
        (void)MHD_add_response_header(visit->response, "X-Wrong", "queued twice");
    return r;
}

static int look_only(struct visit *visit)
{
    visit->response = respond("looked");
    return ses_mhd_queue(visit->session, visit->connection, 200, visit->response);
}

/* What is known of whoever made the session. */
static int tell_origin(struct visit *visit)
{
    struct ses_info info = { .size = sizeof info };
    int r = ses_set_int(visit->session, "seen", 1);
    if (r == SES_OK)
        r = ses_commit(visit->session, NULL);
    if (r == SES_OK)
        r = ses_info(visit->session, &info);
    (void)snprintf(visit->page, sizeof visit->page, "%s %s", info.peer ? info.peer : "-",
                   info.user_agent ? info.user_agent : "-");
    visit->response = respond(visit->page);
    return r < 0 ? r : ses_mhd_queue(visit->session, visit->connection, 200, visit->response);
}

/* What the adapter reads of the request, a line each. */
static int read_back(struct visit *visit)
{
    struct ses_mhd_request read;
    ses_mhd_read(visit->connection, &read);
    const struct ses_request *r = &read.request;
    size_t len = (size_t)snprintf(visit->page, PAGE_MAX, "size %zu\ntls %d\npeer %s\ncookies %zu\n",
                                  r->size, r->tls, r->peer, r->cookie_count);
    for (size_t i = 0; i < r->cookie_count; i++)
        len += (size_t)snprintf(visit->page + len, PAGE_MAX - len, "cookie [%.*s]\n",
                                (int)r->cookies[i].len, (const char *)r->cookies[i].data);
    for (size_t nth = 0; nth < 4; nth++) {
        const char *value = r->header(r->header_arg, "x-PROXY", nth);
        len +=
            (size_t)snprintf(visit->page + len, PAGE_MAX - len, "proxy %s\n", value ? value : "-");
    }
    visit->response = respond(visit->page);
    return ses_mhd_queue(visit->session, visit->connection, 200, visit->response);
}

static const struct {
    const char *path;
    int (*answer)(struct visit *visit);
} handlers[] = {
    { "/visit", count_visit },       { "/look", look_only },    { "/origin", tell_origin },
    { "/twice", commit_then_queue }, { "/again", queue_twice }, { "/read", read_back },
};

static int answer(struct visit *visit, const char *path)
{
    int r = ses_mhd_start(visit->manager, visit->connection, &visit->session);
    for (size_t i = 0; r == SES_OK && i < sizeof handlers / sizeof handlers[0]; i++) {
        if (strcmp(handlers[i].path, path) == 0)
            return handlers[i].answer(visit);
    }
    return r == SES_OK ? SES_ERR_NOT_FOUND : r;
}

static enum MHD_Result answer_error(struct MHD_Connection *connection, int code)
{
    struct MHD_Response *response = respond(ses_strerror(code));
    const enum MHD_Result result = MHD_queue_response(connection, 503, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *manager, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_bytes, void **called)
{
    (void)method;
    (void)version;
    (void)body;
    if (!*called || *body_bytes > 0) {
        *called = manager;
        *body_bytes = 0;
        return MHD_YES;
    }
    struct visit visit = { .manager = manager, .connection = connection };
    const int r = answer(&visit, path);
    if (visit.response)
        MHD_destroy_response(visit.response);
    ses_release(visit.session);
    return r == SES_OK ? MHD_YES : answer_error(connection, r);
}

/* ---- a site for each test ---- */

struct site {
    ses_manager *manager;
    struct MHD_Daemon *daemon;
    struct sockaddr_storage address;
    socklen_t address_len;
};

static struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* At a free port of @p address, or on both kinds of address when that is NULL. */
static struct site open_site(const char *provider, const char *json, const struct sockaddr *address)
{
    struct site site = { .address_len = sizeof site.address };
    struct ses_error error;
    site.manager = ses_manager_new(provider, json, NULL, &error);
    if (!site.manager)
        fail_msg("%s", error.message);
    const unsigned kind = !address                         ? MHD_USE_DUAL_STACK
                          : address->sa_family == AF_INET6 ? MHD_USE_IPv6
                                                           : 0;
    site.daemon =
        MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | kind, 0, NULL, NULL, handle, site.manager,
                         address ? MHD_OPTION_SOCK_ADDR : MHD_OPTION_END, address, MHD_OPTION_END);
    assert_non_null(site.daemon);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(site.daemon, MHD_DAEMON_INFO_LISTEN_FD);
    assert_int_equal(
        getsockname(info->listen_fd, (struct sockaddr *)&site.address, &site.address_len), 0);
    return site;
}

static struct site open_default(void)
{
    const struct sockaddr_in address = loopback();
    return open_site("memory", NULL, (const struct sockaddr *)&address);
}

static void close_site(struct site *site)
{
    MHD_stop_daemon(site->daemon);
    ses_manager_unref(site->manager);
}

static int connect_to(const struct site *site)
{
    return client_connect((const struct sockaddr *)&site->address, site->address_len);
}

static void get(const struct site *site, const char *path, const char *fields, struct response *ret)
{
    const int fd = connect_to(site);
    client_ask(fd, "GET", path, fields, NULL, ret);
    (void)close(fd);
}

/* A visitor who has been here once. */
static void first_visit(const struct site *site, char pair[PAIR_MAX])
{
    struct response response;
    get(site, "/visit", "", &response);
    assert_string_equal(response.body, "visit 1");
    response_cookie(&response, pair, PAIR_MAX);
}

/* A second visit with these fields, which hold "%s" where the cookie goes. */
static void assert_found_in(const char *fields_with_hole)
{
    struct site site = open_default();
    char pair[PAIR_MAX], fields[FIELDS_MAX];
    struct response response;
    first_visit(&site, pair);
    const char *hole = strstr(fields_with_hole, "%s");
    (void)snprintf(fields, sizeof fields, "%.*s%s%s", (int)(hole - fields_with_hole),
                   fields_with_hole, pair, hole + 2);
    get(&site, "/visit", fields, &response);
    if (strcmp(response.body, "visit 2") != 0)
        fail_msg("not found in %s: %d %s", fields, response.status, response.body);
    assert_int_equal(response_count(&response, "Set-Cookie"), 0);
    close_site(&site);
}

/* ---- Cookie fields ---- */

static void a_visitor_is_known_by_the_cookie_of_the_first_visit(void **state)
{
    (void)state;
    assert_found_in("Cookie: %s\r\n");
}

static void the_name_of_a_field_is_known_in_any_case(void **state)
{
    (void)state;
    assert_found_in("cOOKIE: %s\r\n");
    assert_found_in("cookie: a=1\r\nCOOKIE: %s\r\n");
}

static void a_session_is_found_behind_odd_cookies_of_others(void **state)
{
    (void)state;
    assert_found_in("Cookie: quoted=\"un finished; %s\r\n");
    assert_found_in("Cookie: json={\"a\": [1, 2]}; %s; last\r\n");
    assert_found_in("Cookie: novalue; %s\r\n");
    assert_found_in("Cookie: spaces = in between ; %s\r\n");
    assert_found_in("Cookie: a,b=c,d,; %s\r\n");
    assert_found_in("Cookie: ;;; =; ,%%zz; %s;\r\n");
    assert_found_in("Cookie: eight=\xe4\xff\x80; %s\r\n");
    assert_found_in("Cookie: ID=bait; idd=bait; xid=bait; %s\r\n");
    assert_found_in("Cookie: name=\"id=bait; x=\"\r\nCookie: %s\r\n");
}

static void a_session_is_found_in_any_of_several_fields(void **state)
{
    (void)state;
    assert_found_in("Cookie: %s\r\nCookie: z=1\r\n");
    assert_found_in("Cookie: theme=dark\r\nX-Between: 1\r\nCookie: %s\r\nCookie: z=\"\r\n");
    assert_found_in("Cookie:\r\nCookie: =\r\nCookie: a b, c\r\nCookie: %s\r\n");
}

static void a_bad_cookie_of_the_same_name_in_front_hides_no_session(void **state)
{
    (void)state;
    assert_found_in("Cookie: id=; %s\r\n");
    assert_found_in("Cookie: id=bad; id=\"worse; %s\r\n");
    assert_found_in("Cookie: id=bad\r\nCookie: %s\r\n");
}

static void a_session_is_found_after_a_hundred_other_cookies(void **state)
{
    (void)state;
    char fields[FIELDS_MAX] = "Cookie: ";
    for (int i = 0; i < 100; i++)
        (void)snprintf(fields + strlen(fields), sizeof fields - strlen(fields),
                       "flood_%d=some value of a cookie; ", i);
    (void)snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "%s", "%s\r\n");
    assert_found_in(fields);
}

static void every_field_is_handed_over_apart_and_in_order(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    get(&site, "/read",
        "Cookie: a=1; b=\"x y\r\ncOOKIE: c=2\r\nX-Other: d=3\r\nCookies: no\r\nCooki: no\r\n"
        "Cookie: e=\xe4\r\n",
        &response);
    assert_non_null(strstr(response.body, "\ncookies 3\ncookie [a=1; b=\"x y]\ncookie [c=2]\n"
                                          "cookie [e=\xe4]\n"));
    close_site(&site);
}

static void fields_over_the_documented_number_are_left_unread(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    char fields[FIELDS_MAX] = "";
    for (int i = 0; i < SES_MHD_COOKIE_FIELDS + 8; i++)
        (void)snprintf(fields + strlen(fields), sizeof fields - strlen(fields),
                       "Cookie: c%d=%d\r\n", i, i);
    get(&site, "/read", fields, &response);
    assert_non_null(strstr(response.body, "\ncookies 32\n"));
    assert_non_null(strstr(response.body, "\ncookie [c31=31]\n"));
    assert_null(strstr(response.body, "c32"));
    close_site(&site);
}

/* ---- the rest of the request ---- */

static void headers_are_counted_from_the_last(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    get(&site, "/read", "X-Proxy: one\r\nx-proxy: two\r\nX-Proxy2: no\r\nX-PROXY: three\r\n",
        &response);
    assert_non_null(strstr(response.body, "\nproxy three\nproxy two\nproxy one\nproxy -\n"));
    close_site(&site);
}

static void the_peer_and_the_browser_are_known(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    get(&site, "/origin", "User-Agent: lynx/2.9\r\n", &response);
    assert_string_equal(response.body, "127.0.0.1 lynx/2.9");
    get(&site, "/origin", "", &response);
    assert_string_equal(response.body, "127.0.0.1 -");
    close_site(&site);
}

static void a_trusted_proxy_is_believed_about_the_peer(void **state)
{
    (void)state;
    const struct sockaddr_in address = loopback();
    struct site site = open_site("memory", "{\"trustedProxies\":[\"127.0.0.1\"]}",
                                 (const struct sockaddr *)&address);
    struct response response;
    get(&site, "/origin", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.7\r\n",
        &response);
    assert_string_equal(response.body, "192.0.2.7 -");
    close_site(&site);
}

static void an_ipv6_peer_is_shown_as_such(void **state)
{
    (void)state;
    const struct sockaddr_in6 address = { .sin6_family = AF_INET6,
                                          .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct site site = open_site("memory", NULL, (const struct sockaddr *)&address);
    struct response response;
    get(&site, "/origin", "", &response);
    assert_string_equal(response.body, "::1 -");
    close_site(&site);
}

static void an_ipv4_peer_of_a_socket_for_both_is_shown_as_ipv4(void **state)
{
    (void)state;
    struct site site = open_site("memory", NULL, NULL);
    struct sockaddr_in address = loopback();
    address.sin_port = ((const struct sockaddr_in6 *)&site.address)->sin6_port;
    memcpy(&site.address, &address, sizeof address);
    site.address_len = sizeof address;
    struct response response;
    get(&site, "/read", "", &response);
    assert_non_null(strstr(response.body, "\npeer 127.0.0.1\n"));
    close_site(&site);
}

/* ---- the response ---- */

static void a_connection_survives_its_answers(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    char pair[PAIR_MAX], field[PAIR_MAX + 16];
    const int fd = connect_to(&site);
    client_ask(fd, "GET", "/visit", "", NULL, &response);
    response_cookie(&response, pair, sizeof pair);
    (void)snprintf(field, sizeof field, "Cookie: %s\r\n", pair);
    client_ask(fd, "POST", "/visit", field, "a body that nobody reads", &response);
    assert_string_equal(response.body, "visit 2");
    client_ask(fd, "GET", "/visit", field, NULL, &response);
    assert_string_equal(response.body, "visit 3");
    (void)close(fd);
    close_site(&site);
}

static void a_stranger_about_whom_nothing_is_stored_gets_no_cookie(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    uint64_t count = 1;
    get(&site, "/look", "", &response);
    assert_string_equal(response.body, "looked");
    assert_int_equal(response_count(&response, "Set-Cookie"), 0);
    assert_ok(ses_count(site.manager, &count));
    assert_int_equal(count, 0);
    close_site(&site);
}

static void a_response_that_sets_a_cookie_is_not_to_be_cached(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    get(&site, "/visit", "", &response);
    assert_memory_equal(response_field(&response, "Cache-Control"), "no-store\r", 9);
    assert_memory_equal(response_field(&response, "Vary"), "Cookie\r", 7);
    close_site(&site);
}

static void headers_that_are_added_twice_are_sent_once(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    get(&site, "/twice", "", &response);
    assert_int_equal(response.status, 200);
    assert_int_equal(response_count(&response, "Set-Cookie"), 1);
    assert_int_equal(response_count(&response, "Cache-Control"), 1);
    assert_int_equal(response_count(&response, "Vary"), 1);
    close_site(&site);
}

static void a_response_that_cannot_be_queued_is_invalid(void **state)
{
    (void)state;
    struct site site = open_default();
    struct response response;
    get(&site, "/again", "", &response);
    assert_int_equal(response.status, 200);
    assert_int_equal(response_count(&response, "X-Wrong"), 0);
    close_site(&site);
}

/* ---- failures of the store ---- */

static struct site open_fake(void)
{
    const struct sockaddr_in address = loopback();
    fake_provider_reset();
    return open_site("fake", NULL, (const struct sockaddr *)&address);
}

static void a_start_without_store_is_unavailable(void **state)
{
    (void)state;
    struct site site = open_fake();
    struct response response;
    char pair[PAIR_MAX], field[PAIR_MAX + 16];
    first_visit(&site, pair);
    (void)snprintf(field, sizeof field, "Cookie: %s\r\n", pair);
    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    get(&site, "/visit", field, &response);
    assert_int_equal(response.status, 503);
    assert_string_equal(response.body, ses_strerror(SES_ERR_UNAVAILABLE));
    get(&site, "/visit", field, &response);
    assert_string_equal(response.body, "visit 2");
    close_site(&site);
}

static void a_commit_that_fails_queues_nothing_and_sets_no_cookie(void **state)
{
    (void)state;
    struct site site = open_fake();
    struct response response;
    const int fd = connect_to(&site);
    fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_FULL, FAKE_BEFORE_ACT);
    client_ask(fd, "GET", "/visit", "", NULL, &response);
    assert_int_equal(response.status, 503);
    assert_string_equal(response.body, ses_strerror(SES_ERR_FULL));
    assert_int_equal(response_count(&response, "Set-Cookie"), 0);
    client_ask(fd, "GET", "/visit", "", NULL, &response); /* nor does it cost the connection */
    assert_string_equal(response.body, "visit 1");
    (void)close(fd);
    close_site(&site);
}

static bool has_ipv6(void)
{
    const struct sockaddr_in6 address = { .sin6_family = AF_INET6,
                                          .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    const int probe = socket(AF_INET6, SOCK_STREAM, 0);
    const bool here =
        probe >= 0 && bind(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    if (probe >= 0)
        (void)close(probe);
    return here;
}

static int test_ipv6(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipv6_peer_is_shown_as_such),
        cmocka_unit_test(an_ipv4_peer_of_a_socket_for_both_is_shown_as_ipv4),
    };
    if (!has_ipv6())
        return skip_all("this machine has no IPv6");
    return cmocka_run_group_tests_name("adapter/microhttpd ipv6", tests, NULL, NULL);
}

/* With an argument: only what needs IPv6. */
int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return test_ipv6();
    if (ses_provider_register(&ses_provider_fake) != SES_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visitor_is_known_by_the_cookie_of_the_first_visit),
        cmocka_unit_test(the_name_of_a_field_is_known_in_any_case),
        cmocka_unit_test(a_session_is_found_behind_odd_cookies_of_others),
        cmocka_unit_test(a_session_is_found_in_any_of_several_fields),
        cmocka_unit_test(a_bad_cookie_of_the_same_name_in_front_hides_no_session),
        cmocka_unit_test(a_session_is_found_after_a_hundred_other_cookies),
        cmocka_unit_test(every_field_is_handed_over_apart_and_in_order),
        cmocka_unit_test(fields_over_the_documented_number_are_left_unread),
        cmocka_unit_test(headers_are_counted_from_the_last),
        cmocka_unit_test(the_peer_and_the_browser_are_known),
        cmocka_unit_test(a_trusted_proxy_is_believed_about_the_peer),
        cmocka_unit_test(a_connection_survives_its_answers),
        cmocka_unit_test(a_stranger_about_whom_nothing_is_stored_gets_no_cookie),
        cmocka_unit_test(a_response_that_sets_a_cookie_is_not_to_be_cached),
        cmocka_unit_test(headers_that_are_added_twice_are_sent_once),
        cmocka_unit_test(a_response_that_cannot_be_queued_is_invalid),
        cmocka_unit_test(a_start_without_store_is_unavailable),
        cmocka_unit_test(a_commit_that_fails_queues_nothing_and_sets_no_cookie),
    };
    return cmocka_run_group_tests_name("adapter/microhttpd", tests, NULL, NULL);
}
