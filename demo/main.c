/* SPDX-License-Identifier: MIT */
/*
 * The demo: a small site whose visitors' sessions live in libsesame.
 *
 * main.c starts and stops it, options.c reads the command line, defaults.c adds what it does not
 * say, server.c runs libmicrohttpd, http.c leads each request to its handler, past the checks of
 * origin.c and of the CSRF token, and answers.c makes the responses. pages.c is the site, account.c
 * those of its pages that are about log-ins; views.c and account_views.c are what they look like,
 * and html.c helps them write. api.c is the JSON interface, visitor.c what both know of log-ins.
 */
#include "defaults.h"
#include "http.h"
#include "options.h"
#include "server.h"

#include <sesame/sesame.h>

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_CANNOT_START = 2 };

static void log_line(void *arg, enum ses_log_level level, const char *message)
{
    static const char *const names[] = { "", "error", "warning", "info", "debug" };
    (void)arg;
    (void)fprintf(stderr, "sesame-demo: %s: %s\n", names[level], message);
}

/* Before the first thread, so that all threads inherit it and the signals wait for sigwait(). */
static void block_signals(sigset_t *ret_awaited)
{
    (void)sigemptyset(ret_awaited);
    (void)sigaddset(ret_awaited, SIGINT);
    (void)sigaddset(ret_awaited, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, ret_awaited, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a visitor who leaves in mid-response ends nothing */
}

static void print_line(void *unused, const char *line)
{
    (void)unused;
    (void)puts(line);
}

static int tell_policy(const struct options *options, ses_manager *manager)
{
    int r = ses_manager_policy(manager, options->preset, print_line, NULL);
    if (r == SES_OK)
        return 0;
    warnx("--policy %s: expected asvs-l1 to asvs-l3, or aal1 to aal3", options->preset);
    return EXIT_CANNOT_START;
}

static int serve(const struct options *options, ses_manager *manager, const sigset_t *awaited)
{
    struct site site = { .manager = manager, .fresh_s = options->fresh_s };
    struct server server;
    int r = ses_gc_start(manager);
    if (r < 0)
        warnx("the collector does not start: %s", ses_strerror(r));
    if (r < 0 || !server_start(&server, options, &site))
        return EXIT_CANNOT_START;

    (void)printf("sesame demo on http://%s (provider %s)\n", server.authority, options->provider);
    (void)fflush(stdout);
    int received;
    (void)sigwait(awaited, &received);
    server_stop(&server);
    return 0;
}

static int run(const struct options *options)
{
    sigset_t awaited;
    block_signals(&awaited);
    const struct ses_manager_options with = { .size = sizeof with, .log = log_line };
    struct ses_error error;
    char *config = defaults_add(options->provider, options->config);
    ses_manager *manager =
        ses_manager_new(options->provider, config ? config : options->config, &with, &error);
    free(config);
    if (!manager) {
        warnx("%s", error.message);
        return EXIT_CANNOT_START;
    }
    int status =
        options->policy ? tell_policy(options, manager) : serve(options, manager, &awaited);
    ses_gc_stop(manager);
    ses_manager_unref(manager);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    int status = 0;
    switch (options_parse(argc, argv, &options)) {
    case OPTIONS_RUN:
        status = run(&options);
        break;
    case OPTIONS_TOLD:
        break;
    case OPTIONS_BAD:
        status = EXIT_CANNOT_START;
        break;
    }
    options_free(&options);
    return status;
}
