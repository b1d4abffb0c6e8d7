/* SPDX-License-Identifier: MIT */
/* Connecting to one of the hosts, and letting go. */
#include "postgres/connection.h"

#include "shared/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS_MOST = 80, TLS_LOOK_MS = 10, ADDRESS_ROOM = NI_MAXHOST, OLDEST_SERVER = 110000 };

/* ---- waiting ---- */

/* TLS may have read more from the socket than libpq had room for, when the server sends it in large
 * records, and libpq does not tell. So with TLS it is asked from time to time. */
bool postgres_provider_wait(PGconn *pg, short events, struct deadline deadline)
{
    struct pollfd fd = { .fd = PQsocket(pg), .events = events };
    const bool looks = PQsslInUse(pg);
    int r;
    do {
        const int left = deadline_left_ms(deadline);
        if (left == 0)
            return false;
        r = poll(&fd, 1, looks && left > TLS_LOOK_MS ? TLS_LOOK_MS : left);
    } while (r <= 0 && !looks);
    return true;
}

void postgres_provider_note(char *why, size_t why_size, const char *text)
{
    (void)snprintf(why, why_size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* ---- one host ---- */

/* A name is for TLS and messages, and never asked for by libpq, which would wait for the answer. */
struct place {
    const struct postgres_host *host;
    const char *address; /* "": a unix socket */
};

struct words {
    const char *names[WORDS_MOST], *values[WORDS_MOST];
    int count;
};

static void add(struct words *words, const char *name, const char *value)
{
    if (words->count < WORDS_MOST - 1) {
        words->names[words->count] = name;
        words->values[words->count++] = value;
    }
}

static bool is_of_hosts(const char *name)
{
    return strcmp(name, "host") == 0 || strcmp(name, "hostaddr") == 0 || strcmp(name, "port") == 0;
}

static PGconn *begin(const struct postgres_config *config, const struct place *place)
{
    struct words words = { .count = 0 };
    for (const PQconninfoOption *option = config->options; option->keyword; option++) {
        if (option->val && !is_of_hosts(option->keyword))
            add(&words, option->keyword, option->val);
    }
    add(&words, "host", place->host->name);
    add(&words, "hostaddr", place->address);
    add(&words, "port", place->host->port);
    if (!postgres_config_option(config, "target_session_attrs"))
        add(&words, "target_session_attrs", "read-write");
    if (!postgres_config_option(config, "gssencmode"))
        add(&words, "gssencmode", "disable"); /* Kerberos asks servers of its own, and waits */
    if (!postgres_config_option(config, "fallback_application_name"))
        add(&words, "fallback_application_name", "sesame");
    return PQconnectStartParams(words.names, words.values, 0);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg, (void)result;
}

static bool finish(PGconn *pg, struct deadline deadline, char *why, size_t why_size)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    (void)PQsetNoticeReceiver(pg, ignore_notice, NULL);
    if (PQstatus(pg) == CONNECTION_BAD)
        next = PGRES_POLLING_FAILED;
    while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
        if (!postgres_provider_wait(pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                                    deadline)) {
            (void)snprintf(why, why_size, "\"%.80s\", port %s, does not answer", PQhost(pg),
                           PQport(pg));
            return false;
        }
        next = PQconnectPoll(pg);
    }
    if (next != PGRES_POLLING_OK)
        postgres_provider_note(why, why_size, PQerrorMessage(pg));
    return next == PGRES_POLLING_OK;
}

static PGconn *connect_to(const struct postgres *store, const struct place *place,
                          struct deadline deadline, char *why, size_t why_size)
{
    PGconn *pg = begin(&store->config, place);
    if (!pg) {
        (void)snprintf(why, why_size, "out of memory");
        return NULL;
    }
    if (finish(pg, deadline, why, why_size)) {
        if (PQserverVersion(pg) >= OLDEST_SERVER && PQsetnonblocking(pg, 1) == 0)
            return pg;
        (void)snprintf(why, why_size, "the server is older than PostgreSQL 11");
    }
    PQfinish(pg);
    return NULL;
}

/* Of what is left, one of so many who are still to be tried. */
static struct deadline share_of(struct deadline deadline, size_t count)
{
    return deadline_in(deadline_left_ms(deadline) / (int)count);
}

