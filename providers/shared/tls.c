/* SPDX-License-Identifier: MIT */
#include "shared/tls.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls {
    SSL_CTX *context;
    BIO_METHOD *method;
    char *name;
};

/* ---- a socket that raises no SIGPIPE and never blocks, as OpenSSL's own BIO may ---- */

static int bio_result(BIO *bio, ssize_t got)
{
    BIO_clear_retry_flags(bio);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(bio); /* which of the two it is, OpenSSL knows by the call */
    return got < INT_MAX ? (int)got : INT_MAX;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
    const struct stream *stream = BIO_get_data(bio);
    const int r =
        bio_result(bio, send(stream->fd, bytes, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT));
    if (BIO_should_retry(bio)) {
        BIO_clear_retry_flags(bio);
        BIO_set_retry_write(bio);
    }
    return r;
}

static int bio_read(BIO *bio, char *bytes, int len)
{
    const struct stream *stream = BIO_get_data(bio);
    return bio_result(bio, recv(stream->fd, bytes, (size_t)len, MSG_DONTWAIT));
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sesame");
    if (method && BIO_meth_set_write(method, bio_write) && BIO_meth_set_read(method, bio_read) &&
        BIO_meth_set_ctrl(method, bio_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- what all connections share ---- */

static const char *set_up(const struct tls *tls, const struct tls_options *options)
{
    SSL_CTX *context = tls->context;
    if (!context || !tls->method || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION))
        return "out of memory";
    if (options->ca_file ? !SSL_CTX_load_verify_file(context, options->ca_file)
                         : !SSL_CTX_set_default_verify_paths(context))
        return "the certificates of authorities cannot be read";
    if (options->cert_file && SSL_CTX_use_certificate_chain_file(context, options->cert_file) != 1)
        return "the client certificate cannot be read";
    if (options->key_file &&
        SSL_CTX_use_PrivateKey_file(context, options->key_file, SSL_FILETYPE_PEM) != 1)
        return "the key of the client certificate cannot be read, or is not its";
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return NULL;
}

struct tls *tls_new(const struct tls_options *options, char *why, size_t why_size)
{
    struct tls *tls = calloc(1, sizeof *tls);
    const char *problem = "out of memory";
    if (tls) {
        tls->context = SSL_CTX_new(TLS_client_method());
        tls->method = make_method();
        tls->name = options->name ? strdup(options->name) : NULL;
        problem = set_up(tls, options);
    }
    if (!problem)
        return tls;
    (void)snprintf(why, why_size, "TLS: %s", problem);
    ERR_clear_error();
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls->name);
    free(tls);
}

/* ---- one connection ---- */

/* After a call that did not succeed: shall it be made again? */
static bool try_again(struct stream *stream, int result, struct deadline deadline)
{
    const int error = SSL_get_error(stream->cipher, result);
    const short events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return false;
    struct pollfd wanted = { .fd = stream->fd, .events = events };
    const int left = deadline_left_ms(deadline);
    return left > 0 && (poll(&wanted, 1, left) > 0 || errno == EINTR);
}

static bool name_server(SSL *ssl, const struct tls *tls, const char *host)
{
    const char *name = tls->name ? tls->name : host;
    if (!name)
        return true; /* a unix socket: there is no name to compare */
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return true;
    ERR_clear_error();
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static BIO *bio_of(struct stream *stream, const struct tls *tls)
{
    BIO *bio = BIO_new(tls->method);
    if (bio) {
        BIO_set_data(bio, stream);
        BIO_set_init(bio, 1);
    }
    return bio;
}

const char *tls_begin(struct stream *stream, const struct tls *tls, const char *host,
                      struct deadline deadline)
{
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = bio_of(stream, tls);
    stream->cipher = ssl;
    if (!ssl || !bio) {
        BIO_free(bio);
        return "out of memory";
    }
    SSL_set_bio(ssl, bio, bio);
    if (!name_server(ssl, tls, host))
        return "the server's name is not one that a certificate could have";
    int r;
    do {
        r = SSL_connect(ssl);
    } while (r <= 0 && try_again(stream, r, deadline));
    const long verdict = SSL_get_verify_result(ssl);
    ERR_clear_error();
    if (r == 1)
        return NULL;
    return verdict == X509_V_OK ? "the TLS handshake failed"
                                : X509_verify_cert_error_string(verdict);
}

void tls_end(struct stream *stream)
{
    SSL_free(stream->cipher);
    stream->cipher = NULL;
}

bool tls_send(struct stream *stream, const void *bytes, size_t len, struct deadline deadline)
{
    int r;
    do {
        r = SSL_write(stream->cipher, bytes, len < INT_MAX ? (int)len : INT_MAX);
    } while (r <= 0 && try_again(stream, r, deadline));
    ERR_clear_error();
    return r > 0 && (size_t)r == len;
}

ssize_t tls_receive(struct stream *stream, void *bytes, size_t len, struct deadline deadline)
{
    int r;
    do {
        r = SSL_read(stream->cipher, bytes, len < INT_MAX ? (int)len : INT_MAX);
    } while (r <= 0 && try_again(stream, r, deadline));
    if (r <= 0 && SSL_get_error(stream->cipher, r) == SSL_ERROR_ZERO_RETURN)
        r = 0;
    else if (r <= 0)
        r = -1;
    ERR_clear_error();
    return r;
}
