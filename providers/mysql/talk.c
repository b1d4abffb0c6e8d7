/* SPDX-License-Identifier: MIT */
#include "mysql/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- SIGPIPE ---- */

/* Without TLS the library sends with MSG_NOSIGNAL. OpenSSL does not; its signal is taken back, in
 * this thread alone, and the process's settings are not touched. */
struct hush {
    bool on;
    bool pending_before;
    sigset_t mask_before;
};

static sigset_t only_pipe(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    return set;
}

static struct hush hush_begin(bool on)
{
    struct hush hush = { .on = on };
    if (!on)
        return hush;
    sigset_t pending;
    const sigset_t pipe = only_pipe();
    (void)sigpending(&pending);
    hush.pending_before = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &hush.mask_before);
    return hush;
}

static void hush_end(const struct hush *hush)
{
    const struct timespec at_once = { 0 };
    const sigset_t pipe = only_pipe();
    if (!hush->on)
        return;
    if (!hush->pending_before)
        (void)sigtimedwait(&pipe, NULL, &at_once);
    (void)pthread_sigmask(SIG_SETMASK, &hush->mask_before, NULL);
}

/* ---- waiting ---- */

static int ready_of(short revents, int events)
{
    int ready = 0;
    if (revents & (POLLIN | POLLHUP | POLLERR))
        ready |= events & MYSQL_WAIT_READ;
    if (revents & (POLLOUT | POLLHUP | POLLERR))
        ready |= events & MYSQL_WAIT_WRITE;
    return ready;
}

static struct deadline deadline_of(const struct talk *talk, int events)
{
    const int64_t most = events & MYSQL_WAIT_READ ? talk->read_ms : talk->write_ms;
    return most > 0 ? deadline_sooner(talk->deadline, deadline_in(most)) : talk->deadline;
}

static int give_up(struct talk *talk, int fd)
{
    talk->late = true;
    (void)shutdown(fd, SHUT_RDWR);
    return MYSQL_WAIT_TIMEOUT;
}

/* @return for the library, what it need not wait for any more. */
static int wait_for(struct talk *talk, int events)
{
    const struct deadline deadline = deadline_of(talk, events);
    struct pollfd wanted = { .fd = mysql_get_socket(talk->mysql) };
    if (events & MYSQL_WAIT_READ)
        wanted.events |= POLLIN;
    if (events & MYSQL_WAIT_WRITE)
        wanted.events |= POLLOUT;
    int r = 0;
    while (!talk->late && !deadline_passed(deadline)) {
        r = poll(&wanted, 1, deadline_left_ms(deadline));
        if (r >= 0 || errno != EINTR)
            break;
    }
    return r > 0 ? ready_of(wanted.revents, events) : give_up(talk, wanted.fd);
}

/* ---- connecting ---- */

static void keep_socket(struct talk_socket *kept, int fd)
{
    (void)pthread_mutex_lock(&kept->mutex);
    if (kept->fd >= 0)
        (void)close(kept->fd); /* of an address before */
    kept->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    (void)pthread_mutex_unlock(&kept->mutex);
}

