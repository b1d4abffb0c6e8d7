/* SPDX-License-Identifier: MIT */
#include "shared/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Whoever waits and the thread that asks hold one each; the last one frees it. */
struct question {
    atomic_int holders;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool done;
    int error;
    struct addresses addresses;
    char *host, *port;
};

static void question_unref(struct question *question)
{
    if (atomic_fetch_sub(&question->holders, 1) > 1)
        return;
    (void)pthread_mutex_destroy(&question->mutex);
    (void)pthread_cond_destroy(&question->answered);
    free(question->host);
    free(question->port);
    free(question);
}

static struct question *question_new(const char *host, const char *port)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return NULL;
    atomic_init(&question->holders, 1);
    (void)pthread_mutex_init(&question->mutex, NULL);
    (void)pthread_cond_init(&question->answered, NULL);
    question->host = strdup(host);
    question->port = strdup(port);
    if (question->host && question->port)
        return question;
    question_unref(question);
    return NULL;
}

static int ask(const char *host, const char *port, int flags, struct addresses *ret)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = flags | AI_NUMERICSERV,
    };
    const int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0)
        return error;
    ret->count = 0;
    for (const struct addrinfo *a = found; a && ret->count < ADDRESSES_MOST; a = a->ai_next) {
        if (a->ai_addrlen > sizeof ret->list[0])
            continue;
        memcpy(&ret->list[ret->count], a->ai_addr, a->ai_addrlen);
        ret->len[ret->count++] = a->ai_addrlen;
    }
    freeaddrinfo(found);
    return ret->count > 0 ? 0 : EAI_NONAME;
}

static void *ask_in_thread(void *arg)
{
    struct question *question = arg;
    struct addresses addresses = { 0 };
    const int error = ask(question->host, question->port, 0, &addresses);
    (void)pthread_mutex_lock(&question->mutex);
    question->addresses = addresses;
    question->error = error;
    question->done = true;
    (void)pthread_cond_signal(&question->answered);
    (void)pthread_mutex_unlock(&question->mutex);
    question_unref(question);
    return NULL;
}

static bool start_asking(struct question *question)
{
    pthread_t thread;
    atomic_fetch_add(&question->holders, 1);
    if (pthread_create(&thread, NULL, ask_in_thread, question) == 0) {
        (void)pthread_detach(thread);
        return true;
    }
    atomic_fetch_sub(&question->holders, 1);
    return false;
}

static const char *wait_for_answer(struct question *question, struct deadline deadline,
                                   struct addresses *ret)
{
    const struct timespec until = deadline_timespec(deadline);
    int r = 0;
    (void)pthread_mutex_lock(&question->mutex);
    while (!question->done && r == 0)
        r = pthread_cond_clockwait(&question->answered, &question->mutex, CLOCK_MONOTONIC, &until);
    const char *problem = "no name server answered in time";
    if (question->done) {
        problem = question->error == 0 ? NULL : gai_strerror(question->error);
        *ret = question->addresses;
    }
    (void)pthread_mutex_unlock(&question->mutex);
    return problem;
}

const char *resolve(const char *host, const char *port, struct deadline deadline,
                    struct addresses *ret_addresses)
{
    if (ask(host, port, AI_NUMERICHOST, ret_addresses) == 0)
        return NULL;
    struct question *question = question_new(host, port);
    if (!question)
        return "out of memory";
    const char *problem = start_asking(question)
                              ? wait_for_answer(question, deadline, ret_addresses)
                              : "no thread to ask a name server";
    question_unref(question);
    return problem;
}
