/* SPDX-License-Identifier: MIT */
#include "provider/postgres_fixture.h"

#include "shared/deadline.h"

#include <err.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN_MOST = 256, SETTLE_MS = 60000, NOBODY = 65534 };

/* ---- programs ---- */

/* Of the newest release there is; Debian keeps them out of PATH. */
static const char *program(const char *name)
{
    static char folder[SERVER_PATH_ROOM];
    static char path[SERVER_PATH_ROOM + 32];
    glob_t found;
    if (!folder[0] && glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
        (void)snprintf(folder, sizeof folder, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
    }
    if (!folder[0]) {
        const char *ci = getenv("CI");
        warnx("PostgreSQL is not installed");
        exit(ci && *ci ? 2 : 77);
    }
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* It refuses to run as root. @return how many words. */
static int begin_words(const char **words)
{
    static const char *const as_nobody[] = { "setpriv", "--reuid=65534", "--regid=65534",
                                             "--clear-groups", "--pdeathsig=KILL" };
    int count = 0;
    if (geteuid() != 0)
        return 0;
    for (; count < 5; count++)
        words[count] = as_nobody[count];
    return count;
}

static _Noreturn void become(const struct server *server, const char **words)
{
    char log[SERVER_PATH_ROOM];
    FILE *to = freopen(server_file(server, "log", log), "ae", stdout);
    if (!to || dup2(fileno(to), STDERR_FILENO) < 0)
        _exit(1);
    (void)execvp(words[0], (char *const *)words);
    _exit(127);
}

static void run_to_its_end(const struct server *server, const char **words)
{
    int status = -1;
    const pid_t child = fork();
    if (child == 0)
        become(server, words);
    if (waitpid(child, &status, 0) != child || status != 0)
        errx(2, "%s failed: see %s/log", words[0], server->folder);
}

static void give_folder(const struct server *server)
{
    if (geteuid() == 0 && chown(server->folder, NOBODY, NOBODY) < 0)
        err(2, "%s", server->folder);
}

/* ---- making and starting it ---- */

static void make_cluster(const struct server *server)
{
    char data[SERVER_PATH_ROOM], secret[SERVER_PATH_ROOM];
    const char *words[24];
    int count = begin_words(words);
    FILE *file = fopen(server_file(server, "secret", secret), "we");
    if (!file || fputs(POSTGRES_PASSWORD "\n", file) < 0 || fclose(file) != 0)
        err(2, "%s", secret);
    if (geteuid() == 0 && chown(secret, NOBODY, NOBODY) < 0)
        err(2, "%s", secret);
    words[count++] = program("initdb");
    words[count++] = "-D";
    words[count++] = server_file(server, "data", data);
    words[count++] = "--username=postgres";
    words[count++] = "--auth-local=trust";
    words[count++] = "--auth-host=scram-sha-256";
    words[count++] = "--pwfile";
    words[count++] = secret;
    words[count++] = "--encoding=UTF8";
    words[count++] = "--locale=C";
    words[count++] = "--no-sync";
    words[count] = NULL;
    run_to_its_end(server, words);
}

static void start(struct server *server, const char *const *more)
{
    char data[SERVER_PATH_ROOM], port[16];
    const char *words[SERVER_WORDS_MOST];
    int count = begin_words(words);
    (void)snprintf(port, sizeof port, "%d", server->port);
    words[count++] = program("postgres");
    words[count++] = "-D";
    words[count++] = server_file(server, "data", data);
    words[count++] = "-p";
    words[count++] = port;
    words[count++] = "-k";
    words[count++] = server->folder;
    static const char *const settings[] = {
        "listen_addresses=127.0.0.1", "fsync=off",         "shared_buffers=16MB",
        "max_connections=120",        "jit=off",           "autovacuum_naptime=5s",
        "log_statement=none",         "max_wal_senders=4", "full_page_writes=off",
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        words[count++] = "-c";
        words[count++] = settings[i];
    }
    for (int i = 0; more && more[i]; i++)
        words[count++] = more[i];
    words[count] = NULL;
    server_start(server, words, postgres_answers);
}

void postgres_start(struct server *server, const char *const *more)
{
    (void)program("postgres");
    server_prepare(server);
    give_folder(server);
    make_cluster(server);
    start(server, more);
}

void postgres_start_replica(struct server *server, const struct server *primary)
{
    char data[SERVER_PATH_ROOM], from[WORDS_ROOM];
    const char *words[16];
    server_prepare(server);
    give_folder(server);
    int count = begin_words(words);
    words[count++] = program("pg_basebackup");
    words[count++] = "-D";
    words[count++] = server_file(server, "data", data);
    words[count++] = "-d";
    words[count++] = postgres_words(primary, "application_name=replica", from);
    words[count++] = "-R";
    words[count++] = "--checkpoint=fast";
    words[count++] = "--no-sync";
    words[count] = NULL;
    run_to_its_end(server, words);
    start(server, NULL);
}

bool postgres_answers(const struct server *server)
{
    char text[WORDS_ROOM];
    return PQping(postgres_words(server, "", text)) == PQPING_OK;
}

/* ---- its processes ---- */

static int children_of(const struct server *server, pid_t children[CHILDREN_MOST])
{
    char path[64];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)server->pid,
                   (int)server->pid);
    FILE *file = fopen(path, "re");
    while (file && count < CHILDREN_MOST && fscanf(file, "%d", &children[count]) == 1)
        count++;
    if (file)
        (void)fclose(file);
    return count;
}

