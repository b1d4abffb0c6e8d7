/* SPDX-License-Identifier: MIT */
#include "torture/torture.h"

#include <err.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- fixation: ids that a client made up are never adopted (T-1) ---- */

static void made_up_id(uint64_t n, char cookie[64])
{
    uint64_t state = n * 0x9e3779b97f4a7c15u + 1;
    char *at = stpcpy(cookie, "id=AQ"); /* "AQ" begins the version byte 1 */
    for (int i = 0; i < 42; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        *at++ = alphabet[state >> 58];
    }
    *at = '\0';
}

static void count_rejected(void *arg, const struct ses_event *event)
{
    if (event->type == SES_EVENT_REJECTED && event->reason == SES_REASON_UNKNOWN)
        ++*(uint64_t *)arg;
}

uint64_t fixation(uint64_t rounds)
{
    uint64_t rejected = 0, adopted = 0;
    const struct ses_manager_options options = {
        .size = sizeof options,
        .event = count_rejected,
        .event_arg = &rejected,
    };
    ses_manager *manager = manager_with("{\"secure\":false}", &options);
    for (uint64_t i = 0; i < rounds; i++) {
        char cookie[64];
        made_up_id(i, cookie);
        const struct ses_slice field = { cookie, strlen(cookie) };
        const struct ses_request request = {
            .size = sizeof request,
            .cookies = &field,
            .cookie_count = 1,
        };
        ses_session *session;
        must(ses_start(manager, &request, &session), "start");
        must(ses_commit(session, NULL), "commit");
        adopted += strcmp(ses_session_id(session), cookie + 3) == 0;
        adopted += ses_exists(manager, cookie + 3) == SES_OK;
        ses_release(session);
    }
    const uint64_t findings = adopted + count_sessions(manager) + (rejected < rounds);
    ses_manager_unref(manager);
    return findings;
}

/* ---- replay: an id that has ended is never taken again (T-2, T-3) ---- */

uint64_t replay(uint64_t rounds)
{
    struct stage stage;
    uint64_t findings = 0;
    stage_open(&stage, "{\"secure\":false}");
    for (uint64_t i = 0; i < rounds; i++) {
        char id[256];
        struct browser browser;
        new_session(stage.manager, id);
        (void)snprintf(browser.cookie, sizeof browser.cookie, "id=%.200s", id);
        must(ses_destroy_id(stage.manager, id), "destroy");
        ses_session *session = visit(&stage, &browser);
        findings += is_stored(session);
        must(ses_set_int(session, "n", 1), "set");
        finish(session, &browser);
        findings += strcmp(id_of(&browser), id) == 0 || ses_exists(stage.manager, id) == SES_OK;
        must(ses_destroy_id(stage.manager, id_of(&browser)), "destroy");
        stage_pass(&stage, 1000);
    }
    findings += count_sessions(stage.manager);
    stage_close(&stage);
    return findings;
}

/* ---- unknown: the same by every way in, and the visitor gets on with an id of ours (T-1) ---- */

enum way { BY_COOKIE, BY_HEADER, BY_TOKEN, BY_CALL, WAYS };

static const char *only_header(void *arg, const char *name, size_t nth)
{
    return nth == 0 && strcmp(name, "X-Session") == 0 ? arg : NULL;
}

static ses_session *present(const struct stage *stage, enum way way, char *id)
{
    char cookie[96];
    (void)snprintf(cookie, sizeof cookie, "%s=%s", way == BY_TOKEN ? "id-remember" : "id", id);
    const struct ses_slice field = { cookie, strlen(cookie) };
    const struct ses_request request = {
        .size = sizeof request,
        .cookies = &field,
        .cookie_count = way == BY_COOKIE || way == BY_TOKEN,
        .header = only_header,
        .header_arg = way == BY_HEADER ? id : NULL,
    };
    ses_session *session;
    must(ses_start(stage->manager, &request, &session), "start");
    return session;
}

/* With or without something to remember; in the end nothing is left. */
static uint64_t use_and_leave(ses_session *session, const char *id, bool stores)
{
    uint64_t findings = is_stored(session);
    if (stores)
        must(ses_set_int(session, "n", 1), "set");
    must(ses_commit(session, NULL), "commit");
    findings += strcmp(ses_session_id(session), id) == 0;
    if (stores) {
        must(ses_reload(session), "reload");
        must(ses_destroy(session), "destroy");
    }
    ses_release(session);
    return findings;
}

static uint64_t try_unknown(const struct stage *stage, uint64_t n)
{
    char cookie[64], *id = cookie + strlen("id=");
    ses_session *session;
    made_up_id(n, cookie);
    uint64_t findings = 0;
    if (n % WAYS == BY_CALL)
        findings += ses_open(stage->manager, id, &session) != SES_ERR_NOT_FOUND;
    else
        findings += use_and_leave(present(stage, (enum way)(n % WAYS), id), id, n / WAYS % 2);
    const uint64_t told = stage->unknown;
    findings += ses_destroy_id(stage->manager, id) != SES_ERR_NOT_FOUND;
    findings += ses_exists(stage->manager, id) != SES_ERR_NOT_FOUND;
    return findings + (stage->unknown != told + 1);
}

