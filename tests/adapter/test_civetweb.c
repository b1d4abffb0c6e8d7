/* SPDX-License-Identifier: MIT */
/* The adapter in a real CivetWeb, spoken to over a socket in bytes that no HTTP library would send.
 */
#include "client.h"

#include "support/fake_provider.h"

#include <sesame/adapters/civetweb.h>
#include <sesame/sesame.h>

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    struct mg_context *server;
    ses_manager *manager;
    uint16_t port;
} site;

/* ---- TLS ---- */

/* The CivetWeb of Debian 12 was built for another OpenSSL than Debian 12 has and speaks no TLS, so
 * this stands in for what it tells of such a connection. The linker wraps the call. */
static atomic_bool over_tls;

const struct mg_request_info *__real_mg_get_request_info(const struct mg_connection *connection);
const struct mg_request_info *__wrap_mg_get_request_info(const struct mg_connection *connection);

const struct mg_request_info *__wrap_mg_get_request_info(const struct mg_connection *connection)
{
    static _Thread_local struct mg_request_info info;
    if (!over_tls)
        return __real_mg_get_request_info(connection);
    info = *__real_mg_get_request_info(connection);
    info.is_ssl = 1;
    return &info;
}

/* ---- the site ---- */

static int answer_error(struct mg_connection *connection, int code)
{
    const int status = code == SES_ERR_UNAVAILABLE ? 503 : 500;
    (void)mg_send_http_error(connection, status, "%s", ses_strerror(code));
    return status;
}

/* GET /visit: one more visit, told in the body. */
static int visit(struct mg_connection *connection, void *arg)
{
    (void)arg;
    ses_session *session;
    int r = ses_civetweb_start(site.manager, connection, &session);
    if (r < 0)
        return answer_error(connection, r);

    char page[32];
    int64_t visits = 0;
    r = ses_increment(session, "visits", 1);
    (void)ses_get_int(session, "visits", &visits);
    const int len = snprintf(page, sizeof page, "visit %d", (int)visits);
    if (r == SES_OK)
        r = ses_civetweb_send(session, connection, 200, "text/plain", page, (size_t)len);
    ses_release(session);
    return r < 0 ? answer_error(connection, r) : 200;
}

/* GET /read: what the adapter tells the core of the request, a line each. */
static int read_back(struct mg_connection *connection, void *arg)
{
    (void)arg;
    char page[8192];
    struct ses_civetweb_request read;
    ses_civetweb_read(connection, &read);
    const struct ses_request *r = &read.request;
    int len =
        snprintf(page, sizeof page, "size %zu\ntls %d\npeer %s\nagent %s\ncookies %zu\n", r->size,
                 r->tls, r->peer, r->user_agent ? r->user_agent : "(none)", r->cookie_count);
    for (size_t i = 0; i < r->cookie_count && len < 4096; i++)
        len += snprintf(page + len, sizeof page - (size_t)len, "cookie [%.*s]\n",
                        (int)r->cookies[i].len, (const char *)r->cookies[i].data);
    for (size_t nth = 0; nth < 3; nth++) {
        const char *value = r->header(r->header_arg, "x-PROXY", nth);
        len += snprintf(page + len, sizeof page - (size_t)len, "proxy %s\n", value ? value : "-");
    }
    (void)mg_send_http_ok(connection, "text/plain", len);
    (void)mg_write(connection, page, (size_t)len);
    return 200;
}

/* GET /empty: 204, although a body was given by mistake. */
static int empty(struct mg_connection *connection, void *arg)
{
    (void)arg;
    ses_session *session;
    int r = ses_civetweb_start(site.manager, connection, &session);
    if (r < 0)
        return answer_error(connection, r);
    r = ses_set_int(session, "seen", 1);
    if (r == SES_OK)
        r = ses_civetweb_send(session, connection, 204, NULL, "not to be sent", 14);
    ses_release(session);
    return r < 0 ? answer_error(connection, r) : 204;
}

