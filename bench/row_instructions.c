/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "cycles.h"
#include "floor.h"
#include "process.h"
#include "report.h"
#include "site.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Instructions, counted by callgrind: they do not depend on how busy the machine is. Of a cycle,
 * what is executed inside instructions_collected(); of a request, the difference between two runs
 * of the server, of which one answers so many requests more.
 */

enum { SESSIONS = 1000, CYCLES = 2000, REQUESTS = 500 };

/* ---- a cycle ---- */

/* Callgrind finds it by its name. */
uint64_t instructions_collected(bench_work_fn *work, void *arg, const struct bench_share *share);

__attribute__((noinline)) uint64_t instructions_collected(bench_work_fn *work, void *arg,
                                                          const struct bench_share *share)
{
    const uint64_t failures = work(arg, share);
    __asm__ volatile("" ::: "memory"); /* no tail call: that would leave before the work is done */
    return failures;
}

static const struct {
    const char *row;
    const char *names[2];
    bench_work_fn *works[2];
} pairs[] = {
    { "read (instructions)", { "floor-read", "read" }, { floor_read, cycles_read } },
    { "write (instructions)", { "floor-write", "write" }, { floor_write, cycles_write } },
    { "create (instructions)", { "floor-create", "create" }, { floor_create, cycles_fresh } },
};
#define PAIRS (sizeof pairs / sizeof *pairs)

int child_instructions(const char *work, uint64_t operations)
{
    struct population population = population_new(SESSIONS, true);
    const struct bench_share share = { .operations = operations };
    for (size_t i = 0; i < PAIRS * 2; i++) {
        if (strcmp(work, pairs[i / 2].names[i % 2]) != 0)
            continue;
        bench_work_fn *fn = pairs[i / 2].works[i % 2];
        if (fn(&population, &share) + instructions_collected(fn, &population, &share) > 0)
            bench_fail("operations failed");
        population_free(&population);
        return 0;
    }
    bench_fail("no such work: %s", work);
}

static double collected_in(const char *text)
{
    const char *found = strstr(text, "Collected : ");
    if (!found)
        bench_fail("callgrind does not tell what it collected:\n%s", text);
    return strtod(found + strlen("Collected : "), NULL);
}

static double per_cycle(const char *name)
{
    char count[32];
    (void)snprintf(count, sizeof count, "%d", CYCLES);
    const char *const argv[] = {
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--log-fd=1",
        "--toggle-collect=instructions_collected",
        process_self(),
        "--child-instructions",
        name,
        count,
        NULL,
    };
    char *text = process_output(argv, -1);
    const double instructions = collected_in(text) / CYCLES;
    free(text);
    return instructions;
}

/* ---- a request ---- */

static int connect_to(int port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        bench_fail("cannot connect to the page server");
    return fd;
}

static void read_cookie(const char *file, char *cookie, size_t size)
{
    FILE *stream = fopen(file, "r");
    if (!stream || !fgets(cookie, (int)size, stream))
        bench_fail("the page server wrote no cookies");
    cookie[strcspn(cookie, "\n")] = '\0';
    (void)fclose(stream);
}

/* One after the other on one connection; each answer fits one segment. */
static void send_requests(int port, const char *cookie, unsigned count)
{
    char request[256], answer[4096];
    const int len = snprintf(request, sizeof request,
                             "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %s\r\n\r\n", cookie);
    const int fd = connect_to(port);
    for (unsigned i = 0; i < count; i++) {
        if (send(fd, request, (size_t)len, 0) != len)
            bench_fail("cannot send a request");
        const ssize_t n = recv(fd, answer, sizeof answer, 0);
        if (n < 12 || strncmp(answer, "HTTP/1.1 200", 12) != 0)
            bench_fail("the page was not served");
    }
    (void)close(fd);
}

static double instructions_of_run(const struct site_plan *plan, bool with_session,
                                  unsigned requests)
{
    char cookie[128] = "id=none";
    struct site site = site_start(plan, with_session);
    if (with_session)
        read_cookie(plan->cookies, cookie, sizeof cookie);
    send_requests(site.port, cookie, requests);
    char *text = site_end(&site);
    const double instructions = collected_in(text);
    free(text);
    return instructions;
}

static double per_request(const struct site_plan *plan, bool with_session)
{
    const double few = instructions_of_run(plan, with_session, REQUESTS);
    return (instructions_of_run(plan, with_session, REQUESTS * 3) - few) / (REQUESTS * 2);
}

/* ---- the rows ---- */

static void report(const char *name, const struct bench_round *figures, enum report_kind kind)
{
    const struct report_row row = {
        .name = name,
        .sessions = SESSIONS,
        .threads = 1,
        .kind = kind,
        .digits = 0,
        .result = bench_summarise(figures, 1),
    };
    report_row(&row);
}

static void row_page_instructions(void)
{
    char cookies[] = "/tmp/sesame-bench-XXXXXX";
    const int file = mkstemp(cookies);
    if (file < 0)
        bench_fail("cannot make a temporary file");
    (void)close(file);
    const struct site_plan plan = {
        .page = process_beside("sesame-bench-page"),
        .cookies = cookies,
        .sessions = SESSIONS,
        .callgrind = true,
    };
    const struct bench_round figures = { per_request(&plan, false), per_request(&plan, true) };
    report("page (instructions)", &figures, REPORT_MORE);
    (void)unlink(cookies);
    free(plan.page);
}

void row_instructions(const struct options *options)
{
    (void)options;
    for (size_t i = 0; i < PAIRS; i++) {
        const struct bench_round figures = {
            per_cycle(pairs[i].names[0]),
            per_cycle(pairs[i].names[1]),
        };
        report(pairs[i].row, &figures, REPORT_TIMES);
    }
    row_page_instructions();
}
