/* SPDX-License-Identifier: MIT */
#include "mysql/connection.h"

#include "mysql/attempt.h"
#include "shared/resolve.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the library ---- */

static pthread_once_t begin_once = PTHREAD_ONCE_INIT;
static bool has_begun;

/* It sets SIGPIPE to be ignored, which is the process's own business. */
static void begin(void)
{
    struct sigaction before;
    const bool known = sigaction(SIGPIPE, NULL, &before) == 0;
    has_begun = mysql_library_init(0, NULL, NULL) == 0;
    if (known)
        (void)sigaction(SIGPIPE, &before, NULL);
}

bool mysql_provider_begin(void)
{
    (void)pthread_once(&begin_once, begin);
    return has_begun;
}

/* ---- connecting ---- */

static bool new_handle(struct mysql_connection *c)
{
    c->talk.mysql = attempt_handle(0);
    if (c->talk.mysql)
        return true;
    c->broken = SES_ERR_NO_MEMORY;
    (void)snprintf(c->base.why, sizeof c->base.why, "out of memory");
    return false;
}

static struct talk_place place_of(const struct mysql_config *config)
{
    return (struct talk_place){
        .path = config->path,
        .user = config->user,
        .password = config->password,
        .database = config->database,
    };
}

static bool connect_to(struct mysql_connection *c, struct mysql_store *store,
                       const struct talk_place *place)
{
    if (!new_handle(c))
        return false;
    if (talk_connect(&c->talk, place, &store->connecting))
        return true;
    c->broken = mysql_provider_fail(c);
    return false;
}

