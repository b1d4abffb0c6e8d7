/* SPDX-License-Identifier: MIT */

/*
 * The counts that are too long for every run: script/torture [NAME ...] on the memory provider,
 * through the public API. One line per target: rounds, findings, seconds. Exit status 1 if there
 * was a finding.
 */

#include <sesame/sesame.h>

#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void must(int code, const char *what)
{
    if (code != SES_OK)
        errx(2, "%s: %s", what, ses_strerror(code));
}

static ses_manager *manager_with(const char *json, const struct ses_manager_options *options)
{
    struct ses_error error;
    ses_manager *manager = ses_manager_new("memory", json, options, &error);
    if (!manager)
        errx(2, "%s", error.message);
    return manager;
}

static void new_session(ses_manager *manager, char id[256])
{
    ses_session *session;
    must(ses_open(manager, NULL, &session), "open");
    must(ses_set_int(session, "n", 0), "set");
    must(ses_commit(session, NULL), "commit");
    (void)snprintf(id, 256, "%s", ses_session_id(session));
    ses_release(session);
}

static uint64_t count_sessions(ses_manager *manager)
{
    uint64_t count = 0;
    must(ses_count(manager, &count), "count");
    return count;
}

/* ---- fixation: ids that a client made up are never adopted (T-1) ---- */

static void made_up_id(uint64_t n, char cookie[64])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
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

static uint64_t fixation(uint64_t rounds)
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

/* ---- empty: visitors without data, and log-outs of nobody, leave nothing (T-28) ---- */

static uint64_t empty(uint64_t rounds)
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

/* ---- two threads that meet on one session, again and again ---- */

struct race {
    ses_manager *manager;
    pthread_barrier_t line;
    uint64_t rounds;
    char id[256];
    int (*rival)(ses_session *session);
};

static ses_session *open_or_die(struct race *race)
{
    ses_session *session;
    must(ses_open(race->manager, race->id, &session), "open");
    return session;
}

static void *run_rival(void *arg)
{
    struct race *race = arg;
    for (uint64_t i = 0; i < race->rounds; i++) {
        (void)pthread_barrier_wait(&race->line);
        ses_session *session = open_or_die(race);
        (void)pthread_barrier_wait(&race->line);
        must(race->rival(session), "rival");
        (void)pthread_barrier_wait(&race->line);
        ses_release(session);
    }
    return NULL;
}

/* A save that was under way when the rival acted must find the session gone, or have been before
 * it; afterwards the old id is dead (T-7). */
static uint64_t race_saves(uint64_t rounds, int (*rival)(ses_session *))
{
    struct race race = { .manager = manager_with(NULL, NULL), .rounds = rounds, .rival = rival };
    pthread_t thread;
    uint64_t findings = 0;
    (void)pthread_barrier_init(&race.line, NULL, 2);
    if (pthread_create(&thread, NULL, run_rival, &race) != 0)
        errx(2, "no thread");
    for (uint64_t i = 0; i < rounds; i++) {
        new_session(race.manager, race.id);
        (void)pthread_barrier_wait(&race.line);
        ses_session *session = open_or_die(&race);
        must(ses_increment(session, "n", 1), "increment");
        (void)pthread_barrier_wait(&race.line);
        const int r = ses_commit(session, NULL);
        findings += r != SES_OK && r != SES_ERR_GONE;
        (void)pthread_barrier_wait(&race.line);
        findings += ses_exists(race.manager, race.id) != SES_ERR_NOT_FOUND;
        ses_release(session);
    }
    (void)pthread_join(thread, NULL);
    (void)pthread_barrier_destroy(&race.line);
    ses_manager_unref(race.manager);
    return findings;
}

static uint64_t destroy(uint64_t rounds)
{
    return race_saves(rounds, ses_destroy);
}

/* The new session must not carry on half-made: it is ended in turn. */
static int regenerate_then_end(ses_session *session)
{
    const int r = ses_regenerate(session);
    return r == SES_OK ? ses_destroy(session) : r;
}

static uint64_t regenerate(uint64_t rounds)
{
    return race_saves(rounds, regenerate_then_end);
}

/* ---- increments: eight threads on one counter, and nothing is lost ---- */

enum { WRITERS = 8 };

struct writers {
    ses_manager *manager;
    const char *id;
    uint64_t each;
};

static void *write_counter(void *arg)
{
    const struct writers *w = arg;
    for (uint64_t i = 0; i < w->each;) {
        ses_session *session;
        must(ses_open(w->manager, w->id, &session), "open");
        must(ses_increment(session, "n", 1), "increment");
        const int r = ses_commit(session, NULL);
        ses_release(session);
        if (r != SES_ERR_CONFLICT)
            must(r, "commit");
        i += r == SES_OK;
    }
    return NULL;
}

static uint64_t increments(uint64_t rounds)
{
    char id[256];
    struct writers w = { manager_with(NULL, NULL), id, rounds / WRITERS };
    pthread_t threads[WRITERS];
    new_session(w.manager, id);
    for (int i = 0; i < WRITERS; i++) {
        if (pthread_create(&threads[i], NULL, write_counter, &w) != 0)
            errx(2, "no thread");
    }
    for (int i = 0; i < WRITERS; i++)
        (void)pthread_join(threads[i], NULL);

    ses_session *session;
    int64_t sum = 0;
    must(ses_open(w.manager, id, &session), "open");
    must(ses_get_int(session, "n", &sum), "get");
    ses_release(session);
    ses_manager_unref(w.manager);
    return (uint64_t)sum != w.each * WRITERS;
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

static uint64_t ids(uint64_t rounds)
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

/* ---- the list ---- */

static const struct target {
    const char *name;
    uint64_t (*run)(uint64_t rounds);
    uint64_t rounds;
} targets[] = {
    { "fixation", fixation, 1000000 },     { "empty", empty, 1000000 },
    { "destroy", destroy, 1000000 },       { "regenerate", regenerate, 1000000 },
    { "increments", increments, 1000000 }, { "ids", ids, 100000000 },
};

enum { TARGETS = sizeof targets / sizeof targets[0] };

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc == 1;
}

static uint64_t run_target(const struct target *target)
{
    struct timespec start, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    const uint64_t findings = target->run(target->rounds);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    const double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    (void)printf("%-12s %10llu rounds %6llu findings %7.1f s\n", target->name,
                 (unsigned long long)target->rounds, (unsigned long long)findings, seconds);
    (void)fflush(stdout);
    return findings;
}

static bool known(const char *name)
{
    for (size_t i = 0; i < TARGETS; i++) {
        if (strcmp(targets[i].name, name) == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    uint64_t findings = 0;
    for (int i = 1; i < argc; i++) {
        if (!known(argv[i]))
            errx(2,
                 "unknown target \"%s\"; known are: fixation, empty, destroy, regenerate, "
                 "increments, ids",
                 argv[i]);
    }
    for (size_t i = 0; i < TARGETS; i++) {
        if (wanted(targets[i].name, argc, argv))
            findings += run_target(&targets[i]);
    }
    return findings > 0;
}
