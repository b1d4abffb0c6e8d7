/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "harness.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 120000 };

static _Noreturn void become(const char *const argv[], int core, int out)
{
    /* Should the bench be ended from outside, so is this. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(out, STDOUT_FILENO);
    if (core >= 0)
        bench_pin((unsigned)core);
    (void)execvp(argv[0], (char *const *)argv);
    bench_fail_errno(argv[0]);
}

struct process process_start(const char *const argv[], int core)
{
    int ends[2];
    (void)bench_cores(); /* known before anything is bound */
    (void)fflush(NULL);
    if (pipe(ends) != 0)
        bench_fail_errno("pipe");
    const pid_t pid = fork();
    if (pid < 0)
        bench_fail_errno("fork");
    if (pid == 0) {
        (void)close(ends[0]);
        become(argv, core, ends[1]);
    }
    (void)close(ends[1]);
    return (struct process){ .pid = pid, .out = ends[0] };
}

static void wait_for_output(const struct process *process)
{
    struct pollfd ready = { .fd = process->out, .events = POLLIN };
    if (poll(&ready, 1, PATIENCE_MS) == 1)
        return;
    (void)kill(process->pid, SIGKILL);
    bench_fail("a program that was started says nothing");
}

/* By single bytes: what follows the line belongs to the next call. */
void process_read_line(const struct process *process, char *line, size_t size)
{
    size_t len = 0;
    for (; len + 1 < size; len++) {
        wait_for_output(process);
        if (read(process->out, &line[len], 1) != 1)
            bench_fail("a program that was started has ended early");
        if (line[len] == '\n')
            break;
    }
    line[len] = '\0';
}

static void wait_for_end(struct process *process)
{
    int status = 0;
    (void)waitpid(process->pid, &status, 0);
    (void)close(process->out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        bench_fail("a program that was started has failed (%d)", status);
}

char *process_rest(struct process *process, int signal)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    char part[4096];
    if (signal != 0)
        (void)kill(process->pid, signal);
    for (ssize_t n = 1; stream && n > 0;) {
        wait_for_output(process);
        n = read(process->out, part, sizeof part);
        if (n > 0)
            (void)fwrite(part, 1, (size_t)n, stream);
    }
    if (!stream || fclose(stream) != 0)
        bench_fail("out of memory");
    wait_for_end(process);
    return text;
}

char *process_output(const char *const argv[], int core)
{
    struct process process = process_start(argv, core);
    return process_rest(&process, 0);
}

const char *process_self(void)
{
    static char path[4096];
    const ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len <= 0)
        bench_fail_errno("/proc/self/exe");
    path[len] = '\0';
    return path;
}

char *process_beside(const char *name)
{
    const char *self = process_self();
    const int folder = (int)(strrchr(self, '/') - self);
    char *path;
    if (asprintf(&path, "%.*s/%s", folder, self, name) < 0)
        bench_fail("out of memory");
    return path;
}