/* GET /parts: a response in parts, with a header of its own. */
static int in_parts(struct mg_connection *connection, void *arg)
{
    (void)arg;
    ses_session *session;
    int r = ses_civetweb_start(site.manager, connection, &session);
    if (r < 0)
        return answer_error(connection, r);
    r = ses_set_int(session, "seen", 1);
    if (r == SES_OK)
        r = ses_civetweb_commit(session, connection, 200);
    ses_release(session);
    if (r < 0)
        return answer_error(connection, r);
    (void)mg_response_header_add(connection, "X-Mine", "yes", -1);
    (void)mg_response_header_add(connection, "Content-Length", "6", -1);
    (void)mg_response_header_send(connection);
    (void)mg_write(connection, "abc", 3);
    (void)mg_write(connection, "def", 3);
    return 200;
}

/* GET /late: a handler that sends first and commits afterwards. */
static int too_late(struct mg_connection *connection, void *arg)
{
    (void)arg;
    ses_session *session;
    int r = ses_civetweb_start(site.manager, connection, &session);
    if (r < 0)
        return answer_error(connection, r);
    (void)mg_send_http_ok(connection, "text/plain", 11);
    r = ses_set_int(session, "seen", 1);
    if (r == SES_OK)
        r = ses_civetweb_send(session, connection, 200, "text/plain", "page", 4);
    (void)mg_printf(connection, "code %6d", r);
    ses_release(session);
    return 200;
}

/* GET /huge: a body that CivetWeb could not write in one go. */
static int huge(struct mg_connection *connection, void *arg)
{
    (void)arg;
    ses_session *session;
    int r = ses_civetweb_start(site.manager, connection, &session);
    if (r < 0)
        return answer_error(connection, r);
    r = ses_set_int(session, "seen", 1);
    if (r == SES_OK)
        r = ses_civetweb_send(session, connection, 200, NULL, "", (size_t)INT_MAX + 1);
    ses_release(session);
    return r == SES_ERR_TOO_LARGE ? (mg_send_http_error(connection, 413, "too large"), 413) : 200;
}

/* ---- its visitors ---- */

static int connect_to_site(void)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(site.port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    return client_connect((const struct sockaddr *)&address, sizeof address);
}

static void ask_once(const char *path, const char *fields, struct response *ret)
{
    const int fd = connect_to_site();
    client_ask(fd, "GET", path, fields, NULL, ret);
    close(fd);
}

/* "id=VALUE" of the one Set-Cookie field. */
static const char *cookie_of(const struct response *response)
{
    static char pair[128];
    response_cookie(response, pair, sizeof pair);
    return pair;
}

/* What another visitor gets, a cookie that is no longer good for anything. */
static const char *stale_cookie(void)
{
    static char stale[128];
    struct response r;
    ask_once("/visit", "", &r);
    (void)snprintf(stale, sizeof stale, "%s", cookie_of(&r));
    assert_ok(ses_destroy_id(site.manager, strchr(stale, '=') + 1));
    return stale;
}

/* ---- tests ---- */

