/* SPDX-License-Identifier: MIT */
#include "cycles.h"

#include <sesame/adapters/microhttpd.h>

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/*
 * The smallest page, with or without a session; either way with a response of its own, as a page
 * that says something else to each visitor has. For the bench only.
 *
 *   sesame-bench-page SESSIONS COOKIE_FILE    makes the sessions and writes their Cookie fields
 *   sesame-bench-page --no-session
 *
 * Prints "ready PORT"; upon SIGUSR1 "REQUESTS NANOSECONDS", which it has served and taken; ends
 * upon SIGTERM.
 */

static _Atomic uint64_t served;
static char state_begun;

static struct MHD_Response *make_page(void)
{
    static char body[] = "hello\n";
    return MHD_create_response_from_buffer(sizeof body - 1, body, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer_plainly(struct MHD_Connection *connection)
{
    struct MHD_Response *page = make_page();
    if (!page)
        return MHD_NO;
    const enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, page);
    MHD_destroy_response(page);
    return result;
}

/* Anything but a session that is found and read fails, so that the bench measures nothing else. */
static enum MHD_Result answer_with_session(ses_manager *manager, struct MHD_Connection *connection)
{
    ses_session *session;
    if (ses_mhd_start(manager, connection, &session) != SES_OK)
        return MHD_NO;
    const char *user;
    int r = ses_get_text(session, "user", &user);
    struct MHD_Response *page = r == SES_OK ? make_page() : NULL;
    if (page) {
        r = ses_mhd_queue(session, connection, MHD_HTTP_OK, page);
        MHD_destroy_response(page);
    }
    ses_release(session);
    return page && r == SES_OK ? MHD_YES : MHD_NO;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result on_request(void *manager, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_bytes, void **state)
{
    (void)url, (void)method, (void)version, (void)body;
    if (!*state || *body_bytes > 0) { /* an answer in the first call closes the connection */
        *state = &state_begun;
        *body_bytes = 0;
        return MHD_YES;
    }
    atomic_fetch_add_explicit(&served, 1, memory_order_relaxed);
    return manager ? answer_with_session(manager, connection) : answer_plainly(connection);
}

static void fill(ses_manager *manager, size_t sessions, const char *cookie_file)
{
    FILE *file = fopen(cookie_file, "w");
    if (!file)
        bench_fail("cannot write %s", cookie_file);
    for (size_t i = 0; i < sessions; i++) {
        struct visitor visitor;
        if (cycles_create(manager, 0, &visitor) != SES_OK)
            bench_fail("cannot create a session");
        (void)fprintf(file, "%s\n", visitor.cookie);
    }
    if (fclose(file) != 0)
        bench_fail("cannot write %s", cookie_file);
}

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

static void tell(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("%" PRIu64 " %" PRIu64 "\n", served, ns_of(usage.ru_utime) + ns_of(usage.ru_stime));
    (void)fflush(stdout);
}

static void serve_until_told(const sigset_t *signals)
{
    int signal;
    while (sigwait(signals, &signal) == 0 && signal == SIGUSR1)
        tell();
}

static sigset_t block_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGUSR1);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by the server's thread */
    return signals;
}

static void print_ready(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (!info)
        bench_fail("no port");
    printf("ready %d\n", (int)info->port);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct sockaddr_in local = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    ses_manager *manager = argc == 3 ? cycles_manager("memory", NULL, NULL) : NULL;
    if (manager)
        fill(manager, strtoull(argv[1], NULL, 10), argv[2]);
    const sigset_t signals = block_signals();
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, manager,
                         MHD_OPTION_SOCK_ADDR, &local, MHD_OPTION_END);
    if (!daemon)
        bench_fail("cannot listen");
    print_ready(daemon);
    serve_until_told(&signals);
    MHD_stop_daemon(daemon);
    ses_manager_unref(manager);
    return 0;
}
