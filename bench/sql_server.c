/* SPDX-License-Identifier: MIT */
#include "sql_server.h"

#include "process.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

enum { TRIES = 6000 };

static struct process server;

void sql_words_add(struct sql_words *words, ...)
{
    va_list args;
    const char *word;
    va_start(args, words);
    while ((word = va_arg(args, const char *)) != NULL) {
        if (words->count == SQL_WORDS_MOST - 1)
            bench_fail("too many words");
        words->words[words->count++] = word;
    }
    va_end(args);
}

void sql_server_start(const struct sql_words *words, const struct sql_place *place,
                      bool (*answers)(const struct sql_place *place))
{
    const struct timespec moment = { .tv_nsec = 10000000 };
    server = process_start(words->words, -1);
    for (int tries = 0; !answers(place); tries++) {
        if (tries == TRIES || waitpid(server.pid, NULL, WNOHANG) != 0)
            bench_fail("%s did not come up", words->words[0]);
        (void)nanosleep(&moment, NULL);
    }
}

void sql_server_stop(int signal)
{
    free(process_rest(&server, signal));
}

void sql_server_prepare(const struct sql_words *words)
{
    free(process_output(words->words, -1));
}
