/* SPDX-License-Identifier: MIT */
#ifndef SES_REDIS_CLUSTER_H
#define SES_REDIS_CLUSTER_H

#include "redis/route.h"

/*
 * A cluster: each key has a slot, each slot a master. What we know of that is a map, read without
 * a lock. It is asked for (CLUSTER SLOTS) at start, and again when a node does not answer or says
 * that something is amiss: by one thread at a time, of any node that answers, and not more often
 * than every CLUSTER_PAUSE_MS. A node that says MOVED corrects the map in that slot at once; the
 * whole is then asked for at most every CLUSTER_MOVED_PAUSE_MS, because a slot on its way is
 * nothing that the others should pay for. ASK leaves the map alone.
 */
enum {
    CLUSTER_PAUSE_MS = 50,
    CLUSTER_MOVED_PAUSE_MS = 1000,
    CLUSTER_HOPS_MOST = 5, /* at a stretch: nodes that disagree get time to settle it */
};

extern const struct route_ops cluster_route;

#endif
