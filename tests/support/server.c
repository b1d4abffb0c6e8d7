/* SPDX-License-Identifier: MIT */
#include "support/server.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS_MOST = 16, START_TRIES = 6000 };

static struct server *servers[SERVERS_MOST];
static pid_t owner;

/* ---- where it answers ---- */

int server_connect(const char *path, int port)
{
    const int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;
    if (path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        r = connect(fd, (const struct sockaddr *)&address, sizeof address);
    } else {
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons((uint16_t)port),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        r = connect(fd, (const struct sockaddr *)&address, sizeof address);
    }
    if (r == 0)
        return fd;
    (void)close(fd);
    return -1;
}

bool server_path_answers(const char *path)
{
    const int fd = server_connect(path, 0);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

bool server_port_answers(const struct server *server)
{
    const int fd = server_connect(NULL, server->port);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

/* Below those that connections go out from, so that none of them takes it meanwhile. Each process
 * begins elsewhere. */
int free_port(void)
{
    static int next;
    if (next == 0)
        next = 10000 + (int)((unsigned)getpid() * 61u % 20000u);
    for (int tries = 0; tries < 20000; tries++) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const int port = next;
        next = next == 31999 ? 10000 : next + 1;
        address.sin_port = htons((uint16_t)port);
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int r = bind(fd, (const struct sockaddr *)&address, sizeof address);
        (void)close(fd);
        if (r == 0)
            return port;
    }
    errx(2, "no free port");
}

/* ---- its folder ---- */

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat, (void)type, (void)where;
    (void)remove(path);
    return 0;
}

static void end_all(void)
{
    for (int i = 0; getpid() == owner && i < SERVERS_MOST; i++) {
        if (servers[i])
            server_end(servers[i]);
    }
}

static void note(struct server *server)
{
    if (owner == 0) {
        owner = getpid();
        (void)atexit(end_all);
    }
    for (int i = 0; i < SERVERS_MOST; i++) {
        if (!servers[i]) {
            servers[i] = server;
            return;
        }
    }
    errx(2, "more than %d servers", SERVERS_MOST);
}

void server_prepare(struct server *server)
{
    const char *where = getenv("TMPDIR");
    *server = (struct server){ .port = free_port() };
    /* Short, because a unix socket's path may have 107 characters. */
    (void)snprintf(server->folder, sizeof server->folder, "%s/ses-XXXXXX",
                   where && strlen(where) < 60 ? where : "/tmp");
    if (!mkdtemp(server->folder))
        err(2, "%s", server->folder);
    note(server);
}

char *server_file(const struct server *server, const char *name, char path[SERVER_PATH_ROOM])
{
    const int len = snprintf(path, SERVER_PATH_ROOM, "%s/%s", server->folder, name);
    if (len >= SERVER_PATH_ROOM)
        errx(2, "the path of %s is too long", name);
    return path;
}

void server_end(struct server *server)
{
    server_kill(server);
    for (int i = 0; i < SERVER_WORDS_MOST; i++)
        free((char *)server->words[i]);
    (void)nftw(server->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (int i = 0; i < SERVERS_MOST; i++) {
        if (servers[i] == server)
            servers[i] = NULL;
    }
    *server = (struct server){ 0 };
}

/* ---- running it ---- */

static _Noreturn void run(const struct server *server, pid_t parent)
{
    char log[SERVER_PATH_ROOM];
    const int out =
        open(server_file(server, "log", log), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)setpgid(0, 0); /* a signal of the terminal is the test's own */
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    (void)close(STDIN_FILENO);
    (void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    (void)execvp(server->words[0], (char *const *)server->words);
    _exit(errno == ENOENT ? 127 : 126);
}

static void show_log(const struct server *server)
{
    char path[SERVER_PATH_ROOM], line[512];
    FILE *log = fopen(server_file(server, "log", path), "re");
    while (log && fgets(line, sizeof line, log))
        (void)fprintf(stderr, "# %s: %s", server->words[0], line);
    if (log)
        (void)fclose(log);
}

static _Noreturn void give_up(struct server *server, int status)
{
    const char *ci = getenv("CI");
    const bool missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
    const int code = missing && !(ci && *ci) ? 77 : 2;
    warnx("%s %s", server->words[0], missing ? "is not installed" : "did not come up");
    show_log(server);
    server->pid = 0;
    exit(code);
}

static void wait_until(struct server *server, bool (*answers)(const struct server *server))
{
    const struct timespec moment = { .tv_nsec = 5000000 };
    int status;
    for (int tries = 0; tries < START_TRIES; tries++) {
        if (waitpid(server->pid, &status, WNOHANG) == server->pid)
            give_up(server, status);
        if (answers(server))
            return;
        (void)nanosleep(&moment, NULL); /* polls, with a bound */
    }
    server_kill(server);
    give_up(server, 0);
}

void server_start_again(struct server *server, bool (*answers)(const struct server *server))
{
    const pid_t parent = getpid();
    server->pid = fork();
    if (server->pid < 0)
        err(2, "fork");
    if (server->pid == 0)
        run(server, parent);
    wait_until(server, answers);
}

void server_start(struct server *server, const char *const *argv,
                  bool (*answers)(const struct server *server))
{
    for (int i = 0; argv[i]; i++) {
        if (i == SERVER_WORDS_MOST - 1)
            errx(2, "more than %d words", SERVER_WORDS_MOST - 1);
        server->words[i] = strdup(argv[i]);
    }
    server_start_again(server, answers);
}

static void end_by(struct server *server, int signal)
{
    if (server->pid == 0)
        return;
    (void)kill(server->pid, signal);
    (void)kill(server->pid, SIGCONT);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    server->pid = 0;
}

void server_kill(struct server *server)
{
    end_by(server, SIGKILL);
}

void server_stop(struct server *server)
{
    end_by(server, SIGTERM);
}

void server_freeze(struct server *server)
{
    (void)kill(server->pid, SIGSTOP);
    while (waitpid(server->pid, NULL, WUNTRACED) < 0 && errno == EINTR)
        ;
}

void server_thaw(struct server *server)
{
    (void)kill(server->pid, SIGCONT);
}
