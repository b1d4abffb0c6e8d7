/* SPDX-License-Identifier: MIT */
/* The adapter behind real TLS: the cookie is Secure there, and only there. */
#include "support/test.h"

#include <sesame/adapters/microhttpd.h>
#include <sesame/sesame.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <unistd.h>

/* ---- a certificate that nobody has to trust ---- */

static X509 *sign_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    X509_NAME *name = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"a.test", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static char *text_of(BIO *bio)
{
    char *bytes;
    const long len = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)len);
    BIO_free(bio);
    assert_non_null(text);
    return text;
}

static void make_pair(char **ret_key, char **ret_certificate)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    X509 *certificate = sign_certificate(key);
    BIO *key_out = BIO_new(BIO_s_mem()), *certificate_out = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(PEM_write_bio_X509(certificate_out, certificate), 1);
    *ret_key = text_of(key_out);
    *ret_certificate = text_of(certificate_out);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---- server and client ---- */

static enum MHD_Result answer(void *manager, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_bytes, void **called)
{
    (void)path, (void)method, (void)version, (void)body, (void)body_bytes;
    if (!*called) {
        *called = manager;
        return MHD_YES;
    }
    ses_session *session;
    if (ses_mhd_start(manager, connection, &session) < 0)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    int r = ses_increment(session, "visits", 1);
    if (r == SES_OK)
        r = ses_mhd_queue(session, connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    ses_release(session);
    return r == SES_OK ? MHD_YES : MHD_NO;
}

/* Everything that the server says to one request on a connection of its own. */
static void ask(uint16_t port, bool tls, char *out, size_t size)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_true(!tls || SSL_connect(ssl) == 1);

    const int want = (int)sizeof request - 1;
    assert_int_equal(tls ? SSL_write(ssl, request, want) : (int)send(fd, request, (size_t)want, 0),
                     want);
    size_t len = 0;
    for (int got = 1; got > 0 && len<size - 1; len += got> 0 ? (size_t)got : 0)
        got = tls ? SSL_read(ssl, out + len, (int)(size - 1 - len))
                  : (int)recv(fd, out + len, size - 1 - len, 0);
    out[len] = '\0';
    SSL_free(ssl);
    SSL_CTX_free(context);
    (void)close(fd);
}

static void visit(unsigned flags, char *out, size_t size)
{
    char *key, *certificate;
    make_pair(&key, &certificate);
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ses_manager *manager = ses_manager_new("memory", NULL, NULL, NULL);
    assert_non_null(manager);
    const bool tls = (flags & MHD_USE_TLS) != 0;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | flags, 0, NULL, NULL, answer, manager, MHD_OPTION_SOCK_ADDR,
        &address, tls ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, key, MHD_OPTION_HTTPS_MEM_CERT,
        certificate, MHD_OPTION_END);
    assert_non_null(daemon);
    ask(MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port, tls, out, size);
    MHD_stop_daemon(daemon);
    ses_manager_unref(manager);
    free(key);
    free(certificate);
}

/* ---- tests ---- */

static void a_cookie_over_tls_is_secure_and_bound_to_the_host(void **state)
{
    (void)state;
    char said[4096];
    visit(MHD_USE_TLS, said, sizeof said);
    assert_non_null(strstr(said, "\r\nSet-Cookie: __Host-id="));
    assert_non_null(strstr(said, "; Secure"));
}

static void a_cookie_without_tls_is_neither(void **state)
{
    (void)state;
    char said[4096];
    visit(0, said, sizeof said);
    assert_non_null(strstr(said, "\r\nSet-Cookie: id="));
    assert_null(strstr(said, "; Secure"));
}

int main(void)
{
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return skip_all("this libmicrohttpd was built without TLS");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_over_tls_is_secure_and_bound_to_the_host),
        cmocka_unit_test(a_cookie_without_tls_is_neither),
    };
    return cmocka_run_group_tests_name("adapter/microhttpd_tls", tests, NULL, NULL);
}
