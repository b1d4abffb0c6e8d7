/* SPDX-License-Identifier: MIT */
#include "redis/listen.h"

#include "redis/ask.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PAUSE_MS = 100, PAUSE_MOST_MS = 2000, PIECE = 16 << 10 };

static const char channel[] = "__redis__:invalidate";

struct listen {
    struct redis *redis;
    struct near *near;
    atomic_bool runs;
    atomic_bool stops;
    pthread_mutex_t mutex; /* of what follows */
    pthread_t thread;
    int wake;          /* ends a wait of the thread's */
    struct wire *wire; /* only the thread talks on it */
    struct fork_watch watch;
};

/* ---- what the server says ---- */

static void forget(const struct listen *listen, const redisReply *names)
{
    for (size_t i = 0; i < names->elements; i++) {
        const redisReply *name = names->element[i];
        struct ses_key key;
        if (name->type == REDIS_REPLY_STRING &&
            name_read(listen->redis, name->str, name->len, &key))
            near_forget(listen->near, &key);
    }
}

/* {"message", channel, names}, names being nothing when all are gone; or the answer to a PING. */
static bool hear(const struct listen *listen, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return false;
    if (reply_is_text(reply->element[0], "pong"))
        return true;
    if (reply->elements != 3 || !reply_is_text(reply->element[0], "message"))
        return false;
    const redisReply *names = reply->element[2];
    if (names->type == REDIS_REPLY_ARRAY)
        forget(listen, names);
    else
        near_forget_all(listen->near);
    return true;
}

/* @return false: the connection is of no more use */
static bool hear_all(const struct listen *listen, redisReader *reader)
{
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(reader, &reply) != REDIS_OK)
            return false;
        if (!reply)
            return true;
        const bool sound = hear(listen, reply);
        reply_free(reply);
        if (!sound)
            return false;
    }
}

static bool take_in(struct listen *listen)
{
    char bytes[PIECE];
    const ssize_t got =
        stream_receive(&listen->wire->stream, bytes, sizeof bytes, deadline_in(LISTEN_ANSWER_MS));
    return got > 0 && redisReaderFeed(listen->wire->reader, bytes, (size_t)got) == REDIS_OK &&
           hear_all(listen, listen->wire->reader);
}

/* ---- one connection ---- */

static bool ask_to_be_told(const struct redis *redis, struct wire *wire, int64_t id,
                           struct deadline deadline, char *why, size_t why_size)
{
    struct batch batch = { 0 };
    struct digits digits;
    char prefix[NAME_ROOM];
    bool told = true;
    (void)snprintf(prefix, sizeof prefix, "%ss-", redis->config.prefix);
    BATCH_ADD(&batch, word("CLIENT"), word("TRACKING"), word("ON"), word("REDIRECT"),
              number_word(&digits, id), word("BCAST"), word("PREFIX"), word(prefix));
    BATCH_ADD(&batch, word("SUBSCRIBE"), word(channel));
    const bool sent = wire_send(wire, &batch, deadline);
    for (int i = 0; i < batch.commands; i++) {
        redisReply *reply = sent ? wire_receive(wire, deadline) : NULL;
        if (told && (!reply || reply->type == REDIS_REPLY_ERROR)) {
            server_text(reply, why, why_size);
            told = false;
        }
        reply_free(reply);
    }
    batch_free(&batch);
    return told;
}

/* It redirects to itself, which needs its number. */
static struct wire *begin(const struct redis *redis, struct node *node, char *why, size_t why_size)
{
    const struct deadline deadline = deadline_in(redis->config.connect_ms);
    struct wire *wire = node_connect(node, deadline, why, why_size);
    if (!wire)
        return NULL;
    struct batch batch = { 0 };
    BATCH_ADD(&batch, word("CLIENT"), word("ID"));
    redisReply *reply = wire_ask(wire, &batch, deadline);
    batch_free(&batch);
    bool told = reply && reply->type == REDIS_REPLY_INTEGER;
    if (told)
        told = ask_to_be_told(redis, wire, reply->integer, deadline, why, why_size);
    else
        server_text(reply, why, why_size);
    reply_free(reply);
    if (told)
        return wire;
    wire_close(wire);
    return NULL;
}

static bool say_ping(const struct listen *listen)
{
    struct batch batch = { 0 };
    BATCH_ADD(&batch, word("PING"));
    const bool sent = wire_send(listen->wire, &batch, deadline_in(LISTEN_ANSWER_MS));
    batch_free(&batch);
    return sent;
}

