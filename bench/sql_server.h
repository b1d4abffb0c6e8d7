/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SQL_SERVER_H
#define BENCH_SQL_SERVER_H

/* The one server that a bench of a database starts; it does not outlive this process. */

#include "sql.h"

enum { SQL_WORDS_MOST = 32 };

/* A command line. */
struct sql_words {
    const char *words[SQL_WORDS_MOST];
    unsigned count;
};

/* Adds words up to a NULL. */
void sql_words_add(struct sql_words *words, ...) __attribute__((sentinel));

/* Starts it and waits until it answers. */
void sql_server_start(const struct sql_words *words, const struct sql_place *place,
                      bool (*answers)(const struct sql_place *place));
/* By a signal. */
void sql_server_stop(int signal);

/* Runs a program to its end. */
void sql_server_prepare(const struct sql_words *words);

#endif
