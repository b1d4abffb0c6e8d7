/* SPDX-License-Identifier: MIT */
#include "torture/torture.h"

#include <err.h>
#include <pthread.h>

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

uint64_t destroy(uint64_t rounds)
{
    return race_saves(rounds, ses_destroy);
}

/* The new session must not carry on half-made: it is ended in turn. */
static int regenerate_then_end(ses_session *session)
{
    const int r = ses_regenerate(session);
    return r == SES_OK ? ses_destroy(session) : r;
}

uint64_t regenerate(uint64_t rounds)
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

uint64_t increments(uint64_t rounds)
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

/* ---- end: all sessions of a user, while one of them is busy ---- */

enum busy { COMMITTING, RENEWING, STEPPING_UP, LOGGING_IN, BUSY };

struct duel {
    struct stage stage;
    pthread_barrier_t line;
    uint64_t rounds;
    struct browser browser;
    char id[256]; /* which the session has after the act; "": none */
};

/* What an ended session may answer. */
static void may_be_gone(int code, const char *what)
{
    if (code != SES_ERR_GONE)
        must(code, what);
}

static void act(struct duel *duel, enum busy busy, ses_session *session)
{
    const struct ses_headers *headers = NULL;
    must(ses_increment(session, "n", 1), "increment");
    (void)pthread_barrier_wait(&duel->line);
    if (busy == STEPPING_UP)
        may_be_gone(ses_elevate(session, SES_LEVEL_STRONG), "step-up");
    if (busy == LOGGING_IN)
        must(ses_login(session, "ada", SES_LEVEL_FULL, SES_LOGIN_KEEP_DATA), "log-in");
    may_be_gone(ses_commit(session, &headers), "commit");
    duel->id[0] = '\0';
    if (headers && headers->cookie_count > 0)
        (void)snprintf(duel->id, sizeof duel->id, "%s", headers->cookies[0].value);
}

static void *run_busy(void *arg)
{
    struct duel *duel = arg;
    for (uint64_t i = 0; i < duel->rounds; i++) {
        (void)pthread_barrier_wait(&duel->line);
        ses_session *session = visit(&duel->stage, &duel->browser);
        act(duel, (enum busy)(i % BUSY), session);
        (void)pthread_barrier_wait(&duel->line);
        ses_release(session);
    }
    return NULL;
}

static void log_in_for(struct duel *duel, enum busy busy)
{
    duel->browser.cookie[0] = '\0';
    ses_session *session = visit(&duel->stage, &duel->browser);
    must(ses_login(session, "ada", SES_LEVEL_FULL, 0), "log-in");
    must(ses_set_int(session, "n", 1), "set");
    finish(session, &duel->browser);
    stage_pass(&duel->stage, busy == RENEWING ? 600 * 1000 : 1000);
}

static bool has_old_values(ses_manager *manager, const char *id)
{
    ses_session *session;
    if (id[0] == '\0' || ses_open(manager, id, &session) != SES_OK)
        return false;
    const bool has = ses_type_of(session, "n") != SES_TYPE_ABSENT;
    ses_release(session);
    return has;
}

/* A log-in that comes after the end has a session of its own, without the values of the old one;
 * nothing else may be there. */
static uint64_t judge(struct duel *duel, enum busy busy)
{
    ses_manager *manager = duel->stage.manager;
    uint64_t findings = ses_exists(manager, id_of(&duel->browser)) != SES_ERR_NOT_FOUND;
    findings += has_old_values(manager, duel->id);
    if (busy == LOGGING_IN)
        must(ses_end_user(manager, "ada", NULL), "end of the log-in");
    if (duel->id[0] != '\0')
        findings += ses_exists(manager, duel->id) != SES_ERR_NOT_FOUND;
    return findings + count_sessions(manager);
}

uint64_t end(uint64_t rounds)
{
    static struct duel duel;
    pthread_t thread;
    uint64_t findings = 0;
    duel.rounds = rounds;
    stage_open(&duel.stage, "{\"renewalInterval\":600,\"idleTimeout\":7200}");
    (void)pthread_barrier_init(&duel.line, NULL, 2);
    if (pthread_create(&thread, NULL, run_busy, &duel) != 0)
        errx(2, "no thread");
    for (uint64_t i = 0; i < rounds; i++) {
        const enum busy busy = (enum busy)(i % BUSY);
        log_in_for(&duel, busy);
        (void)pthread_barrier_wait(&duel.line);
        (void)pthread_barrier_wait(&duel.line);
        must(ses_end_user(duel.stage.manager, "ada", NULL), "end");
        (void)pthread_barrier_wait(&duel.line);
        findings += judge(&duel, busy);
    }
    (void)pthread_join(thread, NULL);
    (void)pthread_barrier_destroy(&duel.line);
    stage_close(&duel.stage);
    return findings;
}
