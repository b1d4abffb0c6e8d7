/* SPDX-License-Identifier: MIT */
#ifndef SES_TEST_PROVIDER_CLUSTER_FIXTURE_H
#define SES_TEST_PROVIDER_CLUSTER_FIXTURE_H

#include "provider/redis_fixture.h"
#include "redis/slots.h"

/* A cluster of Redis: the first nodes are masters at first, with a third of the slots each, and
 * each of the others is a replica of one of them. */
enum { CLUSTER_MASTERS = 3, CLUSTER_NODES = 6 };

struct redis_cluster {
    struct server nodes[CLUSTER_NODES];
    char ids[CLUSTER_NODES][41];
};

/* A master that is silent for that long is replaced. */
enum { CLUSTER_PATIENT_MS = 15000, CLUSTER_HASTY_MS = 1000 };
void cluster_start(struct redis_cluster *cluster, int node_timeout_ms);
void cluster_end(struct redis_cluster *cluster);

/* Until all nodes that run agree on who has what, every slot has a master that runs, and every
 * replica that runs is in step with its master. */
void cluster_settle(const struct redis_cluster *cluster);

/* "cluster://127.0.0.1:port", of that node alone, with parameters. */
char *cluster_url(const struct redis_cluster *cluster, int node, const char *parameters,
                  char url[URL_ROOM]);

/* A store on it, which has to open, and the end of it. */
struct redis_shop *cluster_shop(const struct redis_cluster *cluster, int node,
                                const char *parameters);
void cluster_shop_end(struct redis_shop *shop);

/* What loading answers; nothing is kept. */
int cluster_load(const struct redis_shop *shop, const struct ses_key *key);

/* Says one command of plain words to the node. It must not answer with an error. */
SES_PRINTF(3, 4)
void cluster_tell(const struct redis_cluster *cluster, int node, const char *format, ...);

/* The number after @p name in what INFO @p section says; 0 if it is not there. */
long cluster_stat(const struct redis_cluster *cluster, int node, const char *section,
                  const char *name);
/* Summed over the nodes that run. */
long cluster_stats(const struct redis_cluster *cluster, const char *section, const char *name);

/* Which node is the master of that slot, by its own account; -1: none that runs. */
int cluster_master_of(const struct redis_cluster *cluster, unsigned slot);

/* Moves a slot with all that is in it, while others use it. To the same node as before, or of a
 * cluster that has settled. */
void cluster_move(const struct redis_cluster *cluster, unsigned slot, int from, int to);
/* The first part of that, and the last. */
void cluster_begin_move(const struct redis_cluster *cluster, unsigned slot, int from, int to);
void cluster_end_move(const struct redis_cluster *cluster, unsigned slot, int from, int to);

/* A key whose session is in a slot from @p first to @p last. */
struct ses_key cluster_key(unsigned first, unsigned last);
unsigned cluster_slot(const struct ses_key *key);

#endif
