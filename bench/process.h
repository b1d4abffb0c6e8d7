/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

/* Other programs: started, read from, asked, ended. None outlives the bench. */

#include <stddef.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    int out; /* its standard output */
};

/* Looks the program up in PATH; binds it to the core (below 0: to none). */
struct process process_start(const char *const argv[], int core);

/* One line without its end; ends the program with a message when none comes in time. */
void process_read_line(const struct process *process, char *line, size_t size);

/* Sends the signal (0: none) and waits for the end. @return what was not read yet, to be freed. */
char *process_rest(struct process *process, int signal);

/* Runs it to its end. @return the output, to be freed. */
char *process_output(const char *const argv[], int core);

/* This program's own file and folder. */
const char *process_self(void);
/* The path of another file of that folder; to be freed. */
char *process_beside(const char *name);

#endif