/* What is closed may be tried at the next address; what was refused would be there, too. */
static bool connect_tcp(struct mysql_connection *c, struct mysql_store *store)
{
    struct addresses addresses;
    const char *problem =
        resolve(store->config.host, store->config.port, c->talk.deadline, &addresses);
    if (problem) {
        c->broken = SES_ERR_UNAVAILABLE;
        (void)snprintf(c->base.why, sizeof c->base.why, "%.100s: %s", store->config.host, problem);
        return false;
    }
    struct talk_place place = place_of(&store->config);
    place.port = store->config.port_number;
    c->broken = SES_ERR_UNAVAILABLE;
    for (size_t i = 0; i < addresses.count && !c->talk.late; i++) {
        char host[NI_MAXHOST];
        if (getnameinfo((const struct sockaddr *)&addresses.list[i], addresses.len[i], host,
                        sizeof host, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        talk_close(&c->talk);
        c->broken = SES_OK;
        place.host = host;
        if (connect_to(c, store, &place))
            return true;
        if (c->broken != SES_ERR_UNAVAILABLE)
            return false;
    }
    return false;
}

static bool connect_with_tls(struct mysql_connection *c, const struct mysql_store *store)
{
    const char *problem;
    if (attempt(&c->talk, &store->config, &problem))
        return true;
    if (!problem) {
        c->broken = mysql_provider_fail(c);
        return false;
    }
    c->broken = SES_ERR_UNAVAILABLE;
    (void)snprintf(c->base.why, sizeof c->base.why, "%.100s: %s", store->config.host, problem);
    return false;
}

static bool connect_any(struct mysql_connection *c, struct mysql_store *store)
{
    if (store->config.tls != MYSQL_TLS_NONE)
        return connect_with_tls(c, store);
    const struct talk_place place = place_of(&store->config);
    return place.path ? connect_to(c, store, &place) : connect_tcp(c, store);
}

/* ---- texts ---- */

static void take_number(MYSQL_RES *result, int64_t *ret_number)
{
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row && row[0])
        *ret_number = strtoll(row[0], NULL, 10);
}

static int query(struct mysql_connection *c, const char *text, int64_t *ret_number)
{
    if (!talk_query(&c->talk, text))
        return mysql_provider_fail(c);
    if (mysql_field_count(c->talk.mysql) == 0)
        return SES_OK;
    MYSQL_RES *result = talk_result(&c->talk);
    if (!result)
        return mysql_provider_fail(c);
    take_number(result, ret_number);
    mysql_free_result(result);
    return SES_OK;
}

static int run_text(struct mysql_connection *c, const char *text, int64_t *ret_number)
{
    talk_work(&c->talk, true);
    const int r = query(c, text, ret_number);
    talk_work(&c->talk, false);
    return r;
}

/* ---- settling ---- */

/* The server, too, ends what nobody waits for any more, and a little sooner, so that a row that
 * somebody else holds is told from a server that does not answer. InnoDB counts whole seconds; the
 * limit in the comment is MariaDB's, and no other reads that. */
static int set_patience(struct mysql_connection *c, int64_t patience_ms)
{
    char text[200];
    int64_t ignored;
    const long long ms = patience_ms - patience_ms / 10, whole_s = ms >= 1000 ? ms / 1000 : 1;
    (void)snprintf(text, sizeof text,
                   "SET innodb_lock_wait_timeout = %lld, lock_wait_timeout = %lld "
                   "/*M!, max_statement_time = %lld.%03lld */",
                   whole_s, whole_s, ms / 1000, ms % 1000);
    return run_text(c, text, &ignored);
}

/* What others may have preset for all their sessions does not reach ours: a value that does not
 * fit is an error, a statement alone is a transaction, and texts are what they are. */
static int settle(struct mysql_connection *c, struct mysql_store *store)
{
    static const char *const texts[] = {
        "SET character_set_client = utf8mb4, character_set_connection = utf8mb4, "
        "character_set_results = NULL, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
        "autocommit = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    };
    int64_t ignored, most = 0;
    int r = set_patience(c, store->sql.budget_ms / 2);
    for (size_t i = 0; i < sizeof texts / sizeof *texts && r == SES_OK; i++)
        r = run_text(c, texts[i], &ignored);
    if (r == SES_OK)
        r = run_text(c, "SELECT @@max_allowed_packet", &most);
    c->packet_most = (uint64_t)most;
    atomic_store(&store->packet_most, c->packet_most);
    return r;
}

/* ---- life time ---- */

static struct deadline deadline_to_connect(const struct mysql_config *config,
                                           struct deadline deadline)
{
    return config->connect_ms > 0 ? deadline_sooner(deadline, deadline_in(config->connect_ms))
                                  : deadline;
}

/* Whoever uses it is to learn more than that it could not be had, when the server refused it. */
struct sql_connection *mysql_provider_connect(struct sql *sql, struct deadline deadline, char *why,
                                              size_t why_size)
{
    struct mysql_store *store = (struct mysql_store *)sql;
    struct mysql_connection *c = calloc(1, sizeof *c);
    if (!c) {
        (void)snprintf(why, why_size, "out of memory");
        return NULL;
    }
    c->base.sql = sql;
    c->talk.deadline = deadline_to_connect(&store->config, deadline);
    c->talk.read_ms = store->config.read_ms;
    c->talk.write_ms = store->config.write_ms;
    if (connect_any(c, store))
        c->broken = settle(c, store);
    if (c->broken != SES_ERR_UNAVAILABLE && c->broken != SES_ERR_NO_MEMORY)
        return &c->base;
    (void)snprintf(why, why_size, "%s", c->base.why);
    mysql_provider_close(&c->base);
    return NULL;
}

bool mysql_provider_is_usable(struct sql_connection *connection)
{
    const struct mysql_connection *c = (const struct mysql_connection *)connection;
    return !c->broken && talk_is_quiet(&c->talk);
}

/* The statements are the library's alone, once there is no connection. */
static void free_all(struct mysql_connection *c)
{
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        if (c->statements[i].handle)
            (void)mysql_stmt_close(c->statements[i].handle);
    }
    for (int i = 0; i < SQL_COLUMNS_MOST; i++)
        free(c->rooms[i].bytes);
    free(c);
}

void mysql_provider_close(struct sql_connection *connection)
{
    struct mysql_connection *c = (struct mysql_connection *)connection;
    c->talk.late = c->talk.late || c->broken;
    talk_close(&c->talk);
    free_all(c);
}

void mysql_provider_close_copy(struct sql_connection *connection)
{
    struct mysql_connection *c = (struct mysql_connection *)connection;
    if (talk_close_copy(&c->talk))
        free_all(c);
}

/* Who makes or changes tables, or waits for the one that does, may take longer than a call. */
static int allow_time(struct mysql_connection *c)
{
    const struct sql *sql = c->base.sql;
    const int left = deadline_left_ms(c->talk.deadline);
    const bool patient = left > sql->budget_ms;
    if (patient == c->patient)
        return SES_OK;
    c->patient = patient;
    return set_patience(c, patient ? left : sql->budget_ms / 2);
}

int mysql_provider_ask(struct sql_connection *connection, const char *text,
                       struct deadline deadline, int64_t *ret_number)
{
    struct mysql_connection *c = (struct mysql_connection *)connection;
    if (c->broken)
        return c->broken;
    c->talk.deadline = deadline;
    const int r = allow_time(c);
    return r == SES_OK ? run_text(c, text, ret_number) : r;
}
