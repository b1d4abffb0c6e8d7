/* SPDX-License-Identifier: MIT */
#include "provider/mysql_fixture.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MORE_MOST = 20, WORD_ROOM = SERVER_PATH_ROOM + 40 };

static const char preparation[] =
    "CREATE DATABASE IF NOT EXISTS site;\n"
    "CREATE USER IF NOT EXISTS 'site'@'localhost' IDENTIFIED BY 'pa:s@s/w\\'rd';\n"
    "CREATE USER IF NOT EXISTS 'site'@'127.0.0.1' IDENTIFIED BY 'pa:s@s/w\\'rd';\n"
    "GRANT ALL ON *.* TO 'site'@'localhost';\n"
    "GRANT ALL ON *.* TO 'site'@'127.0.0.1';\n";

/* ---- servers ---- */

char *mysql_socket(const struct server *server, char path[SERVER_PATH_ROOM])
{
    return server_file(server, "s", path);
}

bool mysql_answers(const struct server *server)
{
    char path[SERVER_PATH_ROOM];
    return server_path_answers(mysql_socket(server, path));
}

static void write_file(const struct server *server, const char *name, const char *text)
{
    char path[SERVER_PATH_ROOM];
    FILE *file = fopen(server_file(server, name, path), "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        err(2, "%s", path);
}

static _Noreturn void install(const struct server *server)
{
    char data[WORD_ROOM], temporary[WORD_ROOM], log[SERVER_PATH_ROOM];
    (void)snprintf(data, sizeof data, "--datadir=%s/data", server->folder);
    (void)snprintf(temporary, sizeof temporary, "--tmpdir=%s", server->folder);
    const int out = open(server_file(server, "install", log), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    (void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    (void)execlp("mariadb-install-db", "mariadb-install-db", "--no-defaults", "--user=root", data,
                 temporary, "--auth-root-authentication-method=normal", "--skip-test-db",
                 "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", (char *)NULL);
    _exit(errno == ENOENT ? 127 : 126);
}

/* The server's own tables. */
static void make_data(const struct server *server)
{
    int status = -1;
    const pid_t child = fork();
    if (child == 0)
        install(server);
    (void)waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && !getenv("CI")) {
        warnx("mariadb-install-db is not installed");
        exit(77);
    }
    if (status != 0)
        errx(2, "mariadb-install-db failed");
}

void mysql_start(struct server *server, const char *const *more)
{
    /* Whoever starts removes what others have in a folder for temporary tables. */
    static const char *const options[] = { "datadir=%s/data", "tmpdir=%s", "socket=%s/s",
                                           "pid-file=%s/pid", "init-file=%s/init" };
    enum { OPTIONS = sizeof options / sizeof *options };
    char words[OPTIONS][WORD_ROOM], port[WORD_ROOM];
    server_prepare(server);
    write_file(server, "init", preparation);
    make_data(server);
    const char *all[20 + MORE_MOST] = { "mariadbd", "--no-defaults" };
    int at = 2;
    for (int i = 0; i < OPTIONS; i++) {
        const char *value = strstr(options[i], "%s") + 2;
        (void)snprintf(words[i], WORD_ROOM, "--%.*s%s%s", (int)(value - 2 - options[i]), options[i],
                       server->folder, value);
        all[at++] = words[i];
    }
    (void)snprintf(port, sizeof port, "--port=%d", server->port);
    all[at++] = port;
    static const char *const rest[] = { "--user=root",
                                        "--bind-address=127.0.0.1",
                                        "--skip-name-resolve",
                                        "--max-connections=300",
                                        "--innodb-buffer-pool-size=16M",
                                        "--innodb-log-file-size=8M",
                                        "--innodb-flush-log-at-trx-commit=2",
                                        "--key-buffer-size=1M" };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        all[at++] = rest[i];
    for (int i = 0; more && more[i] && i < MORE_MOST; i++)
        all[at++] = more[i];
    server_start(server, all, mysql_answers);
}

char *mysql_unix_dsn(const struct server *server, const char *parameters, char dsn[DSN_ROOM])
{
    char path[SERVER_PATH_ROOM];
    (void)snprintf(dsn, DSN_ROOM, "site:" MYSQL_PASSWORD "@unix(%s)/site%s",
                   mysql_socket(server, path), parameters);
    return dsn;
}

char *mysql_tcp_dsn(int port, const char *parameters, char dsn[DSN_ROOM])
{
    (void)snprintf(dsn, DSN_ROOM, "site:" MYSQL_PASSWORD "@tcp(127.0.0.1:%d)/site%s", port,
                   parameters);
    return dsn;
}

/* ---- stores ---- */

int mysql_shop_open(struct sql_shop *shop, const char *dsn, void (*settings)(void *instance))
{
    return sql_shop_open(shop, &ses_provider_mysql, dsn, settings);
}

/* ---- guests ---- */

MYSQL *mysql_guest(const struct server *server, const char *database)
{
    char path[SERVER_PATH_ROOM];
    MYSQL *guest = mysql_init(NULL);
    if (!mysql_real_connect(guest, NULL, "root", "", database, 0, mysql_socket(server, path), 0))
        fail_msg("%s", mysql_error(guest));
    return guest;
}

void mysql_guest_end(MYSQL *guest)
{
    mysql_close(guest);
}

void mysql_say(MYSQL *guest, const char *text)
{
    if (mysql_query(guest, text) != 0)
        fail_msg("%s: %s", text, mysql_error(guest));
    mysql_free_result(mysql_store_result(guest));
}

int64_t mysql_number(MYSQL *guest, const char *text)
{
    if (mysql_query(guest, text) != 0)
        fail_msg("%s: %s", text, mysql_error(guest));
    MYSQL_RES *result = mysql_store_result(guest);
    MYSQL_ROW row = mysql_fetch_row(result);
    assert_non_null(row);
    const int64_t number = strtoll(row[0] ? row[0] : "0", NULL, 10);
    mysql_free_result(result);
    return number;
}

void mysql_command(const struct server *server, const char *text)
{
    MYSQL *guest = mysql_guest(server, "site");
    mysql_say(guest, text);
    mysql_guest_end(guest);
}

int64_t mysql_question(const struct server *server, const char *text)
{
    MYSQL *guest = mysql_guest(server, "site");
    const int64_t number = mysql_number(guest, text);
    mysql_guest_end(guest);
    return number;
}