uint64_t unknown(uint64_t rounds)
{
    struct stage stage;
    uint64_t findings = 0;
    stage_open(&stage, "{\"secure\":false,\"rememberLifetime\":86400,\"scanLimit\":0,"
                       "\"EnableSidInHTTPHeader\":true,"
                       "\"SessionNameInHTTPHeader\":\"X-Session\"}");
    for (uint64_t i = 0; i < rounds; i++)
        findings += try_unknown(&stage, i);
    findings += stage.unknown != 2 * rounds; /* one is told of the way in, one of ses_exists() */
    findings += count_sessions(stage.manager);
    stage_close(&stage);
    return findings;
}

/* ---- made-up: with a key, what has not the right check is not even looked up ---- */

/* Of the right form: base64url of 41 bytes, the first of which is 2. */
static void write_unchecked(uint64_t *random, char *out)
{
    char *at = stpcpy(out, "Ag"), *const end = out + 54;
    while (at < end)
        *at++ = alphabet[next_random(random) % 64];
    *at++ = alphabet[next_random(random) % 16 * 4]; /* two bits are left over, and are zero */
    *at = '\0';
}

/* One that we made, with one character of its check changed. */
static void write_forged(uint64_t *random, const char *sound, char *out)
{
    (void)strcpy(out, sound);
    char *at = out + 45 + next_random(random) % 9;
    const size_t now = (size_t)(strchr(alphabet, *at) - alphabet);
    *at = alphabet[(now + 1 + next_random(random) % 63) % 64];
}

uint64_t made_up(uint64_t rounds)
{
    struct stage stage;
    struct browser browser;
    struct ses_stats stats = { .size = sizeof stats };
    char sound[256];
    uint64_t findings = 0, random = 11;
    stage_open(&stage, "{\"secure\":false,\"idKey\":\"a key of at least thirty-two bytes\"}");
    new_session(stage.manager, sound);
    for (uint64_t i = 0; i < rounds; i++) {
        char *id = stpcpy(browser.cookie, "id=");
        if (i % 2)
            write_forged(&random, sound, id);
        else
            write_unchecked(&random, id);
        findings += is_known(&stage, &browser);
    }
    must(ses_manager_stats(stage.manager, &stats), "stats");
    findings += stats.malformed != rounds || stats.unknown > 0 || stats.loaded > 0;
    findings += ses_exists(stage.manager, sound) != SES_OK || strlen(sound) != 55;
    findings += count_sessions(stage.manager) != 1;
    stage_close(&stage);
    return findings;
}

/* ---- empty: visitors without data, and log-outs of nobody, leave nothing (T-28) ---- */

uint64_t empty(uint64_t rounds)
{
    ses_manager *manager = manager_with(NULL, NULL);
    const struct ses_request request = { .size = sizeof request };
    uint64_t cookies = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        ses_session *session;
        const struct ses_headers *headers;
        must(ses_start(manager, &request, &session), "start");
        if (i % 2)
            must(ses_destroy(session), "destroy");
        must(ses_commit(session, &headers), "commit");
        cookies += headers->count;
        ses_release(session);
    }
    const uint64_t findings = cookies + count_sessions(manager);
    ses_manager_unref(manager);
    return findings;
}

/* ---- ids: none twice, across a fork (T-20) ---- */

static void fill_ids(ses_manager *manager, uint64_t *out, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ses_session *session;
        must(ses_open(manager, NULL, &session), "open");
        const char *id = ses_session_id(session);
        if (!id)
            errx(2, "no id");
        memcpy(&out[i], id + 20, sizeof out[i]); /* 48 random bits, and 16 more below */
        out[i] = out[i] * 0x9e3779b97f4a7c15u;
        uint64_t rest;
        memcpy(&rest, id + 30, sizeof rest);
        out[i] ^= rest;
        ses_release(session);
    }
}

static int compare(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

uint64_t ids(uint64_t rounds)
{
    ses_manager *manager = manager_with(NULL, NULL);
    const uint64_t half = rounds / 2;
    uint64_t *all = mmap(NULL, 2 * half * sizeof *all, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        err(2, "mmap");
    const pid_t child = fork();
    fill_ids(manager, child == 0 ? all : all + half, half);
    if (child == 0)
        _exit(0);
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        errx(2, "the child did not end well");

    uint64_t findings = 0;
    qsort(all, 2 * half, sizeof *all, compare);
    for (uint64_t i = 1; i < 2 * half; i++)
        findings += all[i] == all[i - 1];
    (void)munmap(all, 2 * half * sizeof *all);
    ses_manager_unref(manager);
    return findings;
}