static void a_visitor_is_known_by_the_cookie_of_the_first_visit(void **state)
{
    (void)state;
    struct response r;
    char field[256];
    ask_once("/visit", "", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "visit 1");
    assert_non_null(strstr(r.head, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(r.head, "\r\nContent-Type: text/plain\r\n"));
    (void)snprintf(field, sizeof field, "Cookie: %s\r\n", cookie_of(&r));
    ask_once("/visit", field, &r);
    assert_string_equal(r.body, "visit 2");
    assert_int_equal(response_count(&r, "Set-Cookie"), 0);
}

static void every_cookie_field_is_handed_over_apart_and_in_order(void **state)
{
    (void)state;
    struct response r;
    ask_once("/read",
             "Cookie: a=1; b=\"x y\r\ncOOKIE: c=2\r\nX-Other: d=3\r\nCookie:\r\n"
             "Cookie: =;;, e = 4;\r\n",
             &r);
    assert_non_null(strstr(r.body, "\ncookies 4\n"
                                   "cookie [a=1; b=\"x y]\n"
                                   "cookie [c=2]\n"
                                   "cookie []\n"
                                   "cookie [=;;, e = 4;]\n"));
}

static void a_session_is_found_behind_odd_cookies_of_others(void **state)
{
    (void)state;
    static const char *const around[] = {
        "Cookie: %s\r\n",
        "Cookie: a=\"un finished; %s\r\n",
        "Cookie: x={\"json\": [1, 2]}; %s; y\r\n",
        "Cookie: ;;; =; ,%%zz; %s;\r\n",
        "Cookie: theme=dark\r\ncookie: %s\r\nCookie: z=1\r\n",
        "Cookie: ID=bait; idd=bait; xid=bait\r\nCookie: %s\r\n",
    };
    struct response r;
    char pair[128], fields[512], page[32];
    ask_once("/visit", "", &r);
    (void)snprintf(pair, sizeof pair, "%s", cookie_of(&r));
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        const char *hole = strstr(around[i], "%s");
        (void)snprintf(fields, sizeof fields, "%.*s%s%s", (int)(hole - around[i]), around[i], pair,
                       hole + 2);
        ask_once("/visit", fields, &r);
        (void)snprintf(page, sizeof page, "visit %zu", i + 2);
        assert_string_equal(r.body, page);
    }
}

static void a_stale_cookie_of_the_same_name_hides_no_session(void **state)
{
    (void)state;
    struct response r;
    char stale[128], pair[128], fields[512];
    (void)snprintf(stale, sizeof stale, "%s", stale_cookie());
    ask_once("/visit", "", &r);
    (void)snprintf(pair, sizeof pair, "%s", cookie_of(&r));

    (void)snprintf(fields, sizeof fields, "Cookie: %s; %s\r\n", stale, pair);
    ask_once("/visit", fields, &r);
    assert_string_equal(r.body, "visit 2");
    (void)snprintf(fields, sizeof fields, "Cookie: %s\r\nCookie: %s\r\n", stale, pair);
    ask_once("/visit", fields, &r);
    assert_string_equal(r.body, "visit 3");
}

static void a_connection_that_is_kept_serves_many_visitors(void **state)
{
    (void)state;
    struct response r;
    char first[160], second[160];
    const int fd = connect_to_site();
    client_ask(fd, "GET", "/visit", "", NULL, &r);
    assert_non_null(strstr(r.head, "\r\nConnection: keep-alive\r\n"));
    (void)snprintf(first, sizeof first, "Cookie: %s\r\n", cookie_of(&r));
    client_ask(fd, "GET", "/visit", "", NULL, &r);
    assert_string_equal(r.body, "visit 1");
    (void)snprintf(second, sizeof second, "Cookie: %s\r\n", cookie_of(&r));
    assert_string_not_equal(first, second);

    for (int i = 2; i < 5; i++) {
        client_ask(fd, "GET", "/visit", first, NULL, &r);
        assert_int_equal(r.body[6], '0' + i);
        assert_int_equal(response_count(&r, "Set-Cookie"), 0);
    }
    client_ask(fd, "GET", "/visit", second, NULL, &r);
    assert_string_equal(r.body, "visit 2");
    close(fd);
}

static void a_head_request_gets_the_headers_without_the_body(void **state)
{
    (void)state;
    static const char request[] = "HEAD /visit HTTP/1.1\r\nHost: a.test\r\n\r\n";
    struct response r;
    const int fd = connect_to_site();
    client_send(fd, request, strlen(request));
    client_receive_head(fd, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.head, "\r\nContent-Length: 7\r\n"));
    assert_non_null(cookie_of(&r));
    client_ask(fd, "GET", "/visit", "", NULL, &r); /* would read the body, if there were one */
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "visit 1");
    close(fd);
}

