/* SPDX-License-Identifier: MIT */
#include "folder.h"

#include "harness.h"

#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Some disks take minutes, and who reads this gives up on what says nothing. */
static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat, (void)at;
    if (type == FTW_DP) {
        (void)fputs("# removing\n", stdout);
        (void)fflush(stdout);
    }
    return remove(path);
}

static void make_folder(const char *name, char *out, size_t size)
{
    const char *where = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    char self[4096] = "";
    if (!where || !*where) {
        const ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
        self[len > 0 ? len : 0] = '\0';
        for (int up = 0; up < 3 && strrchr(self, '/'); up++) /* of build/bench/bench/PROGRAM */
            *strrchr(self, '/') = '\0';
        where = self;
    }
    const int len = snprintf(out, size, "%s/sesame-bench-%s.XXXXXX", where, name);
    if (len < 0 || (size_t)len >= size || !mkdtemp(out))
        bench_fail_errno(out);
}

/* The one who removes waits meanwhile, so no signal finds it at anything else. */
static int await_end(pid_t worker, const sigset_t *signals)
{
    int status = 1 << 8, signal = 0;
    while (waitpid(worker, &status, WNOHANG) == 0) {
        (void)sigwait(signals, &signal);
        if (signal != SIGCHLD)
            (void)kill(worker, SIGKILL);
    }
    while (waitpid(-1, NULL, 0) > 0)
        ; /* a server that has lost its parent is ended by that, and ours from then on */
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int folder_with(const char *name, folder_work_fn *work, void *arg)
{
    static const int ends[] = { SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGPIPE, SIGCHLD };
    char folder[4096];
    sigset_t signals, before;
    (void)sigemptyset(&signals);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        (void)sigaddset(&signals, ends[i]);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_folder(name, folder, sizeof folder);
    const pid_t worker = fork();
    if (worker == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        work(folder, arg);
        bench_exit(0);
    }
    const int status = worker < 0 ? 1 : await_end(worker, &signals);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread in this process */
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}
