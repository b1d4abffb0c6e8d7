/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_SUPPORT_SERVER_H
#define SES_TEST_SUPPORT_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Servers that tests start: each in a temporary folder of its own, on a unix socket in it or a
 * loopback port that was free. All are stopped by pid and their folders removed when the program
 * ends, also when a test fails or the program is killed (PR_SET_PDEATHSIG). A program that is not
 * installed ends the test: with a failure in CI, else with 77, which is "skipped".
 */

enum { SERVER_PATH_ROOM = 128, SERVER_WORDS_MOST = 60 };

struct server {
    pid_t pid; /* 0: does not run */
    char folder[SERVER_PATH_ROOM];
    int port;
    const char *words[SERVER_WORDS_MOST]; /* its own copies, to start it again */
};

/* Makes the folder and picks a port. */
void server_prepare(struct server *server);

/* The file in its folder. @return @p path. */
char *server_file(const struct server *server, const char *name, char path[SERVER_PATH_ROOM]);

/* Starts argv[0], found by PATH or /usr/sbin, and waits until @p answers(server) is true. What it
 * prints goes to `log` in its folder, which is shown if it does not come up. */
void server_start(struct server *server, const char *const *argv,
                  bool (*answers)(const struct server *server));
void server_start_again(struct server *server, bool (*answers)(const struct server *server));

void server_kill(struct server *server);   /* SIGKILL, and waits for its end */
void server_stop(struct server *server);   /* SIGTERM */
void server_freeze(struct server *server); /* SIGSTOP, and waits until it stands still */
void server_thaw(struct server *server);

/* Kills it and removes the folder. */
void server_end(struct server *server);

/* Does something accept connections there? */
bool server_port_answers(const struct server *server);
bool server_path_answers(const char *path);

/* Connected to it, or -1. */
int server_connect(const char *path, int port);

/* A loopback port that was free a moment ago, not given out before by this process. */
int free_port(void);

#endif
