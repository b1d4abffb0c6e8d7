/* SPDX-License-Identifier: MIT */
#ifndef DEMO_DEVICES_H
#define DEMO_DEVICES_H

/* Where a user is logged in, or remembered. */

#include <sesame/login.h>

struct device {
    char handle[33];
    char browser[64]; /* "Firefox on Linux" */
    char peer[64];    /* "" when it is not known */
    int64_t created_ms;
    int64_t seen_ms;
    bool remembered; /* without a session */
    bool here;       /* the one that asks */
};

struct devices {
    struct device *all;
    size_t count;
};

/* Of whoever is logged in in @p session: that one first, then those used last. Zero *@p devices
 * before, and free it in any case. */
int devices_list(ses_manager *manager, ses_session *session, struct devices *devices);
void devices_free(struct devices *devices);

#endif
