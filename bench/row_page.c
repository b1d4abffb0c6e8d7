/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include "harness.h"
#include "report.h"
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Processor time per request of the smallest page, without and with a session that is found and
 * read: of the server's process, divided by the requests that it counted itself. Server and wrk
 * have a core each. The visitors' requests are the same ones for both servers.
 */

enum { SESSIONS = 100000 };

static struct site_counts load(const struct site *site, const char *cookies, const char *seconds)
{
    char url[64];
    char *script = process_beside("page.lua");
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", site->port);
    const char *const argv[] = {
        "wrk", "-t1", "-c16", "-d", seconds, "-s", script, url, "--", cookies, NULL,
    };
    const struct site_counts before = site_ask(site);
    char *output = process_output(argv, 1);
    const struct site_counts after = site_ask(site);
    if (strstr(output, "Non-2xx") || strstr(output, "Socket errors"))
        bench_fail("the page was not always served:\n%s", output);
    free(output);
    free(script);
    return (struct site_counts){ after.requests - before.requests, after.cpu_ns - before.cpu_ns };
}

static double cpu_ns_per_request(const struct site *site, const char *cookies, const char *seconds)
{
    const struct site_counts counts = load(site, cookies, seconds);
    if (counts.requests == 0)
        bench_fail("no page was served");
    return (double)counts.cpu_ns / (double)counts.requests;
}

static struct bench_result measure(const struct options *options, const char *cookies)
{
    struct bench_round rounds[BENCH_ROUNDS_MIN];
    const struct site_plan plan = {
        .page = process_beside("sesame-bench-page"),
        .cookies = cookies,
        .sessions = SESSIONS,
    };
    const char *seconds = options->quick ? "1" : "2";
    struct site with = site_start(&plan, true), without = site_start(&plan, false);
    (void)cpu_ns_per_request(&without, cookies, "1");
    (void)cpu_ns_per_request(&with, cookies, "1");
    for (unsigned i = 0; i < BENCH_ROUNDS_MIN; i++) {
        rounds[i].floor = cpu_ns_per_request(&without, cookies, seconds);
        rounds[i].ours = cpu_ns_per_request(&with, cookies, seconds);
    }
    free(site_end(&with));
    free(site_end(&without));
    free(plan.page);
    return bench_summarise(rounds, BENCH_ROUNDS_MIN);
}

void row_page(const struct options *options)
{
    char cookies[] = "/tmp/sesame-bench-XXXXXX";
    const int file = mkstemp(cookies);
    if (file < 0)
        bench_fail("cannot make a temporary file");
    (void)close(file);
    const struct report_row row = {
        .name = "page (processor)",
        .sessions = SESSIONS,
        .threads = 1,
        .kind = REPORT_MORE,
        .aim = 1000,
        .digits = 0,
        .result = measure(options, cookies),
    };
    report_row(&row);
    (void)unlink(cookies);
}
