/* SPDX-License-Identifier: MIT */
#include "provider/cluster_fixture.h"

#include "redis/ask.h"
#include "shared/deadline.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WORDS_ROOM = 4096, SETTLE_MS = 30000 };

/* ---- one node ---- */

SES_PRINTF(3, 0)
static redisReply *say(const struct redis_cluster *cluster, int node, const char *format,
                       va_list args)
{
    char words[WORDS_ROOM];
    (void)vsnprintf(words, sizeof words, format, args);
    return redis_say(&cluster->nodes[node], words);
}

SES_PRINTF(3, 4)
static redisReply *ask(const struct redis_cluster *cluster, int node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = say(cluster, node, format, args);
    va_end(args);
    return reply;
}

void cluster_tell(const struct redis_cluster *cluster, int node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = say(cluster, node, format, args);
    va_end(args);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        errx(2, "%s: %s", format, reply ? reply->str : "no reply");
    reply_free(reply);
}

/* Does its answer contain that? */
static bool says(const struct redis_cluster *cluster, int node, const char *command,
                 const char *text)
{
    redisReply *reply = ask(cluster, node, "%s", command);
    const bool found = reply && reply->str && strstr(reply->str, text);
    reply_free(reply);
    return found;
}

long cluster_stat(const struct redis_cluster *cluster, int node, const char *section,
                  const char *name)
{
    redisReply *reply = ask(cluster, node, "INFO %s", section);
    const char *at = reply && reply->str ? strstr(reply->str, name) : NULL;
    const long number = at ? strtol(at + strlen(name), NULL, 10) : 0;
    reply_free(reply);
    return number;
}

long cluster_stats(const struct redis_cluster *cluster, const char *section, const char *name)
{
    long sum = 0;
    for (int i = 0; i < CLUSTER_NODES; i++)
        sum += cluster->nodes[i].pid ? cluster_stat(cluster, i, section, name) : 0;
    return sum;
}

/* ---- all of them ---- */

static void wait_a_little(struct deadline deadline, const char *what)
{
    const struct timespec moment = { .tv_nsec = 10000000 };
    if (deadline_passed(deadline))
        errx(2, "the cluster does not settle: %s", what);
    (void)nanosleep(&moment, NULL); /* polls, with a bound */
}