static void a_status_without_body_sends_none(void **state)
{
    (void)state;
    struct response r;
    const int fd = connect_to_site();
    client_ask(fd, "GET", "/empty", "", NULL, &r);
    assert_int_equal(r.status, 204);
    assert_null(response_field(&r, "Content-Length"));
    assert_non_null(cookie_of(&r));
    client_ask(fd, "GET", "/visit", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "visit 1");
    close(fd);
}

static void a_response_in_parts_has_both_sorts_of_headers(void **state)
{
    (void)state;
    struct response r;
    ask_once("/parts", "", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "abcdef");
    assert_non_null(strstr(r.head, "\r\nX-Mine: yes\r\n"));
    assert_non_null(cookie_of(&r));
}

static void a_commit_after_the_first_byte_is_refused_and_writes_nothing(void **state)
{
    (void)state;
    struct response r;
    ask_once("/late", "", &r);
    assert_string_equal(r.body, "code   -100");
    assert_int_equal(response_count(&r, "Set-Cookie"), 0);
}

static void a_body_over_the_limit_is_refused_before_the_commit(void **state)
{
    (void)state;
    struct response r;
    struct ses_stats before = { .size = sizeof before }, after = { .size = sizeof after };
    assert_ok(ses_manager_stats(site.manager, &before));
    ask_once("/huge", "", &r);
    assert_ok(ses_manager_stats(site.manager, &after));
    assert_int_equal(r.status, 413);
    assert_int_equal(after.created, before.created);
}

static void a_store_that_is_down_at_the_start_is_a_503_without_cookie(void **state)
{
    (void)state;
    struct response r;
    char field[256];
    ask_once("/visit", "", &r);
    (void)snprintf(field, sizeof field, "Cookie: %s\r\n", cookie_of(&r));

    fake_provider_fail_call(FAKE_LOAD, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
    ask_once("/visit", field, &r);
    assert_int_equal(r.status, 503);
    assert_int_equal(response_count(&r, "Set-Cookie"), 0);
    ask_once("/visit", field, &r);
    assert_string_equal(r.body, "visit 2");
}

static void a_commit_that_fails_leaves_the_response_to_the_error_page(void **state)
{
    (void)state;
    struct response r;
    const char *const pages[] = { "/visit", "/empty", "/parts" };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        fake_provider_fail_call(FAKE_CREATE, 1, SES_ERR_UNAVAILABLE, FAKE_BEFORE_ACT);
        ask_once(pages[i], "", &r);
        assert_int_equal(r.status, 503);
        assert_int_equal(response_count(&r, "Content-Type"), 1);
        assert_int_equal(response_count(&r, "Set-Cookie"), 0);
        assert_null(strstr(r.body, "visit"));
    }
}

static void the_peer_and_the_user_agent_are_told(void **state)
{
    (void)state;
    struct response r;
    char size[32];
    ask_once("/read", "User-Agent: probe/1\r\n", &r);
    assert_non_null(strstr(r.body, "\npeer 127.0.0.1\nagent probe/1\ncookies 0\n"));
    assert_non_null(strstr(r.body, "\ntls 0\n"));
    (void)snprintf(size, sizeof size, "size %zu\n", sizeof(struct ses_request));
    assert_ptr_equal(strstr(r.body, size), r.body);
    ask_once("/read", "", &r);
    assert_non_null(strstr(r.body, "\nagent (none)\n"));
}

static void a_connection_by_tls_makes_the_cookie_secure(void **state)
{
    (void)state;
    struct response r;
    over_tls = true;
    ask_once("/read", "", &r);
    assert_non_null(strstr(r.body, "\ntls 1\n"));
    ask_once("/visit", "", &r);
    over_tls = false;
    assert_ptr_equal(strstr(cookie_of(&r), "__Host-id="), cookie_of(&r));
    assert_non_null(strstr(r.head, "; Secure;"));
}

static void headers_are_counted_from_the_last(void **state)
{
    (void)state;
    struct response r;
    ask_once("/read", "X-Proxy: one\r\nX-Other: no\r\nx-proxy: two\r\n", &r);
    assert_non_null(strstr(r.body, "\nproxy two\nproxy one\nproxy -\n"));
    ask_once("/read", "X-Prox: a\r\nX-Proxyy: b\r\n", &r);
    assert_non_null(strstr(r.body, "\nproxy -\nproxy -\nproxy -\n"));
}