/* Whoever inherits it may take its time to bury it. */
static bool has_ended(pid_t pid)
{
    char path[64], state = 'Z';
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 'Z';
        (void)fclose(file);
    }
    return state == 'Z' || state == 'X';
}

void postgres_kill(struct server *server)
{
    pid_t children[CHILDREN_MOST];
    const struct deadline deadline = deadline_in(SETTLE_MS);
    const int count = children_of(server, children);
    server_kill(server);
    for (int i = 0; i < count; i++) {
        (void)kill(children[i], SIGKILL);
        while (!has_ended(children[i]) && !deadline_passed(deadline))
            (void)usleep(1000); /* polls */
    }
}

void postgres_restart(struct server *server)
{
    server_start_again(server, postgres_answers);
}

void postgres_freeze(struct server *server)
{
    pid_t children[CHILDREN_MOST];
    server_freeze(server);
    for (int i = 0, count = children_of(server, children); i < count; i++)
        (void)kill(children[i], SIGSTOP);
}

void postgres_thaw(struct server *server)
{
    pid_t children[CHILDREN_MOST];
    for (int i = 0, count = children_of(server, children); i < count; i++)
        (void)kill(children[i], SIGCONT);
    server_thaw(server);
}

/* ---- leading to it ---- */

char *postgres_words(const struct server *server, const char *more, char text[WORDS_ROOM])
{
    (void)snprintf(text, WORDS_ROOM, "host=%s port=%d user=postgres dbname=postgres %s",
                   server->folder, server->port, more);
    return text;
}

char *postgres_port_words(const struct server *server, const char *more, char text[WORDS_ROOM])
{
    (void)snprintf(text, WORDS_ROOM,
                   "host=127.0.0.1 port=%d user=postgres dbname=postgres "
                   "password='it\\'s \\\\ 100%%' %s",
                   server->port, more);
    return text;
}

char *postgres_socket(const struct server *server, char path[SERVER_PATH_ROOM])
{
    char name[32];
    (void)snprintf(name, sizeof name, ".s.PGSQL.%d", server->port);
    return server_file(server, name, path);
}

int postgres_open(struct sql_shop *shop, const char *config, void (*settings)(void *instance))
{
    return sql_shop_open(shop, &ses_provider_postgres, config, settings);
}

/* ---- a guest ---- */

static void ignore_notice(void *arg, const char *text)
{
    (void)arg, (void)text;
}

PGconn *postgres_guest(const struct server *server, const char *more)
{
    char text[WORDS_ROOM];
    PGconn *guest = PQconnectdb(postgres_words(server, more, text));
    if (PQstatus(guest) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(guest));
    (void)PQsetNoticeProcessor(guest, ignore_notice, NULL);
    return guest;
}

void postgres_text(PGconn *guest, const char *text, char *answer, size_t size)
{
    PGresult *result = PQexec(guest, text);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s: %s", text, PQerrorMessage(guest));
    (void)snprintf(answer, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

void postgres_say(PGconn *guest, const char *text)
{
    char ignored[8];
    postgres_text(guest, text, ignored, sizeof ignored);
}

int64_t postgres_number(PGconn *guest, const char *text)
{
    char answer[32];
    postgres_text(guest, text, answer, sizeof answer);
    return strtoll(answer, NULL, 10);
}

void postgres_tell(const struct server *server, const char *text)
{
    (void)postgres_ask_number(server, text);
}

int64_t postgres_ask_number(const struct server *server, const char *text)
{
    PGconn *guest = postgres_guest(server, "");
    const int64_t number = postgres_number(guest, text);
    PQfinish(guest);
    return number;
}
