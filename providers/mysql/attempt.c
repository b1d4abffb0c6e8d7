/* SPDX-License-Identifier: MIT */
#include "mysql/attempt.h"

#include <openssl/x509.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* For the name's look-up and OpenSSL, which run on the library's own stack. */
enum { STACK_BYTES = 256 * 1024 };

/* ---- options ---- */

static const char auth_plugins[] =
    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519";

/* No file of options is read, and no server gets a file of ours, nor the password as it is. */
MYSQL *attempt_handle(size_t stack_bytes)
{
    const my_bool no = 0;
    const unsigned no_file = 0;
    MYSQL *mysql = mysql_init(NULL);
    if (!mysql)
        return NULL;
    if (mysql_options(mysql, MYSQL_OPT_NONBLOCK, stack_bytes ? &stack_bytes : NULL) == 0 &&
        mysql_options(mysql, MYSQL_OPT_RECONNECT, &no) == 0 &&
        mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_file) == 0 &&
        mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0 &&
        mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH, auth_plugins) == 0)
        return mysql;
    mysql_close(mysql);
    return NULL;
}

/* Without any certificates to trust the library would not look at the server's. */
static bool trust(MYSQL *mysql, const char *ca_file)
{
    const my_bool yes = 1;
    if (!ca_file && access(X509_get_default_cert_file(), R_OK) == 0)
        ca_file = X509_get_default_cert_file();
    else if (!ca_file && mysql_options(mysql, MYSQL_OPT_SSL_CAPATH, X509_get_default_cert_dir()))
        return false;
    return (!ca_file || mysql_options(mysql, MYSQL_OPT_SSL_CA, ca_file) == 0) &&
           mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes) == 0;
}

/* The library takes the timeout for milliseconds in each wait of a handshake. */
static bool set_tls(const struct talk *talk, const struct mysql_config *config)
{
    const my_bool yes = 1;
    const unsigned protocol = MYSQL_PROTOCOL_TCP; /* also for "localhost" */
    const unsigned wait = (unsigned)deadline_left_ms(talk->deadline) + 1;
    MYSQL *mysql = talk->mysql;
    return mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
           mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes) == 0 &&
           mysql_options(mysql, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3") == 0 &&
           mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &wait) == 0 &&
           (config->tls != MYSQL_TLS_VERIFIED || trust(mysql, config->ca_file));
}

/* ---- the thread ---- */

/* Whoever waits and the thread hold one each; the last one frees it. */
struct task {
    atomic_int holders;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool done, abandoned, connected;
    struct talk_socket socket;
    struct talk talk;
    struct mysql_config config; /* its own: the store may be closed meanwhile */
};

static void task_unref(struct task *task)
{
    if (atomic_fetch_sub(&task->holders, 1) > 1)
        return;
    (void)pthread_mutex_destroy(&task->mutex);
    (void)pthread_cond_destroy(&task->ended);
    (void)pthread_mutex_destroy(&task->socket.mutex);
    if (task->socket.fd >= 0)
        (void)close(task->socket.fd);
    mysql_config_free(&task->config);
    free(task);
}

static struct task *task_new(const struct talk *talk, const struct mysql_config *config)
{
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return NULL;
    atomic_init(&task->holders, 1);
    (void)pthread_mutex_init(&task->mutex, NULL);
    (void)pthread_cond_init(&task->ended, NULL);
    (void)pthread_mutex_init(&task->socket.mutex, NULL);
    task->socket.fd = -1;
    task->talk = *talk;
    task->talk.socket = &task->socket;
    if (!mysql_config_read(&task->config, config->whole))
        return task;
    task_unref(task);
    return NULL;
}

static bool connect_with_tls(struct task *task)
{
    const struct mysql_config *config = &task->config;
    const struct talk_place place = {
        .host = config->host,
        .port = config->port_number,
        .user = config->user,
        .password = config->password,
        .database = config->database,
    };
    task->talk.tls = true;
    task->talk.mysql = attempt_handle(STACK_BYTES);
    return task->talk.mysql && set_tls(&task->talk, config) &&
           talk_connect(&task->talk, &place, NULL);
}

static void *run(void *arg)
{
    struct task *task = arg;
    const bool connected = connect_with_tls(task);
    (void)pthread_mutex_lock(&task->mutex);
    task->connected = connected;
    task->done = true;
    const bool abandoned = task->abandoned;
    (void)pthread_cond_signal(&task->ended);
    (void)pthread_mutex_unlock(&task->mutex);
    if (abandoned) {
        task->talk.late = true;
        talk_close(&task->talk);
    }
    task_unref(task);
    return NULL;
}

/* Signals are for the process's own threads. */
static bool start(struct task *task, pthread_t *ret_thread)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    atomic_fetch_add(&task->holders, 1);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int r = pthread_create(ret_thread, NULL, run, task);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        atomic_fetch_sub(&task->holders, 1);
    return r == 0;
}

/* So that a handshake ends at once, and not when the server likes it. @return was there any? */
static bool abandon(struct task *task)
{
    (void)pthread_mutex_lock(&task->socket.mutex);
    const bool known = task->socket.fd >= 0;
    if (known)
        (void)shutdown(task->socket.fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&task->socket.mutex);
    return known;
}

/* A thread that only waits for a name server is left alone. @return did it end in time? */
static bool wait_for_end(struct task *task, pthread_t thread)
{
    const struct timespec until = deadline_timespec(task->talk.deadline);
    int r = 0;
    (void)pthread_mutex_lock(&task->mutex);
    while (!task->done && r == 0)
        r = pthread_cond_clockwait(&task->ended, &task->mutex, CLOCK_MONOTONIC, &until);
    const bool done = task->done;
    task->abandoned = !done;
    (void)pthread_mutex_unlock(&task->mutex);
    if (done || abandon(task))
        (void)pthread_join(thread, NULL);
    else
        (void)pthread_detach(thread);
    return done;
}

static bool take_over(struct task *task, struct talk *talk, const char **ret_why)
{
    *talk = task->talk;
    talk->socket = NULL;
    if (!talk->mysql) {
        *ret_why = "out of memory";
        return false;
    }
    talk->tls = mysql_get_ssl_cipher(talk->mysql) != NULL;
    if (task->connected && !talk->tls && task->config.tls != MYSQL_TLS_PREFERRED) {
        *ret_why = "the server has no TLS";
        return false;
    }
    return task->connected;
}

bool attempt(struct talk *talk, const struct mysql_config *config, const char **ret_why)
{
    bool connected = false;
    pthread_t thread;
    struct task *task = task_new(talk, config);
    *ret_why = NULL;
    if (!task || !start(task, &thread))
        *ret_why = "out of memory";
    else if (wait_for_end(task, thread))
        connected = take_over(task, talk, ret_why);
    else
        *ret_why = "no answer in time";
    if (task)
        task_unref(task);
    return connected;
}