static PGconn *connect_by_name(const struct postgres *store, const struct postgres_host *host,
                               struct deadline deadline, char *why, size_t why_size)
{
    struct addresses addresses;
    char address[ADDRESS_ROOM];
    PGconn *pg = NULL;
    const char *problem = resolve(host->name, host->port, deadline, &addresses);
    if (problem) {
        (void)snprintf(why, why_size, "\"%.80s\": %s", host->name, problem);
        return NULL;
    }
    for (size_t i = 0; !pg && i < addresses.count; i++) {
        const struct place place = { host, address };
        if (getnameinfo((const struct sockaddr *)&addresses.list[i], addresses.len[i], address,
                        sizeof address, NULL, 0, NI_NUMERICHOST) == 0)
            pg = connect_to(store, &place, share_of(deadline, addresses.count - i), why, why_size);
    }
    return pg;
}

static PGconn *connect_host(const struct postgres *store, const struct postgres_host *host,
                            struct deadline deadline, char *why, size_t why_size)
{
    if (store->config.connect_ms > 0)
        deadline = deadline_sooner(deadline, deadline_in(store->config.connect_ms));
    const struct place place = { host, host->address };
    const bool has_name = host->name[0] && host->name[0] != '/' && host->name[0] != '@';
    if (has_name && !host->address[0])
        return connect_by_name(store, host, deadline, why, why_size);
    return connect_to(store, &place, deadline, why, why_size);
}

/* ---- any host ---- */

/* The one that took us last comes first; one that hangs leaves the others their time. */
static bool connect_any(struct connection *c, struct postgres *store, char *why, size_t why_size)
{
    const size_t count = store->config.host_count, first = store->first;
    for (size_t i = 0; !c->pg && i < count; i++) {
        const size_t len = strlen(why);
        (void)snprintf(why + len, why_size - len, "%s", len > 0 && len + 2 < why_size ? "; " : "");
        c->host = (first + i) % count;
        c->pg = connect_host(store, &store->config.hosts[c->host], share_of(c->deadline, count - i),
                             why + strlen(why), why_size - strlen(why));
    }
    if (c->pg)
        store->first = c->host;
    return c->pg != NULL;
}

static ino_t inode_of(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 ? stat.st_ino : 0;
}

struct sql_connection *postgres_provider_connect(struct sql *sql, struct deadline deadline,
                                                 char *why, size_t why_size)
{
    struct connection *c = calloc(1, sizeof *c);
    (void)snprintf(why, why_size, "%s", c ? "" : "out of memory");
    if (!c)
        return NULL;
    c->base.sql = sql;
    c->deadline = deadline;
    const bool connected = connect_any(c, (struct postgres *)sql, why, why_size);
    c->inode = connected ? inode_of(PQsocket(c->pg)) : 0;
    if (connected && postgres_provider_settle(c, sql->budget_ms / 2))
        return &c->base;
    if (connected)
        (void)snprintf(why, why_size, "%s", c->base.why);
    postgres_provider_close(&c->base);
    return NULL;
}

/* ---- keeping it, and letting go ---- */

/* What comes unasked is an end, or news of the server's settings; both are rare. */
bool postgres_provider_is_usable(struct sql_connection *connection)
{
    const struct connection *c = (const struct connection *)connection;
    struct pollfd fd = { .fd = PQsocket(c->pg), .events = POLLIN };
    return PQstatus(c->pg) == CONNECTION_OK && poll(&fd, 1, 0) == 0;
}

/* Says goodbye, as far as that goes without waiting. */
void postgres_provider_close(struct sql_connection *connection)
{
    struct connection *c = (struct connection *)connection;
    PQfinish(c->pg);
    free(c);
}

/* @return whether what is said to it from now on reaches nobody. */
static bool lead_nowhere(const struct connection *c)
{
    int pair[2];
    const int fd = PQsocket(c->pg);
    if (fd < 0 || inode_of(fd) != c->inode)
        return fd < 0; /* its number may be another file's by now */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    const bool replaced = dup3(pair[0], fd, O_CLOEXEC) == fd;
    for (int i = 0; i < 2; i++)
        (void)close(pair[i]);
    return replaced;
}

/* In a child: the goodbye goes to a socket that nobody has the other end of. What a thread of the
 * parent was at work on is in pieces, and is lost. */
void postgres_provider_close_copy(struct sql_connection *connection)
{
    struct connection *c = (struct connection *)connection;
    if (lead_nowhere(c) && !atomic_load(&c->at_work))
        postgres_provider_close(connection);
}