/* Until it is lost, or is not the right one any more. */
static void attend(struct listen *listen, const struct node *node)
{
    const struct redis *redis = listen->redis;
    struct pollfd ready[] = { { .fd = listen->wire->stream.fd, .events = POLLIN },
                              { .fd = listen->wake, .events = POLLIN } };
    bool asked = false, sound = true;
    while (sound && !atomic_load(&listen->stops) &&
           redis->route.ops->find(listen->redis, NULL) == node) {
        const int r = poll(ready, 2, asked ? LISTEN_ANSWER_MS : LISTEN_PING_MS);
        if (ready[0].revents && r > 0)
            sound = take_in(listen);
        else if (r == 0)
            sound = !asked && say_ping(listen);
        asked = r == 0;
    }
}

/* ---- the thread ---- */

static void publish(struct listen *listen, struct wire *wire)
{
    (void)pthread_mutex_lock(&listen->mutex);
    listen->wire = wire;
    (void)pthread_mutex_unlock(&listen->mutex);
    near_on(listen->near);
}

static void withdraw(struct listen *listen)
{
    near_off(listen->near);
    (void)pthread_mutex_lock(&listen->mutex);
    wire_close(listen->wire);
    listen->wire = NULL;
    (void)pthread_mutex_unlock(&listen->mutex);
}

static void tell(const struct listen *listen, const struct node *node, const char *what)
{
    char name[NODE_NAME_ROOM];
    node_name(node, name);
    (void)ses_provider_fail(listen->redis->host, SES_ERR_UNAVAILABLE, "%s: near cache: %s", name,
                            what);
}

static void pause_for(const struct listen *listen, int ms)
{
    struct pollfd wake = { .fd = listen->wake, .events = POLLIN };
    (void)poll(&wake, 1, ms);
}

static void *run(void *arg)
{
    struct listen *listen = arg;
    bool told = false; /* that it does not work, once */
    int pause_ms = PAUSE_MS;
    while (!atomic_load(&listen->stops)) {
        struct node *node = listen->redis->route.ops->find(listen->redis, NULL);
        char why[200];
        struct wire *wire = begin(listen->redis, node, why, sizeof why);
        if (wire) {
            publish(listen, wire);
            attend(listen, node);
            withdraw(listen);
            told = false;
            pause_ms = PAUSE_MS;
        } else if (!told) {
            tell(listen, node, why);
            told = true;
        }
        pause_for(listen, pause_ms);
        pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
    }
    return NULL;
}

/* Signals are for the threads of the application. */
static bool start_thread(struct listen *listen)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&listen->thread, NULL, run, listen) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void listen_start(struct listen *listen)
{
    if (!listen || atomic_load_explicit(&listen->runs, memory_order_acquire))
        return;
    (void)pthread_mutex_lock(&listen->mutex);
    if (!atomic_load(&listen->runs)) {
        if (listen->wake < 0)
            listen->wake = eventfd(0, EFD_CLOEXEC);
        if (listen->wake >= 0 && start_thread(listen))
            atomic_store(&listen->runs, true);
    }
    (void)pthread_mutex_unlock(&listen->mutex);
}

/* ---- fork ---- */

/* In the child, with the mutex held. The thread is the parent's, and so is what wakes it; it may
 * have been at the connection, whose memory is therefore left alone. */
static void forked(void *arg)
{
    struct listen *listen = arg;
    atomic_store(&listen->runs, false);
    if (listen->wire)
        (void)close(listen->wire->stream.fd);
    listen->wire = NULL;
    if (listen->wake >= 0)
        (void)close(listen->wake);
    listen->wake = -1;
}

/* ---- life time ---- */

struct listen *listen_new(struct redis *redis, struct near *near)
{
    struct listen *listen = calloc(1, sizeof *listen);
    if (!listen)
        return NULL;
    listen->redis = redis;
    listen->near = near;
    listen->wake = -1;
    (void)pthread_mutex_init(&listen->mutex, NULL);
    listen->watch =
        (struct fork_watch){ .mutex = &listen->mutex, .in_child = forked, .arg = listen };
    fork_watch_begin(&listen->watch);
    return listen;
}

void listen_free(struct listen *listen)
{
    if (!listen)
        return;
    fork_watch_end(&listen->watch);
    if (atomic_load(&listen->runs)) {
        const uint64_t one = 1;
        atomic_store(&listen->stops, true);
        (void)!write(listen->wake, &one, sizeof one);
        (void)pthread_join(listen->thread, NULL);
    }
    if (listen->wake >= 0)
        (void)close(listen->wake);
    (void)pthread_mutex_destroy(&listen->mutex);
    free(listen);
}