static void start_node(struct redis_cluster *cluster, int i, int timeout_ms)
{
    char timeout[16], bus[16];
    (void)snprintf(timeout, sizeof timeout, "%d", timeout_ms);
    (void)snprintf(bus, sizeof bus, "%d", free_port());
    const char *const words[] = {
        "--cluster-enabled", "yes", "--cluster-node-timeout", timeout, "--cluster-port", bus,
        "--repl-diskless-sync-delay", "0", "--cluster-config-file", "nodes.conf",
        /* A node that is slow to start is promoted all the same, and none changes its master. */
        "--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no", NULL
    };
    redis_start(&cluster->nodes[i], words);
    redisReply *id = ask(cluster, i, "CLUSTER MYID");
    (void)snprintf(cluster->ids[i], sizeof cluster->ids[i], "%s", id->str);
    reply_free(id);
    cluster_tell(cluster, i, "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    if (i > 0)
        cluster_tell(cluster, 0, "CLUSTER MEET 127.0.0.1 %d %s", cluster->nodes[i].port, bus);
}

static void join_replica(const struct redis_cluster *cluster, int i)
{
    const struct deadline deadline = deadline_in(SETTLE_MS);
    for (;;) { /* until it has heard of its master */
        redisReply *reply =
            ask(cluster, i, "CLUSTER REPLICATE %s", cluster->ids[i - CLUSTER_MASTERS]);
        const bool done = reply && reply->type == REDIS_REPLY_STATUS;
        reply_free(reply);
        if (done)
            return;
        wait_a_little(deadline, "a replica does not know its master");
    }
}

void cluster_start(struct redis_cluster *cluster, int node_timeout_ms)
{
    for (int i = 0; i < CLUSTER_NODES; i++)
        start_node(cluster, i, node_timeout_ms);
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        cluster_tell(cluster, i, "CLUSTER ADDSLOTSRANGE %d %d", SLOTS * i / CLUSTER_MASTERS,
                     SLOTS * (i + 1) / CLUSTER_MASTERS - 1);
    for (int i = CLUSTER_MASTERS; i < CLUSTER_NODES; i++)
        join_replica(cluster, i);
    cluster_settle(cluster);
}

void cluster_end(struct redis_cluster *cluster)
{
    for (int i = 0; i < CLUSTER_NODES; i++)
        server_end(&cluster->nodes[i]);
}

/* ---- do they agree? ---- */

static int node_of_port(const struct redis_cluster *cluster, long long port)
{
    for (int i = 0; i < CLUSTER_NODES; i++) {
        if (cluster->nodes[i].port == port)
            return i;
    }
    return -1;
}

/* The masters of all slots as that node sees them; -1: nobody. */
static void read_view(const struct redis_cluster *cluster, int node, int view[SLOTS])
{
    redisReply *reply = ask(cluster, node, "CLUSTER SLOTS");
    memset(view, -1, SLOTS * sizeof *view);
    for (size_t i = 0; reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        redisReply *const *range = reply->element[i]->element;
        for (long long slot = range[0]->integer; slot <= range[1]->integer; slot++)
            view[slot] = node_of_port(cluster, range[2]->element[1]->integer);
    }
    reply_free(reply);
}

static bool view_is_sound(const struct redis_cluster *cluster, const int view[SLOTS])
{
    for (int slot = 0; slot < SLOTS; slot++) {
        if (view[slot] < 0 || !cluster->nodes[view[slot]].pid)
            return false;
    }
    return true;
}

static bool is_in_step(const struct redis_cluster *cluster, int node)
{
    const bool master = says(cluster, node, "INFO replication", "role:master");
    return says(cluster, node, "CLUSTER INFO", "cluster_state:ok") &&
           (master || says(cluster, node, "INFO replication", "master_link_status:up"));
}

/* Who takes a slot without knowing the latest may take one that another has taken, too. */
static long cluster_epoch(const struct redis_cluster *cluster, int node)
{
    static const char name[] = "cluster_current_epoch:";
    redisReply *reply = ask(cluster, node, "CLUSTER INFO");
    const char *at = reply && reply->str ? strstr(reply->str, name) : NULL;
    const long epoch = at ? strtol(at + strlen(name), NULL, 10) : -1;
    reply_free(reply);
    return epoch;
}

static bool all_agree(const struct redis_cluster *cluster)
{
    int first[SLOTS], view[SLOTS];
    long epoch = 0;
    bool any = false;
    for (int i = 0; i < CLUSTER_NODES; i++) {
        if (!cluster->nodes[i].pid)
            continue;
        const long its = cluster_epoch(cluster, i);
        read_view(cluster, i, any ? view : first);
        if ((any && its != epoch) || !is_in_step(cluster, i) || !view_is_sound(cluster, first) ||
            (any && memcmp(first, view, sizeof view) != 0))
            return false;
        any = true;
        epoch = its;
    }
    return any;
}

void cluster_settle(const struct redis_cluster *cluster)
{
    const struct deadline deadline = deadline_in(SETTLE_MS);
    while (!all_agree(cluster))
        wait_a_little(deadline, "its nodes do not agree");
}

int cluster_master_of(const struct redis_cluster *cluster, unsigned slot)
{
    for (int i = 0; i < CLUSTER_NODES; i++) {
        int view[SLOTS];
        if (!cluster->nodes[i].pid)
            continue;
        read_view(cluster, i, view);
        if (view[slot] == i)
            return i;
    }
    return -1;
}

/* ---- moving slots ---- */

void cluster_begin_move(const struct redis_cluster *cluster, unsigned slot, int from, int to)
{
    cluster_tell(cluster, to, "CLUSTER SETSLOT %u IMPORTING %s", slot, cluster->ids[from]);
    cluster_tell(cluster, from, "CLUSTER SETSLOT %u MIGRATING %s", slot, cluster->ids[to]);
}

static bool move_some(const struct redis_cluster *cluster, unsigned slot, int from, int to)
{
    redisReply *keys = ask(cluster, from, "CLUSTER GETKEYSINSLOT %u 20", slot);
    char words[WORDS_ROOM];
    const bool any = keys && keys->type == REDIS_REPLY_ARRAY && keys->elements > 0;
    int len = snprintf(words, sizeof words, "MIGRATE 127.0.0.1 %d %%b 0 5000 KEYS",
                       cluster->nodes[to].port);
    for (size_t i = 0; any && i < keys->elements; i++)
        len += snprintf(words + len, sizeof words - (size_t)len, " %s", keys->element[i]->str);
    reply_free(keys);
    if (any) {
        char path[SERVER_PATH_ROOM];
        redisContext *context =
            redisConnectUnix(server_file(&cluster->nodes[from], "redis.sock", path));
        redisReply *reply = redisCommand(context, words, "", (size_t)0);
        if (!reply || reply->type == REDIS_REPLY_ERROR)
            errx(2, "MIGRATE: %s", reply ? reply->str : "no reply");
        reply_free(reply);
        redisFree(context);
    }
    return any;
}

/* The new owner is told first, as it has to answer for the slot when the old one does not. */
void cluster_end_move(const struct redis_cluster *cluster, unsigned slot, int from, int to)
{
    while (move_some(cluster, slot, from, to))
        ;
    cluster_tell(cluster, to, "CLUSTER SETSLOT %u NODE %s", slot, cluster->ids[to]);
    cluster_tell(cluster, from, "CLUSTER SETSLOT %u NODE %s", slot, cluster->ids[to]);
}

void cluster_move(const struct redis_cluster *cluster, unsigned slot, int from, int to)
{
    cluster_begin_move(cluster, slot, from, to);
    cluster_end_move(cluster, slot, from, to);
}

/* ---- keys ---- */

unsigned cluster_slot(const struct ses_key *key)
{
    const struct redis redis = { .config.prefix = "sesame-" };
    struct name name;
    name_of(&redis, NAME_SESSION, key, &name);
    return slot_of(name_slice(&name));
}

struct ses_key cluster_key(unsigned first, unsigned last)
{
    for (;;) {
        const struct ses_key key = new_key();
        const unsigned slot = cluster_slot(&key);
        if (slot >= first && slot <= last)
            return key;
    }
}

/* ---- stores ---- */

char *cluster_url(const struct redis_cluster *cluster, int node, const char *parameters,
                  char url[URL_ROOM])
{
    (void)snprintf(url, URL_ROOM, "cluster://127.0.0.1:%d%s", cluster->nodes[node].port,
                   parameters);
    return url;
}

struct redis_shop *cluster_shop(const struct redis_cluster *cluster, int node,
                                const char *parameters)
{
    struct redis_shop *shop = calloc(1, sizeof *shop);
    char url[URL_ROOM];
    assert_ok(shop_open(shop, cluster_url(cluster, node, parameters, url)));
    return shop;
}

void cluster_shop_end(struct redis_shop *shop)
{
    shop_close(shop);
    free(shop);
}

int cluster_load(const struct redis_shop *shop, const struct ses_key *key)
{
    struct ses_record record = { 0 };
    const int r = store_load(shop->f.store, key, shop->f.now, &record);
    drop_record(&record);
    return r;
}