/* CivetWeb drops what comes after MG_MAX_HEADERS fields, which is where the proxy's own would be.
 */
static void of_a_request_that_was_cut_no_header_is_told(void **state)
{
    (void)state;
    struct response r;
    char fields[4096] = "X-Proxy: faked\r\n";
    size_t len = strlen(fields);
    for (int i = 2; i < MG_MAX_HEADERS - 1; i++) /* with Host, one less than CivetWeb keeps */
        len += (size_t)snprintf(fields + len, sizeof fields - len, "X-Fill: %d\r\n", i);
    ask_once("/read", fields, &r);
    assert_non_null(strstr(r.body, "\nproxy faked\nproxy -\n"));

    (void)snprintf(fields + len, sizeof fields - len, "X-Fill: 0\r\nX-Proxy: true\r\n");
    ask_once("/read", fields, &r);
    assert_non_null(strstr(r.body, "\nproxy -\nproxy -\nproxy -\n"));
}

/* ---- life of the site ---- */

static int open_site(void **state)
{
    (void)state;
    static const char *const options[] = {
        "listening_ports",       "127.0.0.1:0", "num_threads", "4", "enable_keep_alive", "yes",
        "keep_alive_timeout_ms", "10000",       NULL
    };
    static const struct {
        const char *path;
        mg_request_handler answer;
    } pages[] = { { "/visit", visit },    { "/read", read_back }, { "/empty", empty },
                  { "/parts", in_parts }, { "/late", too_late },  { "/huge", huge } };
    struct ses_error error;
    struct mg_server_port port;
    fake_provider_reset();
    assert_ok(ses_provider_register(&ses_provider_fake));
    site.manager = ses_manager_new("fake", NULL, NULL, &error);
    if (!site.manager)
        fail_msg("%s", error.message);
    (void)mg_init_library(MG_FEATURES_DEFAULT);
    site.server = mg_start(NULL, NULL, (const char **)(uintptr_t)options);
    assert_non_null(site.server);
    assert_int_equal(mg_get_server_ports(site.server, 1, &port), 1);
    site.port = (uint16_t)port.port;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        mg_set_request_handler(site.server, pages[i].path, pages[i].answer, NULL);
    return 0;
}

static int close_site(void **state)
{
    (void)state;
    mg_stop(site.server);
    (void)mg_exit_library();
    ses_manager_unref(site.manager);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visitor_is_known_by_the_cookie_of_the_first_visit),
        cmocka_unit_test(every_cookie_field_is_handed_over_apart_and_in_order),
        cmocka_unit_test(a_session_is_found_behind_odd_cookies_of_others),
        cmocka_unit_test(a_stale_cookie_of_the_same_name_hides_no_session),
        cmocka_unit_test(a_connection_that_is_kept_serves_many_visitors),
        cmocka_unit_test(a_head_request_gets_the_headers_without_the_body),
        cmocka_unit_test(a_status_without_body_sends_none),
        cmocka_unit_test(a_response_in_parts_has_both_sorts_of_headers),
        cmocka_unit_test(a_commit_after_the_first_byte_is_refused_and_writes_nothing),
        cmocka_unit_test(a_body_over_the_limit_is_refused_before_the_commit),
        cmocka_unit_test(a_store_that_is_down_at_the_start_is_a_503_without_cookie),
        cmocka_unit_test(a_commit_that_fails_leaves_the_response_to_the_error_page),
        cmocka_unit_test(the_peer_and_the_user_agent_are_told),
        cmocka_unit_test(a_connection_by_tls_makes_the_cookie_secure),
        cmocka_unit_test(headers_are_counted_from_the_last),
        cmocka_unit_test(of_a_request_that_was_cut_no_header_is_told),
    };
    return cmocka_run_group_tests(tests, open_site, close_site);
}