/* Children that are other programs have no use for it. OpenSSL would block on it otherwise. */
static void settle_socket(const struct talk *talk)
{
    const int fd = mysql_get_socket(talk->mysql);
    const int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
    if (flags < 0)
        return;
    if (talk->socket)
        keep_socket(talk->socket, fd);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static ino_t inode_of(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 ? stat.st_ino : 0;
}

static void note_socket(struct talk *talk)
{
    settle_socket(talk);
    talk->fd = mysql_get_socket(talk->mysql);
    talk->inode = inode_of(talk->fd);
}

static void lock(pthread_mutex_t *mutex)
{
    if (mutex)
        (void)pthread_mutex_lock(mutex);
}

static void unlock(pthread_mutex_t *mutex)
{
    if (mutex)
        (void)pthread_mutex_unlock(mutex);
}

/* A save that changes nothing has found its row all the same. */
enum { CONNECT_FLAGS = CLIENT_FOUND_ROWS };

bool talk_connect(struct talk *talk, const struct talk_place *place, pthread_mutex_t *mutex)
{
    MYSQL *connected = NULL;
    const struct hush hush = hush_begin(talk->tls);
    lock(mutex);
    int wait =
        mysql_real_connect_start(&connected, talk->mysql, place->host, place->user, place->password,
                                 place->database, place->port, place->path, CONNECT_FLAGS);
    while (wait) {
        unlock(mutex);
        settle_socket(talk);
        const int ready = wait_for(talk, wait);
        lock(mutex);
        wait = mysql_real_connect_cont(&connected, talk->mysql, ready);
    }
    unlock(mutex);
    hush_end(&hush);
    if (connected)
        note_socket(talk);
    return connected && !talk->late;
}

/* ---- talking ---- */

bool talk_query(struct talk *talk, const char *text)
{
    int r = 0;
    const struct hush hush = hush_begin(talk->tls);
    int wait = mysql_real_query_start(&r, talk->mysql, text, strlen(text));
    while (wait)
        wait = mysql_real_query_cont(&r, talk->mysql, wait_for(talk, wait));
    hush_end(&hush);
    return r == 0 && !talk->late;
}

MYSQL_RES *talk_result(struct talk *talk)
{
    MYSQL_RES *result = NULL;
    const struct hush hush = hush_begin(talk->tls);
    int wait = mysql_store_result_start(&result, talk->mysql);
    while (wait)
        wait = mysql_store_result_cont(&result, talk->mysql, wait_for(talk, wait));
    hush_end(&hush);
    return result;
}

bool talk_prepare(struct talk *talk, MYSQL_STMT *statement, const char *text)
{
    int r = 0;
    const struct hush hush = hush_begin(talk->tls);
    int wait = mysql_stmt_prepare_start(&r, statement, text, strlen(text));
    while (wait)
        wait = mysql_stmt_prepare_cont(&r, statement, wait_for(talk, wait));
    hush_end(&hush);
    return r == 0 && !talk->late;
}

bool talk_execute(struct talk *talk, MYSQL_STMT *statement)
{
    int r = 0;
    const struct hush hush = hush_begin(talk->tls);
    int wait = mysql_stmt_execute_start(&r, statement);
    while (wait)
        wait = mysql_stmt_execute_cont(&r, statement, wait_for(talk, wait));
    hush_end(&hush);
    return r == 0 && !talk->late;
}

bool talk_store(struct talk *talk, MYSQL_STMT *statement)
{
    int r = 0;
    const struct hush hush = hush_begin(talk->tls);
    int wait = mysql_stmt_store_result_start(&r, statement);
    while (wait)
        wait = mysql_stmt_store_result_cont(&r, statement, wait_for(talk, wait));
    hush_end(&hush);
    return r == 0 && !talk->late;
}

void talk_forget(struct talk *talk, MYSQL_STMT *statement)
{
    my_bool r = 0;
    const struct hush hush = hush_begin(talk->tls);
    int wait = mysql_stmt_close_start(&r, statement);
    while (wait)
        wait = mysql_stmt_close_cont(&r, statement, wait_for(talk, wait));
    hush_end(&hush);
}

/* ---- closing ---- */

/* What the library still has to say at the end is little, but would wait for a server that does
 * not read. So it is said only by a connection on which nothing went wrong. */
void talk_close(struct talk *talk)
{
    if (!talk->mysql)
        return;
    const struct hush hush = hush_begin(talk->tls);
    if (talk->late)
        (void)shutdown(mysql_get_socket(talk->mysql), SHUT_RDWR);
    mysql_close(talk->mysql);
    hush_end(&hush);
    talk->mysql = NULL;
}

/* A socket that leads nowhere takes the place of the one that is the parent's; unless the library
 * had closed that, and its number is another's by now. */
static void lead_nowhere(const struct talk *talk)
{
    if (!talk->mysql || talk->inode == 0 || inode_of(talk->fd) != talk->inode)
        return;
    const int nowhere = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (nowhere < 0) {
        (void)close(talk->fd);
        return;
    }
    (void)dup3(nowhere, talk->fd, O_CLOEXEC);
    (void)close(nowhere);
}

bool talk_close_copy(struct talk *talk)
{
    lead_nowhere(talk);
    if (atomic_load(&talk->at_work))
        return false;
    talk->late = true;
    talk_close(talk);
    return true;
}

bool talk_is_quiet(const struct talk *talk)
{
    char byte;
    return !talk->late &&
           recv(mysql_get_socket(talk->mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}
